from __future__ import annotations

import pytest
from support.scripted_engine import pieces
from support.turn_requests import build_request

from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.progress import MAX_PIECES, TAIL, Progress, end_of_text

ANALYSIS = "<|channel|>analysis<|message|>Let me think"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ""),
        (["Hel", "lo"], "Hello"),
        (["a\n\n  b", "\tc "], "a b c"),
        (["x" * TAIL, "y"], "x" * (TAIL - 1) + "y"),
        (["x" * 10_000_000], "x" * TAIL),
        (["lost"] + [""] * MAX_PIECES + ["end"], "end"),
    ],
    ids=["none", "pieces", "white space", "long", "one long piece", "empty pieces"],
)
def test_end_of_text(texts: list[str], expected: str) -> None:
    assert end_of_text(texts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Progress(0)),
        ("<|channel|>analysis", Progress(2)),
        (ANALYSIS, Progress(6, "reasoning", None, "Let me think")),
        (f"{ANALYSIS}<|end|>", Progress(7)),
        (f"{ANALYSIS}<|end|><|start|>assistant", Progress(9)),
        ("<|channel|>final<|message|>Hello world", Progress(5, "answer", None, "Hello world")),
        (
            '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city',
            Progress(8, "call", "get_weather", '{"city'),
        ),
    ],
    ids=["nothing", "header", "reasoning", "its end", "next header", "answer", "call"],
)
def test_progress_of_a_turn(text: str, expected: Progress) -> None:
    machine = TurnMachine(build_request())
    assert machine.next_completion()
    for piece in pieces(text):
        list(machine.feed(piece))
    assert machine.progress() == expected


def test_a_turn_that_has_not_begun() -> None:
    assert TurnMachine(build_request()).progress() == Progress(0)
