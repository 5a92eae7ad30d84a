"""Makes the history of a conversation readable for gpt-oss, and notes what it then lacks.

gpt-oss reads text only. A conversation can still go on with it after another model, a tool or a person has
put an image into it: text stands for the image, and the model can say that it does not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Literal

import llm
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from ..completion import Json
from .messages import METADATA, output_text
from .note import Note

AttachmentType = Literal["image", "audio", "video", "file"]
SENSES: dict[AttachmentType, str] = {"image": "see", "audio": "hear", "video": "see", "file": "read"}
# A file's name is quoted up to this length.
MAX_NAME = 100


def attachment_text(attachment_type: AttachmentType, name: str | None = None) -> str:
    "Return the text that stands for an attachment, such as `[image: this model cannot see it]`."
    shown_name = " ".join((name or "").split())[:MAX_NAME]
    what = f"{attachment_type} {shown_name}" if shown_name else attachment_type
    return f"[{what}: this model cannot {SENSES[attachment_type]} it]"


def attachments_metadata(count: int) -> Json | None:
    "Return the `provider_metadata` of a part whose text stands for this many attachments."
    return {METADATA: {"attachments": count}} if count else None


def newest_user_message(roles: Sequence[str]) -> int | None:
    """Return the index of the user message that the model is to answer now, or None.

    It is the last one, unless the assistant has written since. A user message that directly follows a tool's
    result does not count: llm and other clients put into it what the tool returned besides text.
    """
    for index in range(len(roles) - 1, -1, -1):
        if roles[index] == "assistant":
            return None
        if roles[index] == "user":
            return None if index and roles[index - 1] == "tool" else index
    return None


def readable_messages(messages: Sequence[Message]) -> list[Message]:
    "Replace attachments by text, except those of the newest user message."
    newest = newest_user_message([message.role for message in messages])
    return [
        message if index == newest else _readable_message(message) for index, message in enumerate(messages)
    ]


def _readable_message(message: Message) -> Message:
    if not any(map(_has_attachment, message.parts)):
        return message
    return replace(message, parts=[_readable_part(part) for part in message.parts])


def _has_attachment(part: Part) -> bool:
    return isinstance(part, AttachmentPart) or (isinstance(part, ToolResultPart) and bool(part.attachments))


def _readable_part(part: Part) -> Part:
    match part:
        case AttachmentPart(attachment=attachment):
            return TextPart(_text_for(attachment), provider_metadata=attachments_metadata(1))
        case ToolResultPart(attachments=[_, *_] as attachments):
            texts = filter(None, [output_text(part), *map(_text_for, attachments)])
            metadata = attachments_metadata(len(attachments))
            return replace(part, output="\n".join(texts), attachments=[], provider_metadata=metadata)
        case _:
            return part


def _text_for(attachment: llm.Attachment | None) -> str:
    media_type, path = (attachment.type, attachment.path) if attachment else (None, None)
    family = (media_type or "").partition("/")[0]
    attachment_type: AttachmentType = next((each for each in SENSES if each == family), "file")
    return attachment_text(attachment_type, PurePath(path).name if path else None)


def history_notes(messages: Iterable[Message]) -> Iterator[Note]:
    "Yield notes on what the model does not get of these messages, which are readable."
    attachments, unreadable, results = 0, 0, 0
    called: set[str | None] = set()
    for message in messages:
        for part in message.parts:
            match part:
                case ReasoningPart(redacted=True, text=""):
                    unreadable += 1
                case ToolCallPart(tool_call_id=call_id):
                    called.add(call_id)
                case ToolResultPart(tool_call_id=call_id):
                    results += call_id not in called
                    attachments += _replaced_attachments(part)
                case TextPart():
                    attachments += _replaced_attachments(part)
    if attachments:
        yield Note(
            "attachment_dropped",
            f"Text stands for {_count(attachments, 'attachment')} of the history: the model reads text only.",
        )
    if unreadable:
        yield Note(
            "reasoning_dropped",
            f"{_count(unreadable, 'piece')} of reasoning left out: only the provider that encrypted it can "
            "read it.",
        )
    if results:
        yield Note(
            "call_missing",
            f"{_count(results, 'tool result')} without a call: the history has no call with that id.",
        )


def _replaced_attachments(part: TextPart | ToolResultPart) -> int:
    if not part.provider_metadata:
        return 0
    count = part.provider_metadata.get(METADATA, {}).get("attachments", 0)
    return count if isinstance(count, int) else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
