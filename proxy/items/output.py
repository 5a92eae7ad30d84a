"""Renders items as OpenAI's SDK types them (`types/responses/response_item.py`).

Each function for one item also makes the empty item that a stream starts with. Items have every key that the
SDK's types or OpenAI's API description require.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Literal

from llm import Attachment
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.messages import METADATA, SEPARATOR, arguments_text

from ..generation import CustomCall
from ..settings import ReasoningDisplay
from .encrypted_content import to_encrypted_content
from .ids import item_id
from .summary import summary_of
from .tools import custom_input

Item = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]


def message_item(
    id: str,
    text: str = "",
    status: Status = "completed",
    *,
    phase: str = "final_answer",
    logprobs: Sequence[Item] = (),
) -> Item:
    content = [output_text(text, logprobs)] if text else []
    item = {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}
    return {**item, "phase": phase}


def output_text(text: str = "", logprobs: Sequence[Item] = ()) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def phase_of(metadata: Item | None) -> str:
    "The phase of a text by its `provider_metadata`: `commentary` comes before tool calls."
    channel = (metadata or {}).get(METADATA, {}).get("channel")
    return "commentary" if channel == "commentary" else "final_answer"


def reasoning_item(
    id: str,
    text: str = "",
    status: Status = "completed",
    *,
    display: ReasoningDisplay = "text",
    include_encrypted: bool = False,
) -> Item:
    "Return an item of reasoning. `include_encrypted` adds `encrypted_content`."
    content = [reasoning_text(text)] if text and display != "summary" else []
    summary = [summary_text(text)] if text and display != "text" else []
    item = {"id": id, "type": "reasoning", "status": status, "summary": summary, "content": content}
    return {**item, "encrypted_content": to_encrypted_content(text)} if include_encrypted and text else item


def reasoning_text(text: str = "") -> Item:
    return {"type": "reasoning_text", "text": text}


def summary_text(text: str = "") -> Item:
    return {"type": "summary_text", "text": text}


def function_call_item(
    id: str, call_id: str, name: str, arguments: str = "", status: Status = "completed"
) -> Item:
    "`name` includes the tool's namespace. `arguments` is a JSON object as a string."
    item = {"id": id, "type": "function_call", "status": status, "call_id": call_id, **name_fields(name)}
    return {**item, "arguments": arguments}


def custom_tool_call_item(
    id: str, call_id: str, name: str, input: str = "", status: Status = "completed"
) -> Item:
    item = {"id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, **name_fields(name)}
    return {**item, "input": input}


def name_fields(full_name: str) -> Item:
    """Split a tool's full name into its `name` and `namespace`.

    Only namespaces may contain dots, so the last dot separates the two.
    """
    namespace, _, name = full_name.rpartition(".")
    return {"name": name, "namespace": namespace} if namespace and name else {"name": full_name}


def function_call_output_item(id: str, call_id: str, output: str, name: str | None = None) -> Item:
    "`name` identifies the tool of an output without a `call_id`."
    item = {"id": id, "type": "function_call_output", "status": "completed", "call_id": call_id}
    return {**item, **(name_fields(name) if name else {}), "output": output}


def custom_tool_call_output_item(id: str, call_id: str, output: str) -> Item:
    item = {"id": id, "type": "custom_tool_call_output", "status": "completed", "call_id": call_id}
    return {**item, "output": output}


def input_message_item(id: str, role: str, content: Sequence[Item]) -> Item:
    return {"id": id, "type": "message", "status": "completed", "role": role, "content": list(content)}


def input_text(text: str) -> Item:
    return {"type": "input_text", "text": text}


def compaction_item(id: str, summary: str) -> Item:
    return {"id": id, "type": "compaction", "encrypted_content": to_encrypted_content(summary)}


def message_items(
    message: Message,
    source: str,
    start: int = 0,
    custom_calls: Container[CustomCall] = (),
    *,
    display: ReasoningDisplay = "text",
    include_encrypted: bool = False,
) -> list[Item]:
    """All items of a message, with ids of `source` numbered from `start`.

    Each of the assistant's parts is an item, except empty texts and the blank lines between two texts. Each
    tool result is an item, and so is any other message as a whole. `custom_calls` are the calls of custom
    tools.
    """
    if message.role in ("assistant", "tool"):
        rendered = (_part_item(part, custom_calls, display, include_encrypted) for part in message.parts)
        items = [item for item in rendered if item]
    else:
        items = [_whole_message_item(message)]
    return [{**item, "id": item_id(item["type"], source, n)} for n, item in enumerate(items, start)]


def _part_item(
    part: Part, custom_calls: Container[CustomCall], display: ReasoningDisplay, include_encrypted: bool
) -> Item | None:
    match part:
        case TextPart(text=text, provider_metadata=metadata):
            has_text = text and metadata != SEPARATOR
            return message_item("", text, phase=phase_of(metadata)) if has_text else None
        case ReasoningPart(text=text):
            if not text:
                return None
            return reasoning_item("", text, display=display, include_encrypted=include_encrypted)
        case ToolCallPart(name=name):
            call_id, arguments = part.tool_call_id or "", arguments_text(part).strip() or "{}"
            if (call_id, name) in custom_calls:
                return custom_tool_call_item("", call_id, name, custom_input(arguments))
            return function_call_item("", call_id, name, arguments)
        case ToolResultPart(name=name, output=output):
            call_id = part.tool_call_id or ""
            if (call_id, name) in custom_calls:
                return custom_tool_call_output_item("", call_id, output)
            return function_call_output_item("", call_id, output, None if call_id else name)
    # An attachment that another model produced, logged by llm: no item can hold it.
    return None


def _whole_message_item(message: Message) -> Item:
    summary = summary_of(message)
    if summary is not None:
        return compaction_item("", summary)
    return input_message_item("", message.role, [_content(part) for part in message.parts])


def _content(part: Part) -> Item:
    match part:
        case TextPart(text=text):
            return input_text(text)
        # llm's log may hold attachments that were sent to another model. Their content is left out.
        case AttachmentPart(attachment=Attachment(type=media_type, url=url)):
            if (media_type or "").startswith("image/"):
                return {"type": "input_image", "detail": "auto", "image_url": url}
            return {"type": "input_file", "file_url": url}
        case _:
            raise TypeError(f"no content type of a message for {part!r}")
