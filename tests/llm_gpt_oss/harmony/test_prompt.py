from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.harmony_conversations import VECTORS, analysis, call, conversation, final, preamble, result, user

from llm_gpt_oss.harmony.conversation import (
    Conversation,
    Developer,
    Header,
    Message,
    ResponseFormat,
    System,
    Tool,
)
from llm_gpt_oss.harmony.prompt import OPENER, render, render_header, render_message


def prompt(conversation: Conversation) -> str:
    return render(conversation) + OPENER


@pytest.mark.parametrize(
    ("conversation", "expected"), [pytest.param(*vector, id=name) for name, vector in VECTORS.items()]
)
def test_openai_vectors(conversation: Conversation, expected: str) -> None:
    assert prompt(conversation) == expected


HEADERS = [
    (Header("user"), "<|start|>user<|message|>"),
    (Header("user", name="ada"), "<|start|>user:ada<|message|>"),
    (Header("assistant", "final"), "<|start|>assistant<|channel|>final<|message|>"),
    (
        Header("assistant", "analysis", "browser.search", "code"),
        "<|start|>assistant<|channel|>analysis to=browser.search code<|message|>",
    ),
    (
        Header("assistant", "commentary", "functions.f", "<|constrain|>json"),
        "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
    ),
    (Header("assistant", recipient="functions.f"), "<|start|>assistant to=functions.f<|message|>"),
    (
        Header("tool", "commentary", "assistant", name="browser.search"),
        "<|start|>browser.search to=assistant<|channel|>commentary<|message|>",
    ),
    (Header("tool"), "<|start|>tool<|message|>"),
    (
        Header("tool", "<|end|>", "<|call|>", "<|constrain|><|start|>", name="<|return|>"),
        "<|start|><\u2060|return|> to=<\u2060|call|><|channel|><\u2060|end|>"
        " <|constrain|><\u2060|start|><|message|>",
    ),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_headers(header: Header, expected: str) -> None:
    assert render_header(header) == expected


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (user("x"), "x<|end|>"),
        (final("x"), "x<|end|>"),
        (preamble("x"), "x<|end|>"),
        (call("f", "x"), "x<|call|>"),
        (result("f", "x"), "x<|end|>"),
        (final("<|return|>"), "<\u2060|return|><|end|>"),
    ],
)
def test_message_ends(message: Message, end: str) -> None:
    assert render_message(message) == render_header(message.header) + end


SCHEMA = {"type": "object", "properties": {"näme": {"type": "string"}}}
FORMATS = """\
<|start|>developer<|message|># Response Formats

## person

// Ä person
// in two lines
{"type":"object","properties":{"näme":{"type":"string"}}}

## anything

{}<|end|>"""


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        pytest.param(conversation(), "", id="empty conversation"),
        pytest.param(conversation(system=System(None, None, None, None, ())), "", id="empty system message"),
        pytest.param(conversation(developer=Developer("")), "", id="empty instructions"),
        pytest.param(
            conversation(system=System(None, None, "2026-11-22", None, ())),
            "<|start|>system<|message|>Current date: 2026-11-22<|end|>",
            id="only a date",
        ),
        pytest.param(
            conversation(
                developer=Developer(
                    formats=(
                        ResponseFormat("person", SCHEMA, "Ä person\nin two lines"),
                        ResponseFormat("anything", {}),
                    )
                )
            ),
            FORMATS,
            id="response formats",
        ),
        pytest.param(
            conversation(developer=Developer("Be brief.", (Tool("f"),), (ResponseFormat("x", {}),))),
            "<|start|>developer<|message|># Instructions\n\nBe brief.\n\n# Tools\n\n## functions\n\n"
            "namespace functions {\n\ntype f = () => any;\n\n} // namespace functions\n\n"
            "# Response Formats\n\n## x\n\n{}<|end|>",
            id="all sections",
        ),
    ],
)
def test_system_and_developer_message(conversation: Conversation, expected: str) -> None:
    assert render(conversation) == expected


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        (None, ""),
        ({"type": "object"}, ""),
        ({"type": "object", "properties": {}, "additionalProperties": False}, ""),
        ({}, "_: any"),
        ({"type": "object", "additionalProperties": True}, "_: {[key: string]: any}"),
        ({"type": "object", "properties": {"a": {}}}, "_: {\na?: any,\n}"),
    ],
)
def test_parameters_of_a_function(parameters: dict[str, Any] | None, argument: str) -> None:
    tools = Developer(tools=(Tool("f", "Does.\n\nMore.", parameters),))
    assert f"{{\n\n// Does.\n// \n// More.\ntype f = ({argument}) => any;\n\n}}" in render(
        conversation(developer=tools)
    )


def test_a_description_that_the_parameters_repeat_is_printed_once() -> None:
    parameters = {"type": "object", "description": "Adds.", "properties": {"a": {"type": "integer"}}}
    text = render(Conversation(None, Developer(tools=(Tool("add", "Adds.", parameters),)), ()))
    assert text.count("Adds.") == 1
    other = render(Conversation(None, Developer(tools=(Tool("add", "Sums.", parameters),)), ()))
    assert other.count("Adds.") == other.count("Sums.") == 1


USER, ANALYSIS, PREAMBLE, FINAL = user("q"), analysis("t"), preamble("p"), final("a")
CALL, BROWSER_CALL, RESULT = call("f", "{}"), replace(call("f", "{}"), header=HEADERS[3][0]), result("f", "1")


@pytest.mark.parametrize(
    ("messages", "dropped"),
    [
        pytest.param([ANALYSIS], [], id="analysis alone"),
        pytest.param([USER, ANALYSIS], [], id="current turn"),
        pytest.param([USER, ANALYSIS, CALL, RESULT], [], id="after a tool result"),
        pytest.param([USER, ANALYSIS, PREAMBLE, CALL, RESULT, ANALYSIS, FINAL], [], id="final, no reply"),
        pytest.param(
            [USER, ANALYSIS, PREAMBLE, CALL, RESULT, ANALYSIS, FINAL, USER], [1, 5], id="final, and a reply"
        ),
        pytest.param([USER, ANALYSIS, BROWSER_CALL, RESULT, FINAL, USER], [1], id="calls in analysis stay"),
        pytest.param(
            [USER, Message(Header("tool", "analysis", name="f"), "1"), FINAL, USER], [], id="results stay"
        ),
        pytest.param([USER, ANALYSIS, USER], [], id="no final"),
        pytest.param([USER, ANALYSIS, USER, ANALYSIS, FINAL, USER], [1, 3], id="final in the second turn"),
        pytest.param(
            [USER, FINAL, ANALYSIS, FINAL, USER, ANALYSIS, CALL, RESULT], [2], id="two finals, then a call"
        ),
        pytest.param([USER, FINAL, ANALYSIS, USER], [], id="analysis after the final"),
    ],
)
def test_analysis_of_answered_turns_is_dropped(messages: list[Message], dropped: list[int]) -> None:
    expected = (message for index, message in enumerate(messages) if index not in dropped)
    assert render(conversation(*messages)) == "".join(map(render_message, expected))
