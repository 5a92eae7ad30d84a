"""The model calls that run in this process, and the last ones that ended. `/live` shows and stops them.

A token costs nothing here: the row of a run is computed when somebody asks for it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Protocol, TypedDict

from llm.parts import StreamEvent

from llm_gpt_oss.turn.progress import MAX_PIECES, Progress, end_of_text

from ..generation import GenerationRequest
from ..http.disconnect import CLIENT_LEFT
from ..http.errors import NO_RETRY, SERVER, ApiError

State = Literal["queued", "reading", "thinking", "answering", "calling", "done", "failed", "stopped"]

ENDED: frozenset[State] = frozenset({"done", "failed", "stopped"})
STATES: dict[str | None, State] = {
    None: "reading",
    "reasoning": "thinking",
    "answer": "answering",
    "call": "calling",
}
# How many runs that have ended are kept, of each process.
MAX_ENDED = 50
# The longest name or error in a row, in characters.
MAX_TEXT = 200
# The name before the version, such as `curl` of `curl/8.1`.
_PRODUCT = re.compile("[^/ ]*")
# The argument of the CancelledError with which a run is stopped.
STOP = "The run is stopped."


class RowHead(TypedDict):
    """What does not change in the row of a run. `id` is that of its turn. `logged` is whether the log has the
    turn, or will have it. `started` is in seconds since 1970."""

    id: str
    actor: str | None
    app: str
    endpoint: str
    model: str
    effort: str | None
    logged: bool
    started: float


class Row(RowHead):
    """A run as a page shows it.

    A run is `queued` until it has a slot, and `reading` its prompt until the first token. `first_token_ms`
    counts from its start. `tokens_per_second` is 0 until it can be known. `text` is the end of what the model
    wrote last. `seconds` is how long a run took that has ended, and `error` why.
    """

    state: State
    tool: str | None
    tokens: int
    tokens_per_second: float
    queue_ms: int | None
    first_token_ms: int | None
    seconds: float | None
    text: str
    error: str | None


class RunStopped(ApiError):
    "Somebody stopped the run at `/live`. Clients should not send the request again."

    def __init__(self, reason: str) -> None:
        super().__init__(CLIENT_LEFT, reason, SERVER, "stopped", headers=NO_RETRY)


class Source(Protocol):
    "The changing part of a run's row. `queue_ms` is None if the run has not waited for a slot."

    @property
    def is_queued(self) -> bool: ...

    @property
    def queue_ms(self) -> int | None: ...

    @property
    def first_token_ms(self) -> int | None: ...

    def progress(self) -> Progress: ...


class ActiveRun:
    """One run that has begun.

    Its reader calls `begin_reading` in its task, sets `is_reading` to False while it does something else, and
    looks at `stop_reason` afterwards.
    """

    def __init__(self, head: RowHead, source: Source, clock: Callable[[], float]) -> None:
        self.head = head
        self._source = source
        self._clock = clock
        self._task: asyncio.Task[Any] | None = None
        # When the first tokens were seen, and how many.
        self._first_seen: tuple[float, int] | None = None
        self._last = Progress(0)
        self.is_reading = False
        self.stop_reason: str | None = None

    def begin_reading(self) -> None:
        self._task = asyncio.current_task()
        self.is_reading = True

    def stop(self, reason: str) -> None:
        "End the run with RunStopped, at once or when its reader has done something else."
        self.stop_reason = reason
        if self._task and self.is_reading:
            self._task.cancel(STOP)

    @asynccontextmanager
    async def stoppable(self) -> AsyncIterator[None]:
        "Raise RunStopped instead of the CancelledError with which `stop` interrupts a wait."
        try:
            yield
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (STOP,):
                raise
            with suppress(AttributeError):  # Python 3.10 does not count
                self._task.uncancel()  # type: ignore[union-attr]
            raise RunStopped(str(self.stop_reason)) from None

    def row(self) -> Row:
        "Return what the run does now."
        now = self._clock()
        state: State = STATES[self._progress(now).message]
        if self._source.is_queued:
            state = "queued"
        return self._row(now, state)

    def last_row(self, status: int, error: str | None, tokens_per_second: float | None) -> Row:
        "Return how the run ended. `status` is that of its turn, the rate is the engine's own if it has one."
        now = self._clock()
        self._progress(now)
        state: State = "done" if status < 400 else "stopped" if status == CLIENT_LEFT else "failed"
        row = self._row(now, state)
        row["seconds"] = round(now - self.head["started"], 3)
        row["error"] = error and error[:MAX_TEXT]
        row["tokens_per_second"] = tokens_per_second or row["tokens_per_second"]
        return row

    def _progress(self, now: float) -> Progress:
        progress = self._source.progress()
        if progress.tokens and self._first_seen is None:
            self._first_seen = now, progress.tokens
        if progress.message is None and self._last.message is not None:
            progress = Progress(progress.tokens, self._last.message, self._last.tool, self._last.text)
        self._last = progress
        return progress

    def _row(self, now: float, state: State) -> Row:
        progress = self._last
        return {
            **self.head,
            "state": state,
            "tool": progress.tool,
            "tokens": progress.tokens,
            "tokens_per_second": self._rate(now),
            "queue_ms": self._source.queue_ms,
            "first_token_ms": self._source.first_token_ms,
            "seconds": None,
            "text": progress.text,
            "error": None,
        }

    def _rate(self, now: float) -> float:
        if self._first_seen is None:
            return 0.0
        since, tokens = self._first_seen
        return round((self._last.tokens - tokens) / (now - since), 1) if now - since >= 0.5 else 0.0


class ActiveRuns:
    """The runs of one process. `clock` returns seconds since 1970.

    `changed` is set when the next run begins or ends, and replaced then.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._runs: dict[str, ActiveRun] = {}
        self._ended: deque[Row] = deque(maxlen=MAX_ENDED)
        self.changed = asyncio.Event()

    def start(
        self,
        source: Source,
        *,
        id: str,
        actor: str | None,
        client: str | None,
        generation: GenerationRequest,
        logged: bool,
    ) -> ActiveRun:
        "Add a run that begins now. `client` is the User-Agent."
        effort = generation.options.get("reasoning_effort")
        head: RowHead = {
            "id": id,
            "actor": actor,
            "app": _PRODUCT.match(client or "")[0][:MAX_TEXT] or "unknown",  # type: ignore[index]
            "endpoint": generation.endpoint,
            "model": generation.model[:MAX_TEXT],
            "effort": str(effort)[:MAX_TEXT] if effort else None,
            "logged": logged,
            "started": self._clock(),
        }
        self._runs[id] = run = ActiveRun(head, source, self._clock)
        self._change()
        return run

    def end(self, run: ActiveRun, status: int, error: str | None, rate: float | None = None) -> None:
        "Move a run to those that have ended. `rate` is in tokens a second."
        if self._runs.pop(run.head["id"], None):
            self._ended.append(run.last_row(status, error, rate))
            self._change()

    def get(self, run_id: str) -> ActiveRun | None:
        return self._runs.get(run_id)

    def rows(self) -> list[Row]:
        "Return all rows, those that have ended first."
        return [*self._ended, *(run.row() for run in self._runs.values())]

    def _change(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


def progress_of_events(events: Sequence[StreamEvent]) -> Progress:
    "Return the progress of a model that reports only events. Each event counts as a token."
    if not events:
        return Progress(0)
    last = events[-1]
    if last.type.startswith("tool_call"):
        names = [event.chunk for event in events[-2:] if event.type == "tool_call_name"]
        texts = [event.chunk for event in events[-1:] if event.type == "tool_call_args"]
        return Progress(len(events), "call", names[0] if names else None, end_of_text(texts))
    texts = [event.chunk for event in events[-MAX_PIECES:] if event.type == last.type]
    return Progress(
        len(events), "reasoning" if last.type == "reasoning" else "answer", None, end_of_text(texts)
    )
