from __future__ import annotations

import sys
import time

import pytest

from llm_gpt_oss.cli.terminal import ProgressLine, columns, format_memory, format_size, format_time
from llm_gpt_oss.setup.progress import Progress


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (14_909_068, "14.9 MB"),
        (13_780_000_000, "13.8 GB"),
        (2 * 10**12, "2.0 TB"),
    ],
)
def test_format_size(count: int, text: str) -> None:
    assert format_size(count) == text


def test_format_memory() -> None:
    assert format_memory(1000, 0) == "1.0 kB on the CPU"
    assert format_memory(1000, 480) == "1.0 kB 48 % on the GPU"
    assert format_memory(1000, 1000) == "1.0 kB 100 % on the GPU"


def test_columns() -> None:
    assert columns([("a", "1"), ("long", "")]) == "a     1\nlong"


@pytest.mark.parametrize("text", ["2026-11-23T04:09:35.950026915Z", "2026-11-23T06:09:35.95+02:00"])
def test_format_time_uses_the_local_time_zone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-1")
        time.tzset()
        assert format_time(text) == "2026-11-23 05:09"
    time.tzset()


def test_progress_on_a_terminal_redraws_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as report:
        report(Progress("first"))
        report(Progress("layer", 0, 200))
        report(Progress("layer", 100, 200))
        report(Progress("layer", 100, 200))
    clear = "\r\033[K"
    assert capsys.readouterr().err == (
        f"{clear}first\n"
        f"{clear}layer  {'░' * 16}    0 %  0 B of 200 B"
        f"{clear}layer  {'█' * 8}{'░' * 8}   50 %  100 B of 200 B\n"
    )


def test_progress_without_steps_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine():
        pass
    assert capsys.readouterr().err == ""
