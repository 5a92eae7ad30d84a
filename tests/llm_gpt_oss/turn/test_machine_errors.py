"Errors of the engine: retries, fallbacks, truncation."

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_engine import cut, pieces
from support.turn_requests import (
    ANSWER,
    AT_START,
    FINAL,
    HISTORY,
    NO_THOUGHT,
    OSLO,
    PERSON,
    START,
    THINKS,
    TOOLS,
    WEATHER,
    build_request,
    call_opener,
    call_text,
    limits,
    play_turn,
    user,
)

from llm_gpt_oss.errors import (
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    StreamCut,
    UnusableSchema,
)
from llm_gpt_oss.turn.machine import BUSY_WAITS


def test_a_busy_engine_is_retried_after_a_wait() -> None:
    turn = play_turn(build_request(), EngineBusy("busy"), EngineBusy("busy"), EngineBusy("busy"), ANSWER)
    assert (turn.waits, turn.notes, turn.parts[-1]) == (list(BUSY_WAITS), ["busy"] * 3, ("final", "Yes."))
    assert len(set(map(str, turn.completions))) == 1


def test_a_busy_engine_is_retried_three_times() -> None:
    turn = play_turn(build_request(), *[EngineBusy("busy")] * 9)
    assert (len(turn.completions), len(turn.waits), type(turn.error)) == (4, 3, EngineBusy)


def test_an_empty_stream_is_retried_once_with_another_seed() -> None:
    turn = play_turn(build_request(seed=41), EmptyStream("nothing"), ANSWER)
    assert [completion.sampling.seed for completion in turn.completions] == [41, 42]
    assert (turn.waits, turn.notes, turn.parts[-1]) == ([0.0], ["retried"], ("final", "Yes."))
    turn = play_turn(build_request(), EmptyStream("nothing"), EmptyStream("again"), ANSWER)
    assert (str(turn.error), len(turn.completions)) == ("again", 2)


@pytest.mark.parametrize(
    "fields", [{"reasoning_budget": 9}, {"format": PERSON}, {"tools": TOOLS, "required_tools": ("add",)}]
)
def test_an_empty_stream_after_output_is_an_error(fields: dict[str, Any]) -> None:
    turn = play_turn(
        build_request(**fields), "Hm." if "format" not in fields else THINKS, EmptyStream("nothing")
    )
    assert (type(turn.error), turn.parts, turn.notes) == (EmptyStream, [("analysis", "Hm.")], [])


def test_an_empty_stream_after_a_call_is_an_error() -> None:
    text = f"{call_text()}<|end|>{START}{call_opener('add')}["
    turn = play_turn(build_request(tools=TOOLS), text, EmptyStream("nothing"))
    assert (type(turn.error), turn.parts) == (EmptyStream, [("get_weather", OSLO)])


@pytest.mark.parametrize(
    ("fields", "script", "parts"),
    [
        pytest.param(
            {"reasoning_budget": 2},
            [cut("Hm. I"), ContextOverflow("full")],
            [("analysis", "Hm. I")],
            id="reasoning budget",
        ),
        pytest.param(
            {"format": PERSON}, [THINKS, ContextOverflow("full")], [("analysis", "Hm.")], id="schema"
        ),
        pytest.param(
            {"tools": TOOLS},
            [f"{THINKS}{call_opener()}[", ContextOverflow("full")],
            [("analysis", "Hm.")],
            id="arguments",
        ),
    ],
)
def test_a_turn_that_fills_the_context_is_cut(
    fields: dict[str, Any], script: list[Any], parts: object
) -> None:
    turn = play_turn(build_request(**fields), *script)
    assert (turn.parts, turn.error, turn.machine.finish_reason) == (parts, None, "length")
    assert turn.notes[-1] == "length"
    assert "the context is full" in turn.machine.notes[-1].text


def test_arguments_are_requested_without_a_schema_that_the_engine_rejects() -> None:
    forced = build_request(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    turn = play_turn(forced, UnusableSchema("Odd.", param="schema"), '{"city":"Oslo"}<|call|>')
    assert turn.tails == [f"{NO_THOUGHT}{START}{call_opener()}"] * 2
    assert limits(turn) == [(WEATHER, (), None), (None, (AT_START,), None)]
    assert (turn.parts, turn.notes) == ([("get_weather", OSLO)], ["unbound"])
    assert turn.machine.notes[0].text.endswith("Odd.")


def test_a_rejected_schema_is_an_error_the_second_time_and_for_an_answer() -> None:
    forced = build_request(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    assert type(play_turn(forced, UnusableSchema("no"), UnusableSchema("no")).error) is UnusableSchema
    assert (
        type(play_turn(build_request(format=PERSON, uses_reasoning=False), UnusableSchema("no")).error)
        is UnusableSchema
    )


@pytest.mark.parametrize(
    ("errors", "left", "notes"),
    [
        pytest.param([(None, None)], 3, ["2 oldest messages were"], id="no counts"),
        pytest.param([(2000, 1000)], 1, ["4 oldest messages were"], id="counts"),
        pytest.param([(None, None)] * 2, 1, ["2 oldest messages were"] * 2, id="twice"),
    ],
)
def test_the_oldest_turns_are_dropped(errors: list[Any], left: int, notes: list[str]) -> None:
    overflows = [ContextOverflow("full", prompt_tokens=p, context_length=c) for p, c in errors]
    turn = play_turn(build_request(*HISTORY, truncate=True), *overflows, ANSWER)
    prompts = [completion.prompt for completion in turn.completions]
    actual = [sum(letter * 100 in prompts[-1] for letter in "abcde"), "e" * 100 in prompts[-1]]
    assert (actual, turn.parts[-1], turn.waits) == ([left, True], ("final", "Yes."), [0.0] * len(errors))
    assert [(note.kind, note.text) for note in turn.machine.notes] == [
        ("truncated", f"The {dropped} left out because the context was full.") for dropped in notes
    ]
    assert all("Be brief." in prompt for prompt in prompts)


def test_the_note_about_one_dropped_message() -> None:
    turn = play_turn(
        build_request(user("a" * 100), user("b"), truncate=True), ContextOverflow("full"), ANSWER
    )
    assert turn.machine.notes[0].text == "The oldest message was left out because the context was full."


def test_the_last_turn_is_not_dropped() -> None:
    turn = play_turn(
        build_request(*HISTORY, truncate=True), *[ContextOverflow(f"full {n}") for n in range(9)]
    )
    error = "full 2 There is no older turn to leave out. Shorten the prompt, or raise -o num_ctx."
    assert (str(turn.error), turn.notes) == (error, ["truncated"] * 2)


def test_nothing_is_dropped_without_truncate() -> None:
    turn = play_turn(build_request(*HISTORY), ContextOverflow("full"))
    assert (type(turn.error), turn.notes) == (ContextOverflow, [])


@pytest.mark.parametrize("error", [StreamCut("cut"), EngineError("broke"), ModelMissing("gone")])
def test_other_errors_are_raised_and_keep_the_turn_so_far(error: GptOssError) -> None:
    turn = play_turn(build_request(), [f"{THINKS}{FINAL}War", error])
    assert turn.error is error
    assert (turn.parts, turn.machine.finish_reason) == ([("analysis", "Hm."), ("final", "War")], None)
    assert turn.machine.usage.completion_tokens == len(pieces(f"{THINKS}{FINAL}War"))
