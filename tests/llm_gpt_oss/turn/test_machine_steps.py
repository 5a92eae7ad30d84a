"The steps of a turn: their prompts, formats, stop strings and limits."

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scripted_engine import Part, cut
from support.turn_requests import (
    AFTER_THOUGHT,
    ANY,
    AT_FINAL,
    AT_START,
    BUFFERED,
    FINAL,
    NO_THOUGHT,
    OSLO,
    PERSON,
    PREAMBLE,
    START,
    THINKS,
    THOUGHT,
    TOOL_NAME_OPENER,
    TOOLS,
    TWO,
    WEATHER,
    assistant,
    build_request,
    call_opener,
    call_text,
    limits,
    play_turn,
    user,
)

from llm_gpt_oss.errors import EmptyStream, EngineBusy
from llm_gpt_oss.harmony.conversation import Conversation
from llm_gpt_oss.harmony.prompt import render
from llm_gpt_oss.turn import steps
from llm_gpt_oss.turn.transcript import ToolCall

# The request, the model's text, for each completion (end of the prompt, format, stop strings, max_tokens),
# and the parts of the turn.
ROWS = [
    pytest.param(
        {},
        [f"{THINKS}{FINAL}Yes."],
        [(START, None, (), None)],
        [("analysis", "Hm."), ("final", "Yes.")],
        id="plain",
    ),
    pytest.param(
        {"uses_reasoning": False},
        ["Yes."],
        [(f"{NO_THOUGHT}{START}{FINAL}", None, (), None)],
        [("final", "Yes.")],
        id="effort none",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        [f"{FINAL}Yes."],
        [(f"{NO_THOUGHT}{START}", None, (), None)],
        [("final", "Yes.")],
        id="effort none, tools: the answer",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        [call_text()],
        [(f"{NO_THOUGHT}{START}", None, (), None)],
        [("get_weather", OSLO)],
        id="effort none, tools: a call",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        [f"{THINKS}{call_text()}"],
        [(f"{NO_THOUGHT}{START}", None, (), None)],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="effort none, tools: a call that follows a thought",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("get_weather",)},
        ["Hm.", '{"city":"Oslo"}'],
        [
            (START + THOUGHT, None, (AT_START,), None),
            (AFTER_THOUGHT + call_opener(), WEATHER, (), None),
        ],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="a named tool",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("get_weather",), "uses_reasoning": False},
        ['{"city":"Oslo"}'],
        [(f"{NO_THOUGHT}{START}{call_opener()}", WEATHER, (), None)],
        [("get_weather", OSLO)],
        id="a named tool, effort none",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("now",), "uses_reasoning": False},
        ["{}"],
        [(f"{NO_THOUGHT}{START}{call_opener('now')}", ANY, (), None)],
        [("now", {})],
        id="a named tool without arguments",
    ),
    pytest.param(
        {"tools": {"now": None}, "required_tools": ("now",)},
        ["Hm.", "{}"],
        [(START + THOUGHT, None, (AT_START,), None), (AFTER_THOUGHT + call_opener("now"), ANY, (), None)],
        [("analysis", "Hm."), ("now", {})],
        id="required, one tool: its name is known",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": TWO},
        ["Hm.", ".get_weather <|constrain|>json", '{"city":"Oslo"}'],
        [
            (START + THOUGHT, None, (AT_START,), None),
            (f"{START}{THOUGHT}Hm.<|end|>{TOOL_NAME_OPENER}", None, ("<|message|>",), None),
            (AFTER_THOUGHT + call_opener(), WEATHER, (), None),
        ],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="required",
    ),
    pytest.param(
        {"format": PERSON},
        [THINKS, '{"name":"Ada"}'],
        [(START, None, (AT_FINAL,), None), (AFTER_THOUGHT + FINAL, PERSON, (), None)],
        [("analysis", "Hm."), ("final", '{"name":"Ada"}')],
        id="schema, streamed",
    ),
    pytest.param(
        BUFFERED,
        [THINKS, '{"name":"Ada"}'],
        [(START, None, (AT_FINAL,), None), (AFTER_THOUGHT + FINAL, PERSON, (), None)],
        [("analysis", "Hm."), ("final", '{"name":"Ada"}')],
        id="schema, buffered",
    ),
    pytest.param(
        {"format": PERSON, "tools": TOOLS},
        [f"{THINKS}{call_text()}"],
        [(START, None, (AT_FINAL,), None)],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="schema, tools: a call comes first",
    ),
    pytest.param(
        {"format": PERSON, "uses_reasoning": False},
        ['{"name":"Ada"}'],
        [(f"{NO_THOUGHT}{START}{FINAL}", PERSON, (), None)],
        [("final", '{"name":"Ada"}')],
        id="schema, effort none",
    ),
    pytest.param(
        {"stop": ("Oslo", "7")},
        [THINKS, "In "],
        [(START, None, (AT_FINAL,), None), (AFTER_THOUGHT + FINAL, None, ("Oslo", "7"), None)],
        [("analysis", "Hm."), ("final", "In ")],
        id="stop strings: not in the reasoning",
    ),
    pytest.param(
        {"stop": ("7",), "format": PERSON, "uses_reasoning": False},
        ['{"name":"Ada"}'],
        [(f"{NO_THOUGHT}{START}{FINAL}", PERSON, ("7",), None)],
        [("final", '{"name":"Ada"}')],
        id="stop strings and schema",
    ),
    pytest.param(
        {"reasoning_budget": 7},
        ["Hm.", "Yes."],
        [(START + THOUGHT, None, (AT_START,), 7), (AFTER_THOUGHT + FINAL, None, (), None)],
        [("analysis", "Hm."), ("final", "Yes.")],
        id="reasoning budget: not used up",
    ),
    pytest.param(
        {"reasoning_budget": 2},
        [cut("Hm. I"), "Yes."],
        [
            (START + THOUGHT, None, (AT_START,), 2),
            (f"{START}{THOUGHT}Hm. I<|end|>{START}{FINAL}", None, (), None),
        ],
        [("analysis", "Hm. I"), ("final", "Yes.")],
        id="reasoning budget: used up",
    ),
    pytest.param(
        {"reasoning_budget": 7, "tools": TOOLS},
        ["Hm.", call_text()],
        [(START + THOUGHT, None, (AT_START,), 7), (AFTER_THOUGHT, None, (), None)],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="reasoning budget, tools: a call",
    ),
    pytest.param(
        {"reasoning_budget": 7, "tools": TOOLS},
        ["Hm.", f"{THOUGHT}Well.<|end|>{START}{call_text()}"],
        [(START + THOUGHT, None, (AT_START,), 7), (AFTER_THOUGHT, None, (), None)],
        [("analysis", "Hm."), ("analysis", "Well."), ("get_weather", OSLO)],
        id="reasoning budget, tools: a call that follows another thought",
    ),
]


@pytest.mark.parametrize(("fields", "script", "completions", "parts"), ROWS)
def test_the_steps_of_a_turn(
    fields: dict[str, Any], script: list[Part], completions: list[tuple[Any, ...]], parts: object
) -> None:
    turn = play_turn(build_request(**fields), *script)
    assert [(tail, *defaults) for tail, defaults in zip(turn.tails, limits(turn), strict=True)] == completions
    assert turn.parts == parts
    assert turn.error is None
    calls = any(isinstance(out, ToolCall) for out in turn.output)
    assert turn.machine.finish_reason == ("tool_calls" if calls else "stop")
    assert turn.notes == []


CONTINUED = [
    pytest.param(
        assistant("So f"),
        {},
        ["ar."],
        [(f"{START}{FINAL}So f", None, ())],
        [("final", "ar.")],
        id="an answer, in mid-word",
    ),
    pytest.param(
        assistant("So f"),
        {"uses_reasoning": False},
        ["ar."],
        [(f"{START}{FINAL}So f", None, ())],
        [("final", "ar.")],
        id="an answer, effort none",
    ),
    pytest.param(
        assistant("So far."),
        {},
        [""],
        [(f"{START}{FINAL}So far.", None, ())],
        [],
        id="a complete answer",
    ),
    pytest.param(
        assistant('{"name":'),
        {"format": PERSON, "stop": ("7",)},
        ['"Ada"}'],
        [(f'{START}{FINAL}{{"name":', None, ("7",))],
        [("final", '"Ada"}')],
        id="an answer with a schema, validated as a whole",
    ),
    pytest.param(
        assistant("H", "analysis"),
        {},
        [f"m.<|end|>{START}{FINAL}Yes."],
        [(f"{START}{THOUGHT}H", None, ())],
        [("analysis", "m."), ("final", "Yes.")],
        id="reasoning",
    ),
    pytest.param(
        assistant("Hm.", "analysis"),
        {"format": PERSON},
        [f"<|end|>{START}", '{"name":"Ada"}'],
        [(f"{START}{THOUGHT}Hm.", None, (AT_FINAL,)), (AFTER_THOUGHT + FINAL, PERSON, ())],
        [("final", '{"name":"Ada"}')],
        id="complete reasoning, schema",
    ),
    pytest.param(
        assistant("H", "analysis"),
        {"tools": TOOLS, "required_tools": ("get_weather",)},
        ["m.", '{"city":"Oslo"}'],
        [(f"{START}{THOUGHT}H", None, (AT_START,)), (AFTER_THOUGHT + call_opener(), WEATHER, ())],
        [("analysis", "m."), ("get_weather", OSLO)],
        id="reasoning, a named tool",
    ),
    pytest.param(
        assistant("Look", "commentary"),
        {"tools": TOOLS},
        [f" up.<|end|>{START}{call_text()}"],
        [(f"{START}{PREAMBLE}Look", None, ())],
        [("commentary", " up."), ("get_weather", OSLO)],
        id="a preamble",
    ),
]


@pytest.mark.parametrize(("last", "fields", "script", "completions", "parts"), CONTINUED)
def test_the_model_continues_the_final_message(
    last: Any, fields: dict[str, Any], script: list[Part], completions: list[tuple[Any, ...]], parts: object
) -> None:
    turn = play_turn(build_request(user("Hi"), last, continue_final_message=True, **fields), *script)
    actual = [(tail, c.format, c.stop) for tail, c in zip(turn.tails, turn.completions, strict=True)]
    assert (actual, turn.parts, turn.error, turn.notes) == (completions, parts, None, [])


def test_the_retry_of_a_continued_answer_has_the_same_prompt() -> None:
    request = build_request(user("Hi"), assistant('{"name":'), continue_final_message=True, **BUFFERED)
    turn = play_turn(request, "7}", '"Ada"}')
    assert turn.tails == [f'{START}{FINAL}{{"name":'] * 2
    assert (turn.parts, turn.notes) == ([("final", '"Ada"}')], ["retried"])


def test_a_turn_of_several_completions_renders_the_conversation_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def count(conversation: Conversation) -> str:
        rendered.append(conversation)
        return render(conversation)

    monkeypatch.setattr(steps, "render", count)
    turn = play_turn(build_request(), EmptyStream("nothing"), EngineBusy("busy"), f"{FINAL}Yes.")
    assert (len(turn.completions), len(rendered)) == (3, 1)


def test_a_completion_has_the_defaults_of_the_request() -> None:
    turn = play_turn(build_request(seed=7, top_logprobs=2, max_tokens=99), f"{FINAL}Yes.")
    [completion] = turn.completions
    assert completion == replace(turn.request.defaults, prompt=completion.prompt)


@pytest.mark.parametrize(
    ("fields", "script", "logprobs"),
    [
        ({}, [f"{FINAL}Yes."], [3]),
        ({"format": PERSON}, [THINKS, '{"name":"Ada"}'], [3, 3]),
        ({"reasoning_budget": 9}, ["Hm.", "Yes."], [None, 3]),
        ({"tools": TOOLS, "required_tools": TWO}, ["Hm.", ".add", '{"a":1,"b":2}'], [None, None, None]),
    ],
)
def test_log_probabilities_are_requested_where_an_answer_may_come(
    fields: dict[str, Any], script: list[Part], logprobs: object
) -> None:
    turn = play_turn(build_request(top_logprobs=3, **fields), *script)
    assert [c.top_logprobs for c in turn.completions] == logprobs


# Names


@pytest.mark.parametrize(
    ("text", "name", "notes"),
    [
        (".add <|constrain|>json", "add", []),
        (".Add <|constrain|>json", "add", ["renamed"]),
        (".getweather", "get_weather", ["renamed"]),
        (".now", "now", []),
        (".no_such_tool", "now", ["renamed"]),
        ("", "get_weather", ["renamed"]),
    ],
)
def test_an_unknown_tool_name_becomes_the_closest_match(text: str, name: str, notes: list[str]) -> None:
    allowed = ("get_weather", "add", "now")
    turn = play_turn(
        build_request(tools=TOOLS, required_tools=allowed, uses_reasoning=False),
        text,
        '{"city":"a","a":1,"b":2}',
    )
    assert turn.tails[1] == f"{NO_THOUGHT}{START}{call_opener(name)}"
    assert (turn.completions[1].format, [called for called, _ in turn.parts]) == (TOOLS[name] or ANY, [name])
    assert [note for note in turn.notes if note != "repaired"] == notes
    assert [note.raw for note in turn.machine.notes if note.kind == "renamed"] == [text] * len(notes)


def test_only_required_tools_are_called() -> None:
    turn = play_turn(
        build_request(tools=TOOLS, required_tools=TWO, uses_reasoning=False), ".now", '{"city":"Oslo"}'
    )
    assert turn.parts[0][0] in TWO
