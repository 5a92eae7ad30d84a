"""The models in memory: loaded when they are first asked, kept for a while, and given up when others need the
room."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, Protocol, TypeVar

# Seconds that a model stays in memory after its last answer, as with Ollama.
DEFAULT_KEEP_ALIVE = 300.0
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Load(Protocol):
    "What is loaded, and how: equal ones are loaded once."

    @property
    def path(self) -> str: ...

    def __hash__(self) -> int: ...


class Loaded(Protocol):
    "A model in memory. `end` gives the memory back; one that is not `alive` is loaded anew."

    @property
    def alive(self) -> bool: ...

    def end(self) -> None: ...


L = TypeVar("L", bound=Load)
H = TypeVar("H")
M = TypeVar("M", bound=Loaded)


def keep_alive_seconds(keep_alive: str | int | float) -> float:
    "A number is seconds, a string is a time as Ollama writes it: `10m`, `1h30m`."
    if not isinstance(keep_alive, str):
        return keep_alive
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", keep_alive)
    return sum(float(count) * UNITS[unit] for count, unit in parts) * (
        -1 if keep_alive.startswith("-") else 1
    )


class Kept(Generic[M]):
    "A model that is loaded, or about to be."

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded: M | None = None
        self.users = 0
        self.timer: threading.Timer | None = None

    @property
    def idle(self) -> bool:
        return self.loaded is not None and self.users == 0

    def give_up(self) -> None:
        if self.timer:
            self.timer.cancel()
        if self.loaded:
            self.loaded.end()
        self.loaded = None


class ModelPool(Generic[L, H, M]):
    "`start` loads a model; what it is told beside the load is the first one's who asks."

    def __init__(self, start: Callable[[L, H], M]) -> None:
        self._start = start
        self._kept: dict[L, Kept[M]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(thread_name_prefix="loading")

    def take(self, load: L, head: H) -> M:
        """The model in memory, which stays there until `leave`. Waits until it is loaded, whoever asked
        first.

        What is idle is unloaded before another is loaded. Raises what loading raises.
        """
        with self._lock:
            kept = self._kept.setdefault(load, Kept())
            kept.users += 1
        try:
            with kept.lock:
                if kept.timer:
                    kept.timer.cancel()
                if kept.loaded is None or not kept.loaded.alive:
                    kept.give_up()
                    self._make_room()
                    kept.loaded = self._start(load, head)
                return kept.loaded
        except BaseException:
            with self._lock:
                kept.users -= 1
            raise

    def leave(self, load: L, keep: float = DEFAULT_KEEP_ALIVE) -> None:
        "Nobody uses it for now. It is unloaded in `keep` seconds; at once if that is 0, never if it is less."
        with self._lock:
            kept = self._kept[load]
            kept.users -= 1
            if kept.users or keep < 0:
                return
            if kept.timer:
                kept.timer.cancel()
            kept.timer = threading.Timer(keep, self._unload, [kept])
            kept.timer.daemon = True
            kept.timer.start()

    @contextmanager
    def taken(self, load: L, head: H, keep: float = DEFAULT_KEEP_ALIVE) -> Iterator[M]:
        loaded = self.take(load, head)
        try:
            yield loaded
        finally:
            self.leave(load, keep)

    @asynccontextmanager
    async def ataken(self, load: L, head: H, keep: float = DEFAULT_KEEP_ALIVE) -> AsyncIterator[M]:
        """The same, awaited. Loading, which blocks, goes on in a thread, and goes on when its client leaves,
        for the next one, even of another event loop."""
        taking = self._threads.submit(self.take, load, head)
        try:
            loaded = await asyncio.wrap_future(taking)
        except asyncio.CancelledError:
            # Nobody else would say that it is idle.
            taking.add_done_callback(
                lambda done: None if done.cancelled() or done.exception() else self.leave(load, keep)
            )
            raise
        try:
            yield loaded
        finally:
            self.leave(load, keep)

    def loaded(self, path: str) -> L | None:
        "How this file is in memory now."
        with self._lock:
            return next(
                (load for load, kept in self._kept.items() if load.path == path and kept.loaded), None
            )

    def close(self) -> None:
        for kept in self._kept.values():
            kept.give_up()

    def _unload(self, kept: Kept[M]) -> None:
        with self._lock:
            if kept.idle:
                kept.give_up()

    def _make_room(self) -> None:
        with self._lock:
            for kept in self._kept.values():
                if kept.idle:
                    kept.give_up()
