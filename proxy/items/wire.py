"""The items that clients send, typed as in OpenAI's SDK (`types/responses/response_input_item_param.py`).

Calls of another server's hosted tools are skipped: the answer after them reports what they found. Items that
ask for something unsupported are refused, and so are those that carry information found nowhere else, such as
the output of a shell command.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..http.body_model import LenientBody
from .content import Content


class MessageItem(LenientBody):
    type: Literal["message"]
    role: Literal["user", "assistant", "system", "developer"]
    content: Content = None
    phase: Literal["commentary", "final_answer"] | None = None


class ReasoningText(LenientBody):
    type: Literal["reasoning_text", "text"]
    text: str | None = None


class SummaryText(LenientBody):
    type: Literal["summary_text"]
    text: str | None = None


class ReasoningItem(LenientBody):
    type: Literal["reasoning"]
    id: str | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    summary: list[SummaryText] | None = None


class FunctionCallItem(LenientBody):
    "Some clients send the arguments as an object."

    type: Literal["function_call"]
    call_id: str | None = None
    name: str
    namespace: str | None = None
    arguments: str | dict[str, Any] | None = None


class CustomToolCallItem(LenientBody):
    type: Literal["custom_tool_call"]
    call_id: str | None = None
    name: str
    namespace: str | None = None
    input: str | None = None


class ToolOutputItem(LenientBody):
    "`name` and `namespace` identify the tool of an output without a `call_id`."

    type: Literal["function_call_output", "custom_tool_call_output"]
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    output: Content = None


class ItemReference(LenientBody):
    type: Literal["item_reference"]
    id: str


class CompactionItem(LenientBody):
    type: Literal["compaction"]
    encrypted_content: str


class SkippedItem(LenientBody):
    type: Literal[
        "code_interpreter_call",
        "file_search_call",
        "image_generation_call",
        "mcp_approval_request",
        "mcp_call",
        "mcp_list_tools",
        "web_search_call",
    ]


# Leaving these out would change the meaning of the conversation. The values are what to send instead, if
# anything.
UNSUPPORTED_ITEMS = {
    "additional_tools": "send them in `tools`",
    "apply_patch_call": None,
    "apply_patch_call_output": None,
    "compaction_trigger": "send the conversation to /v1/responses/compact",
    "computer_call": None,
    "computer_call_output": None,
    "configuration_update": "send `reasoning` and `text` with the request",
    "local_shell_call": None,
    "local_shell_call_output": None,
    "mcp_approval_response": None,
    "program": None,
    "program_output": None,
    "shell_call": None,
    "shell_call_output": None,
    "tool_search_call": None,
    "tool_search_output": None,
}


def _add_type(item: Any) -> Any:
    """Adds the `type` that clients may omit from messages and item references, and refuses unsupported items.

    Ollama reads roles in upper and lower case, so clients send them in both.
    """
    if not isinstance(item, dict):
        return item
    item_type = item.get("type") or None
    if isinstance(role := item.get("role"), str) and not role.islower():
        item = {**item, "role": role.lower()}
    if isinstance(item_type, str) and item_type in UNSUPPORTED_ITEMS:
        instead = UNSUPPORTED_ITEMS[item_type]
        reason = f"items of type '{item_type}' are not supported here"
        raise ValueError(f"{reason}: {instead}" if instead else reason)
    if item_type is None and "role" in item:
        return {**item, "type": "message"}
    if item_type is None and "id" in item:
        return {**item, "type": "item_reference"}
    return item


AnyItem = Annotated[
    Annotated[
        MessageItem
        | ReasoningItem
        | FunctionCallItem
        | CustomToolCallItem
        | ToolOutputItem
        | ItemReference
        | CompactionItem
        | SkippedItem,
        Field(discriminator="type"),
    ],
    BeforeValidator(_add_type),
]
