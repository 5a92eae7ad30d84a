"""Items as they go out, each as OpenAI's SDK types it (`types/responses/response_item.py`).

The functions that shape one item make it with and without its content: a stream shows it empty first. All
keys that the types and OpenAI's description call for are there.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Literal

from llm import Attachment
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.messages import METADATA, SEPARATOR, arguments_text

from ..settings import ReasoningDisplay
from .encrypted_content import seal
from .ids import item_id
from .summary import summary_of
from .tools import free_text

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
    "Whether a text is the model's answer or said before it called a tool, by its `provider_metadata`."
    channel = (metadata or {}).get(METADATA, {}).get("channel")
    return "commentary" if channel == "commentary" else "final_answer"


def reasoning_item(
    id: str,
    text: str = "",
    status: Status = "completed",
    *,
    shown: ReasoningDisplay = "text",
    sealed: bool = False,
) -> Item:
    "`sealed` says whether the client wants `encrypted_content`."
    content = [reasoning_text(text)] if text and shown != "summary" else []
    summary = [summary_text(text)] if text and shown != "text" else []
    item = {"id": id, "type": "reasoning", "status": status, "summary": summary, "content": content}
    return {**item, "encrypted_content": seal(text)} if sealed and text else item


def reasoning_text(text: str = "") -> Item:
    return {"type": "reasoning_text", "text": text}


def summary_text(text: str = "") -> Item:
    return {"type": "summary_text", "text": text}


def function_call_item(
    id: str, call_id: str, name: str, arguments: str = "", status: Status = "completed"
) -> Item:
    "`name` as the model's tool has it, with its namespace; `arguments` in JSON."
    item = {"id": id, "type": "function_call", "status": status, "call_id": call_id, **named(name)}
    return {**item, "arguments": arguments}


def custom_tool_call_item(
    id: str, call_id: str, name: str, input: str = "", status: Status = "completed"
) -> Item:
    item = {"id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, **named(name)}
    return {**item, "input": input}


def named(name: str) -> Item:
    "The names of tools have no dots, those of namespaces may."
    namespace, _, own = name.rpartition(".")
    return {"name": own, "namespace": namespace} if namespace and own else {"name": name}


def function_call_output_item(id: str, call_id: str, output: str, name: str | None = None) -> Item:
    "`name` where no `call_id` tells which tool it comes from."
    item = {"id": id, "type": "function_call_output", "status": "completed", "call_id": call_id}
    return {**item, **(named(name) if name else {}), "output": output}


def custom_tool_call_output_item(id: str, call_id: str, output: str) -> Item:
    item = {"id": id, "type": "custom_tool_call_output", "status": "completed", "call_id": call_id}
    return {**item, "output": output}


def input_message_item(id: str, role: str, content: Sequence[Item]) -> Item:
    return {"id": id, "type": "message", "status": "completed", "role": role, "content": list(content)}


def input_text(text: str) -> Item:
    return {"type": "input_text", "text": text}


def compaction_item(id: str, summary: str) -> Item:
    return {"id": id, "type": "compaction", "encrypted_content": seal(summary)}


def items(
    message: Message,
    source: str,
    start: int = 0,
    custom: Container[str] = (),
    *,
    shown: ReasoningDisplay = "text",
    sealed: bool = False,
) -> list[Item]:
    """All items of a message, numbered from `start`; `custom` are the ids of calls of custom tools.

    Each of an assistant's parts is an item, less empty texts and the blank lines between two; so is each of a
    tool's results. What another role says is one item.
    """
    if message.role in ("assistant", "tool"):
        parts = (_item(part, custom, shown, sealed) for part in message.parts)
        shaped = [item for item in parts if item]
    else:
        shaped = [_said(message)]
    return [{**item, "id": item_id(item["type"], source, n)} for n, item in enumerate(shaped, start)]


def _item(part: Part, custom: Container[str], shown: ReasoningDisplay, sealed: bool) -> Item | None:
    match part:
        case TextPart(text=text, provider_metadata=metadata):
            said = text and metadata != SEPARATOR
            return message_item("", text, phase=phase_of(metadata)) if said else None
        case ReasoningPart(text=text):
            return reasoning_item("", text, shown=shown, sealed=sealed) if text else None
        case ToolCallPart(name=name):
            call_id, arguments = part.tool_call_id or "", arguments_text(part).strip() or "{}"
            if call_id in custom:
                return custom_tool_call_item("", call_id, name, free_text(arguments))
            return function_call_item("", call_id, name, arguments)
        case ToolResultPart(name=name, output=output):
            call_id = part.tool_call_id or ""
            if call_id in custom:
                return custom_tool_call_output_item("", call_id, output)
            return function_call_output_item("", call_id, output, None if call_id else name)
    # Of another model's answer, as llm's log may hold it: there is no item for a picture that it made.
    return None


def _said(message: Message) -> Item:
    summary = summary_of(message)
    if summary is not None:
        return compaction_item("", summary)
    return input_message_item("", message.role, [_content(part) for part in message.parts])


def _content(part: Part) -> Item:
    match part:
        case TextPart(text=text):
            return input_text(text)
        # Of another model's turn, as llm's log may hold them. What they show is left there.
        case AttachmentPart(attachment=Attachment(type=kind, url=url)):
            if (kind or "").startswith("image/"):
                return {"type": "input_image", "detail": "auto", "image_url": url}
            return {"type": "input_file", "file_url": url}
        case _:
            raise TypeError(f"no content of a message stands for {part!r}")
