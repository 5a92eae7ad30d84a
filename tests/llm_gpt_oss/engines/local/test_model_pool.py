from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llm_gpt_oss.engines.embedded.process import LoadOptions
from llm_gpt_oss.engines.gguf_header import GgufHeader
from llm_gpt_oss.engines.local.model_pool import ModelPool

A, B = LoadOptions("a", 1), LoadOptions("b", 1)
HEADER = GgufHeader("gpt-oss", 1)


class FakeModel:
    alive = True
    closed = False

    def close(self) -> None:
        self.closed = True
        self.alive = False


class FakeLoader:
    "Loads fake models, when `go` is set. Raises `error`, if there is one."

    def __init__(self) -> None:
        self.models: list[FakeModel] = []
        self.error: BaseException | None = None
        self.go = threading.Event()
        self.go.set()

    def __call__(self, options: LoadOptions, header: GgufHeader) -> Any:
        self.go.wait(5)
        if self.error:
            raise self.error
        self.models.append(FakeModel())
        return self.models[-1]


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


@pytest.fixture
def pool(loader: FakeLoader) -> Iterator[ModelPool]:
    pool = ModelPool(loader)
    yield pool
    pool.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_model_is_loaded_once_and_stays(pool: ModelPool, loader: FakeLoader) -> None:
    with pool.borrow(A, HEADER) as first, pool.borrow(A, HEADER) as second:
        assert first is second
    with pool.borrow(A, HEADER) as third:
        assert third is first
    assert len(loader.models) == 1
    assert pool.find_loaded("a") == A
    assert pool.find_loaded("b") is None


def test_model_is_unloaded_after_keep_alive(pool: ModelPool, loader: FakeLoader) -> None:
    with pool.borrow(A, HEADER, keep_alive=0.01):
        [model] = loader.models
        with pool.borrow(A, HEADER, keep_alive=0.01):
            pass
        time.sleep(0.05)
        assert not model.closed, "it is still in use"
    wait_until(lambda: model.closed)
    assert pool.find_loaded("a") is None


def test_next_use_restarts_keep_alive(pool: ModelPool, loader: FakeLoader) -> None:
    with pool.borrow(A, HEADER, keep_alive=0.2):
        pass
    with pool.borrow(A, HEADER, keep_alive=-1):
        pass
    time.sleep(0.3)
    assert pool.find_loaded("a") == A


def test_idle_models_are_unloaded_for_another(pool: ModelPool, loader: FakeLoader) -> None:
    with pool.borrow(A, HEADER), pool.borrow(B, HEADER):
        assert not loader.models[0].closed, "it is still in use"
    with pool.borrow(LoadOptions("a", 2), HEADER):
        assert [model.closed for model in loader.models] == [True, True, False]


def test_dead_model_is_loaded_again(pool: ModelPool, loader: FakeLoader) -> None:
    with pool.borrow(A, HEADER) as first:
        pass
    first.alive = False  # type: ignore[misc]
    with pool.borrow(A, HEADER) as second:
        assert second is not first


def test_failed_load_is_tried_again(pool: ModelPool, loader: FakeLoader) -> None:
    loader.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        pool.acquire(A, HEADER)
    loader.error = None
    with pool.borrow(A, HEADER, keep_alive=0):
        pass
    wait_until(lambda: pool.find_loaded("a") is None)


def test_callers_during_a_load_wait_for_it(pool: ModelPool, loader: FakeLoader) -> None:
    loader.go.clear()
    threads = [threading.Thread(target=pool.acquire, args=[A, HEADER]) for _ in range(3)]
    for thread in threads:
        thread.start()
    loader.go.set()
    for thread in threads:
        thread.join()
    assert len(loader.models) == 1


def test_caller_whose_event_loop_ends_does_not_keep_the_model(pool: ModelPool, loader: FakeLoader) -> None:
    async def borrow() -> None:
        try:
            async with pool.aborrow(A, HEADER, keep_alive=0):
                raise AssertionError("the caller has left")
        finally:
            threading.Timer(0.1, loader.go.set).start()

    loader.go.clear()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(borrow(), 0.02))
    wait_until(lambda: bool(loader.models) and loader.models[0].closed)


def test_close_unloads_models_in_use(pool: ModelPool, loader: FakeLoader) -> None:
    pool.acquire(A, HEADER)
    pool.close()
    assert loader.models[0].closed
