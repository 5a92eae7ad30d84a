from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.progress import MAX_ATTEMPTS, Progress, run_with_retries


class Interruption(GptOssError):
    pass


def attempts(*runs: list[int | Exception]) -> Any:
    "A function whose calls make these runs: numbers of bytes that are done, and errors."
    remaining = iter(runs)

    def attempt() -> Iterator[Progress]:
        for step in next(remaining):
            if isinstance(step, Exception):
                raise step
            yield Progress("layer", step, 9)

    return attempt


CUT = Interruption("gone", remedy="Type this.")


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([[1, 9]], [], id="no interruption"),
        pytest.param([[1, CUT], [2, CUT], [9]], [1, 1], id="progress in each attempt"),
        pytest.param(
            [[1, CUT], [CUT], [1, CUT], [2, CUT], [9]], [1, 2, 4, 1], id="progress resets the count"
        ),
    ],
)
def test_attempts_with_progress_are_repeated(
    runs: list[list[int | Exception]], expected: list[float], reports: list[Progress], pauses: list[float]
) -> None:
    run_with_retries(attempts(*runs), reports.append, interruption=Interruption)
    assert pauses == expected
    assert reports[-1] == Progress("layer", 9, 9)
    assert [step.label for step in reports].count("Interrupted, retrying: gone") == len(expected)


def test_attempts_without_progress_end(pauses: list[float]) -> None:
    with pytest.raises(Interruption):
        run_with_retries(attempts([1, CUT], *[[1, CUT]] * 9), lambda _: None, interruption=Interruption)
    assert len(pauses) == MAX_ATTEMPTS - 1
    assert sum(pauses) == 15


@pytest.mark.parametrize("runs", [[[CUT]], [[0, CUT]], [[1, ValueError()]]])
def test_other_errors_are_raised_at_once(runs: list[list[int | Exception]], pauses: list[float]) -> None:
    with pytest.raises((Interruption, ValueError)):
        run_with_retries(attempts(*runs), lambda _: None, interruption=Interruption)
    assert pauses == []
