"The output of a completion: the bytes of a server's stream in, pieces and the end of the completion out."

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ...completion import Completion, Done, Json, Piece
from ...streaming import Translator
from .join_pieces import join_pieces

# How long text of an answer that is not streamed may wait: this share of the time since the start, and at
# most this many seconds.
DELAY_SHARE = 0.1
MAX_DELAY = 0.05
# The delay if the end of the stream also ends the delay.
DELAY_BEFORE_END = 0.5

EventReader = Translator[Json, Piece | Done]


class CompletionOutput:
    """A `Translator` from the bytes of a stream to pieces and one Done.

    `objects` parses the bytes to JSON objects, `events` reads these. The pieces of a `batch` completion are
    collected for a moment and joined. When `feed`, `finish` or the stream raises an error, `flush` returns
    the pieces that came before it. `clock` returns seconds.
    """

    def __init__(
        self,
        objects: Translator[bytes, Json],
        events: EventReader,
        completion: Completion,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._events = events
        self._batch = completion.batch
        self._clock = clock
        self._started = self._flushed = clock()
        self._items: list[Piece | Done] = []
        self._done = False

    def feed(self, data: bytes, /) -> list[Piece | Done]:
        self._read(self._objects.feed(data))
        if not self._batch:
            return self.flush()
        now = self._clock()
        if now - self._flushed < self._max_delay(now):
            return []
        self._flushed = now
        return self.flush()

    def finish(self) -> list[Piece | Done]:
        self._read(self._objects.finish())
        self._items += self._events.finish()
        return self.flush()

    def flush(self) -> list[Piece | Done]:
        "Return what was read and not returned yet."
        items, self._items = self._items, []
        return [*_joined(items)] if self._batch else items

    def read_delay(self, *, wakes_at_end: bool) -> float:
        "Satisfy `ReadDelay`. The delay is 0 after the Done."
        if self._done or not self._batch:
            return 0.0
        return DELAY_BEFORE_END if wakes_at_end else self._max_delay(self._clock())

    def _read(self, values: Iterable[Json]) -> None:
        for value in values:
            self._items += self._events.feed(value)
        self._done = self._done or (bool(self._items) and isinstance(self._items[-1], Done))

    def _max_delay(self, now: float) -> float:
        return min(DELAY_SHARE * (now - self._started), MAX_DELAY)


def _joined(items: list[Piece | Done]) -> Iterator[Piece | Done]:
    yield from join_pieces(item for item in items if isinstance(item, Piece))
    yield from (item for item in items if isinstance(item, Done))
