"""Turns the messages of a conversation into the entries that a page shows. Pure.

A tool result is moved beside the call that it answers, although it arrives with a later prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm import Attachment
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart


@dataclass(frozen=True, slots=True)
class File:
    "An attachment, without its content. `size` is in bytes; `source` is a URL or a path."

    type: str
    size: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    "Reasoning. The text is empty if the provider kept it secret (`hidden`)."

    text: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    "What a tool returned. `exception` is the error that it raised."

    name: str
    output: str
    exception: str | None = None
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class Called:
    "A tool call and its results from later messages: usually one, or none if the call was not answered."

    name: str
    arguments: Mapping[str, Any]
    call_id: str | None
    results: list[Result] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Returned:
    "A result without its call."

    result: Result


@dataclass(frozen=True, slots=True)
class Attached:
    role: str
    file: File


Entry = Speech | Thought | Called | Returned | Attached


def entries(messages: Sequence[Message]) -> list[list[Entry]]:
    "Return the entries of each message. A message has none if all of its results were moved to their calls."
    calls = _OpenCalls()
    return [
        [entry for part in message.parts if (entry := _entry(part, message.role, calls))]
        for message in messages
    ]


class _OpenCalls:
    "The calls so far. Ids may repeat: a result answers the last call with its id."

    def __init__(self) -> None:
        self._by_id: dict[str, Called] = {}
        self._unnamed: dict[str, list[Called]] = {}

    def add(self, call: Called) -> None:
        if call.call_id:
            self._by_id[call.call_id] = call
        else:
            self._unnamed.setdefault(call.name, []).append(call)

    def answer(self, call_id: str | None, result: Result) -> bool:
        "Add the result to its call: by id, or by name if it has no id. Return False if there is none."
        unnamed = self._unnamed.get(result.name)
        call = self._by_id.get(call_id) if call_id else unnamed.pop(0) if unnamed else None
        if call is None:
            return False
        call.results.append(result)
        return True


def _entry(part: Part, role: str, calls: _OpenCalls) -> Entry | None:
    match part:
        case TextPart(text=text):
            return Speech(role, text)
        case ReasoningPart(text=text, redacted=redacted):
            return Thought(text, hidden=redacted and not text)
        case ToolCallPart(name=name, arguments=arguments, tool_call_id=call_id):
            call = Called(name, arguments, call_id)
            calls.add(call)
            return call
        case ToolResultPart(tool_call_id=call_id, attachments=attachments):
            files = tuple(_file(attachment) for attachment in attachments)
            result = Result(part.name, part.output, part.exception, files)
            return None if calls.answer(call_id, result) else Returned(result)
        case AttachmentPart(attachment=attachment):
            return Attached(role, _file(attachment))
        case _:
            raise TypeError(f"no entry for {part!r}")


def _file(attachment: Attachment | None) -> File:
    "Describe an attachment without loading it: no path is opened, and no URL is fetched."
    if attachment is None:
        return File("file")
    size = len(attachment.content) if attachment.content else None
    return File(attachment.type or "file", size, attachment.url or attachment.path)
