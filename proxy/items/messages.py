"""Converts the items of a request to llm's messages.

Consecutive items of the assistant (reasoning, texts, calls) become one message, as they are in the log. A
compaction item becomes a message with its summary. The items before it stay, because
`/v1/responses/compact` returns user messages before it that clients are meant to send along
(https://developers.openai.com/api/docs/guides/compaction).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR, tool_call_part

from ..generation import CustomCall
from ..http.errors import ApiError
from .call_ids import CallIds
from .content import (
    Content,
    assistant_parts,
    content_metadata,
    joined_text,
    refuse_attachments,
    text_parts,
)
from .encrypted_content import from_encrypted_content, read_encrypted_content
from .ids import parse_item_id
from .summary import summary_message
from .wire import (
    AnyItem,
    CompactionItem,
    CustomToolCallItem,
    FunctionCallItem,
    ItemReference,
    MessageItem,
    ReasoningItem,
    ReasoningText,
    SummaryText,
    ToolOutputItem,
)

# Separates two texts of one message.
BLANK_LINE = TextPart("\n\n", provider_metadata=SEPARATOR)


class LoggedItem(NamedTuple):
    "An item of the log, as a message that holds it alone. `is_custom_call`: it calls a custom tool."

    message: Message
    is_custom_call: bool = False


class History(NamedTuple):
    """The messages of a list of items.

    `message_of_item` has, for each item, the index of the message that it became part of. An item with
    nothing to read gets the index of the message that the assistant's next item would be part of.
    `custom_calls` are the calls of custom tools.
    """

    messages: list[Message]
    message_of_item: tuple[int, ...]
    custom_calls: frozenset[CustomCall]


def item_references(items: Iterable[AnyItem]) -> set[str]:
    "The ids of items whose content has to be looked up in the log."
    ids = {
        item.id
        for item in items
        if isinstance(item, ItemReference) or (isinstance(item, ReasoningItem) and not _own_reasoning(item))
    }
    return {id for id in ids if id and parse_item_id(id)}


def to_messages(
    items: Iterable[AnyItem], referenced: Mapping[str, LoggedItem], history: Sequence[Message] = ()
) -> History:
    """`referenced` has the items that `item_references` named and the log has. `history` is the conversation
    that the items continue.

    Raises ApiError for a reference to an unknown item, and for a compaction of another server.
    """
    builder = _HistoryBuilder(history)
    message_of_item, custom_calls = [], set()
    for item in items:
        message = _to_message(item, referenced)
        message_of_item.append(builder.add(message) if message else builder.next_index)
        if _is_custom_call(item, referenced):
            custom_calls.add(builder.last_call)
    return History(builder.messages, tuple(message_of_item), frozenset(custom_calls))


def check_newest_message(items: Iterable[AnyItem]) -> None:
    "Raises ApiError if the newest user message has an attachment. In the history, text stands for it."
    refuse_attachments([_role_and_content(item) for item in items], "input")


def _role_and_content(item: AnyItem) -> tuple[str, Content]:
    match item:
        case MessageItem(role=role, content=content):
            return role, content
        case ToolOutputItem():
            return "tool", None
        case CompactionItem():
            return "developer", None
        case _:
            return "assistant", None


class _HistoryBuilder:
    "Collects messages: merges the assistant's, and gives tool results the ids and names of their calls."

    def __init__(self, history: Iterable[Message]) -> None:
        self.messages: list[Message] = []
        # Whether the last message has a text. Searching it for each item would take long.
        self._has_text = False
        self._call_ids = CallIds()
        for message in history:
            for part in message.parts:
                if isinstance(part, ToolCallPart):
                    self._call_ids.add_call(part)
                elif isinstance(part, ToolResultPart):
                    self._call_ids.call_of(part)

    @property
    def next_index(self) -> int:
        "The index of the message that the assistant's next item would be part of."
        return len(self.messages) - (1 if self._ends_with_assistant else 0)

    @property
    def _ends_with_assistant(self) -> bool:
        return bool(self.messages) and self.messages[-1].role == "assistant"

    def add(self, message: Message) -> int:
        "Returns the index of the message that holds it now."
        if not (message.role == "assistant" and self._ends_with_assistant):
            self.messages.append(replace(message, parts=[]))
            self._has_text = False
        for part in message.parts:
            self.messages[-1].parts += self._fit(part)
            self._has_text = self._has_text or isinstance(part, TextPart)
        return len(self.messages) - 1

    @property
    def last_call(self) -> CustomCall:
        "The call that was added last, with its final id."
        calls = (part for part in reversed(self.messages[-1].parts) if isinstance(part, ToolCallPart))
        call = next(calls)
        return CustomCall(call.tool_call_id or "", call.name)

    def _fit(self, part: Part) -> list[Part]:
        "Return what to append for a part: a call or result with its final id, or text after a blank line."
        match part:
            case ToolCallPart():
                return [self._call_ids.add_call(part)]
            case ToolResultPart():
                return [self._with_call(part)]
            case TextPart() if self._ends_with_assistant and self._has_text:
                return [BLANK_LINE, part]
            case _:
                return [part]

    def _with_call(self, result: ToolResultPart) -> ToolResultPart:
        "Return the result with the id and the name of its call, if there is one."
        if call := self._call_ids.call_of(result):
            return replace(result, name=call.name, tool_call_id=call.tool_call_id)
        return result


def join_items(item_messages: Iterable[Message]) -> list[Message]:
    "Merges the assistant's consecutive messages. Each of `item_messages` holds one item (`split_items`)."
    joined: list[Message] = []
    for message in item_messages:
        if message.role == "assistant" and joined and joined[-1].role == "assistant":
            last = joined[-1]
            separator = [BLANK_LINE] if _has_text(last) and _has_text(message) else []
            joined[-1] = replace(last, parts=[*last.parts, *separator, *message.parts])
        else:
            joined.append(message)
    return joined


def _has_text(message: Message) -> bool:
    return any(isinstance(part, TextPart) for part in message.parts)


def _is_custom_call(item: AnyItem, referenced: Mapping[str, LoggedItem]) -> bool:
    if isinstance(item, ItemReference):
        return referenced[item.id].is_custom_call
    return isinstance(item, CustomToolCallItem)


def _to_message(item: AnyItem, referenced: Mapping[str, LoggedItem]) -> Message | None:
    "Return the item as a message, or None for an item with nothing to read in it."
    match item:
        case MessageItem(role="assistant", phase=phase):
            parts = assistant_parts(item.content, PREAMBLE if phase == "commentary" else None)
            return Message("assistant", parts) if parts else None
        case MessageItem(role=role):
            return Message(role, [*text_parts(item.content)])
        case ReasoningItem():
            reasoning = _reasoning(item, referenced)
            return Message("assistant", [reasoning]) if reasoning else None
        case FunctionCallItem(arguments=arguments, call_id=call_id):
            return Message("assistant", [tool_call_part(_full_name(item), arguments or "", call_id or "")])
        case CustomToolCallItem(input=text, call_id=call_id):
            call = ToolCallPart(_full_name(item), {"input": text or ""}, call_id or "")
            return Message("assistant", [call])
        case ToolOutputItem(output=output, call_id=call_id):
            result = ToolResultPart(_full_name(item), joined_text(output), call_id or "")
            return Message("tool", [replace(result, provider_metadata=content_metadata(output))])
        case ItemReference(id=id):
            if id in referenced:
                return referenced[id].message
            raise ApiError(404, f"Item with id '{id[:100]}' not found.", param="input")
        case CompactionItem(encrypted_content=token):
            return summary_message(from_encrypted_content(token))
        case _:
            return None


def _full_name(item: FunctionCallItem | CustomToolCallItem | ToolOutputItem) -> str:
    return f"{item.namespace}.{item.name}" if item.namespace and item.name else item.name or ""


def _own_reasoning(item: ReasoningItem) -> str | None:
    "Return the reasoning that the item itself carries. A summary may be shorter than that."
    return _joined(item.content) or read_encrypted_content(item.encrypted_content or "")


def _reasoning(item: ReasoningItem, referenced: Mapping[str, LoggedItem]) -> ReasoningPart | None:
    "Return the reasoning as a part. It is redacted if only another server can decrypt it."
    logged = referenced.get(item.id or "")
    texts = [part.text for part in logged.message.parts if isinstance(part, ReasoningPart)] if logged else []
    if text := _own_reasoning(item) or "".join(texts) or _joined(item.summary):
        return ReasoningPart(text)
    return ReasoningPart("", redacted=True) if item.encrypted_content else None


def _joined(texts: Sequence[ReasoningText | SummaryText] | None) -> str:
    return "\n".join(part.text for part in texts or () if part.text)
