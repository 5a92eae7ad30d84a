from __future__ import annotations

import pytest

from proxy.http.wildcards import matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("ab", "AB", True),
        ("ab", "abc", False),
        ("", "", True),
        ("*", "", True),
        ("*", "any\ntext", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "aXbXbXc", True),
        ("a*b*c", "acb", False),
        ("a*b*c", "ac", False),
        ("*b*", "abc", True),
        ("*ab*ba*", "aba", False),
        ("*ab*ba*", "ABBA", True),
        ("**", "a", True),
    ],
)
def test_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) == fits


def test_many_wildcards_take_linear_time() -> None:
    # Trying all ways to divide the text would never end.
    assert not matches("a*" * 20 + "b", "a" * 100_000)
