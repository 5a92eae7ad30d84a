"""A pool of models in memory.

A model is loaded when it is first used and stays in memory for a while after its last use. Models that are
not in use are unloaded before another one is loaded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, Protocol, TypeVar

from .load_options import DEFAULT_KEEP_ALIVE


class PoolKey(Protocol):
    "What to load, and with which options. Equal keys share a loaded model."

    @property
    def path(self) -> str: ...

    def __hash__(self) -> int: ...


class LoadedModel(Protocol):
    """A model in memory. `load_ms` is the time that loading took.

    `close` frees the memory. If a model is not `alive`, the pool loads it again for the next use.
    """

    load_ms: float | None

    @property
    def alive(self) -> bool: ...

    def close(self) -> None: ...


KeyT = TypeVar("KeyT", bound=PoolKey)
DetailsT = TypeVar("DetailsT")
ModelT = TypeVar("ModelT", bound=LoadedModel)


class PoolEntry(Generic[ModelT]):
    "A model that is loaded, or will be. `lock` is held while it loads, `users` counts its borrowers."

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.model: ModelT | None = None
        self.users = 0
        self.timer: threading.Timer | None = None

    @property
    def idle(self) -> bool:
        return self.model is not None and self.users == 0

    def unload(self) -> None:
        if self.timer:
            self.timer.cancel()
        if self.model:
            self.model.close()
        self.model = None


class ModelPool(Generic[KeyT, DetailsT, ModelT]):
    """Loads models with `load(key, details)`.

    The details are not part of the key. If several callers wait for one model, it is loaded with the details
    of the first one. `keep_alive` is in seconds: 0 unloads the model immediately, a negative number never.
    """

    def __init__(self, load: Callable[[KeyT, DetailsT], ModelT]) -> None:
        self._load = load
        self._entries: dict[KeyT, PoolEntry[ModelT]] = {}
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(thread_name_prefix="loading")

    def acquire(self, key: KeyT, details: DetailsT) -> ModelT:
        """Return the model, after loading it if necessary. It stays in memory until `release`.

        Raises what loading raises.
        """
        with self._lock:
            entry = self._entries.setdefault(key, PoolEntry())
            entry.users += 1
        try:
            with entry.lock:
                if entry.timer:
                    entry.timer.cancel()
                if entry.model is None or not entry.model.alive:
                    entry.unload()
                    self._unload_idle()
                    entry.model = self._load(key, details)
                return entry.model
        except BaseException:
            with self._lock:
                entry.users -= 1
            raise

    def release(self, key: KeyT, keep_alive: float = DEFAULT_KEEP_ALIVE) -> None:
        "End one use of the model. After the last one, the model is unloaded in `keep_alive` seconds."
        with self._lock:
            entry = self._entries[key]
            entry.users -= 1
            if entry.users or keep_alive < 0:
                return
            if entry.timer:
                entry.timer.cancel()
            entry.timer = threading.Timer(keep_alive, self._unload_if_idle, [entry])
            entry.timer.daemon = True
            entry.timer.start()

    @contextmanager
    def borrow(
        self, key: KeyT, details: DetailsT, keep_alive: float = DEFAULT_KEEP_ALIVE
    ) -> Iterator[ModelT]:
        "Acquire the model, and release it at the end of the block."
        model = self.acquire(key, details)
        try:
            yield model
        finally:
            self.release(key, keep_alive)

    @asynccontextmanager
    async def aborrow(
        self, key: KeyT, details: DetailsT, keep_alive: float = DEFAULT_KEEP_ALIVE
    ) -> AsyncIterator[ModelT]:
        """Like `borrow`, but load the model in a thread, because loading blocks.

        If the caller is cancelled, loading continues for the next caller, even one in another event loop.
        """

        def release_when_loaded(acquiring: Future[ModelT]) -> None:
            if not acquiring.cancelled() and not acquiring.exception():
                self.release(key, keep_alive)

        acquiring = self._executor.submit(self.acquire, key, details)
        try:
            model = await asyncio.wrap_future(acquiring)
        except asyncio.CancelledError:
            acquiring.add_done_callback(release_when_loaded)
            raise
        try:
            yield model
        finally:
            self.release(key, keep_alive)

    def find_loaded(self, path: str) -> KeyT | None:
        """Return the key of a loaded model with this path, or None.

        The key contains the options that the model was loaded with.
        """
        with self._lock:
            return next(
                (key for key, entry in self._entries.items() if key.path == path and entry.model), None
            )

    def close(self) -> None:
        for entry in self._entries.values():
            entry.unload()

    def _unload_if_idle(self, entry: PoolEntry[ModelT]) -> None:
        with self._lock:
            if entry.idle:
                entry.unload()

    def _unload_idle(self) -> None:
        with self._lock:
            for entry in self._entries.values():
                if entry.idle:
                    entry.unload()
