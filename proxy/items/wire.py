"""Items as clients send them, as OpenAI's SDK types them (`types/responses/response_input_item_param.py`).

What another server did by itself, and told in the answer that follows, is skipped. What asks for something
that cannot be had here, or that a client did and only that item tells, is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..http.body_model import LenientBody


class TextContent(LenientBody):
    type: Literal["input_text", "output_text", "text"]
    text: str


class RefusalContent(LenientBody):
    type: Literal["refusal"]
    refusal: str


class OtherContent(LenientBody):
    "What a text model cannot take: refused by name."

    type: Literal["input_image", "input_file", "input_audio", "computer_screenshot"]


Content = Annotated[TextContent | RefusalContent | OtherContent, Field(discriminator="type")]


class MessageItem(LenientBody):
    type: Literal["message"]
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]
    phase: Literal["commentary", "final_answer"] | None = None


class ReasoningText(LenientBody):
    type: Literal["reasoning_text", "text"]
    text: str


class SummaryText(LenientBody):
    type: Literal["summary_text"]
    text: str


class ReasoningItem(LenientBody):
    type: Literal["reasoning"]
    id: str | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    summary: list[SummaryText] | None = None


class FunctionCallItem(LenientBody):
    type: Literal["function_call"]
    call_id: str
    name: str
    namespace: str | None = None
    arguments: str


class CustomToolCallItem(LenientBody):
    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    namespace: str | None = None
    input: str


class OutputItem(LenientBody):
    "`name` and `namespace` tell which tool it comes from where no `call_id` does."

    type: Literal["function_call_output", "custom_tool_call_output"]
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    output: str | list[Content]


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


# To leave these out would change what is meant; with what to send instead.
REFUSED = {
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


def _meant(sent: Any) -> Any:
    "Two kinds of items may come without their type."
    if not isinstance(sent, dict):
        return sent
    kind = sent.get("type")
    if isinstance(kind, str) and kind in REFUSED:
        instead = REFUSED[kind]
        raise ValueError(
            f"items of type '{kind}' are not supported here" + (f": {instead}" if instead else "")
        )
    if kind is None and "role" in sent:
        return {**sent, "type": "message"}
    if kind is None and "id" in sent:
        return {**sent, "type": "item_reference"}
    return sent


AnyItem = Annotated[
    Annotated[
        MessageItem
        | ReasoningItem
        | FunctionCallItem
        | CustomToolCallItem
        | OutputItem
        | ItemReference
        | CompactionItem
        | SkippedItem,
        Field(discriminator="type"),
    ],
    BeforeValidator(_meant),
]
