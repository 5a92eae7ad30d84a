"Tool calls: several, malformed ones, ones that are not allowed."

from __future__ import annotations

import pytest
from support.scripted_engine import Part
from support.turn_requests import (
    AFTER_THOUGHT,
    ANY,
    FINAL,
    NEXT,
    OSLO,
    PREAMBLE,
    START,
    THINKS,
    THOUGHT,
    TOOLS,
    WEATHER,
    build_request,
    call_opener,
    call_text,
    play_turn,
)

from llm_gpt_oss.errors import BadAnswer, UnusableSchema


@pytest.mark.parametrize("end", ["", "<|end|>", f"<|end|>{START}"])
def test_several_calls_in_one_completion(end: str) -> None:
    text = f'{THINKS}{call_text("Oslo")}<|end|>{START}{call_opener("add")}{{"a":1,"b":2}}{end}'
    turn = play_turn(build_request(tools=TOOLS), text)
    assert turn.parts == [("analysis", "Hm."), ("get_weather", OSLO), ("add", {"a": 1, "b": 2})]
    assert (turn.notes, turn.machine.finish_reason) == ([], "tool_calls")


def test_each_bad_call_is_requested_again_once_and_calls_stay_in_order() -> None:
    bad = f'{call_opener()}{{"town":1', f'{call_opener("add")}{{"a":1}}'
    text = f"{bad[0]}<|end|>{START}{call_text('Bergen')}<|end|>{START}{bad[1]}"
    turn = play_turn(build_request(tools=TOOLS), THINKS + text, '{"city":"Oslo"}', '{"a":1,"b":2}')
    assert turn.parts == [
        ("analysis", "Hm."),
        ("get_weather", OSLO),
        ("get_weather", {"city": "Bergen"}),
        ("add", {"a": 1, "b": 2}),
    ]
    first, second = (
        f'{call_opener()}{{"city":"Oslo"}}<|call|>',
        f'{call_opener()}{{"city": "Bergen"}}<|call|>',
    )
    before = f"{AFTER_THOUGHT}{first}{START}{second}{START}"
    assert turn.tails == [START, AFTER_THOUGHT + call_opener(), before + call_opener("add")]
    assert [c.format for c in turn.completions] == [None, WEATHER, TOOLS["add"]]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [
        ("asked_again", '{"town":1'),
        ("asked_again", '{"a":1}'),
    ]


def test_arguments_that_cannot_be_parsed_twice_raise_an_error_with_the_text() -> None:
    turn = play_turn(build_request(tools=TOOLS), THINKS + call_opener() + '{"city":', "[1")
    assert isinstance(turn.error, BadAnswer)
    assert (turn.error.raw, turn.parts) == ("[1", [("analysis", "Hm.")])
    assert "get_weather" in str(turn.error)


def test_arguments_that_do_not_fit_twice_are_passed_on_with_a_note() -> None:
    turn = play_turn(build_request(tools=TOOLS), call_opener() + '{"city":1}', '{"city":2}')
    assert turn.parts == [("get_weather", {"city": 2})]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [
        ("asked_again", '{"city":1}'),
        ("misfit", '{"city":2}'),
    ]


@pytest.mark.parametrize(
    ("first", "more", "asked_again"),
    [("Oslo", [], []), (None, ['{"city":"Oslo"}'], ["asked_again"])],
)
def test_a_single_call(first: str | None, more: list[Part], asked_again: list[str]) -> None:
    further = f"{call_text('Bergen')}<|end|>{START}{PREAMBLE}And{NEXT}assistant{call_opener('add')}{{"
    text = f"{THINKS}{call_text(first) if first else call_opener() + '['}<|end|>{START}{further}"
    turn = play_turn(build_request(tools=TOOLS, single_call=True), text, *more)
    assert turn.parts == [("analysis", "Hm."), ("commentary", "And"), ("get_weather", OSLO)]
    assert turn.machine.finish_reason == "tool_calls"
    notes = [(note.kind, note.raw) for note in turn.machine.notes if note.kind != "asked_again"]
    assert notes == [("call_dropped", '{"city": "Bergen"}'), ("call_dropped", "{")]
    assert turn.notes == [*asked_again, "call_dropped", "call_dropped"]


def test_the_arguments_of_an_unknown_tool_may_be_any_object() -> None:
    turn = play_turn(build_request(tools=TOOLS), call_opener("nobody") + "[", '{"x":1}')
    assert (turn.completions[1].format, turn.parts) == (ANY, [("nobody", {"x": 1})])


def test_a_preamble_before_a_call() -> None:
    turn = play_turn(build_request(tools=TOOLS), f"{THINKS}{PREAMBLE}Looking up.<|end|>{START}{call_text()}")
    assert turn.parts == [("analysis", "Hm."), ("commentary", "Looking up."), ("get_weather", OSLO)]


def test_a_preamble_alone_is_an_answer() -> None:
    turn = play_turn(build_request(), f"{PREAMBLE}Well.")
    assert (turn.parts, turn.machine.finish_reason) == ([("commentary", "Well.")], "stop")


def test_the_note_has_a_call_that_was_not_allowed() -> None:
    turn = play_turn(build_request(allow_calls=False), call_text(), "Yes.")
    assert turn.parts == [("final", "Yes.")]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [("call_dropped", call_text())]


def test_a_message_written_for_a_tool_is_left_out() -> None:
    turn = play_turn(
        build_request(tools=TOOLS), f"{call_text()}<|end|><|start|>functions.get_weather<|message|>21"
    )
    assert (turn.parts, turn.notes) == ([("get_weather", OSLO)], ["spoke_for_others"])


def test_a_required_call_is_one_call() -> None:
    # The engine rejects the schema, so that the model can end the call itself.
    after = f'{{"city":"Oslo"}}<|channel|>final<|message|>Done.<|end|>{START}{call_text("Bergen")}'
    forced = build_request(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    turn = play_turn(forced, UnusableSchema("no"), after)
    assert [part for part in turn.parts if part[0] == "get_weather"] == [("get_weather", OSLO)]


def test_only_reasoning_is_kept_from_a_think_step() -> None:
    forgotten = f"Hm.<|channel|>commentary to=functions.add<|message|>{{}}<|end|>{START}{THOUGHT}Well."
    turn = play_turn(build_request(reasoning_budget=9, tools=TOOLS), forgotten, f"{FINAL}Yes.")
    assert turn.tails[1] == f"{AFTER_THOUGHT}{THOUGHT}Well.<|end|>{START}"


def test_the_next_prompt_gives_an_answer_without_a_header_its_channel() -> None:
    turn = play_turn(
        build_request(tools=TOOLS), f"<|message|>Look.<|end|>{START}{call_opener()}[", '{"city":"Oslo"}'
    )
    assert turn.tails[1] == f"{START}{FINAL}Look.<|end|>{START}{call_opener()}"


def test_a_call_without_tools_is_not_an_answer() -> None:
    call = "<|channel|>commentary to=functions.no_such_tool <|constrain|>json<|message|>{}"
    turn = play_turn(build_request(allow_calls=False), call, "Yes.")
    assert (turn.error, turn.notes, turn.parts) == (None, ["call_dropped"], [("final", "Yes.")])
