"Limits and counts of tokens."

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_engine import Part, cut, pieces, stopped
from support.turn_requests import (
    BUFFERED,
    FINAL,
    PERSON,
    START,
    THINKS,
    THOUGHT,
    TOOLS,
    TWO,
    build_request,
    call_opener,
    call_text,
    play_turn,
)

from llm_gpt_oss.turn.note import Note
from llm_gpt_oss.turn.transcript import ToolCall

CUT, NO_ROOM = "The answer was cut: ", "The reasoning left no room for an answer: "
LENGTH = [
    pytest.param({}, [cut(THOUGHT + "a b c d e")], NO_ROOM, id="free, thinking"),
    pytest.param({}, [cut(FINAL + "a b c d e")], CUT, id="free, answering"),
    pytest.param({}, [cut("<|channel|>analysis", completion_tokens=8)], NO_ROOM, id="free, in a header"),
    pytest.param({"tools": TOOLS}, [cut(call_opener() + "{")], CUT, id="free, calling"),
    pytest.param({"uses_reasoning": False}, [cut("a b c d e f g h")], CUT, id="answer"),
    pytest.param({"reasoning_budget": 50}, [cut("a b c d e f g h")], NO_ROOM, id="think"),
    pytest.param({"reasoning_budget": 50}, [cut("a b c d"), cut("a b c d")], CUT, id="answer after a budget"),
    pytest.param(
        {"tools": TOOLS, "required_tools": TWO, "uses_reasoning": False},
        [cut("a b c d e f g h")],
        NO_ROOM,
        id="name",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("add",), "uses_reasoning": False},
        [cut("1 2 3 4 5 6 7 8")],
        CUT,
        id="call",
    ),
    pytest.param({"uses_reasoning": False, **BUFFERED}, [cut("1 2 3 4 5 6 7 8")], CUT, id="buffered answer"),
]


@pytest.mark.parametrize(("fields", "script", "start"), LENGTH)
def test_all_steps_share_max_tokens(fields: dict[str, Any], script: list[Part], start: str) -> None:
    # Each script has eight pieces, so the last one uses up max_tokens.
    turn = play_turn(build_request(max_tokens=8, **fields), *script)
    assert turn.machine.finish_reason == "length"
    *_, note = turn.machine.notes
    assert note.text.startswith(start)
    assert "-o max_tokens 8 is used up. Raise it" in note.text
    assert [completion.max_tokens for completion in turn.completions] == [8, 4][: len(script)]
    assert turn.parts == [] or not any(isinstance(out, ToolCall) for out in turn.output)


def test_the_smaller_of_max_tokens_and_budget_counts() -> None:
    turn = play_turn(
        build_request(max_tokens=50, reasoning_budget=7), stopped("a b c", completion_tokens=10), "Yes."
    )
    assert [completion.max_tokens for completion in turn.completions] == [7, 40]


def test_no_completion_without_tokens_left() -> None:
    turn = play_turn(build_request(max_tokens=5, reasoning_budget=5), cut("a b c d e", completion_tokens=5))
    assert (turn.machine.finish_reason, turn.notes, len(turn.completions)) == ("length", ["length"], 1)
    turn = play_turn(build_request(max_tokens=5, format=PERSON), stopped(THINKS, completion_tokens=5))
    assert (turn.machine.finish_reason, turn.notes, len(turn.completions)) == ("length", ["length"], 1)
    assert NO_ROOM in turn.machine.notes[0].text


@pytest.mark.parametrize("max_tokens", [None, 100])
def test_a_full_context(max_tokens: int | None) -> None:
    turn = play_turn(build_request(max_tokens=max_tokens), cut(f"{THINKS}{FINAL}Wa"))
    assert (turn.parts[-1], turn.machine.finish_reason) == (("final", "Wa"), "length")
    [note] = turn.machine.notes
    assert note == Note(
        "length",
        "The answer was cut: the context is full. Raise -o num_ctx, or lower -o reasoning_effort.",
    )


def test_a_cut_buffered_answer_is_passed_on() -> None:
    turn = play_turn(build_request(**BUFFERED), THINKS, cut('{"name":'))
    assert (turn.parts[-1], turn.notes) == (("final", '{"name":'), ["length"])


def test_complete_calls_before_a_cut_one_are_not_made() -> None:
    # Calls that belong together are made together or not at all.
    turn = play_turn(build_request(tools=TOOLS), cut(f"{call_text()}<|end|>{START}{call_opener('add')}{{"))
    assert (turn.parts, turn.machine.finish_reason) == ([], "length")
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [
        ("call_dropped", '{"city": "Oslo"}'),
        ("call_dropped", "{"),
        ("length", None),
    ]


# Counts


def test_tokens_of_all_completions() -> None:
    request = build_request(tools=TOOLS, required_tools=TWO)
    turn = play_turn(
        request,
        stopped("Hm. Well.", prompt_tokens=50, completion_tokens=4),
        stopped(".add", prompt_tokens=60, completion_tokens=2),
        stopped('{"a":1,"b":2}', prompt_tokens=70, completion_tokens=9),
    )
    usage = turn.machine.usage
    assert (usage.completions, usage.prompt_tokens, usage.completion_tokens) == (3, 50, 15)
    assert usage.reasoning_tokens == 2


@pytest.mark.parametrize(
    ("fields", "text", "hidden"),
    [
        pytest.param({}, f"{THOUGHT}é", 1, id="free: the end"),
        pytest.param({"reasoning_budget": 9}, "é", 1, id="think: the stop string"),
        pytest.param({"format": PERSON}, f"{THOUGHT}é", 2, id="free: the stop string"),
    ],
)
def test_hidden_tokens_at_the_end_are_not_reasoning(fields: Any, text: str, hidden: int) -> None:
    count = len(pieces(text))
    turn = play_turn(
        build_request(**fields),
        stopped(text, completion_tokens=count + hidden),
        "Yes." if not fields else '{"name":"a"}',
    )
    assert turn.machine.usage.reasoning_tokens == 1
    turn = play_turn(
        build_request(**fields),
        stopped(text, completion_tokens=count + hidden + 3),
        "Yes." if not fields else "{}",
    )
    assert turn.machine.usage.reasoning_tokens == 4


def test_a_cut_completion_has_no_hidden_tokens() -> None:
    count = len(pieces(f"{THOUGHT}é"))
    turn = play_turn(build_request(), cut(f"{THOUGHT}é", completion_tokens=count + 2))
    assert turn.machine.usage.reasoning_tokens == 3
