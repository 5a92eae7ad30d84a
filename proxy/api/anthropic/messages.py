"""The messages of a request, and their conversion to llm's messages.

In Anthropic's API the results of tools come in a message of the user, before its text. llm has a message of
its own for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from llm.parts import Message, Part, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from llm_gpt_oss.turn.history import newest_user_message

from ...http.body_model import LenientBody
from ...http.errors import ApiError
from ...items.call_ids import CallIds
from ...items.messages import BLANK_LINE
from .blocks import (
    ReadableBlock,
    RedactedThinkingBlock,
    SkippedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserBlock,
    content_blocks,
)

# Claude Code sends it as the first block of `system`. It differs between requests, and with it at the
# beginning of the prompt the engine could not use its cache.
BILLING_HEADER = "x-anthropic-billing-header:"

AssistantBlock = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock


class UserMessage(LenientBody):
    role: Literal["user"]
    content: (
        str | list[Annotated[UserBlock | ToolResultBlock | SkippedBlock, Field(discriminator="type")]] | None
    ) = None

    def to_messages(self) -> Iterator[Message]:
        blocks = content_blocks(self.content)
        results: list[Part] = [block.to_part() for block in blocks if isinstance(block, ToolResultBlock)]
        texts: list[Part] = [block.to_part() for block in blocks if isinstance(block, ReadableBlock)]
        if results:
            yield Message("tool", results)
        if texts or not results:
            yield Message("user", texts)


class AssistantMessage(LenientBody):
    role: Literal["assistant"]
    content: str | list[Annotated[AssistantBlock | SkippedBlock, Field(discriminator="type")]] | None = None

    def to_messages(self) -> Iterator[Message]:
        parts: list[Part] = []
        for block in content_blocks(self.content):
            if isinstance(block, TextBlock) and any(isinstance(part, TextPart) for part in parts):
                parts.append(BLANK_LINE)
            if not isinstance(block, SkippedBlock):
                parts.append(block.to_part())
        yield Message("assistant", parts)


class SystemMessage(LenientBody):
    role: Literal["system"]
    content: str | list[TextBlock] | None = None

    def to_messages(self) -> Iterator[Message]:
        yield from system_messages(self.content)


AnyMessage = Annotated[UserMessage | AssistantMessage | SystemMessage, Field(discriminator="role")]


class History(NamedTuple):
    "`message_of_entry` has, for each entry of the request, the index of the last message made of it."

    messages: list[Message]
    message_of_entry: tuple[int, ...]


def to_history(system: Iterable[Message], entries: Sequence[AnyMessage]) -> History:
    """Return llm's messages: those of `system`, then those of the entries.

    Results of tools get the names of their calls. Raises ApiError for an image or a file in the newest
    message of the user.
    """
    call_ids = CallIds()
    messages = [*system]
    message_of_entry = []
    for entry in entries:
        for message in entry.to_messages():
            for index, part in enumerate(message.parts):
                if isinstance(part, ToolCallPart):
                    message.parts[index] = call_ids.add_call(part)
                elif isinstance(part, ToolResultPart) and (call := call_ids.call_of(part)):
                    part.name, part.tool_call_id = call.name, call.tool_call_id
            messages.append(message)
        message_of_entry.append(len(messages) - 1)
    newest = newest_user_message([message.role for message in messages])
    if newest in message_of_entry:
        _check_readable(entries, message_of_entry.index(newest))
    return History(messages, tuple(message_of_entry))


def system_messages(content: str | Iterable[TextBlock] | None) -> Iterator[Message]:
    "Yield the message with these instructions, if there are any."
    texts = [block.read() for block in content_blocks(content)]
    parts: list[Part] = [TextPart(text) for text in texts if text and not text.startswith(BILLING_HEADER)]
    if parts:
        yield Message("system", parts)


def _check_readable(entries: Sequence[AnyMessage], index: int) -> None:
    "Raises ApiError for the first image or file of an entry."
    for position, block in enumerate(content_blocks(entries[index].content)):
        if isinstance(block, ReadableBlock) and block.attachments:
            place = f"messages[{index}].content[{position}]"
            message = (
                f"gpt-oss reads text only, but '{place}' has an image or a file. Leave it out, or send what "
                "it contains as text."
            )
            raise ApiError(400, message, code="unsupported_content_type", param=place)
