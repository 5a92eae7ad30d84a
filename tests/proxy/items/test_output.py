"Rendered items, checked with the SDK's types."

from __future__ import annotations

from typing import Any

import pytest
from llm import Attachment
from llm.parts import AttachmentPart, Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR
from proxy.generation import CustomCall
from proxy.items import output
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.summary import summary_message

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"
ADD = ToolCallPart("add", {"a": 1}, "call_1")
PATCH = ToolCallPart("patch", {"input": "*** x"}, "call_2")
TEXT = {"type": "output_text", "annotations": [], "logprobs": []}
DONE = {"status": "completed"}


def render(message: Message, **options: Any) -> list[dict[str, Any]]:
    rendered = output.message_items(message, TURN, custom_calls={CustomCall("call_2", "patch")}, **options)
    for item in rendered:
        assert ITEM.validate_python(item).model_dump(exclude_unset=True) == item
    return [{key: value for key, value in item.items() if key != "id"} for item in rendered]


def message_json(text: str, phase: str = "final_answer") -> dict[str, Any]:
    content = [{**TEXT, "text": text}]
    return {"type": "message", "role": "assistant", "phase": phase, "content": content, **DONE}


def reasoning_json(**more: Any) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": "hm"}]
    return {"type": "reasoning", "summary": [], "content": content, **DONE, **more}


@pytest.mark.parametrize(
    ("part", "item"),
    [
        pytest.param(TextPart("Hi"), message_json("Hi"), id="text"),
        pytest.param(
            TextPart("Hi", provider_metadata=PREAMBLE), message_json("Hi", phase="commentary"), id="preamble"
        ),
        pytest.param(ReasoningPart("hm"), reasoning_json(), id="reasoning"),
        pytest.param(
            ADD,
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a":1}', **DONE},
            id="function call",
        ),
        pytest.param(
            ToolCallPart("crm.v2.find", {}, "call_1"),
            {
                "type": "function_call",
                "call_id": "call_1",
                "namespace": "crm.v2",
                "name": "find",
                "arguments": "{}",
                **DONE,
            },
            id="namespace",
        ),
        pytest.param(
            ToolCallPart("add", {}, None, provider_metadata={"gpt_oss": {"arguments": " "}}),
            {"type": "function_call", "call_id": "", "name": "add", "arguments": "{}", **DONE},
            id="a call without id or arguments",
        ),
        pytest.param(
            ToolCallPart("add", {"a": 1}, "call_1", provider_metadata={"gpt_oss": {"arguments": '{"a": 1}'}}),
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}', **DONE},
            id="arguments as they were written",
        ),
        pytest.param(
            PATCH,
            {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** x", **DONE},
            id="custom call",
        ),
        pytest.param(
            ToolResultPart("add", "2", "call_1"),
            {"type": "function_call_output", "call_id": "call_1", "output": "2", **DONE},
            id="result",
        ),
        pytest.param(
            ToolResultPart("add", "2"),
            {"type": "function_call_output", "call_id": "", "name": "add", "output": "2", **DONE},
            id="result of no known call",
        ),
        pytest.param(
            ToolResultPart("patch", "ok", "call_2"),
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "ok", **DONE},
            id="custom result",
        ),
    ],
)
def test_parts(part: Any, item: dict[str, Any]) -> None:
    role = "tool" if isinstance(part, ToolResultPart) else "assistant"
    assert render(Message(role, [part])) == [item]


@pytest.mark.parametrize(
    "part", [TextPart(""), TextPart("\n\n", SEPARATOR), ReasoningPart("", redacted=True)]
)
def test_parts_without_an_item(part: Any) -> None:
    assert render(Message("assistant", [part])) == []


@pytest.mark.parametrize(
    ("options", "item"),
    [
        pytest.param(
            {"display": "summary"}, {"summary": [output.summary_text("hm")], "content": []}, id="summary"
        ),
        pytest.param({"display": "both"}, {"summary": [output.summary_text("hm")]}, id="both"),
        pytest.param(
            {"include_encrypted": True}, {"encrypted_content": to_encrypted_content("hm")}, id="sealed"
        ),
    ],
)
def test_reasoning_display(options: dict[str, Any], item: dict[str, Any]) -> None:
    assert render(Message("assistant", [ReasoningPart("hm")]), **options) == [reasoning_json(**item)]


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_other_roles(role: str) -> None:
    content = [output.input_text("Hi"), output.input_text("")]
    assert render(Message(role, [TextPart("Hi"), TextPart("")])) == [
        {"type": "message", "role": role, "content": content, **DONE}
    ]


def test_compaction_item() -> None:
    assert render(summary_message("Sheep.")) == [
        {"type": "compaction", "encrypted_content": to_encrypted_content("Sheep.")}
    ]


def test_attachments_of_other_models() -> None:
    picture = Attachment(type="image/png", url="https://example.com/x.png")
    (item,) = render(Message("user", [AttachmentPart(picture), AttachmentPart(Attachment(type=None))]))
    assert item["content"] == [
        {"type": "input_image", "detail": "auto", "image_url": "https://example.com/x.png"},
        {"type": "input_file", "file_url": None},
    ]


def test_unknown_parts() -> None:
    with pytest.raises(TypeError):
        render(Message("user", [AttachmentPart()]))
    assert render(Message("assistant", [TextPart("Look:"), AttachmentPart()])) == render(
        Message("assistant", [TextPart("Look:")])
    )


def test_ids_number_the_items() -> None:
    parts = [ReasoningPart("hm"), TextPart("Hi"), TextPart("\n\n", SEPARATOR), TextPart("again"), ADD, PATCH]
    rendered = output.message_items(Message("assistant", parts), TURN, 2, {CustomCall("call_2", "patch")})
    assert [item["id"] for item in rendered] == [
        f"rs_{TURN}_2", f"msg_{TURN}_3", f"msg_{TURN}_4", f"fc_{TURN}_5", f"ctc_{TURN}_6"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        output.message_item("msg_1", status="in_progress"),
        output.reasoning_item("rs_1", status="in_progress", display="both", include_encrypted=True),
        output.function_call_item("fc_1", "call_1", "add", status="in_progress"),
        output.custom_tool_call_item("ctc_1", "call_2", "patch", status="in_progress"),
    ],
    ids=lambda item: str(item["type"]),
)
def test_empty_items(item: dict[str, Any]) -> None:
    assert ITEM.validate_python(item).model_dump(exclude_unset=True) == item
    assert not any(item.get(key) for key in ("content", "summary", "arguments", "input", "encrypted_content"))


@pytest.mark.parametrize("name", [".add", "add.", ".", "add"])
def test_names_without_a_namespace(name: str) -> None:
    assert output.name_fields(name) == {"name": name}
