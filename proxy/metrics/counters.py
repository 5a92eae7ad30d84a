"Counts the answers of the server and the turns of its models, in this process."

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from starlette.routing import Route
from starlette.types import Scope

from llm_gpt_oss.turn.note import NoteKind

from ..log.turn import Turn
from .definitions import (
    FIRST_TOKEN,
    HTTP_REQUESTS,
    NOTES,
    OTHER,
    QUEUE_WAIT,
    TOKEN_RATE,
    TOKENS,
    TURN_DURATION,
    TURNS,
    Definition,
)

NOTE_KINDS = frozenset(get_args(NoteKind))
# Larger numbers are wrong: no turn has so many tokens.
MAX_COUNT = 2**53
SUCCESS = 200
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Counters:
    "The counters and histograms of one app. `models` are the tags that get a label of their own."

    def __init__(self, models: Collection[str]) -> None:
        self._models = models
        self._registry = CollectorRegistry()
        self._http_requests = self._counter(HTTP_REQUESTS)
        self._turns = self._counter(TURNS)
        self._tokens = self._counter(TOKENS)
        self._notes = self._counter(NOTES)
        self._durations = self._histogram(TURN_DURATION)
        self._first_tokens = self._histogram(FIRST_TOKEN)
        self._token_rates = self._histogram(TOKEN_RATE)
        self._queue_waits = self._histogram(QUEUE_WAIT)
        for kind in sorted(NOTE_KINDS):  # a rate needs the 0 before the first one
            self._notes.labels(kind)

    def answer_began(self, scope: Scope, status: int) -> None:
        "Count an answer of the server. `scope` is that of its request, after it was routed."
        route, method = scope.get("route"), scope["method"]
        endpoint = route.path if isinstance(route, Route) else OTHER
        self._http_requests.labels(endpoint, method if method in METHODS else OTHER, str(status)).inc()

    def turn_ended(self, turn: Turn) -> None:
        "Count a turn with its tokens, times and notes. It counts whether it is logged or not."
        response, request = turn.response, turn.request
        tag = response.model.model_id
        model = tag if tag in self._models else OTHER
        self._turns.labels(request.endpoint, model, str(request.status)).inc()
        if request.status == SUCCESS:
            self._durations.labels(model).observe(response.duration_ms() / 1000)
        if request.queue_ms is not None:
            self._queue_waits.observe(request.queue_ms / 1000)
        if request.first_token_ms is not None:
            self._first_tokens.labels(model).observe(request.first_token_ms / 1000)
        details = response.token_details or {}
        if (rate := _number(details.get("tokens_per_second"))) > 0:
            self._token_rates.labels(model).observe(rate)
        prompt, output = _number(response.input_tokens), _number(response.output_tokens)
        cached = min(prompt, _number(details.get("cached_tokens")))
        reasoning = min(output, _number(details.get("reasoning_tokens")))
        counts = {
            "prompt": prompt - cached,
            "cached": cached,
            "reasoning": reasoning,
            "answer": output - reasoning,
        }
        for kind, count in counts.items():
            self._tokens.labels(model, kind).inc(count)
        for kind in _note_kinds(response.response_json):
            self._notes.labels(kind).inc()

    def collect(self) -> list[Metric]:
        "Return the metrics as they are now."
        return [*self._registry.collect()]

    def _counter(self, definition: Definition) -> Counter:
        return Counter(definition.name, definition.help, definition.labels, registry=self._registry)

    def _histogram(self, definition: Definition) -> Histogram:
        return Histogram(
            definition.name,
            definition.help,
            definition.labels,
            buckets=definition.buckets,
            registry=self._registry,
        )


def _number(value: Any) -> float:
    "Return the value if it is a plausible number, otherwise 0. Models of other plugins may report anything."
    return value if isinstance(value, int | float) and 0 < value <= MAX_COUNT else 0


def _note_kinds(response_json: Any) -> Iterator[str]:
    "Yield the kinds of the notes that this project defines."
    match response_json:
        case {"outcome": {"notes": [*notes]}}:
            for note in notes:
                if isinstance(note, dict) and note.get("kind") in NOTE_KINDS:
                    yield note["kind"]
