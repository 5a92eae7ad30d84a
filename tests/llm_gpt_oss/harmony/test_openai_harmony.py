"""Compare prompts with those of OpenAI's own renderer, the package openai-harmony.

It needs its vocabulary, which it would download. So the tests run only if TIKTOKEN_ENCODINGS_BASE names a
folder with the file o200k_base.tiktoken:

    pip install openai-harmony
    TIKTOKEN_ENCODINGS_BASE=FOLDER pytest tests/llm_gpt_oss/harmony/test_openai_harmony.py

`DIFFERENCES`, `SCHEMA_DIFFERENCES` and `DECLARATION_DIFFERENCES` are the known differences, with a reason
for each. A test fails if one of them disappears, or if the texts differ anywhere else. `docs/rendering.md`
has them as a table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.harmony_conversations import VECTORS, analysis, call, conversation, final, preamble, result, user
from support.tool_schemas import NUMBER, REFERENCE, STRING, object_with

from llm_gpt_oss.harmony.conversation import Conversation, Developer, Header, Message, System, Tool
from llm_gpt_oss.harmony.prompt import OPENER, render

openai_harmony = pytest.importorskip("openai_harmony", reason="needs the package openai-harmony")
if not Path(os.environ.get("TIKTOKEN_ENCODINGS_BASE", ""), "o200k_base.tiktoken").is_file():
    pytest.skip(
        "needs the vocabulary: TIKTOKEN_ENCODINGS_BASE has to name a folder with o200k_base.tiktoken",
        allow_module_level=True,
    )


@pytest.fixture(scope="module")
def encoding() -> Any:
    return openai_harmony.load_harmony_encoding(openai_harmony.HarmonyEncodingName.HARMONY_GPT_OSS)


def openai_prompt(conversation: Conversation, encoding: Any) -> str:
    "The prompt as openai-harmony renders it. Conversations with response formats are not supported."
    assert not conversation.developer.formats
    messages = [*_system(conversation.system), *_developer(conversation.developer)]
    messages += map(_message, conversation.messages)
    tokens = encoding.render_conversation_for_completion(
        openai_harmony.Conversation.from_messages(messages), openai_harmony.Role.ASSISTANT
    )
    text: str = encoding.decode_utf8(tokens)
    return text


def _system(system: System | None) -> list[Any]:
    if system is None:
        return []
    effort = system.effort and openai_harmony.ReasoningEffort(system.effort.capitalize())
    content = openai_harmony.SystemContent(
        model_identity=system.identity,
        reasoning_effort=effort,
        conversation_start_date=system.current_date,
        knowledge_cutoff=system.knowledge_cutoff,
        channel_config=openai_harmony.ChannelConfig.require_channels(list(system.channels)),
    )
    return [openai_harmony.Message.from_role_and_content(openai_harmony.Role.SYSTEM, content)]


def _developer(developer: Developer) -> list[Any]:
    if not developer.instructions and not developer.tools:
        return []
    content = openai_harmony.DeveloperContent(instructions=developer.instructions)
    if developer.tools:
        content = content.with_function_tools(
            [
                openai_harmony.ToolDescription(
                    name=tool.name, description=tool.description or "", parameters=tool.parameters
                )
                for tool in developer.tools
            ]
        )
    return [openai_harmony.Message.from_role_and_content(openai_harmony.Role.DEVELOPER, content)]


def _message(message: Message) -> Any:
    header = message.header
    author = openai_harmony.Author(role=openai_harmony.Role(header.role), name=header.name)
    copy = openai_harmony.Message.from_author_and_content(author, message.text)
    if header.channel:
        copy = copy.with_channel(header.channel)
    if header.recipient:
        copy = copy.with_recipient(header.recipient)
    if header.content_type:
        copy = copy.with_content_type(header.content_type)
    return copy


def with_tools(*tools: Tool) -> Conversation:
    return conversation(developer=Developer(tools=tools))


# Its call is among the differences.
WITH_A_CALL = "does_not_drop_if_ongoing_analysis"
EQUAL = {
    **{name: vector[0] for name, vector in VECTORS.items() if name != WITH_A_CALL},
    "empty": conversation(),
    "only a date": conversation(system=System(None, None, "2026-11-22", None, ())),
    "no identity": conversation(system=System(identity=None)),
    "no effort": conversation(system=System(effort=None)),
    "no channels": conversation(system=System(channels=())),
    "tools without instructions": with_tools(Tool("f"), Tool("g", "Does.\n\nMore."), Tool("h", "", NUMBER)),
    "tools of the system message": conversation(
        system=System(), developer=Developer("Be brief.", (Tool("f"),))
    ),
    "name of a user": conversation(Message(Header("user", name="ada"), "Hi")),
    "preamble": conversation(user("q"), analysis("t"), preamble("p")),
    "result of a tool": conversation(result("f", "1")),
    "content type without a recipient": conversation(
        Message(Header("assistant", "final", content_type="<|constrain|>json"), "{}")
    ),
    "analysis of the current turn": conversation(user("q"), analysis("t"), result("f", "1")),
    "analysis before a reply": conversation(user("q"), analysis("t"), final("a"), user("q")),
}


@pytest.mark.parametrize("name", EQUAL)
def test_same_prompt(name: str, encoding: Any) -> None:
    assert render(EQUAL[name]) + OPENER == openai_prompt(EQUAL[name], encoding)


def parameters_text(schema: Any) -> str:
    "The end of a prompt with a tool that has these parameters."
    return f"type f = (_: {schema}) => any;\n\n}} // namespace functions<|end|>{OPENER}"


@pytest.mark.parametrize(("schema", "expected"), REFERENCE)
def test_reference_types_are_those_of_openai_harmony(schema: Any, expected: str, encoding: Any) -> None:
    prompt = openai_prompt(with_tools(Tool("f", None, schema)), encoding)
    assert prompt.endswith(parameters_text(expected))


class Difference(NamedTuple):
    "`ours` is a part of our prompt. openai-harmony has `theirs` instead."

    conversation: Conversation
    ours: str
    theirs: str


TURN_1, TURN_2 = (
    (user("q1"), analysis("t1"), final("a1")),
    (user("q2"), analysis("t2"), final("a2")),
)
FIRST_ANALYSIS, SECOND_ANALYSIS = (
    f"<|start|>assistant<|channel|>analysis<|message|>{text}<|end|>" for text in ("t1", "t2")
)
BROWSER_CALL = Message(Header("assistant", "analysis", "browser.search", "code"), "x")

DIFFERENCES = {
    # The model writes the recipient after the channel, which docs/format.md allows too. With the recipient
    # there, the text of the model, which the engine has cached, is a prefix of the next prompt.
    "recipient of a call": Difference(
        conversation(user("q"), call("f", "{}")),
        "<|channel|>commentary to=functions.f ",
        " to=functions.f<|channel|>commentary ",
    ),
    # openai-harmony returns tokens, and encodes these characters as ordinary ones. Engines are sent text.
    "special token in a text": Difference(conversation(user("a<|end|>b")), "a<\u2060|end|>b", "a<|end|>b"),
    # openai-harmony drops only the analysis before the first final message. docs/format.md: that of previous
    # turns is dropped once they ended in a final message.
    "analysis of the second turn": Difference(
        conversation(*TURN_1, *TURN_2, user("q3")), "q2<|end|>", f"q2<|end|>{SECOND_ANALYSIS}"
    ),
    # openai-harmony drops nothing while the last assistant message is not final.
    "analysis of the turn before a preamble": Difference(
        conversation(*TURN_1, user("q2"), preamble("p")), "q1<|end|>", f"q1<|end|>{FIRST_ANALYSIS}"
    ),
    # A turn may continue after its final message, until the user replies.
    "analysis before a final message without a reply": Difference(
        conversation(*TURN_1), f"q1<|end|>{FIRST_ANALYSIS}", "q1<|end|>"
    ),
    # openai-harmony also drops calls in the analysis channel, and leaves their results without a call.
    "call in the analysis channel": Difference(
        conversation(user("q1"), BROWSER_CALL, final("a1"), user("q2")),
        "q1<|end|><|start|>assistant<|channel|>analysis to=browser.search code<|message|>x<|call|>",
        "q1<|end|>",
    ),
    # Most callers send an empty schema for a function without arguments.
    "parameters without properties": Difference(
        with_tools(Tool("f", None, {"type": "object", "properties": {}})), "type f = ()", "type f = (_: {\n})"
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_known_difference(name: str, encoding: Any) -> None:
    conversation, ours, theirs = DIFFERENCES[name]
    prompt = render(conversation) + OPENER
    assert ours in prompt
    assert prompt.replace(ours, theirs, 1) == openai_prompt(conversation, encoding)


# Each with our type and theirs, which loses or garbles a part of the schema.
SCHEMA_DIFFERENCES = [
    pytest.param({"type": "null"}, "null", "any", id="null"),
    pytest.param({"type": "string", "nullable": True}, "string | null", "string", id="nullable at the top"),
    pytest.param({"const": "a"}, '"a"', "any", id="const"),
    pytest.param({"type": "integer", "enum": [1, 2]}, "1 | 2", "number", id="enum of numbers"),
    pytest.param({"enum": ["a", "b"]}, '"a" | "b"', "any", id="enum without a type"),
    pytest.param(
        {"type": ["array", "null"], "items": STRING},
        "string[] | null",
        "array | null",
        id="array in a list of types",
    ),
    pytest.param(
        {"type": ["object", "null"], "properties": {"a": STRING}},
        "{\na?: string,\n} | null",
        "object | null",
        id="object in a list of types",
    ),
    pytest.param({"properties": {"a": STRING}}, "{\na?: string,\n}", "any", id="object without a type"),
    pytest.param({"type": "object", "required": ["a"]}, "{\na: any,\n}", "{\n}", id="only required"),
    pytest.param(
        {"type": "object", "additionalProperties": NUMBER}, "{[key: string]: number}", "{\n}", id="map"
    ),
    pytest.param({"prefixItems": [STRING, NUMBER]}, "[string, number]", "any", id="tuple"),
    pytest.param(
        {"type": "array", "items": {"type": ["number", "null"]}},
        "(number | null)[]",
        "number | null[]",
        id="array of a union",
    ),
    pytest.param({"anyOf": [STRING, NUMBER]}, "\n | string\n | number", "any", id="anyOf"),
    pytest.param({"allOf": [STRING]}, "string", "any", id="allOf"),
    pytest.param({"$ref": "#/$defs/A", "$defs": {"A": STRING}}, "string", "any", id="$ref"),
    pytest.param(
        {"type": "object", "properties": {"a": STRING}, "oneOf": [{"required": ["a"]}]},
        "{\na?: string,\n} & (\n | {\n   a: any,\n   })",
        "\n | any",
        id="oneOf beside properties",
    ),
    pytest.param(
        object_with({"oneOf": [{"oneOf": [STRING, NUMBER]}, {"type": "boolean"}]}),
        "{\na?:\n | (\n    | string\n    | number)\n | boolean\n,\n}",
        "{\na?:\n | \n    | string\n    | number\n | boolean\n,\n}",
        id="union in a union",
    ),
    pytest.param(
        object_with(object_with(STRING, description="D")),
        "{\n// D\na?: {\n    a?: string,\n    },\n}",
        "{\n// D\na?:     // D\n{\n    a?: string,\n    },\n}",
        id="description of an object in an object",
    ),
    pytest.param(
        {"type": "object", "properties": {"a-b": STRING}},
        '{\n"a-b"?: string,\n}',
        "{\na-b?: string,\n}",
        id="name that needs quotes",
    ),
    pytest.param(
        object_with({"title": "a\nb", **STRING}),
        "{\n// a\n// b\n//\na?: string,\n}",
        "{\n// a\nb\n//\na?: string,\n}",
        id="line break in a title",
    ),
    pytest.param(
        object_with({"description": "a\n\nb", **STRING}),
        "{\n// a\n// \n// b\na?: string,\n}",
        "{\n// a\n\nb\na?: string,\n}",
        id="line break in a description",
    ),
    pytest.param(
        object_with({"examples": [1, "x"], **STRING}),
        '{\n// Examples:\n// - 1\n// - "x"\na?: string,\n}',
        '{\n// Examples:\n// - "x"\na?: string,\n}',
        id="example that is not a string",
    ),
    pytest.param(
        object_with({"type": "array", "items": {"description": "D", **STRING}}),
        "{\n// D\na?: string[],\n}",
        "{\na?: string[],\n}",
        id="description of items",
    ),
]


@pytest.mark.parametrize(("schema", "ours", "theirs"), SCHEMA_DIFFERENCES)
def test_known_difference_of_types(schema: Any, ours: str, theirs: str, encoding: Any) -> None:
    conversation = with_tools(Tool("f", None, schema))
    assert (render(conversation) + OPENER).endswith(parameters_text(ours))
    assert openai_prompt(conversation, encoding).endswith(parameters_text(theirs))


# Shared and recursive definitions, with our declarations before the function.
DECLARATION_DIFFERENCES = [
    pytest.param(
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}},
            "$defs": {"A": STRING},
        },
        "type A = string;",
        "{\na?: A,\nb?: A,\n}",
        "{\na?: any,\nb?: any,\n}",
        id="definition that is used twice",
    ),
    pytest.param(
        object_with({"$ref": "#"}), "type Root = {\na?: Root,\n};", "Root", "{\na?: any,\n}", id="recursion"
    ),
]


@pytest.mark.parametrize(("schema", "declaration", "ours", "theirs"), DECLARATION_DIFFERENCES)
def test_known_difference_of_declarations(
    schema: Any, declaration: str, ours: str, theirs: str, encoding: Any
) -> None:
    conversation = with_tools(Tool("f", None, schema))
    ending = f"namespace functions {{\n\n{declaration}\n\n{parameters_text(ours)}"
    assert (render(conversation) + OPENER).endswith(ending)
    assert openai_prompt(conversation, encoding).endswith(f"functions {{\n\n{parameters_text(theirs)}")
