from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.turn_requests import (
    ANY,
    AT_FINAL,
    AT_START,
    FINAL,
    PERSON,
    START,
    THOUGHT,
    TOOLS,
    WEATHER,
    assistant,
    build_request,
    call_opener,
    user,
)

from llm_gpt_oss.harmony.conversation import Header
from llm_gpt_oss.harmony.prompt import render
from llm_gpt_oss.turn.messages import call_header
from llm_gpt_oss.turn.steps import (
    ANALYSIS,
    Step,
    after_reasoning,
    closest_tool,
    conversation_text,
    opening,
    step_prompt,
    tool_name,
)
from llm_gpt_oss.turn.steps import FINAL as ANSWER

STOP = {"stop": ("Oslo",)}
THINK = Step("think", ANALYSIS, stop=(AT_START,))
CONSTRAINED = Step("answer", ANSWER, format=PERSON)
UNCONSTRAINED = Step("answer", ANSWER)
NAME = Step("name", stop=("<|message|>",))
TWO = ("get_weather", "add")


@pytest.mark.parametrize(
    ("fields", "first", "after"),
    [
        pytest.param({}, Step("free"), Step("free"), id="plain"),
        pytest.param({"tools": TOOLS}, Step("free"), Step("free"), id="tools"),
        pytest.param({"uses_reasoning": False}, UNCONSTRAINED, UNCONSTRAINED, id="effort none"),
        pytest.param(
            {"uses_reasoning": False, "tools": TOOLS},
            Step("free"),
            Step("free"),
            id="effort none, tools",
        ),
        pytest.param(
            {"tools": TOOLS, "required_tools": ("get_weather",)},
            THINK,
            Step("call", call_header("get_weather"), format=WEATHER),
            id="a named tool",
        ),
        pytest.param(
            {"tools": TOOLS, "required_tools": ("now",), "uses_reasoning": False},
            Step("call", call_header("now"), format=ANY),
            Step("call", call_header("now"), format=ANY),
            id="a named tool without arguments, effort none",
        ),
        pytest.param({"tools": TOOLS, "required_tools": TWO}, THINK, NAME, id="required, several tools"),
        pytest.param(
            {"tools": TOOLS, "required_tools": TWO, "uses_reasoning": False},
            NAME,
            NAME,
            id="required, effort none",
        ),
        pytest.param(
            {"format": PERSON}, Step("free", stop=(AT_FINAL,)), Step("free", stop=(AT_FINAL,)), id="schema"
        ),
        pytest.param(
            {"format": PERSON, "uses_reasoning": False}, CONSTRAINED, CONSTRAINED, id="schema, effort none"
        ),
        pytest.param(
            {"format": PERSON, "uses_reasoning": False, "tools": TOOLS},
            Step("free", stop=(AT_FINAL,)),
            Step("free", stop=(AT_FINAL,)),
            id="schema, effort none, tools",
        ),
        pytest.param(STOP, Step("free", stop=(AT_FINAL,)), Step("free", stop=(AT_FINAL,)), id="stop strings"),
        pytest.param(
            {**STOP, "uses_reasoning": False},
            Step("answer", ANSWER, stop=("Oslo",)),
            Step("answer", ANSWER, stop=("Oslo",)),
            id="stop strings, effort none",
        ),
        pytest.param(
            {**STOP, "format": PERSON, "uses_reasoning": False},
            Step("answer", ANSWER, format=PERSON, stop=("Oslo",)),
            Step("answer", ANSWER, format=PERSON, stop=("Oslo",)),
            id="stop strings in a schema's answer",
        ),
        pytest.param(
            {"reasoning_budget": 50},
            Step("think", ANALYSIS, stop=(AT_START,), max_tokens=50),
            UNCONSTRAINED,
            id="reasoning budget",
        ),
        pytest.param(
            {"reasoning_budget": 50, "tools": TOOLS},
            Step("think", ANALYSIS, stop=(AT_START,), max_tokens=50),
            Step("free"),
            id="reasoning budget, tools",
        ),
        pytest.param(
            {"reasoning_budget": 50, "tools": TOOLS, "required_tools": TWO},
            Step("think", ANALYSIS, stop=(AT_START,), max_tokens=50),
            NAME,
            id="reasoning budget, required",
        ),
    ],
)
def test_the_first_step_and_the_one_after_reasoning(fields: dict[str, Any], first: Step, after: Step) -> None:
    assert (opening(build_request(**fields)), after_reasoning(build_request(**fields))) == (first, after)


@pytest.mark.parametrize(
    ("channel", "fields", "step"),
    [
        pytest.param("final", {}, Step("answer", ANSWER, "So far"), id="an answer"),
        pytest.param(
            "final",
            {"format": PERSON, **STOP},
            Step("answer", ANSWER, "So far", stop=("Oslo",)),
            id="an answer that no grammar can take up",
        ),
        pytest.param("analysis", {}, Step("free", ANALYSIS, "So far"), id="reasoning"),
        pytest.param(
            "analysis", STOP, Step("free", ANALYSIS, "So far", stop=(AT_FINAL,)), id="reasoning, stop strings"
        ),
        pytest.param(
            "analysis",
            {"format": PERSON},
            Step("free", ANALYSIS, "So far", stop=(AT_FINAL,)),
            id="reasoning, schema",
        ),
        pytest.param(
            "analysis",
            {"reasoning_budget": 9},
            Step("think", ANALYSIS, "So far", stop=(AT_START,), max_tokens=9),
            id="reasoning with a budget",
        ),
        pytest.param(
            "analysis",
            {"tools": TOOLS, "required_tools": TWO},
            Step("think", ANALYSIS, "So far", stop=(AT_START,)),
            id="reasoning before a forced call",
        ),
        pytest.param(
            "commentary",
            {"tools": TOOLS},
            Step("free", Header("assistant", "commentary"), "So far"),
            id="a preamble, after which a call may come",
        ),
    ],
)
def test_continuations(channel: str, fields: dict[str, Any], step: Step) -> None:
    assert (
        opening(
            build_request(user("Hi"), assistant("So far", channel), continue_final_message=True, **fields)
        )
        == step
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".get_weather <|constrain|>json", "get_weather"),
        (".get_weather<|constrain|>json", "get_weather"),
        (" .get_weather", "get_weather"),
        (".a.b-c json", "a.b-c"),
        ("", ""),
        (" ", ""),
        ("<|constrain|>json", ""),
    ],
)
def test_tool_names(text: str, name: str) -> None:
    assert tool_name(text) == name


@pytest.mark.parametrize(
    ("name", "allowed", "closest"),
    [
        pytest.param("add", ["get_weather", "add"], "add", id="one of them"),
        pytest.param("getWeather", ["add", "get_weather"], "get_weather", id="a slip"),
        pytest.param("weather", ["sub", "add", "get_weather"], "get_weather", id="a half"),
        pytest.param("", ["b", "c", "a"], "b", id="nothing: the first"),
        pytest.param("xyz", ["b", "c", "a"], "b", id="like none: the first"),
        pytest.param("b" * 100 + "a" * 900, ["a" * 50, "b" * 50], "b" * 50, id="a long text: its start"),
    ],
)
def test_the_closest_tool(name: str, allowed: list[str], closest: str) -> None:
    assert closest_tool(name, allowed) == closest


@given(st.text(), st.lists(st.text("ab_", min_size=1), min_size=1))
def test_the_closest_tool_is_an_allowed_one(text: str, allowed: list[str]) -> None:
    assert closest_tool(tool_name(text), allowed) in allowed
    assert closest_tool(allowed[-1], allowed) == allowed[-1]


@pytest.mark.parametrize(
    ("step", "tail"),
    [
        pytest.param(Step("free"), START, id="free"),
        pytest.param(THINK, START + THOUGHT, id="think"),
        pytest.param(NAME, f"{START}<|channel|>commentary to=functions", id="name: no dot"),
        pytest.param(Step("call", call_header("add")), START + call_opener("add"), id="call"),
        pytest.param(UNCONSTRAINED, START + FINAL, id="answer"),
        pytest.param(Step("answer", ANSWER, "So <|end|>"), f"{START}{FINAL}So <\u2060|end|>", id="begun"),
    ],
)
def test_the_end_of_the_prompt(step: Step, tail: str) -> None:
    conversation = render(build_request(user("Hi")).conversation)
    assert step_prompt(step, conversation, []) == conversation + tail
    thought = assistant("Hm.", "analysis")
    assert step_prompt(step, conversation, [thought]) == f"{conversation}{START}{THOUGHT}Hm.<|end|>{tail}"


def test_the_opening_replaces_the_last_message_if_it_is_continued() -> None:
    conversation = build_request(user("Hi"), assistant("Hello.")).conversation
    shorter = build_request(user("Hi")).conversation
    assert conversation_text(conversation, continue_final_message=False) == render(conversation)
    assert conversation_text(conversation, continue_final_message=True) == render(shorter)
