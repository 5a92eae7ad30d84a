from __future__ import annotations

import pytest

from llm_gpt_oss.cli.tables import Column, print_tabs, short_number, short_time


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1.0k"),
        (12345, "12.3k"),
        (99949, "99.9k"),
        (99950, "100k"),
        (999499, "999k"),
        (999500, "1.0M"),
        (2500000000, "2.5G"),
        (10**13, "10000G"),
    ],
)
def test_short_number(number: int, text: str) -> None:
    assert short_number(number) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (85.4, "85 ms"),
        (999.4, "999 ms"),
        (999.5, "1.0 s"),
        (12_345, "12.3 s"),
        (99_960, "100 s"),
    ],
)
def test_short_time(milliseconds: float, text: str) -> None:
    assert short_time(milliseconds) == text


def test_texts_cannot_add_columns_or_control_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_tabs((Column("app", "app"), Column("turns", "turns")), [("a\tb\x1b]0;c\x07\n", 1), ("ü", None)])
    assert capsys.readouterr().out == "app\tturns\na?b?]0;c??\t1\nü\t\n"
