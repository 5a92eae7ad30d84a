"""A row of the table of faults: a function that does something to real processes, and says what came out.

    @row("F9")
    def missing_model(bed: Testbed) -> str:
        "Ollama answers 404: it does not have the model."
        ...
        expect("status", answer.status, 404)
        return "404 model_not_found"

The docstring is what was done, the returned text what came out. A row that raises has failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.faults.testbed import Testbed

Play = Callable[["Testbed"], str]

# How many seconds a row waits for something that has to happen. Nothing is measured with it.
PATIENCE = 90.0


class Unexpected(Exception):
    "What came out is not what the row expects."


@dataclass(frozen=True, slots=True)
class Row:
    """`id` is a row of the fault matrix (F1 to F35) or the number of one of our own findings.

    A row that is played `alone` measures processor time or how long something takes, so nothing else may run.
    """

    id: str
    name: str
    done: str
    play: Play
    alone: bool


@dataclass(frozen=True, slots=True)
class Observation:
    "What came out of a row. `wrong` is what is wrong with it, and empty if the row passed."

    row: Row
    came: str
    wrong: str
    seconds: float


ROWS: list[Row] = []


def row(id: str, *, alone: bool = False) -> Callable[[Play], Play]:
    "Add a function to the table."

    def add(play: Play) -> Play:
        name = play.__name__.replace("_", " ")
        ROWS.append(Row(id, name, " ".join((play.__doc__ or "").split()), play, alone))
        return play

    return add


def expect(what: str, came: Any, wanted: Any) -> None:
    "Raise Unexpected if what came is not what was wanted."
    if came != wanted:
        raise Unexpected(f"{what}: {came!r} instead of {wanted!r}")


def expect_in(what: str, part: str, text: str) -> None:
    if part not in text:
        raise Unexpected(f"{what}: {part!r} is not in {text[-600:]!r}")


def expect_at_most(what: str, came: float, limit: float) -> None:
    if came > limit:
        raise Unexpected(f"{what}: {came:,.1f}, but at most {limit:,.1f} is allowed")


def wait_for(what: str, happened: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    "Return what `happened` returns as soon as it is true. Raises Unexpected if it never is."
    deadline = time.monotonic() + seconds
    while not (value := happened()):
        if time.monotonic() > deadline:
            raise Unexpected(f"{what}: did not happen within {seconds:.0f} seconds")
        time.sleep(0.05)
    return value
