"The messages of a request as llm's messages, also as real clients send them."

from __future__ import annotations

from typing import Any, get_args

import pytest
from anthropic.types import ContentBlockParam
from anthropic.types.tool_result_block_param import Content as ResultContent
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import TypeAdapter, ValidationError
from typing_extensions import get_type_hints

from llm_gpt_oss.turn.history import attachments_metadata
from proxy.api.anthropic.blocks import TextBlock
from proxy.api.anthropic.messages import BILLING_HEADER, AnyMessage, system_messages, to_history
from proxy.http.errors import ApiError
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.messages import BLANK_LINE

READER: TypeAdapter[list[Any]] = TypeAdapter(list[AnyMessage])
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
SEEN = "[image: this model cannot see it]"
PDF = {"type": "document", "title": "a.pdf", "source": {"type": "base64", "data": "eA=="}}


def convert(*entries: dict[str, Any]) -> list[Message]:
    return to_history([], READER.validate_python(list(entries), strict=True)).messages


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


EMPTY: list[Any] = [
    pytest.param({"content": ""}, id="empty"),
    pytest.param({"content": []}, id="no blocks"),
    pytest.param({"content": None}, id="null"),
    pytest.param({}, id="missing"),
]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("Hi", "Hi", id="string"),
        pytest.param([text("Hi")], "Hi", id="block"),
        pytest.param([{**text("Hi"), "cache_control": {"type": "ephemeral"}}], "Hi", id="cache control"),
        pytest.param([{**text("Hi"), "citations": None, "new": 1}], "Hi", id="unknown fields"),
    ],
)
def test_text(role: str, content: Any, expected: str) -> None:
    assert convert({"role": role, "content": content}) == [Message(role, [TextPart(expected)])]


@pytest.mark.parametrize("role", ["user", "assistant"])
@pytest.mark.parametrize("fields", EMPTY)
def test_nothing(role: str, fields: dict[str, Any]) -> None:
    assert convert({"role": role, **fields}) == [Message(role, [])]


@pytest.mark.parametrize("fields", EMPTY)
def test_an_empty_instruction_is_no_message(fields: dict[str, Any]) -> None:
    assert convert({"role": "system", **fields}) == []


READABLE: list[Any] = [
    pytest.param([text("a"), text("b")], ["a", "b"], id="texts"),
    pytest.param([{"type": "text", "text": None}], [""], id="null"),
    pytest.param([{"type": "text"}], [""], id="missing text"),
    pytest.param(
        [{"type": "search_result", "title": "T", "source": "S", "content": [text("a")]}],
        ["T\nS\na"],
        id="search result",
    ),
    pytest.param([{"type": "search_result"}], [""], id="empty search result"),
    pytest.param(
        [{"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "a"}}],
        ["T\nC\na"],
        id="document of text",
    ),
    pytest.param(
        [{"type": "document", "source": {"type": "content", "content": [text("a")]}}],
        ["a"],
        id="document of blocks",
    ),
    pytest.param(
        [{"type": "document", "source": {"type": "content", "content": "a"}}], ["a"], id="document of a text"
    ),
    pytest.param([{"type": "document", "source": {"type": "text"}}], [""], id="empty document"),
    pytest.param([{"type": "server_tool_use", "id": "x"}, text("a")], ["a"], id="skipped"),
]


@pytest.mark.parametrize(("blocks", "expected"), READABLE)
def test_blocks_of_the_user(blocks: list[Any], expected: list[str]) -> None:
    assert convert(user(*blocks)) == [Message("user", [TextPart(text) for text in expected])]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param(IMAGE, SEEN, id="image"),
        pytest.param(PDF, "[file a.pdf: this model cannot read it]", id="file"),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": [text("c"), IMAGE]}},
            f"c\n{SEEN}",
            id="image in a document",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "file", "file_id": "x"}},
            "[file: this model cannot read it]",
            id="file without a title",
        ),
    ],
)
def test_what_the_model_cannot_read(block: Any, expected: str) -> None:
    "It is a placeholder in earlier messages and in results of tools, and refused in the newest message."
    one = attachments_metadata(1)
    texts = [TextPart("a"), TextPart(expected, provider_metadata=one)]
    assert convert(user(text("a"), block), assistant(text("b")), user(text("c")))[0].parts == texts
    result = {**RESULT, "content": [text("a"), block]}
    _, tool, after = convert(assistant(CALL), user(result, text("a"), block))
    assert tool.parts == [ToolResultPart("add", f"a\n{expected}", "toolu_1", provider_metadata=one)]
    assert after.parts == texts
    newest = [user(text("a"), block), {"role": "system", "content": "b"}]
    with pytest.raises(ApiError) as raised:
        convert(user(text("x")), assistant(text("y")), *newest)
    assert (raised.value.status, raised.value.param) == (400, "messages[2].content[1]")
    assert "'messages[2].content[1]'" in raised.value.message


def test_results_of_tools_come_before_the_text() -> None:
    two = [{**CALL, "id": "toolu_2", "name": "sub"}, CALL]
    results = [RESULT, {**RESULT, "tool_use_id": "toolu_2", "content": [text("a"), text("b")]}]
    _, tool, after = convert(assistant(*two), user(text("Now?"), *results))
    assert tool == Message(
        "tool", [ToolResultPart("add", "2", "toolu_1"), ToolResultPart("sub", "a\nb", "toolu_2")]
    )
    assert after == Message("user", [TextPart("Now?")])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"content": None}, "", id="null"),
        pytest.param({"content": []}, "", id="no blocks"),
        pytest.param({"content": "No such file.", "is_error": True}, "Error: No such file.", id="error"),
        pytest.param({"content": "Fine.", "is_error": False}, "Fine.", id="no error"),
        pytest.param(
            {"content": [{"type": "tool_reference", "tool_name": "grep"}]}, "grep", id="reference to a tool"
        ),
    ],
)
def test_result_of_a_tool(fields: dict[str, Any], expected: str) -> None:
    _, tool = convert(assistant(CALL), user({**RESULT, **fields}))
    assert tool == Message("tool", [ToolResultPart("add", expected, "toolu_1")])


THOUGHT = to_encrypted_content("Let me add.")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param({"thinking": "Let me add.", "signature": THOUGHT}, "Let me add.", id="as it was sent"),
        pytest.param({"thinking": "", "signature": THOUGHT}, "Let me add.", id="signature alone"),
        pytest.param({"thinking": "Other.", "signature": THOUGHT}, "Let me add.", id="changed text"),
        pytest.param({"thinking": "Other.", "signature": "EqQB"}, "Other.", id="another model's"),
        pytest.param({"thinking": "Other.", "signature": ""}, "Other.", id="no signature"),
        pytest.param({"thinking": "Other."}, "Other.", id="missing signature"),
        pytest.param({"type": "redacted_thinking", "data": THOUGHT}, "Let me add.", id="redacted"),
    ],
)
def test_thinking(block: dict[str, Any], expected: str) -> None:
    sent = assistant({"type": "thinking", **block}, CALL)
    call = ToolCallPart("add", {"a": 1}, "toolu_1")
    assert convert(sent) == [Message("assistant", [ReasoningPart(expected), call])]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"type": "thinking", "thinking": "", "signature": "EqQB"}, id="omitted"),
        pytest.param({"type": "redacted_thinking", "data": "EqQB"}, id="redacted"),
        pytest.param({"type": "redacted_thinking"}, id="nothing"),
    ],
)
def test_thinking_that_only_another_provider_can_read(block: dict[str, Any]) -> None:
    "It leaves a note in the turn."
    parts = [ReasoningPart("", redacted=True), TextPart("Hi.")]
    assert convert(assistant(block, text("Hi."))) == [Message("assistant", parts)]


def test_what_servers_did_is_left_out_of_an_answer() -> None:
    search = {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}
    assert convert(assistant(search, text("Hi."))) == [Message("assistant", [TextPart("Hi.")])]


def test_texts_of_an_answer_are_separated_as_in_the_log() -> None:
    assert convert(assistant(text("a"), CALL, text("b")))[0].parts == [
        TextPart("a"),
        ToolCallPart("add", {"a": 1}, "toolu_1"),
        BLANK_LINE,
        TextPart("b"),
    ]


@pytest.mark.parametrize("empty", [{"id": None, "input": None}, {"id": "", "input": {}}, {}], ids=str)
def test_a_call_without_an_id_and_without_input(empty: dict[str, Any]) -> None:
    call, result = convert(
        assistant({"type": "tool_use", "name": "now", **empty}), user({"type": "tool_result"})
    )
    assert call.parts == [ToolCallPart("now", {}, "")]
    assert result.parts == [ToolResultPart("now", "", "")]


def test_a_result_without_a_call() -> None:
    assert convert(user(RESULT)) == [Message("tool", [ToolResultPart("", "2", "toolu_1")])]


def test_the_last_message_of_each_entry() -> None:
    system = [Message("system", [TextPart("Be brief.")])]
    sent = [user(text("a")), assistant(CALL), user(RESULT, text("b"))]
    history = to_history(system, READER.validate_python(sent, strict=True))
    assert [message.role for message in history.messages] == ["system", "user", "assistant", "tool", "user"]
    assert history.message_of_entry == (1, 2, 4)


def test_the_billing_header_of_claude_code_is_left_out() -> None:
    blocks = [TextBlock(type="text", text=f"{BILLING_HEADER} cch=1;"), TextBlock(type="text", text="Be.")]
    assert [*system_messages(blocks)] == [Message("system", [TextPart("Be.")])]
    assert [*system_messages(blocks[:1])] == []


def block_types(union: Any) -> set[str]:
    return {get_args(get_type_hints(block)["type"])[0] for block in get_args(union)}


def minimal_block(block_type: str) -> dict[str, Any]:
    required = {"id": "x", "name": "x", "tool_use_id": "x", "tool_name": "x"}
    source = {"source": {"type": "text"}} if block_type == "document" else {}
    return {"type": block_type, **required, **source}


@pytest.mark.parametrize("block_type", sorted(block_types(ContentBlockParam) - {"container_upload", "image"}))
def test_every_block_of_the_sdk_is_read(block_type: str) -> None:
    "A file in a container is refused, because there are no containers."
    role = "assistant" if "thinking" in block_type or block_type == "tool_use" else "user"
    assert convert({"role": role, "content": [minimal_block(block_type)]})


@pytest.mark.parametrize("block_type", sorted(block_types(ResultContent) - {"browser_state"}))
def test_every_block_of_a_result_is_read(block_type: str) -> None:
    assert convert(assistant(CALL), user({**RESULT, "content": [minimal_block(block_type)]}))


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"role": "robot", "content": "Hi"}, id="role"),
        pytest.param({"content": "Hi"}, id="no role"),
        pytest.param(user({"type": "hologram"}), id="unknown block"),
        pytest.param(user({"type": "container_upload", "file_id": "x"}), id="container"),
        pytest.param(user(CALL), id="call of the user"),
        pytest.param(assistant({"type": "tool_use", "id": "x"}), id="call without a name"),
        pytest.param(assistant(IMAGE), id="image of the assistant"),
        pytest.param(assistant({**CALL, "input": "{}"}), id="input as a text"),
        pytest.param(user({**RESULT, "content": [CALL]}), id="call in a result"),
        pytest.param({"role": "user", "content": 1}, id="number"),
    ],
)
def test_invalid_messages(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        convert(entry)
