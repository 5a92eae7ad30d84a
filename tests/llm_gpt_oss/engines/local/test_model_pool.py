from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_gpt_oss.engines.embedded.gguf import GgufHeader
from llm_gpt_oss.engines.embedded.process import LoadOptions
from llm_gpt_oss.engines.local.model_pool import ModelPool

A, B = LoadOptions("a", 1), LoadOptions("b", 1)
HEAD = GgufHeader("gpt-oss", 1)


class Fake:
    alive = True
    ended = False

    def end(self) -> None:
        self.ended = True
        self.alive = False


class Starts:
    def __init__(self) -> None:
        self.started: list[tuple[LoadOptions, Fake]] = []
        self.error: BaseException | None = None
        self.go = threading.Event()
        self.go.set()

    def __call__(self, load: LoadOptions, head: GgufHeader) -> Any:
        self.go.wait(5)
        if self.error:
            raise self.error
        self.started.append((load, Fake()))
        return self.started[-1][1]


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def pool(starts: Starts) -> Iterator[ModelPool]:
    pool = ModelPool(starts)
    yield pool
    pool.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_loaded_once_and_kept(pool: ModelPool, starts: Starts) -> None:
    with pool.borrow(A, HEAD) as first, pool.borrow(A, HEAD) as second:
        assert first is second
    with pool.borrow(A, HEAD) as third:
        assert third is first
    assert len(starts.started) == 1
    assert pool.find_loaded("a") == A
    assert pool.find_loaded("b") is None


def test_it_is_unloaded_after_a_while(pool: ModelPool, starts: Starts) -> None:
    with pool.borrow(A, HEAD, keep=0.01):
        [(_, model)] = starts.started
        with pool.borrow(A, HEAD, keep=0.01):
            pass
        time.sleep(0.05)
        assert not model.ended, "somebody uses it"
    until(lambda: model.ended)
    assert pool.find_loaded("a") is None


def test_what_is_asked_again_in_time_stays(pool: ModelPool, starts: Starts) -> None:
    with pool.borrow(A, HEAD, keep=0.2):
        pass
    with pool.borrow(A, HEAD, keep=-1):
        pass
    time.sleep(0.3)
    assert pool.find_loaded("a") == A


def test_what_is_idle_makes_room(pool: ModelPool, starts: Starts) -> None:
    with pool.borrow(A, HEAD), pool.borrow(B, HEAD):
        assert not starts.started[0][1].ended, "somebody uses it"
    with pool.borrow(LoadOptions("a", 2), HEAD):
        assert [model.ended for _, model in starts.started] == [True, True, False]


def test_one_that_died_is_loaded_anew(pool: ModelPool, starts: Starts) -> None:
    with pool.borrow(A, HEAD) as first:
        pass
    first.alive = False  # type: ignore[misc]
    with pool.borrow(A, HEAD) as second:
        assert second is not first


def test_what_cannot_be_loaded_is_tried_again(pool: ModelPool, starts: Starts) -> None:
    starts.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        pool.acquire(A, HEAD)
    starts.error = None
    with pool.borrow(A, HEAD, keep=0):
        pass
    until(lambda: pool.find_loaded("a") is None)


def test_those_who_come_meanwhile_wait(pool: ModelPool, starts: Starts) -> None:
    starts.go.clear()
    threads = [threading.Thread(target=pool.acquire, args=[A, HEAD]) for _ in range(3)]
    for thread in threads:
        thread.start()
    starts.go.set()
    for thread in threads:
        thread.join()
    assert len(starts.started) == 1


def test_who_left_with_their_loop_does_not_keep_it(pool: ModelPool, starts: Starts) -> None:
    async def asking() -> None:
        threading.Timer(0.1, starts.go.set).start()
        async with pool.aborrow(A, HEAD, keep=0):
            raise AssertionError("nobody waits any more")

    starts.go.clear()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(asking(), 0.02))
    until(lambda: bool(starts.started) and starts.started[0][1].ended)


def test_the_end(pool: ModelPool, starts: Starts, tmp_path: Path) -> None:
    pool.acquire(A, HEAD)
    pool.close()
    assert starts.started[0][1].ended
