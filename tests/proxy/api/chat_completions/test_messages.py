"Chat messages, also as real clients send them."

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageParam
from pydantic import TypeAdapter, ValidationError
from typing_extensions import get_type_hints  # typing's own leaves Required[] around a role on 3.10

from llm_gpt_oss.turn.messages import tool_call_part
from proxy.api.chat_completions.messages import AnyMessage, custom_calls, to_messages
from proxy.http.errors import ApiError

READER: TypeAdapter[list[Any]] = TypeAdapter(list[AnyMessage])
CALLED = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WROTE = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
CALL = ToolCallPart("add", {"a": 1}, "call_1")
ATTACHED = {"gpt_oss": {"attachments": 1}}


def convert(*messages: dict[str, Any]) -> list[Message]:
    return list(to_messages(READER.validate_python(list(messages), strict=True)))


def parts(*messages: dict[str, Any]) -> list[Any]:
    "The parts of the last message."
    return convert(*messages)[-1].parts


def text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("Hi", "Hi", id="string"),
        pytest.param([text("Hi")], "Hi", id="part"),
        pytest.param([text("Hi"), text("there")], "Hi\nthere", id="parts"),
        pytest.param(
            [{**text("Hi"), "prompt_cache_breakpoint": {"mode": "explicit"}}], "Hi", id="breakpoint"
        ),
        pytest.param([{**text("Hi"), "cache_control": {"type": "ephemeral"}}], "Hi", id="cache control"),
        pytest.param([{"type": "refusal", "refusal": "No."}], "No.", id="refusal"),
        pytest.param([{"type": "input_text", "text": "Hi"}], "Hi", id="of a response's input"),
        pytest.param([{"type": "output_text", "text": "Hi", "annotations": []}], "Hi", id="of a response"),
        pytest.param([text("Hi"), {"type": "refusal"}], "Hi\n", id="refusal without a text"),
    ],
)
def test_content(role: str, content: Any, expected: str) -> None:
    assert convert({"role": role, "content": content}) == [Message(role, [TextPart(expected)])]


EMPTY: list[Any] = [
    pytest.param({"content": ""}, id="empty"),
    pytest.param({"content": []}, id="no parts"),
    pytest.param({"content": None}, id="null"),
    pytest.param({}, id="missing"),
    pytest.param({"content": [{"type": "text"}]}, id="part without a text"),
    pytest.param({"content": [{"type": "text", "text": None}]}, id="part with null"),
    pytest.param({"content": [{"type": "refusal", "refusal": None}]}, id="refusal with null"),
]


@pytest.mark.parametrize("role", ["system", "developer", "user"])
@pytest.mark.parametrize("content", EMPTY)
def test_empty_content(role: str, content: dict[str, Any]) -> None:
    assert convert({"role": role, **content}) == [Message(role, [TextPart("")])]


@pytest.mark.parametrize("content", EMPTY)
def test_empty_answers_and_results(content: dict[str, Any]) -> None:
    called = {"role": "assistant", "tool_calls": [CALLED], **content}
    result = {"role": "tool", "tool_call_id": "call_1", **content}
    assert [message.parts for message in convert(called, result)] == [
        [CALL],
        [ToolResultPart("add", "", "call_1")],
    ]
    older = {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}, **content}
    assert parts(older, {"role": "function", "name": "add", **content}) == [ToolResultPart("add", "", "")]


@pytest.mark.parametrize(
    "empty", [{}, {"arguments": None}, {"arguments": ""}], ids=["missing", "null", "empty"]
)
def test_calls_without_arguments(empty: dict[str, Any]) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", **empty}}
    (part,) = parts({"role": "assistant", "tool_calls": [call]})
    (older,) = parts({"role": "assistant", "function_call": {"name": "add", **empty}})
    assert part.arguments == older.arguments == {}
    assert part.provider_metadata == older.provider_metadata == {"gpt_oss": {"arguments": ""}}


def test_custom_calls() -> None:
    calls = {"role": "assistant", "tool_calls": [CALLED, {**WROTE, "id": "call_1"}], "content": "So:"}
    entries = READER.validate_python([{"role": "user", "content": "Hi"}, calls])
    assert custom_calls(entries, [*to_messages(entries)]) == {("call_1_2", "patch")}


@pytest.mark.parametrize("empty", [{}, {"input": None}, {"input": ""}], ids=["missing", "null", "empty"])
def test_custom_calls_without_input(empty: dict[str, Any]) -> None:
    call = {"id": "call_1", "type": "custom", "custom": {"name": "patch", **empty}}
    assert parts({"role": "assistant", "tool_calls": [call]}) == [
        ToolCallPart("patch", {"input": ""}, "call_1")
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"content": None}, [], id="nothing"),
        pytest.param({}, [], id="nothing at all"),
        pytest.param({"content": ""}, [], id="an empty text"),
        pytest.param({"content": None, "refusal": "No."}, [TextPart("No.")], id="refusal"),
        pytest.param({"content": "Hi", "refusal": None}, [TextPart("Hi")], id="no refusal"),
        pytest.param({"content": "Hi", "refusal": "No."}, [TextPart("Hi")], id="text and refusal"),
        pytest.param({"content": "", "tool_calls": [CALLED]}, [CALL], id="call"),
        pytest.param({"content": "So:", "tool_calls": [CALLED]}, [TextPart("So:"), CALL], id="text and call"),
        pytest.param({"content": "Hi", "tool_calls": []}, [TextPart("Hi")], id="no calls"),
        pytest.param({"content": "Hi", "tool_calls": None}, [TextPart("Hi")], id="calls are null"),
        pytest.param(
            {"tool_calls": [CALLED, WROTE]},
            [CALL, ToolCallPart("patch", {"input": "*** Begin"}, "call_2")],
            id="function and custom",
        ),
        pytest.param(
            {"tool_calls": [{"id": "call_1", "function": {"name": "add", "arguments": '{"a":1}'}}]},
            [CALL],
            id="call without a type",
        ),
        pytest.param({"tool_calls": [{**CALLED, "type": None}]}, [CALL], id="null for the type of a call"),
        pytest.param(
            {"tool_calls": [{**CALLED, "index": 0, "extra_content": {}}]}, [CALL], id="call with more to it"
        ),
        pytest.param(
            {"function_call": {"name": "add", "arguments": '{"a":1}'}},
            [ToolCallPart("add", {"a": 1}, "")],
            id="function_call",
        ),
        pytest.param(
            {"content": "Hi", "reasoning": "hm"}, [ReasoningPart("hm"), TextPart("Hi")], id="reasoning"
        ),
        pytest.param(
            {"content": "Hi", "reasoning_content": "hm"},
            [ReasoningPart("hm"), TextPart("Hi")],
            id="reasoning_content",
        ),
        pytest.param(
            {"content": "Hi", "reasoning": "hm", "reasoning_content": "hm"},
            [ReasoningPart("hm"), TextPart("Hi")],
            id="both",
        ),
        pytest.param({"content": "Hi", "reasoning": ""}, [TextPart("Hi")], id="empty reasoning"),
        pytest.param(
            {"reasoning": "hm", "tool_calls": [CALLED]}, [ReasoningPart("hm"), CALL], id="reasoning and call"
        ),
    ],
)
def test_assistant(message: dict[str, Any], expected: list[Any]) -> None:
    assert parts({"role": "assistant", **message}) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param([{"type": "thinking", "thinking": "hm"}], ReasoningPart("hm"), id="thinking"),
        pytest.param([{"type": "thinking", "thinking": [text("hm")]}], ReasoningPart("hm"), id="in parts"),
        pytest.param([{"type": "reasoning", "reasoning": "hm"}], ReasoningPart("hm"), id="reasoning"),
        pytest.param([{"type": "reasoning", "text": "hm"}], ReasoningPart("hm"), id="text"),
        pytest.param([{"type": "reasoning_text", "text": "hm"}], ReasoningPart("hm"), id="of a response"),
        pytest.param(
            [{"type": "redacted_thinking", "data": "…"}], ReasoningPart("", redacted=True), id="redacted"
        ),
    ],
)
def test_reasoning_in_the_content(message: list[Any], expected: ReasoningPart) -> None:
    assert parts({"role": "assistant", "content": [*message, text("Hi")]}) == [expected, TextPart("Hi")]
    both = {"role": "assistant", "content": [*message, text("Hi")], "reasoning": "hm"}
    assert parts(both) == [expected, TextPart("Hi")]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        pytest.param(
            [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.text", "text": "m"}],
            ReasoningPart("hm"),
            id="texts",
        ),
        pytest.param([{"type": "reasoning.summary", "summary": "hm"}], ReasoningPart("hm"), id="summary"),
        pytest.param(
            [{"type": "reasoning.encrypted", "data": "…"}], ReasoningPart("", redacted=True), id="encrypted"
        ),
        pytest.param(
            [{"type": "reasoning.encrypted", "data": "…"}, {"type": "reasoning.text", "text": "hm"}],
            ReasoningPart("hm"),
            id="both",
        ),
    ],
)
def test_reasoning_details(details: list[Any], expected: ReasoningPart) -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning_details": details}
    assert parts(message) == [expected, TextPart("Hi")]
    assert parts({**message, "reasoning": "So."}) == [ReasoningPart("So."), TextPart("Hi")]


def test_arguments_that_are_an_object() -> None:
    call = {**CALLED, "function": {"name": "add", "arguments": {"a": 1}}}
    assert parts({"role": "assistant", "tool_calls": [call]}) == [CALL]


@pytest.mark.parametrize("empty", [{}, {"id": None}, {"id": ""}], ids=["missing", "null", "empty"])
def test_calls_without_an_id(empty: dict[str, Any]) -> None:
    call = {"type": "", "function": {"name": "add", "arguments": "{}"}, **empty}
    wrote = {"type": "custom", "custom": {"name": "patch", "input": "x"}, **empty}
    _, first, second = convert(
        {"role": "assistant", "tool_calls": [call, wrote]},
        {"role": "tool", "content": "2"},
        {"role": "tool", "tool_call_id": "", "content": "3"},
    )
    assert [*first.parts, *second.parts] == [
        ToolResultPart("add", "2", ""),
        ToolResultPart("patch", "3", "_2"),
    ]


def test_arguments_keep_their_text() -> None:
    call = {**CALLED, "function": {"name": "add", "arguments": '{"a": 1}'}}
    (part,) = parts({"role": "assistant", "tool_calls": [call]})
    assert part.arguments == {"a": 1}
    assert part.provider_metadata == {"gpt_oss": {"arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    "arguments",
    ["", "[1]", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"a": ' + "[" * 100_000],
    ids=["nothing", "a list", "cut", "NaN", "infinite", "half a character", "deep"],
)
def test_invalid_arguments(arguments: str) -> None:
    call = {**CALLED, "function": {"name": "add", "arguments": arguments}}
    (part,) = parts({"role": "assistant", "tool_calls": [call]})
    assert part.arguments == {}
    assert part.provider_metadata == {"gpt_oss": {"arguments": arguments}}


RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "2"}


@pytest.mark.parametrize(
    ("message", "output"),
    [
        pytest.param({}, "2", id="string"),
        pytest.param({"content": [text("2"), text("3")]}, "2\n3", id="parts"),
        pytest.param({"content": None}, "", id="null"),
        pytest.param({"name": "add"}, "2", id="with its name"),
    ],
)
def test_results_get_the_name_of_their_tool(message: dict[str, Any], output: str) -> None:
    history = {"role": "assistant", "tool_calls": [CALLED]}
    assert parts(history, {**RESULT, **message}) == [ToolResultPart("add", output, "call_1")]


def test_results_of_several_calls() -> None:
    history = {"role": "assistant", "tool_calls": [CALLED, WROTE]}
    *_, first, second = convert(history, {**RESULT, "tool_call_id": "call_2"}, RESULT)
    assert [part.name for message in (first, second) for part in message.parts] == ["patch", "add"]


@pytest.mark.parametrize("empty", [{}, {"tool_call_id": None}, {"tool_call_id": ""}])
def test_results_without_an_id(empty: dict[str, Any]) -> None:
    "They answer the calls in order, or the call of the tool that they name."
    calls = {"role": "assistant", "tool_calls": [CALLED, WROTE]}
    result = {"role": "tool", "content": "2", **empty}
    assert [
        part.tool_call_id for message in convert(calls, result, result)[1:] for part in message.parts
    ] == [
        "call_1",
        "call_2",
    ]
    named = convert(calls, {**result, "name": "patch"}, result)[1:]
    assert [part.tool_call_id for message in named for part in message.parts] == ["call_2", "call_1"]
    assert parts(calls, {**result, "name": "other"}) == [ToolResultPart("other", "2", "")]


def test_result_of_an_unknown_call() -> None:
    assert parts(RESULT) == [ToolResultPart("", "2", "call_1")]


def test_function_messages() -> None:
    called = {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}}
    assert parts(called, {"role": "function", "name": "sum", "content": None}) == [
        ToolResultPart("sum", "", "")
    ]


@pytest.mark.parametrize("role", ["system", "developer", "user"])
@pytest.mark.parametrize("name", ["ann", "", None])
def test_names(role: str, name: str | None) -> None:
    metadata = {"gpt_oss": {"name": name}} if name else None
    assert convert({"role": role, "content": "Hi", "name": name}) == [
        Message(role, [TextPart("Hi")], provider_metadata=metadata)
    ]


@pytest.mark.parametrize("role", ["System", "DEVELOPER", "User", "Assistant"])
def test_roles_in_any_case(role: str) -> None:
    assert convert({"role": role, "content": "Hi"}) == [Message(role.lower(), [TextPart("Hi")])]


# Clients


GO_OPENAI = """[
{"role":"system"},
{"role":"user","content":"Switch the light on."},
{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"light"}}]},
{"role":"tool","tool_call_id":"call_1"},
{"role":"assistant"},
{"role":"user","content":[{"type":"text"},{"type":"text","text":"And now?"}]}
]"""


def test_go_openai() -> None:
    "It leaves out each field that is empty, the content of a result among them."
    messages = list(to_messages(READER.validate_python(json.loads(GO_OPENAI))))
    call = tool_call_part("light", "", "call_1")
    assert [message.parts for message in messages] == [
        [TextPart("")],
        [TextPart("Switch the light on.")],
        [call],
        [ToolResultPart("light", "", "call_1")],
        [],
        [TextPart("\nAnd now?")],
    ]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            ChatCompletionMessage(role="assistant", content="Hi").model_dump(),
            id="the SDK, dumped with nulls",
        ),
        pytest.param(
            ChatCompletionMessage.model_validate(
                {"role": "assistant", "content": "Hi", "annotations": [], "parsed": {"a": 1}}
            ).model_dump(),
            id="the SDK, after parse()",
        ),
        pytest.param({"role": "assistant", "content": "Hi", "name": "bot", "id": "msg_1"}, id="names"),
        pytest.param({"role": "assistant", "content": "Hi", "reasoning_details": [{}]}, id="OpenRouter"),
        pytest.param(
            {"role": "assistant", "content": "Hi", "provider_specific_fields": {}, "thinking_blocks": None},
            id="LiteLLM",
        ),
    ],
)
def test_messages_of_real_clients(message: dict[str, Any]) -> None:
    assert parts(message) == [TextPart("Hi")]


ROLES = {
    get_args(get_type_hints(message_type)["role"])[0]: message_type
    for message_type in get_args(ChatCompletionMessageParam)
}
GIVEN: dict[str, Any] = {
    "content": "Hi",
    "name": "who",
    "audio": None,
    "function_call": None,
    "refusal": None,
    "tool_calls": [],
    "tool_call_id": "call_1",
}


@pytest.mark.parametrize("role", ROLES)
def test_every_field_of_every_role_in_the_sdk(role: str) -> None:
    "A field or a role that a new SDK adds fails here until someone decides what to do with it."
    fields = ROLES[role].__annotations__.keys() - {"role"}
    (message,) = convert({"role": role, **{field: GIVEN[field] for field in fields}})
    assert message.parts


# Refused


PICTURE = {"role": "user", "content": [text("Look:"), {"type": "image_url", "image_url": {"url": "data:"}}]}
CALLS = {"role": "assistant", "tool_calls": [CALLED]}


@pytest.mark.parametrize(
    ("before", "after", "index"),
    [
        pytest.param([], [], 0, id="alone"),
        pytest.param([{"role": "user"}, {"role": "assistant", "content": "a"}], [], 2, id="after an answer"),
        pytest.param([], [{"role": "system", "content": "s"}], 0, id="before instructions"),
    ],
)
def test_attachments_of_the_newest_user_message(before: list[Any], after: list[Any], index: int) -> None:
    with pytest.raises(ApiError) as caught:
        convert(*before, PICTURE, *after)
    error = caught.value
    assert (error.status, error.code) == (400, "unsupported_content_type")
    assert error.param == f"messages[{index}].content[1]"
    assert "'image_url'" in error.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], [{"role": "assistant", "content": "a"}, {"role": "user"}], id="answered"),
        pytest.param([], [{"role": "user", "content": "b"}], id="before another message"),
        pytest.param([], [CALLS, RESULT], id="tools were called for it"),
        pytest.param([CALLS, RESULT], [], id="returned by a tool"),
        pytest.param(
            [{"role": "assistant", "function_call": CALLED["function"]}, {"role": "function", "name": "add"}],
            [],
            id="returned by a function",
        ),
    ],
)
def test_attachments_of_the_history(before: list[Any], after: list[Any]) -> None:
    assert convert(*before, PICTURE, *after)[len(before)] == Message(
        "user", [TextPart("Look:\n[image: this model cannot see it]", provider_metadata=ATTACHED)]
    )


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_attachments_of_other_roles(role: str) -> None:
    assert parts({**PICTURE, "role": role}) == [
        TextPart("Look:\n[image: this model cannot see it]", provider_metadata=ATTACHED)
    ]


def test_attachments_of_results() -> None:
    assert parts(CALLS, {**RESULT, "content": [text("2"), {"type": "image_url"}]}) == [
        ToolResultPart("add", "2\n[image: this model cannot see it]", "call_1", provider_metadata=ATTACHED)
    ]


@pytest.mark.parametrize(
    ("audio", "part"),
    [
        pytest.param(
            {"id": "audio_1"},
            TextPart("[audio: this model cannot hear it]", provider_metadata=ATTACHED),
            id="an id",
        ),
        pytest.param({"id": "audio_1", "data": "…", "transcript": "Hi"}, TextPart("Hi"), id="a transcript"),
    ],
)
def test_spoken_answers(audio: dict[str, Any], part: TextPart) -> None:
    assert parts({"role": "assistant", "content": None, "audio": audio}) == [part]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"role": "bot", "content": "Hi"}, id="unknown role"),
        pytest.param({"content": "Hi"}, id="no role"),
        pytest.param({"role": "user", "content": 5}, id="a number"),
        pytest.param({"role": "user", "content": [{"type": "hologram"}]}, id="unknown part"),
        pytest.param({"role": "user", "content": ["Hi"]}, id="bare strings in a list"),
        pytest.param({"role": "assistant", "reasoning": ["hm"]}, id="reasoning that is no text"),
    ],
)
def test_invalid_messages(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        convert(message)
