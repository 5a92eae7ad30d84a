"Answers: validation against a schema, retries, empty answers."

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scripted_engine import Part, cut, pieces, stopped
from support.turn_requests import (
    AFTER_THOUGHT,
    BUFFERED,
    FINAL,
    NEXT,
    NO_THOUGHT,
    PERSON,
    PREAMBLE,
    START,
    THINKS,
    THOUGHT,
    TOOLS,
    Turn,
    build_request,
    call_text,
    play_turn,
)

from llm_gpt_oss.completion import Done
from llm_gpt_oss.errors import BadAnswer
from llm_gpt_oss.turn.machine import MAX_REST


def test_a_buffered_answer_that_does_not_fit_is_requested_again() -> None:
    turn = play_turn(build_request(seed=7, **BUFFERED), THINKS, '{"name":1}', '{"name":"Ada"}')
    assert turn.tails == [START, AFTER_THOUGHT + FINAL, AFTER_THOUGHT + FINAL]
    assert [c.sampling.seed for c in turn.completions] == [7, 7, 8]
    assert turn.parts == [("analysis", "Hm."), ("final", '{"name":"Ada"}')]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [("retried", '{"name":1}')]
    assert turn.machine.usage.completions == 3


def test_a_streamed_answer_that_does_not_fit_is_not_requested_again() -> None:
    turn = play_turn(build_request(format=PERSON), THINKS, '{"name":1}')
    assert (turn.parts[-1], turn.notes) == (("final", '{"name":1}'), ["misfit"])


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        pytest.param(f"{FINAL}Yes.<|end|><|end|><|return|>", "<|end|>", id="two ends"),
        pytest.param(f"{FINAL}Yes.<|end|><|constrain|>", "<|constrain|>", id="at the end"),
        pytest.param(f"<|end|>{NEXT}{FINAL}Yes.", "<|end|>", id="at the beginning"),
    ],
)
def test_a_marker_that_belongs_to_no_message_leaves_one_note(text: str, raw: str) -> None:
    turn = play_turn(build_request(), text)
    assert turn.parts == [("final", "Yes.")]
    assert [(note.kind, note.text, note.raw) for note in turn.machine.notes] == [
        ("mended", "A marker that belongs to no message was left out.", raw)
    ]


def test_a_marker_in_a_message_without_text_leaves_a_note() -> None:
    turn = play_turn(build_request(), f"{FINAL}<|message|><|end|>", f"{FINAL}Yes.")
    assert "A message was repaired: a marker in the text was left out." in [
        note.text for note in turn.machine.notes
    ]


def test_an_answer_is_not_requested_again_without_tokens_left() -> None:
    turn = play_turn(
        build_request(max_tokens=9, uses_reasoning=False, **BUFFERED),
        stopped('{"name":1}', completion_tokens=9),
    )
    assert (turn.parts, turn.notes) == ([("final", '{"name":1}')], ["misfit"])


@pytest.mark.parametrize("buffer_answer", [True, False])
@pytest.mark.parametrize("header", ["", "<|message|>", "final<|message|>", "<|channel|> final<|message|>"])
@pytest.mark.parametrize("fields", [{"format": PERSON}, {"stop": ("7",)}], ids=["schema", "stop string"])
def test_an_answer_with_a_step_of_its_own_is_not_taken_from_another_step(
    fields: dict[str, Any], header: str, buffer_answer: bool
) -> None:
    turn = play_turn(
        build_request(buffer_answer=buffer_answer, **fields), f"{THINKS}{header}No.", '{"name":"Ada"}'
    )
    assert turn.tails[1] == AFTER_THOUGHT + FINAL
    assert turn.parts == [("analysis", "Hm."), ("final", '{"name":"Ada"}')]
    assert [note.raw for note in turn.machine.notes if note.kind == "text_dropped"] == ["No."]
    assert turn.machine.finish_reason == "stop"


MORE = pytest.mark.parametrize(
    "more",
    [f"{THOUGHT}Ah.", f"{FINAL}No.", call_text(), "Oh"],
    ids=["reasoning", "an answer", "a call", "text"],
)


@MORE
@pytest.mark.parametrize("buffer_answer", [True, False], ids=["buffered", "streamed"])
def test_the_answer_ends_with_its_message(buffer_answer: bool, more: str) -> None:
    request = build_request(stop=("7",), buffer_answer=buffer_answer)
    answer = [*pieces(f"Yes.<|end|>{START}{more}"), AssertionError("the stream is read on")]
    turn = play_turn(request, THINKS, answer)
    assert turn.parts == [("analysis", "Hm."), ("final", "Yes.")]
    assert (turn.notes, turn.machine.finish_reason) == ([], "stop")
    assert turn.engine.closed == 2


@MORE
@pytest.mark.parametrize("end", [Done("stop", 9, 30), Done("length", 9, 30)], ids=["ends", "cut"])
def test_behind_the_answer_only_the_counts_are_read(more: str, end: Done) -> None:
    turn = play_turn(build_request(uses_reasoning=False), [*pieces(f"Yes.<|end|>{START}{more}"), end])
    assert (turn.parts, turn.notes, turn.machine.finish_reason) == ([("final", "Yes.")], [], "stop")
    assert (turn.machine.usage.prompt_tokens, turn.machine.usage.completion_tokens) == (9, 30)


@MORE
def test_a_long_text_behind_the_answer_is_not_read(more: str) -> None:
    rest = pieces(f"{START}{more}" + " so" * (MAX_REST + 1))
    answer = [*pieces("Yes.<|end|>"), *rest, AssertionError("the stream is read on")]
    turn = play_turn(build_request(uses_reasoning=False), answer)
    assert (turn.parts, turn.notes, turn.machine.finish_reason) == ([("final", "Yes.")], [], "stop")
    assert (turn.engine.closed, turn.machine.usage.completion_tokens) == (1, MAX_REST + 3)


def test_the_header_of_an_answer_may_be_repeated() -> None:
    turn = play_turn(build_request(uses_reasoning=False), f"{FINAL}Yes.")
    assert (turn.parts, turn.notes) == ([("final", "Yes.")], [])


# Text that belongs to no message


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        pytest.param(f"<|channel|>??{NEXT}assistant{FINAL}Yes.", "??", id="a header without a message"),
        pytest.param(f"Oh{START}{FINAL}Yes.", "Oh", id="text before the first header"),
        pytest.param(f"{FINAL}Yes.<|end|>Oh", "Oh", id="text after the answer"),
        pytest.param(f"<|message|>Oh{NEXT}assistant{FINAL}Yes.", "Oh", id="a message without a channel"),
        pytest.param(
            f"<|channel|>final Oh{NEXT}assistant{FINAL}Yes.", "Oh", id="the answer's header without an end"
        ),
    ],
)
def test_text_without_a_whole_header_is_dropped(text: str, dropped: str) -> None:
    turn = play_turn(build_request(), text)
    assert turn.parts == [("final", "Yes.")]
    assert [note.raw for note in turn.machine.notes if note.kind == "text_dropped"] == [dropped]


@pytest.mark.parametrize(
    "text", ["<|channel|>??", "<|message|>Oh", "<|channel|>final Oh", "Oh<|constrain|>x"]
)
def test_text_without_a_whole_header_is_not_an_answer(text: str) -> None:
    turn = play_turn(build_request(), text, "Yes.")
    assert (turn.tails[1], turn.parts) == (START + FINAL, [("final", "Yes.")])
    assert turn.notes == ["text_dropped", "answer_opened"]


@pytest.mark.parametrize("text", ["Yes <b>.", "Yes <b>.<|end|>", f"Yes <b>.<|end|>{START}"])
def test_a_completion_without_any_header_is_the_answer(text: str) -> None:
    turn = play_turn(build_request(tools=TOOLS), text)
    assert (turn.parts, turn.notes) == ([("final", "Yes <b>.")], ["mended"])


def test_a_completion_without_any_header_may_be_cut() -> None:
    turn = play_turn(build_request(), cut("Yes and"))
    assert (turn.parts, turn.machine.finish_reason) == ([("final", "Yes and")], "length")
    assert turn.notes == ["mended", "length"]


def test_with_a_schema_a_preamble_is_reasoning() -> None:
    turn = play_turn(build_request(format=PERSON), f"{THINKS}{PREAMBLE}Well.<|end|>{START}", '{"name":"Ada"}')
    assert turn.tails[1] == f"{AFTER_THOUGHT}{PREAMBLE}Well.<|end|>{START}{FINAL}"
    assert turn.parts == [("analysis", "Hm."), ("analysis", "Well."), ("final", '{"name":"Ada"}')]
    assert turn.machine.usage.reasoning_tokens == 2


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 400 + "]" * 400, "1" * 5000, "NaN", ""])
def test_any_text_can_be_validated(text: str) -> None:
    nested = {"type": "array", "items": {"$ref": "#"}}
    turn = play_turn(build_request(format=nested), THINKS, f"{text}.")
    assert (turn.notes, turn.machine.finish_reason) == (["misfit"], "stop")


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}])
def test_a_circular_schema_accepts_everything(schema: dict[str, Any]) -> None:
    turn = play_turn(build_request(format=schema), THINKS, "{}")
    assert (turn.notes, turn.machine.finish_reason) == ([], "stop")


# Empty answers


def test_an_empty_answer_is_requested_again_at_a_lower_effort() -> None:
    turn = play_turn(build_request(effort="high"), "", "", f"{THINKS}{FINAL}Yes.")
    assert [f"Reasoning: {effort}" in completion.prompt for effort, completion in efforts(turn)] == [True] * 3
    assert [completion.prompt.rpartition("<|end|>")[2] for completion in turn.completions] == [
        START,
        START + FINAL,
        START,
    ]
    assert [completion.sampling.seed for completion in turn.completions] == [None, None, 1]
    assert (turn.parts[-1], turn.notes) == (("final", "Yes."), ["answer_opened", "retried"])
    assert (turn.machine.usage.completions, turn.machine.usage.prompt_tokens) == (3, 100)


def efforts(turn: Turn) -> list[tuple[str, Any]]:
    return list(zip(("high", "high", "medium"), turn.completions, strict=True))


@pytest.mark.parametrize(
    ("effort", "second"), [("high", "medium"), ("medium", "low"), ("low", "low"), (None, None)]
)
def test_the_lower_effort(effort: str | None, second: str | None) -> None:
    turn = play_turn(build_request(effort=effort, uses_reasoning=False, seed=-1), "", "Yes.")
    expected = f"Reasoning: {second}" if second else "Reasoning:"
    assert (expected in turn.completions[1].prompt) is bool(second)
    assert turn.completions[1].prompt.endswith(f"{NO_THOUGHT}{START}{FINAL}")
    assert turn.completions[1].sampling.seed == 1


def test_without_a_system_message_there_is_no_effort_to_lower() -> None:
    request = build_request(uses_reasoning=False)
    request = replace(request, conversation=replace(request.conversation, system=None))
    turn = play_turn(request, "", "Yes.")
    assert (turn.completions[0].prompt, turn.parts) == (turn.completions[1].prompt, [("final", "Yes.")])


@pytest.mark.parametrize(
    ("fields", "script", "parts"),
    [
        pytest.param({"uses_reasoning": False}, ["", " "], [("final", " ")], id="twice"),
        pytest.param({}, [f"{THOUGHT}Hm.", ""], [("analysis", "Hm.")], id="opened after reasoning"),
        pytest.param({"reasoning_budget": 9}, ["Hm.", "", ""], [("analysis", "Hm.")], id="after reasoning"),
    ],
)
def test_a_second_empty_answer_is_an_error(fields: dict[str, Any], script: list[Part], parts: object) -> None:
    turn = play_turn(build_request(**fields), *script)
    assert isinstance(turn.error, BadAnswer)
    assert (turn.parts, turn.error.raw) == (parts, script[-1])


def test_an_empty_answer_after_reasoning_is_requested_again() -> None:
    turn = play_turn(build_request(seed=7, reasoning_budget=9), "Hm.", "", "Yes.")
    assert turn.tails == [START + THOUGHT, AFTER_THOUGHT + FINAL, AFTER_THOUGHT + FINAL]
    assert [c.sampling.seed for c in turn.completions] == [7, 7, 8]
    assert (turn.parts, turn.notes) == ([("analysis", "Hm."), ("final", "Yes.")], ["retried"])


def test_an_answer_that_begins_with_a_stop_string_is_empty() -> None:
    turn = play_turn(build_request(stop=("Yes",)), f"{THINKS}", "")
    assert (turn.error, turn.notes, turn.machine.finish_reason) == (None, ["empty"], "stop")
    assert turn.parts == [("analysis", "Hm.")]
