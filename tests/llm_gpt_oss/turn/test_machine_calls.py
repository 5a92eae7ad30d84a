"Tool calls: several, malformed ones, ones that are not allowed."

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_engine import Part, cut
from support.turn_requests import (
    AFTER_THOUGHT,
    FINAL,
    OSLO,
    PREAMBLE,
    START,
    THINKS,
    THOUGHT,
    TOOLS,
    TWO,
    WEATHER,
    build_request,
    call_opener,
    call_text,
    play_turn,
)

from llm_gpt_oss.errors import BadAnswer, UnusableSchema
from llm_gpt_oss.turn.machine import MAX_THOUGHT


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
    further = f"{call_text('Bergen')}<|end|>{START}{call_opener('add')}{{"
    text = f"{THINKS}{call_text(first) if first else call_opener() + '['}<|end|>{START}{further}"
    turn = play_turn(build_request(tools=TOOLS, single_call=True), text, *more)
    assert turn.parts == [("analysis", "Hm."), ("get_weather", OSLO)]
    assert turn.machine.finish_reason == "tool_calls"
    notes = [(note.kind, note.raw) for note in turn.machine.notes if note.kind != "asked_again"]
    assert notes == [("call_dropped", '{"city": "Bergen"}'), ("call_dropped", "{")]
    assert turn.notes == [*asked_again, "call_dropped", "call_dropped"]


def test_a_preamble_before_a_call() -> None:
    turn = play_turn(build_request(tools=TOOLS), f"{THINKS}{PREAMBLE}Looking up.<|end|>{START}{call_text()}")
    assert turn.parts == [("analysis", "Hm."), ("commentary", "Looking up."), ("get_weather", OSLO)]


def test_a_preamble_alone_is_not_an_answer() -> None:
    turn = play_turn(build_request(), f"{PREAMBLE}Well.", "Yes.")
    assert turn.tails[1] == f"{START}{PREAMBLE}Well.<|end|>{START}{FINAL}"
    assert turn.parts == [("commentary", "Well."), ("final", "Yes.")]
    assert (turn.notes, turn.machine.finish_reason) == (["answer_opened"], "stop")


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


def test_only_reasoning_is_kept_from_a_think_step_without_a_call() -> None:
    forgotten = f"Hm.<|channel|>final<|message|>No.<|end|>{START}{THOUGHT}Well."
    turn = play_turn(build_request(reasoning_budget=9, tools=TOOLS), forgotten, f"{FINAL}Yes.")
    assert turn.tails[1] == f"{AFTER_THOUGHT}{THOUGHT}Well.<|end|>{START}"
    assert turn.parts == [("analysis", "Hm."), ("analysis", "Well."), ("final", "Yes.")]


FORGOTTEN = "Hm.<|channel|>commentary to=functions.get_weather<|message|>"


@pytest.mark.parametrize(
    ("fields", "text", "more", "more_notes"),
    [
        pytest.param({"reasoning_budget": 9}, '{"city":"Oslo"}', [], [], id="budget"),
        pytest.param({"required_tools": ("get_weather",)}, '{"city":"Oslo"}', [], [], id="named"),
        pytest.param({"required_tools": TWO}, '{"city":"Oslo"}', [], [], id="required"),
        pytest.param(
            {"required_tools": ("get_weather",)}, "{", ['{"city":"Oslo"}'], ["asked_again"], id="unreadable"
        ),
    ],
)
def test_a_call_after_reasoning_without_an_end_is_a_call(
    fields: dict[str, Any], text: str, more: list[Part], more_notes: list[str]
) -> None:
    turn = play_turn(build_request(tools=TOOLS, **fields), FORGOTTEN + text, *more)
    assert turn.parts == [("analysis", "Hm."), ("get_weather", OSLO)]
    assert (turn.notes, turn.machine.finish_reason) == (["mended", *more_notes], "tool_calls")
    assert turn.machine.notes[0].text == "A message was repaired: its end was missing."


def test_a_call_of_another_tool_than_the_required_one_is_not_a_call() -> None:
    request = build_request(tools=TOOLS, required_tools=("add",))
    turn = play_turn(request, FORGOTTEN + '{"city":"Oslo"}', '{"a":1,"b":2}')
    assert turn.parts == [("analysis", "Hm."), ("add", {"a": 1, "b": 2})]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [
        ("mended", None),
        ("call_dropped", '{"city":"Oslo"}'),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"reasoning_budget": 9}, id="budget"),
        pytest.param({"required_tools": ("get_weather",)}, id="named"),
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        pytest.param("commentary to=functions.nobody<|message|>", id="unknown tool"),
        pytest.param("commentary to=functions.get_weather ", id="broken header"),
    ],
)
def test_a_call_behind_reasoning_that_is_not_used_leaves_a_note(header: str, fields: dict[str, Any]) -> None:
    request = build_request(tools={"get_weather": WEATHER}, **fields)
    turn = play_turn(
        request,
        f"Hm.<|channel|>{header}look",
        call_text() if "reasoning_budget" in fields else '{"city":"Oslo"}',
    )
    assert turn.parts == [("analysis", "Hm."), ("get_weather", OSLO)]
    assert [note.raw for note in turn.machine.notes if note.kind == "call_dropped"] == ["look"]


# Calls of tools that are not on offer


UNKNOWN = [
    pytest.param(
        "<|channel|>commentary to=functions.nobody <|constrain|>json", "functions.nobody", id="function"
    ),
    pytest.param("<|channel|>analysis to=python code", "python", id="python"),
    pytest.param("<|channel|>commentary to=browser.search code", "browser.search", id="browser"),
    pytest.param("<|channel|>commentary to=functions. <|constrain|>json", "functions.", id="without a name"),
]


@pytest.mark.parametrize(("header", "name"), UNKNOWN)
def test_without_tools_a_call_is_dropped(header: str, name: str) -> None:
    turn = play_turn(build_request(), f"{THINKS}{header}<|message|>{{}}", "Yes.")
    assert turn.tails[1] == AFTER_THOUGHT + FINAL
    assert turn.parts == [("analysis", "Hm."), ("final", "Yes.")]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [
        ("call_dropped", "{}"),
        ("answer_opened", None),
    ]
    assert f"A call of {name} was" in turn.machine.notes[0].text


@pytest.mark.parametrize(("header", "name"), UNKNOWN)
@pytest.mark.parametrize(
    ("more", "part"),
    [(call_text(), ("get_weather", OSLO)), (f"{FINAL}Yes.", ("final", "Yes."))],
    ids=["a call", "an answer"],
)
def test_the_model_is_told_that_a_tool_is_not_on_offer(
    header: str, name: str, more: str, part: tuple[str, Any]
) -> None:
    turn = play_turn(build_request(tools=TOOLS), f"{THINKS}{header}<|message|>{{}}", more)
    error = f"Error: {name} is not available. Call one of the tools in functions, or answer."
    result = f"<|start|>{name} to=assistant<|channel|>commentary<|message|>{error}<|end|>"
    assert turn.tails[1] == f"{AFTER_THOUGHT}{header}<|message|>{{}}<|call|>{result}{START}"
    assert turn.parts == [("analysis", "Hm."), part]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [("call_dropped", "{}")]


def test_the_model_is_told_once() -> None:
    unknown = call_text(name="nobody")
    turn = play_turn(build_request(tools=TOOLS), unknown, unknown, "Yes.")
    assert turn.tails[2].endswith(f"answer.<|end|>{START}{FINAL}")
    assert (turn.parts, turn.notes) == (
        [("final", "Yes.")],
        ["call_dropped", "call_dropped", "answer_opened"],
    )


def test_each_call_of_an_unknown_tool_leaves_a_note() -> None:
    calls = f"<|end|>{START}".join([call_text(name="nobody"), call_text(name="no_one")])
    turn = play_turn(build_request(tools=TOOLS), calls, f"{FINAL}Yes.")
    assert (turn.parts, turn.notes) == ([("final", "Yes.")], ["call_dropped", "call_dropped"])


@pytest.mark.parametrize("known_first", [True, False])
def test_a_call_beside_one_of_an_unknown_tool(known_first: bool) -> None:
    calls = [call_text(), call_text(name="nobody")][:: 1 if known_first else -1]
    turn = play_turn(build_request(tools=TOOLS), f"<|end|>{START}".join(calls))
    assert (turn.parts, turn.notes) == ([("get_weather", OSLO)], ["call_dropped"])


def test_an_answer_after_a_call_of_an_unknown_tool_is_the_answer() -> None:
    turn = play_turn(build_request(tools=TOOLS), f"{call_text(name='nobody')}<|end|>{START}{FINAL}Yes.")
    assert (turn.parts, turn.notes) == ([("final", "Yes.")], ["call_dropped"])


# Text after a call


@pytest.mark.parametrize("header", [FINAL, PREAMBLE, THOUGHT])
def test_text_after_a_call_is_made_up(header: str) -> None:
    turn = play_turn(build_request(tools=TOOLS), f"{call_text()}<|end|>{START}{header}It is warm.")
    assert (turn.parts, turn.machine.finish_reason) == ([("get_weather", OSLO)], "tool_calls")
    assert [(note.kind, note.raw) for note in turn.machine.notes] == [("text_dropped", "It is warm.")]


@pytest.mark.parametrize(
    ("answer", "more", "part", "notes"),
    [
        pytest.param(
            f"{START}{FINAL}Yes.", [], ("final", "Yes."), ["mended", "call_dropped"], id="an answer"
        ),
        pytest.param("", ['{"city":"Oslo"}'], ("get_weather", OSLO), ["mended", "asked_again"], id="nothing"),
    ],
)
def test_prose_in_a_broken_header_of_a_call(
    answer: str, more: list[Part], part: tuple[str, Any], notes: list[str]
) -> None:
    header = "<|channel|>commentary to=functions.get_weather <|constrain|>go: look it up<|end|>"
    turn = play_turn(build_request(tools=TOOLS), header + answer, *more)
    assert (turn.parts, turn.notes) == ([part], notes)


# Reasoning where there may be none


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"uses_reasoning": False}, id="effort none"),
        pytest.param({"reasoning_budget": 1}, id="used-up budget"),
    ],
)
def test_long_reasoning_before_a_call_is_cut(fields: dict[str, Any]) -> None:
    think = [cut("Hm.")] if "reasoning_budget" in fields else []
    long = f"{THOUGHT}{'so ' * MAX_THOUGHT * 2}"
    turn = play_turn(build_request(tools=TOOLS, **fields), *think, long, "Yes.")
    *_, (channel, reasoning), answer = turn.parts
    assert (channel, answer) == ("analysis", ("final", "Yes."))
    assert turn.tails[-1].endswith(f"{reasoning}<|end|>{START}{FINAL}")
    assert MAX_THOUGHT < turn.machine.usage.reasoning_tokens <= MAX_THOUGHT + 3
    assert turn.notes == ["reasoning_cut"]
    assert turn.engine.closed == len(turn.completions)


@pytest.mark.parametrize(
    ("text", "more", "parts", "notes"),
    [
        pytest.param(f"{FINAL}Yes.", [], [("final", "Yes.")], [], id="an answer"),
        pytest.param(
            call_text(name="nobody"), [FINAL + "No."], [("final", "No.")], ["call_dropped"], id="no tool"
        ),
        pytest.param("<|channel|>??", ["No."], [("final", "No.")], ["text_dropped"], id="a broken header"),
    ],
)
def test_what_stands_before_long_reasoning_counts(
    text: str, more: list[Part], parts: list[tuple[str, Any]], notes: list[str]
) -> None:
    long = f"{text}<|end|>{START}{THOUGHT}{'so ' * MAX_THOUGHT * 2}"
    turn = play_turn(build_request(tools=TOOLS, uses_reasoning=False), long, *more)
    assert [part for part in turn.parts if part[0] != "analysis"] == parts
    assert turn.notes == ["reasoning_cut", *notes]
    assert turn.engine.closed == len(turn.completions) == 1 + len(more)
