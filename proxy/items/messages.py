"""Items to llm's messages.

Neighbours that are an assistant's (reasoning, texts, calls) are one message, as they are in the log. A
compaction item is a message with its summary, where it stands: what comes before it stays, since
`/v1/responses/compact` gives out messages of the user before it that are meant to be sent on with it
(https://developers.openai.com/api/docs/guides/compaction).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR, tool_call_part

from ..http.errors import ApiError
from .encrypted_content import unseal
from .ids import place_of
from .summary import summarised
from .wire import (
    AnyItem,
    CompactionItem,
    Content,
    CustomToolCallItem,
    FunctionCallItem,
    ItemReference,
    MessageItem,
    OutputItem,
    ReasoningItem,
    ReasoningText,
    RefusalContent,
    SummaryText,
    TextContent,
)

# Between two texts of one message.
BLANK_LINE = TextPart("\n\n", provider_metadata=SEPARATOR)


class History(NamedTuple):
    """`sent` tells for each item which message it became; one that becomes none counts to the message that it
    stands in or before. `custom` are the ids of calls of custom tools."""

    messages: list[Message]
    sent: tuple[int, ...]
    custom: frozenset[str]


def references(items: Iterable[AnyItem]) -> set[str]:
    "The ids among the items' that the log may know more about."
    ids = {
        item.id
        for item in items
        if isinstance(item, ItemReference) or (isinstance(item, ReasoningItem) and _bare(item))
    }
    return {id for id in ids if id and place_of(id)}


def messages(
    items: Iterable[AnyItem], recalled: Mapping[str, Message], earlier: Sequence[Message] = ()
) -> History:
    """`recalled` has the items that `references` named, as far as they were found: each as a message of its
    own with nothing else in it. `earlier` is the conversation that the items go on with.

    Raises ApiError for an item that is not found, for what is no text, for encrypted content that is none of
    ours, and for the output of a call that is nowhere.
    """
    history = _History(earlier)
    sent, custom = [], set()
    for item in items:
        message = _message(item, recalled)
        sent.append(history.add(message) if message else history.at)
        if isinstance(item, CustomToolCallItem):
            custom.add(item.call_id)
    return History(history.messages, tuple(sent), frozenset(custom))


class _History:
    "Messages one after the other, as they are added."

    def __init__(self, earlier: Iterable[Message]) -> None:
        self.messages: list[Message] = []
        self._names: dict[str | None, str] = {}
        for message in earlier:
            for part in message.parts:
                self._learn(part)

    @property
    def at(self) -> int:
        "The index of the message that an assistant's next item would be part of."
        return len(self.messages) - (1 if self._answering else 0)

    @property
    def _answering(self) -> bool:
        return bool(self.messages) and self.messages[-1].role == "assistant"

    def add(self, message: Message) -> int:
        "The index of the message that it is part of now."
        if not (message.role == "assistant" and self._answering):
            self.messages.append(replace(message, parts=[]))
        for part in message.parts:
            self._learn(part)
            self.messages[-1].parts += self._fitted(part)
        return len(self.messages) - 1

    def _learn(self, part: Part) -> None:
        if isinstance(part, ToolCallPart):
            self._names[part.tool_call_id] = part.name

    def _fitted(self, part: Part) -> list[Part]:
        match part:
            case ToolResultPart(tool_call_id=call_id):
                return [replace(part, name=self._name(part, call_id))]
            case TextPart() if self._answering and _says(self.messages[-1]):
                return [BLANK_LINE, part]
            case _:
                return [part]

    def _name(self, result: ToolResultPart, call_id: str | None) -> str:
        name = self._names.get(call_id) or result.name
        if not name:
            message = f"No tool call found for the output with call_id '{(call_id or '')[:100]}'."
            raise ApiError(400, f"{message} Send the call before it.", param="input")
        return name


def join_items(ones: Iterable[Message]) -> list[Message]:
    "Items that are messages of their own (`chain.singles`), with an assistant's neighbours in one message."
    whole: list[Message] = []
    for one in ones:
        if one.role == "assistant" and whole and whole[-1].role == "assistant":
            last = whole[-1]
            gap = [BLANK_LINE] if _says(last) and _says(one) else []
            whole[-1] = replace(last, parts=[*last.parts, *gap, *one.parts])
        else:
            whole.append(one)
    return whole


def _says(message: Message) -> bool:
    return any(isinstance(part, TextPart) for part in message.parts)


def _message(item: AnyItem, recalled: Mapping[str, Message]) -> Message | None:
    "None for an item in which there is nothing to read."
    match item:
        case MessageItem(role="assistant", phase=phase):
            text = "\n".join(_texts(item.content))
            said = TextPart(text, provider_metadata=PREAMBLE if phase == "commentary" else None)
            return Message("assistant", [said]) if text else None
        case MessageItem(role=role):
            return Message(role, [TextPart(text) for text in _texts(item.content)])
        case ReasoningItem():
            thought = _thought(item, recalled)
            return Message("assistant", [ReasoningPart(thought)]) if thought else None
        case FunctionCallItem(arguments=arguments, call_id=call_id):
            return Message("assistant", [tool_call_part(_named(item), arguments, call_id)])
        case CustomToolCallItem(input=text, call_id=call_id):
            return Message("assistant", [ToolCallPart(_named(item), {"input": text}, call_id)])
        case OutputItem(call_id=call_id):
            output = "\n".join(_texts(item.output))
            return Message("tool", [ToolResultPart(_named(item), output, call_id or "")])
        case ItemReference(id=id):
            if id in recalled:
                return recalled[id]
            raise ApiError(404, f"Item with id '{id[:100]}' not found.", param="input")
        case CompactionItem(encrypted_content=token):
            return summarised(unseal(token))
        case _:
            return None


def _named(item: FunctionCallItem | CustomToolCallItem | OutputItem) -> str:
    return f"{item.namespace}.{item.name}" if item.namespace and item.name else item.name or ""


def _bare(item: ReasoningItem) -> bool:
    "Whether the item itself does not say what was thought."
    return not (_joined(item.content) or item.encrypted_content)


def _thought(item: ReasoningItem, recalled: Mapping[str, Message]) -> str:
    if not _bare(item):
        return _joined(item.content) or unseal(item.encrypted_content or "")
    found = recalled.get(item.id or "")
    thoughts = [part.text for part in found.parts if isinstance(part, ReasoningPart)] if found else []
    return "".join(thoughts) or _joined(item.summary)


def _joined(texts: Sequence[ReasoningText | SummaryText] | None) -> str:
    return "\n".join(part.text for part in texts or ())


def _texts(content: str | Iterable[Content]) -> list[str]:
    "Raises ApiError for what is no text."
    return [content] if isinstance(content, str) else [_text(part) for part in content]


def _text(part: Content) -> str:
    match part:
        case TextContent(text=text) | RefusalContent(refusal=text):
            return text
        case _:
            raise ApiError(
                400,
                f"gpt-oss reads text only: it cannot take a part of type '{part.type}'.",
                code="unsupported_content_type",
                param="input",
            )
