"""The models in memory: loaded when they are first asked, kept for a while, and given up when others need the
room."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from .gguf import Head
from .process import Load, Loaded

# Seconds that a model stays in memory after its last answer, as with Ollama.
KEEP = 300.0


class Kept:
    "A model that is loaded, or about to be."

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded: Loaded | None = None
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


class Pool:
    "`start` loads a model; it is for tests."

    def __init__(self, start: Callable[[Load, Head], Loaded] = Loaded) -> None:
        self._start = start
        self._kept: dict[Load, Kept] = {}
        self._lock = threading.Lock()

    def take(self, load: Load, head: Head) -> Loaded:
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

    def leave(self, load: Load, keep: float = KEEP) -> None:
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
    def taken(self, load: Load, head: Head, keep: float = KEEP) -> Iterator[Loaded]:
        loaded = self.take(load, head)
        try:
            yield loaded
        finally:
            self.leave(load, keep)

    def loaded(self, path: str) -> Load | None:
        "How this file is in memory now."
        return next((load for load, kept in self._kept.items() if load.path == path and kept.loaded), None)

    def close(self) -> None:
        for kept in self._kept.values():
            kept.give_up()

    def _unload(self, kept: Kept) -> None:
        with self._lock:
            if kept.idle:
                kept.give_up()

    def _make_room(self) -> None:
        with self._lock:
            for kept in self._kept.values():
                if kept.idle:
                    kept.give_up()


@cache
def pool() -> Pool:
    "This process's own: the models of all who ask in it."
    ours = Pool()
    atexit.register(ours.close)
    return ours
