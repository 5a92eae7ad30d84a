from __future__ import annotations

import signal
import sys
import threading

import pytest

from llm_gpt_oss.log.exit_signals import ExitSignal, exit_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_is_an_exception(name: str) -> None:
    number = signal.Signals[name]
    with pytest.raises(ExitSignal, match=f"interrupted by {name}") as exit, exit_on_signals():
        signal.raise_signal(number)
    assert exit.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_further_signals_do_not_stop_what_the_first_began() -> None:
    with exit_on_signals():
        with pytest.raises(ExitSignal, match="interrupted by SIGHUP"):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    "As under nohup."
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_on_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_threads_cannot_set_handlers() -> None:
    handlers: list[object] = []

    def inside() -> None:
        with exit_on_signals():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL]
