"""Replaces what the user's patterns match in all texts of a turn, before it is written to the log.

The model and the clients of the server still get the original text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import llm
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm.utils import Fragment

from ..llm_internals import messages_so_far, replace_texts
from .secret_patterns import Pattern, load_patterns

MARKER = "[redacted]"

# The fields of a part that hold texts. `text_ref` is llm's, for a text that contains fragments.
PAYLOAD_TEXTS = ("text", "text_ref", "arguments", "output", "exception", "provider_metadata")
# A pattern may read the rest of the text for each match. After this many matches, the rest is redacted as a
# whole, so that the time stays linear.
MAX_MATCHES = 10_000
# Half a surrogate pair, which a model may write. It is not valid in UTF-8, which RE2 reads.
_SURROGATE = "[\ud800-\udfff]"


class Redaction(NamedTuple):
    "Patterns, with methods that redact values of all kinds. Without patterns they return their argument."

    patterns: Sequence[Pattern] = ()

    @classmethod
    def load(cls) -> Redaction:
        "The patterns of the user's file. Raises GptOssError for a file with a mistake."
        return cls(load_patterns())

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def text(self, text: str) -> str:
        "Redact a text, without its markers: redacting it again changes neither the text nor its hash."
        if not self.patterns:
            return text
        return MARKER.join(map(self._between_markers, text.split(MARKER)))

    def value(self, value: Any) -> Any:
        "Redact all texts in a JSON value. Names in objects stay."
        if not self.patterns:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {name: self.value(each) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
        return value

    def message(self, message: Message) -> Message:
        if not self.patterns:
            return message
        metadata = self.value(message.provider_metadata)
        return replace(message, parts=[*map(self.part, message.parts)], provider_metadata=metadata)

    def part(self, part: Part) -> Part:
        match part:
            case TextPart() | ReasoningPart() | ToolCallPart() | ToolResultPart():
                fields = {name: getattr(part, name) for name in PAYLOAD_TEXTS if hasattr(part, name)}
                return replace(part, **self.payload(fields))
            case AttachmentPart():
                return part
        raise TypeError(f"no redaction of {part!r}")

    def response(self, response: llm.Response) -> llm.Response:
        "Return a copy of the response to log. Its messages are redacted when they are stored."
        if not self.patterns:
            return response
        copied = copy(response)
        copied.prompt = replace_texts(response.prompt, self.text, self._fragment)
        copied.prompt.tools = [*map(self._tool, response.prompt.tools)]
        copied.prompt.schema = self.value(response.prompt.schema)
        copied.prompt.options = self._options(response.prompt.options)
        copied.response_json = self.response_json(response)
        return copied

    def response_json(self, response: llm.Response) -> Any:
        redacted = self.value(response.response_json)
        if isinstance(redacted, dict) and "logprobs" in redacted and self.patterns:
            answer = messages_so_far(response)
            if [*map(self.message, answer)] != answer:
                del redacted["logprobs"]  # they spell out the answer
        return redacted

    def payload(self, payload: dict[str, Any]) -> dict[str, Any]:
        "Redact the fields of a part as llm stores them. Ids and names of tools stay."
        redacted = {
            name: self.value(value) if name in PAYLOAD_TEXTS else value for name, value in payload.items()
        }
        metadata = redacted.get("provider_metadata")
        if metadata and redacted.get("arguments") != payload.get("arguments"):
            redacted["provider_metadata"] = _without_written_arguments(metadata)
        return redacted

    def _tool(self, tool: Any) -> Any:
        if not isinstance(tool, llm.Tool):
            return tool  # one of the provider's, without texts
        description = tool.description and self.text(tool.description)
        return replace(tool, description=description, input_schema=self.value(tool.input_schema))

    def _options(self, options: llm.Options) -> llm.Options:
        redacted = {name: self.value(each) for name, each in dict(options).items()}
        changed = {name: each for name, each in redacted.items() if each != getattr(options, name)}
        return options.model_copy(update=changed)

    def _fragment(self, fragment: str) -> Fragment:
        return Fragment(self.text(fragment), getattr(fragment, "source", ""))  # type: ignore[no-untyped-call]

    def _between_markers(self, text: str) -> str:
        for pattern in self.patterns:
            readable = text if text.isascii() else re.sub(_SURROGATE, "\ufffd", text)
            kept, end = [], 0
            for match in pattern.finditer(readable):
                start, stop = match.span()
                kept.append(text[end:start])
                end = stop if len(kept) < MAX_MATCHES else len(text)
                if end == len(text):
                    break
            if kept:
                text = MARKER.join([*kept, text[end:]])
        return text


NO_REDACTION = Redaction()


def is_redacted(message: Message) -> bool:
    "Whether something in this logged message was redacted."
    return any(map(_is_redacted, message.parts))


def unredacted(sent: Message, logged: Message) -> Message:
    """Return the message as a client sent it, with the reasoning and the call ids of the logged one.

    If nothing in the logged message was redacted, it is returned unchanged.
    """
    if not is_redacted(logged):
        return logged
    reasoning: list[Part] = [part for part in logged.parts if isinstance(part, ReasoningPart)]
    if any(map(_is_redacted, reasoning)):
        reasoning = [part for part in sent.parts if isinstance(part, ReasoningPart)] or reasoning
    visible = [part for part in sent.parts if not isinstance(part, ReasoningPart)]
    ids = [part.tool_call_id for part in logged.parts if isinstance(part, ToolCallPart | ToolResultPart)]
    with_ids = [part for part in visible if isinstance(part, ToolCallPart | ToolResultPart)]
    if len(ids) == len(with_ids):
        remaining = iter(ids)
        visible = [
            replace(part, tool_call_id=next(remaining))
            if isinstance(part, ToolCallPart | ToolResultPart)
            else part
            for part in visible
        ]
    return replace(sent, parts=[*reasoning, *visible])


def _without_written_arguments(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a call without the arguments as the model wrote them.

    They may contain a redacted value with escapes that no pattern matches.
    """
    from ..turn.messages import (
        METADATA,  # not at the top: prompts to other plugins' models import this module
    )

    if METADATA not in metadata:
        return metadata
    ours = {name: each for name, each in metadata[METADATA].items() if name != "arguments"}
    return {**metadata, METADATA: ours}


def _is_redacted(part: Part) -> bool:
    match part:
        case TextPart() | ReasoningPart():
            return MARKER in part.text
        case ToolCallPart():
            return MARKER in str(part.arguments)
        case ToolResultPart():
            return MARKER in str(part.output)
    return False
