from __future__ import annotations

import asyncio
import multiprocessing
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from proxy.log.stop_signal import next_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_sets_the_event_and_nothing_else(number: signal.Signals) -> None:
    earlier = signal.getsignal(number)
    with next_signal() as signalled:
        assert not signalled.is_set()
        signal.raise_signal(number)
        await asyncio.wait_for(signalled.wait(), 60)
    assert signal.getsignal(number) is earlier


async def test_sigterm_of_a_workers_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    earlier = signal.getsignal(signal.SIGTERM)
    with next_signal() as signalled:
        assert signal.getsignal(signal.SIGTERM) is earlier
        signal.raise_signal(signal.SIGINT)
        await asyncio.wait_for(signalled.wait(), 60)


def test_other_threads_get_no_signals() -> None:
    async def is_set() -> bool:
        with next_signal() as signalled:
            return signalled.is_set()

    with ThreadPoolExecutor() as another:
        assert another.submit(asyncio.run, is_set()).result()
