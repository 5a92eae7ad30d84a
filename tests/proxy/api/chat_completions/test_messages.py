"Chat messages, also as real clients send them."

from __future__ import annotations

from typing import Any, get_args

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageParam
from pydantic import TypeAdapter, ValidationError
from typing_extensions import get_type_hints  # typing's own leaves Required[] around a role on 3.10

from proxy.api.chat_completions.messages import AnyMessage, to_messages
from proxy.http.errors import ApiError

READER: TypeAdapter[list[Any]] = TypeAdapter(list[AnyMessage])
CALLED = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WROTE = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
CALL = ToolCallPart("add", {"a": 1}, "call_1")


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


def test_result_of_an_unknown_call() -> None:
    assert parts(RESULT) == [ToolResultPart("", "2", "call_1")]


def test_function_messages() -> None:
    called = {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}}
    assert parts(called, {"role": "function", "name": "sum", "content": None}) == [
        ToolResultPart("sum", "", "")
    ]


# Clients


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


@pytest.mark.parametrize("content_type", ["image_url", "input_audio", "file"])
def test_content_that_is_not_text_is_refused(content_type: str) -> None:
    with pytest.raises(ApiError) as caught:
        convert(
            {
                "role": "user",
                "content": [text("Look:"), {"type": content_type, content_type: {"url": "data:"}}],
            }
        )
    assert (caught.value.status, caught.value.code) == (400, "unsupported_content_type")
    assert f"'{content_type}'" in caught.value.message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"role": "bot", "content": "Hi"}, id="unknown role"),
        pytest.param({"content": "Hi"}, id="no role"),
        pytest.param({"role": "user", "content": 5}, id="a number"),
        pytest.param({"role": "user", "content": [{"type": "video"}]}, id="unknown part"),
        pytest.param({"role": "user", "content": ["Hi"]}, id="bare strings in a list"),
        pytest.param({"role": "tool", "content": "2"}, id="a result of no call"),
        pytest.param(
            {"role": "assistant", "tool_calls": [{**CALLED, "id": None}]}, id="a call without an id"
        ),
        pytest.param({"role": "assistant", "audio": {"id": "audio_1"}}, id="audio that is elsewhere"),
        pytest.param({"role": "assistant", "reasoning": ["hm"]}, id="reasoning that is no text"),
    ],
)
def test_invalid_messages(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        convert(message)
