from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.progress import MAX_ATTEMPTS, Progress, run_with_retries


class Interruption(GptOssError):
    pass


def attempts(*runs: list[int | Exception]) -> Any:
    "Each call is the next run: bytes done, or what is raised."
    left = iter(runs)

    def attempt() -> Iterator[Progress]:
        for step in next(left):
            if isinstance(step, Exception):
                raise step
            yield Progress("layer", step, 9)

    return attempt


CUT = Interruption("gone", remedy="Type this.")


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([[1, 9]], [], id="none"),
        pytest.param([[1, CUT], [2, CUT], [9]], [1, 1], id="each gets further"),
        pytest.param([[1, CUT], [CUT], [1, CUT], [2, CUT], [9]], [1, 2, 4, 1], id="patience grows back"),
    ],
)
def test_what_gets_further_goes_on(
    runs: list[list[int | Exception]], expected: list[float], seen: list[Progress], pauses: list[float]
) -> None:
    run_with_retries(attempts(*runs), seen.append, interruption=Interruption)
    assert pauses == expected
    assert seen[-1] == Progress("layer", 9, 9)
    assert [step.label for step in seen].count("Interrupted, retrying: gone") == len(expected)


def test_what_gets_no_further_ends(pauses: list[float]) -> None:
    with pytest.raises(Interruption):
        run_with_retries(attempts([1, CUT], *[[1, CUT]] * 9), lambda _: None, interruption=Interruption)
    assert len(pauses) == MAX_ATTEMPTS - 1
    assert sum(pauses) == 15


@pytest.mark.parametrize("runs", [[[CUT]], [[0, CUT]], [[1, ValueError()]]])
def test_what_never_began_or_is_no_interruption_is_raised(
    runs: list[list[int | Exception]], pauses: list[float]
) -> None:
    with pytest.raises((Interruption, ValueError)):
        run_with_retries(attempts(*runs), lambda _: None, interruption=Interruption)
    assert pauses == []
