"""Load for the server whose turns are counted: which a client has the end of, and which the log has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from support.faults.client import CHAT, RESPONSES, Client, chat, response
from support.faults.log import Log
from support.faults.ollama import BEGIN, END, WORD, Ollama, Part, token
from support.scripted_server import stream

PAUSE = 0.02


@dataclass
class Turns:
    "`acknowledged` are the words of prompts whose client has the end of the answer, `requests` numbers all."

    acknowledged: list[str] = field(default_factory=list)
    requests: Iterator[int] = field(default_factory=count)


def slow_answer() -> Sequence[Part]:
    "An answer in pieces, so that many are under way at each moment."
    pieces = [step for number in range(10) for step in (PAUSE, token(f" {number}"))]
    return [stream(*BEGIN, *pieces, END)]


def acknowledge(client: Client, ollama: Ollama, turns: Turns, parts: Sequence[Part]) -> None:
    """Request an answer in one of three ways, in turn, and count it if it is complete.

    Raises OSError, HTTPException or EOFError if the server is gone before that.
    """
    script = ollama.play(*parts)
    try:
        match next(turns.requests) % 3:
            case 0:
                with client.stream(CHAT, chat(script.word)) as came:
                    came.read_all()
                complete = came.done == 1
            case 1:
                with client.stream(RESPONSES, response(script.word)) as came:
                    came.read_all()
                complete = bool(came.events) and came.events[-1]["type"] == "response.completed"
            case _:
                complete = client.chat(script.word).status == 200
    finally:
        ollama.forget(script)
    if not complete:
        raise EOFError
    turns.acknowledged.append(script.word)


def print_table(rows: Sequence[dict[str, float | str]]) -> None:
    "Print a table of Markdown, as benchmarks/README.md has it."
    print(f"\n| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        cells = (value if isinstance(value, str) else f"{value:,}" for value in row.values())
        print(f"| {' | '.join(cells)} |")


def words_in_log(log: Log) -> dict[str, Counter[int]]:
    "Return the statuses of the turns that the log has for each word of a prompt."
    found: dict[str, Counter[int]] = {}
    for row in log.query("select request, status from gpt_oss_requests"):
        for word in {*WORD.findall(row["request"])}:
            found.setdefault(word, Counter())[row["status"]] += 1
    return found
