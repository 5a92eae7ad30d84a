"""A turn as the API returns it, from the database or from the spool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm.logs import message_hash
from llm.parts import Message, StreamEvent

from llm_gpt_oss.log.redaction import is_redacted

from ..generation import CustomCall, Finished, ThreadPosition, TokenUsage
from .fingerprint import tool_calls
from .foreign_json import object_or_empty
from .ids import end_time
from .replay import replay_events
from .turn import Turn

# The kinds of notes that a client gets with its answer.
CLIENT_NOTES = ("misfit", "truncated")


@dataclass(frozen=True)
class StoredMessage:
    "A message and its hash in llm's log."

    hash: str
    message: Message

    @cached_property
    def is_redacted(self) -> bool:
        return is_redacted(self.message)


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """A turn of the log. `prompt` are all messages that the model received, `answer` those that it returned.

    `endpoint` is None for a turn that did not come through the proxy; `body` is empty then. `model` is as the
    client wrote it. The first `added` messages of `prompt` do not belong to the conversation, and the
    request's own messages begin at `first_input`. `tip` is the hash of the last message, or None until the
    turn is in the database. Until then `continues` is the position where it will be logged, if the request
    names one. `custom` are the calls of custom tools. `raw` is llm's `response_json`.
    """

    id: str
    answer_id: str
    thread_id: str | None
    tip: str | None
    endpoint: str | None
    model: str
    actor: str | None
    body: Mapping[str, Any]
    metadata: Mapping[str, str]
    prompt: Sequence[StoredMessage]
    answer: Sequence[StoredMessage]
    added: int
    first_input: int
    status: int
    error: str | None
    finish_reason: str
    usage: TokenUsage
    completed_at: int
    stored: bool
    deleted: bool
    pieces: Sequence[Sequence[int]] | None
    custom: frozenset[CustomCall]
    raw: Mapping[str, Any]
    in_progress: bool = False
    continues: ThreadPosition | None = None

    @property
    def finished(self) -> Finished:
        return Finished(self.finish_reason, self.usage, self.completed_at, client_notes(self.raw))

    def custom_tools(self, messages: Iterable[StoredMessage]) -> frozenset[str]:
        "The names of the tools that these messages call with free text."
        calls = tool_calls([stored.message for stored in messages])
        return frozenset(call.name for call in calls if (call.tool_call_id, call.name) in self.custom)

    def events(self) -> list[StreamEvent | Finished]:
        "The events as the model produced them, with `Finished` at the end if the turn succeeded."
        finished = self.finished if self.status == 200 else None
        messages = [stored.message for stored in self.answer]
        return list(
            replay_events(messages, pieces=self.pieces, logprobs=self.raw.get("logprobs"), finished=finished)
        )


def client_notes(raw: Any) -> tuple[str, ...]:
    "The notes in llm's `response_json` that tell a client how the answer differs from what it requested."
    match raw:
        case {"outcome": {"notes": [*notes]}}:
            return tuple(
                note["text"]
                for note in map(object_or_empty, notes)
                if note.get("kind") in CLIENT_NOTES and isinstance(note.get("text"), str)
            )
    return ()


def from_spool(turn: Turn, in_progress: bool) -> LoggedTurn:
    "A turn that is not in the database yet, as it will be logged."
    request, response = turn.request, turn.response
    raw = response.response_json or {}
    details = response.token_details or {}
    chain = [*with_hashes([*turn.prompt, *turn.answer])]
    return LoggedTurn(
        id=turn.id,
        answer_id=request.answer_id or turn.id,
        thread_id=None,
        tip=None,
        endpoint=request.endpoint,
        model=request.model or response.model.model_id,
        actor=request.actor,
        body=request.content,
        metadata=request.metadata or {},
        prompt=chain[: len(turn.prompt)],
        answer=chain[len(turn.prompt) :],
        added=request.added,
        first_input=request.added + request.known,
        status=request.status,
        error=request.error,
        finish_reason=request.finish_reason or "stop",
        usage=TokenUsage(
            response.input_tokens or 0, response.output_tokens or 0, details.get("reasoning_tokens", 0)
        ),
        completed_at=end_time(response.datetime_utc(), response.duration_ms()),
        stored=request.stored,
        deleted=False,
        pieces=request.pieces,
        custom=frozenset(request.custom_calls),
        raw=raw,
        in_progress=in_progress,
        continues=request.continues,
    )


def with_hashes(messages: Sequence[Message]) -> Iterator[StoredMessage]:
    "The messages with the hashes that they will have in the log."
    tip: str | None = None
    for message in messages:
        tip = message_hash(message, tip)
        yield StoredMessage(tip, message)
