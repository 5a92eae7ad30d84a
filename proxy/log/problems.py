"""What a server says about turns that it cannot log: in `/health`, and in lines for the person who runs it.

`problem` is why the database cannot be written, or None. `spool.problem` is the same for the spool's folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from llm_gpt_oss.log.problems import count_turns, disk_problem, unusable_problem

from .spool import Spool

# How many ids of lost turns are printed.
SHOWN_IDS = 20


class Line(NamedTuple):
    level: int
    text: str


def status(problem: str | None, spool: Spool) -> str:
    """`ok`, or `behind N` while N turns wait to be written, then how many of them are only in memory.

    The reason follows if something cannot be written.
    """
    state = spool.state()
    backlog = f"behind {state.waiting}" if state.waiting else "ok"
    in_memory = f", {state.in_memory} only in memory" if state.in_memory else ""
    reason = problem or spool.problem
    return f"{backlog}{in_memory}, spooling: {reason}" if reason else backlog + in_memory


def sentences(database: Path, problem: str | None, spool: Spool) -> Iterator[str]:
    "What keeps turns from being logged, in sentences without paths."
    state, folder = spool.state(), spool.folder.name
    if problem:
        yield f"Turns cannot be logged: {problem}. It is tried again every second."
    if state.waiting:
        yield f"{count_turns(state.waiting)} for the log."
    if state.in_memory:
        yield (
            f"{state.in_memory} of them are only in memory, because {folder} cannot be written "
            f"({spool.problem}). They are lost if the server is killed."
        )
    elif spool.problem:
        yield f"{folder} cannot be written ({spool.problem})."
    if spool.is_full:
        yield "The memory for turns is full: requests that would be logged are refused."
    if full := disk_problem(database):
        yield full
    if unusable := unusable_problem(folder, state.unusable):
        yield unusable


def destination_line(problem: str | None, spool: Spool) -> Line:
    "Where turns go now."
    if problem and spool.problem:
        text = (
            f"Turns can neither be logged ({problem}) nor stored in {spool.folder} ({spool.problem}). They "
            "are kept in memory, and lost if this process is killed. Make room, or make one of them writable."
        )
        return Line(logging.ERROR, text)
    if problem:
        return Line(logging.WARNING, f"Turns are not logged but kept in {spool.folder}: {problem}")
    if spool.problem:
        text = (
            f"Turns are logged, but {spool.folder} cannot be written ({spool.problem}): turns in progress "
            "are lost if this process is killed."
        )
        return Line(logging.WARNING, text)
    return Line(logging.WARNING, "Turns are logged again")


def waiting_line(database: Path, problem: str | None, spool: Spool) -> str:
    "Why the server does not stop yet."
    return (
        f"{_turns_are(len(spool.in_memory()))} only in memory: {database} cannot be written ({problem}), and "
        f"neither can {spool.folder} ({spool.problem}). The server stops as soon as one of them can. Press "
        "Ctrl-C once more to stop now, and to lose what is in memory."
    )


def loss_line(turn_ids: Sequence[str]) -> str:
    ids = ", ".join([*turn_ids[:SHOWN_IDS], *(["…"] if len(turn_ids) > SHOWN_IDS else [])])
    return f"{_turns_are(len(turn_ids))} lost, because nothing could be written: {ids}"


def _turns_are(number: int) -> str:
    return "1 turn is" if number == 1 else f"{number} turns are"
