from __future__ import annotations

import io
import sys

import pytest

from proxy.cli.line_report import LineReport


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    "Make standard error a terminal. pytest would replace it again after a fixture."
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def count(report: LineReport, lines: int) -> int:
    for number in range(1, lines + 1):
        report.line(number)
    return report.end()


def test_a_count_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    assert count(LineReport("lines"), 250) == 0
    assert terminal.getvalue() == "\r100 lines\r200 lines\n"


def test_no_count_beside_the_lines_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    assert count(LineReport("lines", counts=False), 250) == 0
    assert terminal.getvalue() == ""


def test_no_count_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert count(LineReport("lines"), 250) == 0
    assert capsys.readouterr().err == ""


def test_what_is_left_out_has_lines_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    report = LineReport("turns")
    report.line(100)
    report.left_out("Turn 1", ValueError("no model"))
    assert report.end() == 1
    assert terminal.getvalue() == "\r100 lines\nTurn 1 was left out: no model\n"


def test_a_line_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    LineReport("lines").left_out("Line 1", ValueError("a\x1b]0;title\x07b"))
    assert capsys.readouterr().err == "Line 1 was left out: a?]0;title?b\n"
