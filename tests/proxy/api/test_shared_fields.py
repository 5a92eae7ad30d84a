"Shared fields of requests. The rest is tested with each endpoint."

from __future__ import annotations

import pytest
from llm.parts import Message, TextPart

from proxy.api.shared_fields import Sampling, Verbosity, clamp, verbosity_instructions


@pytest.mark.parametrize(("count", "expected"), [(None, None), (-1, 0), (0, 0), (7, 7), (2**40, 2**31 - 1)])
def test_clamp(count: int | None, expected: int | None) -> None:
    assert clamp(count) == expected


@pytest.mark.parametrize(
    ("verbosity", "texts"),
    [(None, []), ("low", ["Answer briefly."]), ("medium", []), ("high", ["Answer at length and in detail."])],
)
def test_verbosity(verbosity: Verbosity | None, texts: list[str]) -> None:
    assert [*verbosity_instructions(verbosity)] == [Message("system", [TextPart(text)]) for text in texts]


def test_no_sampling_options() -> None:
    assert {value for _, value in Sampling().sampling_options()} == {None}
