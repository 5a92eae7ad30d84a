from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_engine import Part, cut, pieces, stopped
from support.turn_requests import (
    ANY,
    AT_FINAL,
    AT_THOUGHT,
    FINAL,
    NEXT,
    NO_THOUGHT,
    PERSON,
    PREAMBLE,
    START,
    THOUGHT,
    TOOLS,
    WEATHER,
    Turn,
    assistant,
    calling,
    played,
    user,
    wish,
)

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.errors import (
    BadAnswer,
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    StreamCut,
    UnusableSchema,
)
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.turn.machine import BUSY_WAITS, TurnMachine
from llm_gpt_oss.turn.request import TurnRequest
from llm_gpt_oss.turn.transcript import Note, Text, ToolCall

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
THOUGHT_OF = f"{START}{THOUGHT}Hm.<|end|>{START}"
OSLO = {"city": "Oslo"}
ADA = {"name": "Ada"}
TWO = ("get_weather", "add")
NAMING = f"{START}<|channel|>commentary to=functions"
HELD = {"format": PERSON, "buffer_answer": True}


def call(city: str = "Oslo", name: str = "get_weather") -> str:
    return calling(name) + json.dumps({"city": city})


def asked(turn: Turn) -> list[tuple[Any, ...]]:
    "(format, stop, max_tokens) of each completion."
    return [(each.format, each.stop, each.max_tokens) for each in turn.engine.asked]


# Each row of harmony.md's "Opening the prompt": what is wanted, the model's text, and of each completion the
# end of its prompt, its format, its stop strings and its limit; then what the turn said.
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
        [(f"{NO_THOUGHT}{START}{FINAL}", None, (NEXT,), None)],
        [("final", "Yes.")],
        id="effort none",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        [f"{FINAL}Yes."],
        [(f"{NO_THOUGHT}{START}", None, (AT_THOUGHT,), None)],
        [("final", "Yes.")],
        id="effort none, tools: the answer",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        [call()],
        [(f"{NO_THOUGHT}{START}", None, (AT_THOUGHT,), None)],
        [("get_weather", OSLO)],
        id="effort none, tools: a call",
    ),
    pytest.param(
        {"uses_reasoning": False, "tools": TOOLS},
        ["", "Yes."],
        [
            (f"{NO_THOUGHT}{START}", None, (AT_THOUGHT,), None),
            (f"{NO_THOUGHT}{START}{FINAL}", None, (NEXT,), None),
        ],
        [("final", "Yes.")],
        id="effort none, tools: it wants to think",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("get_weather",)},
        ["Hm.", '{"city":"Oslo"}'],
        [
            (START + THOUGHT, None, (NEXT,), None),
            (THOUGHT_OF + calling(), WEATHER, (), None),
        ],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="a named tool",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("get_weather",), "uses_reasoning": False},
        ['{"city":"Oslo"}'],
        [(f"{NO_THOUGHT}{START}{calling()}", WEATHER, (), None)],
        [("get_weather", OSLO)],
        id="a named tool, effort none",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("now",), "uses_reasoning": False},
        ["{}"],
        [(f"{NO_THOUGHT}{START}{calling('now')}", ANY, (), None)],
        [("now", {})],
        id="a named tool without arguments",
    ),
    pytest.param(
        {"tools": {"now": None}, "required_tools": ("now",)},
        ["Hm.", "{}"],
        [(START + THOUGHT, None, (NEXT,), None), (THOUGHT_OF + calling("now"), ANY, (), None)],
        [("analysis", "Hm."), ("now", {})],
        id="required, one tool: its name is known",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": TWO},
        ["Hm.", ".get_weather <|constrain|>json", '{"city":"Oslo"}'],
        [
            (START + THOUGHT, None, (NEXT,), None),
            (f"{START}{THOUGHT}Hm.<|end|>{NAMING}", None, ("<|message|>",), None),
            (THOUGHT_OF + calling(), WEATHER, (), None),
        ],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="required",
    ),
    pytest.param(
        {"allow_calls": False},
        [f"{THINKS}{call()}", "Yes."],
        [(START, None, (), None), (THOUGHT_OF + FINAL, None, (NEXT,), None)],
        [("analysis", "Hm."), ("final", "Yes.")],
        id="none, and a model that calls all the same",
    ),
    pytest.param(
        {"format": PERSON},
        [THINKS, '{"name":"Ada"}'],
        [(START, None, (AT_FINAL,), None), (THOUGHT_OF + FINAL, PERSON, (), None)],
        [("analysis", "Hm."), ("final", '{"name":"Ada"}')],
        id="schema, streamed",
    ),
    pytest.param(
        HELD,
        [THINKS, '{"name":"Ada"}'],
        [(START, None, (AT_FINAL,), None), (THOUGHT_OF + FINAL, PERSON, (), None)],
        [("analysis", "Hm."), ("final", '{"name":"Ada"}')],
        id="schema, held",
    ),
    pytest.param(
        {"format": PERSON, "tools": TOOLS},
        [f"{THINKS}{call()}"],
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
        [(START, None, (AT_FINAL,), None), (THOUGHT_OF + FINAL, None, ("Oslo", "7", NEXT), None)],
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
        [(START + THOUGHT, None, (NEXT,), 7), (THOUGHT_OF + FINAL, None, (NEXT,), None)],
        [("analysis", "Hm."), ("final", "Yes.")],
        id="reasoning budget: kept",
    ),
    pytest.param(
        {"reasoning_budget": 2},
        [cut("Hm. I"), "Yes."],
        [
            (START + THOUGHT, None, (NEXT,), 2),
            (f"{START}{THOUGHT}Hm. I<|end|>{START}{FINAL}", None, (NEXT,), None),
        ],
        [("analysis", "Hm. I"), ("final", "Yes.")],
        id="reasoning budget: used up",
    ),
    pytest.param(
        {"reasoning_budget": 7, "tools": TOOLS},
        ["Hm.", call()],
        [(START + THOUGHT, None, (NEXT,), 7), (THOUGHT_OF, None, (AT_THOUGHT,), None)],
        [("analysis", "Hm."), ("get_weather", OSLO)],
        id="reasoning budget, tools: a call",
    ),
    pytest.param(
        {"reasoning_budget": 7, "tools": TOOLS},
        ["Hm.", f"{PREAMBLE}Well,<|end|>{START}", "Yes."],
        [
            (START + THOUGHT, None, (NEXT,), 7),
            (THOUGHT_OF, None, (AT_THOUGHT,), None),
            (f"{THOUGHT_OF}{PREAMBLE}Well,<|end|>{START}{FINAL}", None, (NEXT,), None),
        ],
        [("analysis", "Hm."), ("commentary", "Well,"), ("final", "Yes.")],
        id="reasoning budget, tools: it wants to think on",
    ),
]


@pytest.mark.parametrize(("wanted", "script", "completions", "said"), ROWS)
def test_opening_the_prompt(
    wanted: dict[str, Any], script: list[Part], completions: list[tuple[Any, ...]], said: object
) -> None:
    turn = played(wish(**wanted), *script)
    assert [(tail, *bounds) for tail, bounds in zip(turn.tails, asked(turn), strict=True)] == completions
    assert turn.said == said
    assert turn.error is None
    calls = any(isinstance(out, ToolCall) for out in turn.out)
    assert turn.plan.finish_reason == ("tool_calls" if calls else "stop")
    assert turn.notes == (["call_dropped"] if not wanted.get("allow_calls", True) else [])


LEFT_OPEN = [
    pytest.param(
        assistant("So f"),
        {},
        ["ar."],
        [(f"{START}{FINAL}So f", None, (NEXT,))],
        [("final", "ar.")],
        id="an answer, in mid-word",
    ),
    pytest.param(
        assistant("So f"),
        {"uses_reasoning": False},
        ["ar."],
        [(f"{START}{FINAL}So f", None, (NEXT,))],
        [("final", "ar.")],
        id="an answer, effort none",
    ),
    pytest.param(
        assistant("So far."),
        {},
        [""],
        [(f"{START}{FINAL}So far.", None, (NEXT,))],
        [],
        id="an answer that was whole",
    ),
    pytest.param(
        assistant('{"name":'),
        {"format": PERSON, "stop": ("7",)},
        ['"Ada"}'],
        [(f'{START}{FINAL}{{"name":', None, ("7", NEXT))],
        [("final", '"Ada"}')],
        id="a schema's answer, looked at as a whole",
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
        [(f"{START}{THOUGHT}Hm.", None, (AT_FINAL,)), (THOUGHT_OF + FINAL, PERSON, ())],
        [("final", '{"name":"Ada"}')],
        id="reasoning that was whole, schema",
    ),
    pytest.param(
        assistant("H", "analysis"),
        {"tools": TOOLS, "required_tools": ("get_weather",)},
        ["m.", '{"city":"Oslo"}'],
        [(f"{START}{THOUGHT}H", None, (NEXT,)), (THOUGHT_OF + calling(), WEATHER, ())],
        [("analysis", "m."), ("get_weather", OSLO)],
        id="reasoning, a named tool",
    ),
    pytest.param(
        assistant("Look", "commentary"),
        {"tools": TOOLS},
        [f" up.<|end|>{START}{call()}"],
        [(f"{START}{PREAMBLE}Look", None, ())],
        [("commentary", " up."), ("get_weather", OSLO)],
        id="a preamble",
    ),
]


@pytest.mark.parametrize(("last", "wanted", "script", "completions", "said"), LEFT_OPEN)
def test_a_turn_that_was_left_open(
    last: Any, wanted: dict[str, Any], script: list[Part], completions: list[tuple[Any, ...]], said: object
) -> None:
    turn = played(wish(user("Hi"), last, continue_final_message=True, **wanted), *script)
    shown = [(tail, each.format, each.stop) for tail, each in zip(turn.tails, turn.engine.asked, strict=True)]
    assert (shown, turn.said, turn.error, turn.notes) == (completions, said, None, [])


def test_an_answer_that_was_left_open_is_asked_for_again_in_its_middle() -> None:
    wanted = wish(user("Hi"), assistant('{"name":'), continue_final_message=True, **HELD)
    turn = played(wanted, "7}", '"Ada"}')
    assert turn.tails == [f'{START}{FINAL}{{"name":'] * 2
    assert (turn.said, turn.notes) == ([("final", '"Ada"}')], ["retried"])


def test_a_completion_is_the_wish_and_its_step() -> None:
    turn = played(wish(seed=7, top_logprobs=2, max_tokens=99), f"{FINAL}Yes.")
    [completion] = turn.engine.asked
    assert completion == replace(turn.wish.defaults, prompt=completion.prompt)


@pytest.mark.parametrize(
    ("wanted", "script", "logprobs"),
    [
        ({}, [f"{FINAL}Yes."], [3]),
        ({"format": PERSON}, [THINKS, '{"name":"Ada"}'], [3, 3]),
        ({"reasoning_budget": 9}, ["Hm.", "Yes."], [None, 3]),
        ({"tools": TOOLS, "required_tools": TWO}, ["Hm.", ".add", '{"a":1,"b":2}'], [None, None, None]),
    ],
)
def test_log_probabilities_are_asked_where_an_answer_may_come(
    wanted: dict[str, Any], script: list[Part], logprobs: object
) -> None:
    turn = played(wish(top_logprobs=3, **wanted), *script)
    assert [each.top_logprobs for each in turn.engine.asked] == logprobs


# Names


@pytest.mark.parametrize(
    ("said", "name", "notes"),
    [
        (".add <|constrain|>json", "add", []),
        (".Add <|constrain|>json", "add", ["renamed"]),
        (".getweather", "get_weather", ["renamed"]),
        (".now", "now", []),
        (".no_such_tool", "now", ["renamed"]),
        ("", "get_weather", ["renamed"]),
    ],
)
def test_a_name_that_is_not_allowed_becomes_the_nearest(said: str, name: str, notes: list[str]) -> None:
    allowed = ("get_weather", "add", "now")
    turn = played(
        wish(tools=TOOLS, required_tools=allowed, uses_reasoning=False), said, '{"city":"a","a":1,"b":2}'
    )
    assert turn.tails[1] == f"{NO_THOUGHT}{START}{calling(name)}"
    assert (turn.engine.asked[1].format, [called for called, _ in turn.said]) == (TOOLS[name] or ANY, [name])
    assert [note for note in turn.notes if note != "repaired"] == notes
    assert [note.raw for note in turn.plan.notes if note.kind == "renamed"] == [said] * len(notes)


def test_a_tool_on_offer_that_may_not_be_called_is_not_taken() -> None:
    turn = played(wish(tools=TOOLS, required_tools=TWO, uses_reasoning=False), ".now", '{"city":"Oslo"}')
    assert turn.said[0][0] in TWO


# The model's slips, as a real engine gave them.

RECORDED = json.loads(Path(__file__).with_name("misbehaviour.json").read_text(encoding="utf-8"))
CITY = {"get_weather": WEATHER}


def misbehaving(name: str) -> list[Any]:
    "What the engine sent. Two of them it gave up in the middle."
    said = [Piece(text) for text in RECORDED[name]["pieces"]]
    eval_count = RECORDED[name]["eval_count"]
    return [*said, Done("stop", 80, eval_count) if eval_count else StreamCut("in the middle")]


def thought(name: str) -> tuple[str, str]:
    return ("analysis", f"User asks; misbehaving: {name}.")


MISBEHAVIOUR = [
    pytest.param("bad-json", CITY, [], [("get_weather", OSLO)], [("repaired", '{"city":"Oslo"}]')]),
    pytest.param("plain-args", CITY, [], [("get_weather", OSLO)], [("repaired", "Oslo")]),
    pytest.param(
        "cut-json", CITY, ['{"city":"Oslo"}'], [("get_weather", OSLO)], [("asked_again", '{"city":')]
    ),
    pytest.param(
        "extra-args",
        CITY,
        [],
        [("get_weather", OSLO)],
        [("repaired", '{"city":"Oslo","unexpected_argument":"surprise"}')],
    ),
    pytest.param("wrong-tool", CITY, [], [("no_such_tool", OSLO)], []),
    pytest.param("bare-recipient", CITY, [], [("get_weather", OSLO)], [("mended", None)]),
    pytest.param("marker-name", CITY, [], [("get_weather", OSLO)], [("mended", None)]),
    pytest.param(
        "call-in-final",
        CITY,
        [],
        [("final", '{"name": "get_weather", "arguments": {"city": "Oslo"}}')],
        [],
    ),
    pytest.param("fenced-json", {}, [], [("final", '```json\n{"name": "unknown", "age": 0}\n```')], []),
    pytest.param("not-schema", {}, [], [("final", '{"wrong": true, "note": "not the schema"}')], []),
    pytest.param("empty", {}, ["Yes."], [("final", "Yes.")], [("answer_opened", None)]),
    pytest.param("only-thinking", {}, ["Yes."], [("final", "Yes.")], [("answer_opened", None)]),
    pytest.param(
        "unfinished",
        {},
        [],
        [("final", "This sentence stops in the"), ("final", "middle, and here is the rest.")],
        [],
    ),
    pytest.param("two-finals", {}, [], [("final", "First answer."), ("final", "Second answer.")], []),
]


@pytest.mark.parametrize(("name", "tools", "more", "said", "notes"), MISBEHAVIOUR)
def test_misbehaviour(name: str, tools: Any, more: list[Part], said: list[Any], notes: object) -> None:
    turn = played(wish(tools=tools), misbehaving(name), *more)
    assert turn.said == [thought(name), *said]
    assert [(note.kind, note.raw) for note in turn.plan.notes] == notes
    assert (len(turn.engine.asked), turn.error) == (1 + len(more), None)
    assert turn.plan.finish_reason == ("stop" if said[-1][0] == "final" else "tool_calls")


def test_no_thinking() -> None:
    turn = played(wish(), misbehaving("no-thinking"))
    assert (turn.said, turn.notes) == ([("final", "I did not think.")], [])


def test_marker_text_is_text() -> None:
    turn = played(wish(), misbehaving("marker-text"))
    text = "".join(RECORDED["marker-text"]["pieces"]).rpartition("<|message|>")[2]
    assert (turn.said[1:], turn.notes) == ([("final", text)], [])
    assert text.startswith("The tag <|im_end|> ends a message in some models, and </think> ends")


def test_unicode() -> None:
    turn = played(wish(), misbehaving("unicode"))
    text = "".join(RECORDED["unicode"]["pieces"]).rpartition("<|message|>")[2]
    assert turn.said[1:] == [("final", text)]
    tally = turn.plan.usage
    assert (tally.reasoning_tokens, tally.completion_tokens) == (9, 111)


@pytest.mark.parametrize("name", ["loop", "think-loop"])
def test_a_loop_that_the_engine_gave_up(name: str) -> None:
    turn = played(wish(), misbehaving(name))
    assert isinstance(turn.error, StreamCut)
    assert turn.said[-1][1].endswith(" again again")
    assert (turn.plan.finish_reason, turn.plan.usage.completion_tokens) == (
        None,
        len(RECORDED[name]["pieces"]),
    )


@pytest.mark.parametrize("name", ["fenced-json", "not-schema"])
@pytest.mark.parametrize(("buffer_answer", "asked_for"), [(True, 3), (False, 2)])
def test_an_engine_that_does_not_bind(name: str, buffer_answer: bool, asked_for: int) -> None:
    text = "".join(RECORDED[name]["pieces"]).rpartition("<|message|>")[2]
    turn = played(
        wish(format=PERSON, buffer_answer=buffer_answer), THINKS, text, *([text] if buffer_answer else [])
    )
    assert len(turn.engine.asked) == asked_for
    assert (turn.said, turn.notes) == (
        [("analysis", "Hm."), ("final", text)],
        ["retried", "misfit"] if buffer_answer else ["misfit"],
    )
    assert turn.plan.finish_reason == "stop"


# Calls


@pytest.mark.parametrize("end", ["", "<|end|>", f"<|end|>{START}"])
def test_several_calls_in_one_completion(end: str) -> None:
    text = f'{THINKS}{call("Oslo")}<|end|>{START}{calling("add")}{{"a":1,"b":2}}{end}'
    turn = played(wish(tools=TOOLS), text)
    assert turn.said == [("analysis", "Hm."), ("get_weather", OSLO), ("add", {"a": 1, "b": 2})]
    assert (turn.notes, turn.plan.finish_reason) == ([], "tool_calls")


def test_each_bad_call_is_asked_again_once_and_they_stay_in_order() -> None:
    bad = f'{calling()}{{"town":1<|end|>{START}{call("Bergen")}<|end|>{START}{calling("add")}{{"a":1}}'
    turn = played(wish(tools=TOOLS), THINKS + bad, '{"city":"Oslo"}', '{"a":1,"b":2}')
    assert turn.said == [
        ("analysis", "Hm."),
        ("get_weather", OSLO),
        ("get_weather", {"city": "Bergen"}),
        ("add", {"a": 1, "b": 2}),
    ]
    before = f'{THOUGHT_OF}{calling()}{{"city":"Oslo"}}<|call|>{START}{calling()}{{"city": "Bergen"}}<|call|>'
    assert turn.tails == [START, THOUGHT_OF + calling(), f"{before}{START}{calling('add')}"]
    assert [each.format for each in turn.engine.asked] == [None, WEATHER, TOOLS["add"]]
    assert [(note.kind, note.raw) for note in turn.plan.notes] == [
        ("asked_again", '{"town":1'),
        ("asked_again", '{"a":1}'),
    ]


def test_a_call_that_cannot_be_read_twice_is_an_error_with_its_text() -> None:
    turn = played(wish(tools=TOOLS), THINKS + calling() + '{"city":', "[1")
    assert isinstance(turn.error, BadAnswer)
    assert (turn.error.raw, turn.said) == ("[1", [("analysis", "Hm.")])
    assert "get_weather" in str(turn.error)


def test_a_call_that_does_not_fit_twice_is_passed_on_and_said_so() -> None:
    turn = played(wish(tools=TOOLS), calling() + '{"city":1}', '{"city":2}')
    assert turn.said == [("get_weather", {"city": 2})]
    assert [(note.kind, note.raw) for note in turn.plan.notes] == [
        ("asked_again", '{"city":1}'),
        ("misfit", '{"city":2}'),
    ]


@pytest.mark.parametrize(
    ("first", "more", "asked_again"),
    [("Oslo", [], []), (None, ['{"city":"Oslo"}'], ["asked_again"])],
)
def test_one_call_at_most(first: str | None, more: list[Part], asked_again: list[str]) -> None:
    further = f"{call('Bergen')}<|end|>{START}{PREAMBLE}And{NEXT}assistant{calling('add')}{{"
    text = f"{THINKS}{call(first) if first else calling() + '['}<|end|>{START}{further}"
    turn = played(wish(tools=TOOLS, single_call=True), text, *more)
    assert turn.said == [("analysis", "Hm."), ("commentary", "And"), ("get_weather", OSLO)]
    assert turn.plan.finish_reason == "tool_calls"
    notes = [(note.kind, note.raw) for note in turn.plan.notes if note.kind != "asked_again"]
    assert notes == [("call_dropped", '{"city": "Bergen"}'), ("call_dropped", "{")]
    assert turn.notes == [*asked_again, "call_dropped", "call_dropped"]


def test_an_unknown_tool_is_asked_again_as_any_object() -> None:
    turn = played(wish(tools=TOOLS), calling("nobody") + "[", '{"x":1}')
    assert (turn.engine.asked[1].format, turn.said) == (ANY, [("nobody", {"x": 1})])


def test_preambles() -> None:
    turn = played(wish(tools=TOOLS), f"{THINKS}{PREAMBLE}Looking up.<|end|>{START}{call()}")
    assert turn.said == [("analysis", "Hm."), ("commentary", "Looking up."), ("get_weather", OSLO)]


def test_a_preamble_alone_is_an_answer() -> None:
    turn = played(wish(), f"{PREAMBLE}Well.")
    assert (turn.said, turn.plan.finish_reason) == ([("commentary", "Well.")], "stop")


def test_a_call_that_must_not_be_is_kept_in_the_note() -> None:
    turn = played(wish(allow_calls=False), call(), "Yes.")
    assert turn.said == [("final", "Yes.")]
    assert [(note.kind, note.raw) for note in turn.plan.notes] == [("call_dropped", call())]


def test_what_it_says_for_others_is_left_out() -> None:
    turn = played(wish(tools=TOOLS), f"{call()}<|end|><|start|>functions.get_weather<|message|>21")
    assert (turn.said, turn.notes) == ([("get_weather", OSLO)], ["spoke_for_others"])


def test_a_forced_call_is_one_call() -> None:
    # Unbound, so that the model can end it by itself.
    after = f'{{"city":"Oslo"}}<|channel|>final<|message|>Done.<|end|>{START}{call("Bergen")}'
    forced = wish(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    turn = played(forced, UnusableSchema("no"), after)
    assert [said for said in turn.said if said[0] == "get_weather"] == [("get_weather", OSLO)]


def test_only_thoughts_stand_before_what_is_opened_behind_them() -> None:
    forgotten = f"Hm.<|channel|>commentary to=functions.add<|message|>{{}}<|end|>{START}{THOUGHT}Well."
    turn = played(wish(reasoning_budget=9, tools=TOOLS), forgotten, f"{FINAL}Yes.")
    assert turn.tails[1] == f"{THOUGHT_OF}{THOUGHT}Well.<|end|>{START}"


def test_an_answer_without_a_header_goes_back_as_the_answer() -> None:
    turn = played(wish(tools=TOOLS), f"<|message|>Look.<|end|>{START}{calling()}[", '{"city":"Oslo"}')
    assert turn.tails[1] == f"{START}{FINAL}Look.<|end|>{START}{calling()}"


# Schemas


def test_an_answer_that_nobody_saw_is_asked_for_again() -> None:
    turn = played(wish(seed=7, **HELD), THINKS, '{"name":1}', '{"name":"Ada"}')
    assert turn.tails == [START, THOUGHT_OF + FINAL, THOUGHT_OF + FINAL]
    assert [each.sampling.seed for each in turn.engine.asked] == [7, 7, 8]
    assert turn.said == [("analysis", "Hm."), ("final", '{"name":"Ada"}')]
    assert [(note.kind, note.raw) for note in turn.plan.notes] == [("retried", '{"name":1}')]
    assert turn.plan.usage.completions == 3


def test_an_answer_that_was_seen_is_not() -> None:
    turn = played(wish(format=PERSON), THINKS, '{"name":1}')
    assert (turn.said[-1], turn.notes) == (("final", '{"name":1}'), ["misfit"])


def test_the_last_tokens_are_kept() -> None:
    turn = played(
        wish(max_tokens=9, uses_reasoning=False, **HELD), stopped('{"name":1}', completion_tokens=9)
    )
    assert (turn.said, turn.notes) == ([("final", '{"name":1}')], ["misfit"])


@pytest.mark.parametrize("buffer_answer", [True, False])
def test_a_model_that_forgets_the_header_of_its_json(buffer_answer: bool) -> None:
    turn = played(wish(format=PERSON, buffer_answer=buffer_answer), f'{THINKS}<|message|>{{"name":"Ada"}}')
    assert turn.said == [("analysis", "Hm."), ("final", '{"name":"Ada"}')]
    assert turn.plan.finish_reason == "stop"


def test_it_is_the_answer_that_is_looked_at() -> None:
    turn = played(wish(format=PERSON), f'<|message|>{{"name":"Ada"}}<|end|>{START}{THOUGHT}Ah.')
    assert (turn.said, turn.notes) == ([("final", '{"name":"Ada"}'), ("analysis", "Ah.")], ["mended"])


def test_then_it_is_asked_again_behind_the_final_header() -> None:
    turn = played(wish(**HELD), f"{THINKS}<|message|>Ada<|end|>{START}{THOUGHT}Ah.", '{"name":"Ada"}')
    assert turn.tails[1] == f"{THOUGHT_OF}{THOUGHT}Ah.<|end|>{START}{FINAL}"
    assert turn.said[-1] == ("final", '{"name":"Ada"}')


def test_held_text_is_not_lost_to_a_call() -> None:
    turn = played(wish(tools=TOOLS, **HELD), f"<|message|>Ada<|end|>{START}{call()}")
    assert turn.said == [("final", "Ada"), ("get_weather", OSLO)]


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 400 + "]" * 400, "1" * 5000, "NaN", ""])
def test_no_json_is_too_odd(text: str) -> None:
    nested = {"type": "array", "items": {"$ref": "#"}}
    turn = played(wish(format=nested), THINKS, f"{text}.")
    assert (turn.notes, turn.plan.finish_reason) == (["misfit"], "stop")


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}])
def test_a_schema_in_a_circle_checks_nothing(schema: dict[str, Any]) -> None:
    turn = played(wish(format=schema), THINKS, "{}")
    assert (turn.notes, turn.plan.finish_reason) == ([], "stop")


# Nothing said


def test_an_empty_answer_is_asked_again_at_a_lower_effort_where_nothing_was_shown() -> None:
    turn = played(wish(effort="high"), "", "", f"{THINKS}{FINAL}Yes.")
    assert [f"Reasoning: {effort}" in asked.prompt for effort, asked in efforts(turn)] == [True] * 3
    assert [asked.prompt.rpartition("<|end|>")[2] for asked in turn.engine.asked] == [
        START,
        START + FINAL,
        START,
    ]
    assert [asked.sampling.seed for asked in turn.engine.asked] == [None, None, 1]
    assert (turn.said[-1], turn.notes) == (("final", "Yes."), ["answer_opened", "retried"])
    assert (turn.plan.usage.completions, turn.plan.usage.prompt_tokens) == (3, 100)


def efforts(turn: Turn) -> list[tuple[str, Any]]:
    return list(zip(("high", "high", "medium"), turn.engine.asked, strict=True))


@pytest.mark.parametrize(
    ("effort", "again"), [("high", "medium"), ("medium", "low"), ("low", "low"), (None, None)]
)
def test_the_lower_effort(effort: str | None, again: str | None) -> None:
    turn = played(wish(effort=effort, uses_reasoning=False, seed=-1), "", "Yes.")
    expected = f"Reasoning: {again}" if again else "Reasoning:"
    assert (expected in turn.engine.asked[1].prompt) is bool(again)
    assert turn.engine.asked[1].prompt.endswith(f"{NO_THOUGHT}{START}{FINAL}")
    assert turn.engine.asked[1].sampling.seed == 1


def test_without_a_system_message_there_is_no_effort_to_lower() -> None:
    wanted = wish(uses_reasoning=False)
    wanted = replace(wanted, conversation=replace(wanted.conversation, system=None))
    turn = played(wanted, "", "Yes.")
    assert (turn.engine.asked[0].prompt, turn.said) == (turn.engine.asked[1].prompt, [("final", "Yes.")])


@pytest.mark.parametrize(
    ("wanted", "script", "said"),
    [
        pytest.param({"uses_reasoning": False}, ["", " "], [("final", " ")], id="twice"),
        pytest.param({}, [f"{THOUGHT}Hm.", ""], [("analysis", "Hm.")], id="behind reasoning that was shown"),
    ],
)
def test_nothing_said_is_an_error(wanted: dict[str, Any], script: list[Part], said: object) -> None:
    turn = played(wish(**wanted), *script)
    assert isinstance(turn.error, BadAnswer)
    assert (turn.said, turn.error.raw) == (said, script[-1])


# Lengths


LENGTH = [
    pytest.param(
        {}, [cut(THOUGHT + "a b c d e")], "had no room, all went into reasoning", id="free, thinking"
    ),
    pytest.param({}, [cut(FINAL + "a b c d e")], "was cut", id="free, answering"),
    pytest.param(
        {}, [cut("<|channel|>analysis", completion_tokens=8)], "had no room", id="free, in a header"
    ),
    pytest.param({"tools": TOOLS}, [cut(calling() + "{")], "was cut", id="free, calling"),
    pytest.param({"uses_reasoning": False}, [cut("a b c d e f g h")], "was cut", id="answer"),
    pytest.param({"reasoning_budget": 50}, [cut("a b c d e f g h")], "had no room", id="think"),
    pytest.param(
        {"reasoning_budget": 50}, [cut("a b c d"), cut("a b c d")], "was cut", id="answer behind a budget"
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": TWO, "uses_reasoning": False},
        [cut("a b c d e f g h")],
        "had",
        id="name",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("add",), "uses_reasoning": False},
        [cut("1 2 3 4 5 6 7 8")],
        "was",
        id="call",
    ),
    pytest.param({"uses_reasoning": False, **HELD}, [cut("1 2 3 4 5 6 7 8")], "was cut", id="held answer"),
]


@pytest.mark.parametrize(("wanted", "script", "why"), LENGTH)
def test_all_steps_share_max_tokens(wanted: dict[str, Any], script: list[Part], why: str) -> None:
    # Eight pieces come in all: the last one is the last that may.
    turn = played(wish(max_tokens=8, **wanted), *script)
    assert turn.plan.finish_reason == "length"
    [note] = turn.plan.notes
    assert note.text.startswith(f"The answer {why}")
    assert "-o max_tokens 8 is used up. Raise it" in note.text
    assert [asked.max_tokens for asked in turn.engine.asked] == [8, 4][: len(script)]
    assert turn.said == [] or not any(isinstance(out, ToolCall) for out in turn.out)


def test_max_tokens_and_budget_the_smaller_one_holds() -> None:
    turn = played(wish(max_tokens=50, reasoning_budget=7), stopped("a b c", completion_tokens=10), "Yes.")
    assert [asked.max_tokens for asked in turn.engine.asked] == [7, 40]


def test_nothing_is_asked_for_with_no_tokens_left() -> None:
    turn = played(wish(max_tokens=5, reasoning_budget=5), cut("a b c d e", completion_tokens=5))
    assert (turn.plan.finish_reason, turn.notes, len(turn.engine.asked)) == ("length", ["length"], 1)
    turn = played(wish(max_tokens=5, format=PERSON), stopped(THINKS, completion_tokens=5))
    assert (turn.plan.finish_reason, turn.notes, len(turn.engine.asked)) == ("length", ["length"], 1)
    assert "all went into reasoning" in turn.plan.notes[0].text


@pytest.mark.parametrize("max_tokens", [None, 100])
def test_a_full_context(max_tokens: int | None) -> None:
    turn = played(wish(max_tokens=max_tokens), cut(f"{THINKS}{FINAL}Wa"))
    assert (turn.said[-1], turn.plan.finish_reason) == (("final", "Wa"), "length")
    [note] = turn.plan.notes
    assert note == Note(
        "length",
        "The answer was cut: the context is full. Raise -o num_ctx, or lower -o reasoning_effort.",
    )


def test_what_was_held_is_given_out_when_it_is_cut() -> None:
    turn = played(wish(**HELD), THINKS, cut('{"name":'))
    assert (turn.said[-1], turn.notes) == (("final", '{"name":'), ["length"])


def test_calls_that_came_whole_before_a_cut_one_are_not_made() -> None:
    # Half of what the model meant to do is not what it meant to do.
    turn = played(wish(tools=TOOLS), cut(f"{call()}<|end|>{START}{calling('add')}{{"))
    assert (turn.said, turn.plan.finish_reason) == ([], "length")


# Counts


def test_tokens_of_all_completions() -> None:
    wanted = wish(tools=TOOLS, required_tools=TWO)
    turn = played(
        wanted,
        stopped("Hm. Well.", prompt_tokens=50, completion_tokens=4),
        stopped(".add", prompt_tokens=60, completion_tokens=2),
        stopped('{"a":1,"b":2}', prompt_tokens=70, completion_tokens=9),
    )
    tally = turn.plan.usage
    assert (tally.completions, tally.prompt_tokens, tally.completion_tokens) == (3, 50, 15)
    assert tally.reasoning_tokens == 2


@pytest.mark.parametrize(
    ("wanted", "text", "unseen"),
    [
        pytest.param({}, f"{THOUGHT}é", 1, id="free: the end"),
        pytest.param({"reasoning_budget": 9}, "é", 2, id="think: two markers"),
        pytest.param({"format": PERSON}, f"{THOUGHT}é", 2, id="free: the stop string"),
    ],
)
def test_tokens_at_the_end_are_not_taken_for_reasoning(wanted: Any, text: str, unseen: int) -> None:
    said = len(pieces(text))
    turn = played(
        wish(**wanted),
        stopped(text, completion_tokens=said + unseen),
        FINAL if not wanted else '{"name":"a"}',
    )
    assert turn.plan.usage.reasoning_tokens == 1
    turn = played(
        wish(**wanted), stopped(text, completion_tokens=said + unseen + 3), FINAL if not wanted else "{}"
    )
    assert turn.plan.usage.reasoning_tokens == 4


def test_a_cut_completion_has_no_end_to_count() -> None:
    said = len(pieces(f"{THOUGHT}é"))
    turn = played(wish(), cut(f"{THOUGHT}é", completion_tokens=said + 2))
    assert turn.plan.usage.reasoning_tokens == 3


# Faults

DEFAULT = f"{THINKS}{FINAL}Yes."


def test_a_busy_engine_is_asked_again_after_a_while() -> None:
    turn = played(wish(), EngineBusy("busy"), EngineBusy("busy"), EngineBusy("busy"), DEFAULT)
    assert (turn.waits, turn.notes, turn.said[-1]) == (list(BUSY_WAITS), ["busy"] * 3, ("final", "Yes."))
    assert len(set(map(str, turn.engine.asked))) == 1


def test_but_not_for_ever() -> None:
    turn = played(wish(), *[EngineBusy("busy")] * 9)
    assert (len(turn.engine.asked), len(turn.waits), type(turn.error)) == (4, 3, EngineBusy)


def test_an_empty_stream_is_asked_again_once_with_another_seed() -> None:
    turn = played(wish(seed=41), EmptyStream("nothing"), DEFAULT)
    assert [asked.sampling.seed for asked in turn.engine.asked] == [41, 42]
    assert (turn.waits, turn.notes, turn.said[-1]) == ([0.0], ["retried"], ("final", "Yes."))
    turn = played(wish(), EmptyStream("nothing"), EmptyStream("again"), DEFAULT)
    assert (str(turn.error), len(turn.engine.asked)) == ("again", 2)


@pytest.mark.parametrize(
    "wanted", [{"reasoning_budget": 9}, {"format": PERSON}, {"tools": TOOLS, "required_tools": ("add",)}]
)
def test_but_not_behind_what_was_shown(wanted: dict[str, Any]) -> None:
    turn = played(wish(**wanted), "Hm." if "format" not in wanted else THINKS, EmptyStream("nothing"))
    assert (type(turn.error), turn.said, turn.notes) == (EmptyStream, [("analysis", "Hm.")], [])


def test_an_empty_stream_behind_a_call_that_was_made() -> None:
    text = f"{call()}<|end|>{START}{calling('add')}["
    turn = played(wish(tools=TOOLS), text, EmptyStream("nothing"))
    assert (type(turn.error), turn.said) == (EmptyStream, [("get_weather", OSLO)])


def test_nor_behind_what_was_held_until_then() -> None:
    text = f"<|message|>Ada<|end|>{START}{calling()}["
    turn = played(wish(tools=TOOLS, **HELD), text, EmptyStream("nothing"))
    assert (type(turn.error), turn.said) == (EmptyStream, [("final", "Ada")])


def test_arguments_that_cannot_be_bound_are_asked_for_unbound() -> None:
    forced = wish(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    turn = played(forced, UnusableSchema("Odd.", param="schema"), '{"city":"Oslo"}<|call|>')
    assert turn.tails == [f"{NO_THOUGHT}{START}{calling()}"] * 2
    assert asked(turn) == [(WEATHER, (), None), (None, (NEXT,), None)]
    assert (turn.said, turn.notes) == ([("get_weather", OSLO)], ["unbound"])
    assert turn.plan.notes[0].text.endswith("Odd.")


def test_but_only_once_and_no_answer_is() -> None:
    forced = wish(tools=TOOLS, required_tools=("get_weather",), uses_reasoning=False)
    assert type(played(forced, UnusableSchema("no"), UnusableSchema("no")).error) is UnusableSchema
    assert (
        type(played(wish(format=PERSON, uses_reasoning=False), UnusableSchema("no")).error) is UnusableSchema
    )


HISTORY = [user("a" * 100), assistant("b" * 100), user("c" * 100), assistant("d" * 100), user("e" * 100)]


@pytest.mark.parametrize(
    ("errors", "left", "notes"),
    [
        pytest.param([(None, None)], 3, ["2 oldest messages were"], id="no counts"),
        pytest.param([(2000, 1000)], 1, ["4 oldest messages were"], id="counts"),
        pytest.param([(None, None)] * 2, 1, ["2 oldest messages were"] * 2, id="twice"),
    ],
)
def test_the_oldest_turns_are_left_out(errors: list[Any], left: int, notes: list[str]) -> None:
    overflows = [ContextOverflow("full", prompt_tokens=p, context_length=c) for p, c in errors]
    turn = played(wish(*HISTORY, truncate=True), *overflows, DEFAULT)
    prompts = [asked.prompt for asked in turn.engine.asked]
    kept = [sum(letter * 100 in prompts[-1] for letter in "abcde"), "e" * 100 in prompts[-1]]
    assert (kept, turn.said[-1], turn.waits) == ([left, True], ("final", "Yes."), [0.0] * len(errors))
    assert [(note.kind, note.text) for note in turn.plan.notes] == [
        ("truncated", f"The {dropped} left out: the context was full.") for dropped in notes
    ]
    assert all("Be brief." in prompt for prompt in prompts)


def test_one_message_is_one() -> None:
    turn = played(wish(user("a" * 100), user("b"), truncate=True), ContextOverflow("full"), DEFAULT)
    assert turn.plan.notes[0].text == "The oldest message was left out: the context was full."


def test_the_last_turn_is_not_left_out() -> None:
    turn = played(wish(*HISTORY, truncate=True), *[ContextOverflow(f"full {n}") for n in range(9)])
    error = "full 2 There is no older turn to leave out: shorten it, or raise -o num_ctx."
    assert (str(turn.error), turn.notes) == (error, ["truncated"] * 2)


def test_an_answer_that_begins_with_a_stop_string_is_empty_and_no_error() -> None:
    turn = played(wish(stop=("Yes",)), f"{THINKS}", "")
    assert (turn.error, turn.notes, turn.plan.finish_reason) == (None, ["empty"], "stop")
    assert turn.said == [("analysis", "Hm.")]


def test_without_tools_a_call_is_no_answer() -> None:
    call = "<|channel|>commentary to=functions.no_such_tool <|constrain|>json<|message|>{}"
    turn = played(wish(allow_calls=False), call, "Yes.")
    assert (turn.error, turn.notes, turn.said) == (None, ["call_dropped"], [("final", "Yes.")])


def test_nothing_is_left_out_unasked() -> None:
    turn = played(wish(*HISTORY), ContextOverflow("full"))
    assert (type(turn.error), turn.notes) == (ContextOverflow, [])


@pytest.mark.parametrize("error", [StreamCut("cut"), EngineError("broke"), ModelMissing("gone")])
def test_other_errors_pass_through_and_leave_the_turn_as_it_stands(error: GptOssError) -> None:
    turn = played(wish(), [f"{THINKS}{FINAL}War", error])
    assert turn.error is error
    assert (turn.said, turn.plan.finish_reason) == ([("analysis", "Hm."), ("final", "War")], None)
    assert turn.plan.usage.completion_tokens == len(pieces(f"{THINKS}{FINAL}War"))


# Whatever the engine sends

TALK = [
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
    "assistant",
    "user",
    "analysis",
    "final",
    "commentary",
    " to=functions.get_weather",
    " to=functions.nobody",
    " to=x",
    "json",
    " ",
    "Hm",
    "é",
    '{"city":"Oslo"}',
    '{"city":',
    '{"name":"Ada"}',
    "7}",
    "{}",
    THOUGHT,
    FINAL,
    PREAMBLE,
    calling(),
    f"<|end|>{START}",
]
ENDS = [Done("stop"), Done("length"), Done("stop", 9, 9), Done("length", 9, 9)]
FAILURES = [
    EngineBusy("busy"),
    EmptyStream("nothing"),
    UnusableSchema("odd"),
    ContextOverflow("full"),
    ContextOverflow("full", prompt_tokens=2000, context_length=1000),
    StreamCut("cut"),
]
spoken_parts = st.tuples(
    st.lists(st.sampled_from(TALK).map(Piece), max_size=8), st.sampled_from([*ENDS, *FAILURES])
).map(lambda part: [*part[0], part[1]])
parts = st.lists(spoken_parts, min_size=1, max_size=8)


@st.composite
def wishes(draw: st.DrawFn) -> TurnRequest:
    tools = draw(st.sampled_from([{}, CITY, TOOLS]))
    messages = draw(st.sampled_from([[user("Hi")], HISTORY]))
    open_channel = draw(st.sampled_from([None, None, "analysis", "final", "commentary"]))
    if open_channel:
        messages = [*messages, assistant("So f", open_channel)]
    return wish(
        *messages,
        continue_final_message=bool(open_channel),
        tools=tools,
        required_tools=tuple(draw(st.sampled_from([(), tuple(tools), tuple(tools)[:1]]))),
        allow_calls=draw(st.booleans()) or bool(tools),
        single_call=draw(st.booleans()),
        format=draw(st.sampled_from([None, PERSON])),
        stop=draw(st.sampled_from([(), ("7",)])),
        uses_reasoning=draw(st.booleans()),
        reasoning_budget=draw(st.sampled_from([None, 5])),
        truncate=draw(st.booleans()),
        buffer_answer=draw(st.booleans()),
        max_tokens=draw(st.sampled_from([None, 20])),
    )


@given(wishes(), parts)
def test_whatever_comes_the_turn_ends(wanted: TurnRequest, script: list[list[Any]]) -> None:
    plan, raws, error = TurnMachine(wanted), [], None
    shown: list[tuple[int, str]] = []
    for n in count():
        if (completion := plan.next_completion()) is None:
            break
        assert completion.max_tokens is None or completion.max_tokens > 0
        part = script[min(n, len(script) - 1)]
        *said, end = part
        # Contract: what can be asked again comes before the first piece, or instead of it.
        if isinstance(end, GptOssError) and not isinstance(end, StreamCut):
            said = []
        raws.append("".join(piece.text for piece in said))
        try:
            for item in said if isinstance(end, GptOssError) else [*said, end]:
                shown += [(n, out.text) for out in plan.feed(item) if isinstance(out, Text)]
            if isinstance(end, GptOssError):
                plan.on_error(end)
        except GptOssError as raised:
            error = raised
            break
        # Two tries of up to four steps, three waits, an empty stream, turns to leave out; and each bad call.
        assert n < 20 + sum(raw.count("to=") for raw in raws)
    assert error or plan.finish_reason
    if wanted.buffer_answer and wanted.format:
        assert all(text in "".join(raws) for _, text in shown)
        return
    for n, raw in enumerate(raws):
        at = 0
        for text in (text for number, text in shown if number == n):
            assert (at := raw.find(text, at) + len(text)) >= len(text)


@given(st.data())
def test_however_it_is_cut_it_is_the_same_turn(data: st.DataObject) -> None:
    wanted, script = data.draw(wishes()), data.draw(parts)
    scripts = [part for part in script if isinstance(part[-1], Done)] or [[*pieces(DEFAULT), Done("stop")]]
    whole = [[*pieces("".join(p.text for p in part[:-1])), replace_counts(part[-1])] for part in scripts] * 9
    other = [[*chopped(data, "".join(p.text for p in part[:-1])), part[-1]] for part in whole]
    turns = [turn_of(wanted, each) for each in (whole, other)]
    assert turns[0] == turns[1]


def replace_counts(done: Done) -> Done:
    "An engine that counts counts tokens, not pieces."
    return replace(done, prompt_tokens=9, completion_tokens=9)


def chopped(data: st.DataObject, text: str) -> list[Piece]:
    "Other pieces of the same text: no marker is cut, but it may stand in a longer piece."
    inside = {at for match in MARKER.finditer(text) for at in range(match.start() + 1, match.end())}
    places = sorted(set(range(1, len(text))) - inside)
    cuts = sorted(data.draw(st.sets(st.sampled_from(places), max_size=6))) if places else []
    return [Piece(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]


def turn_of(wanted: TurnRequest, script: list[list[Any]]) -> Any:
    turn = played(wanted, *script)
    notes = [(note.kind, note.raw) for note in turn.plan.notes]
    return turn.said, turn.engine.asked, notes, turn.plan.finish_reason, str(turn.error)
