"""Hashes what a stateless client sends back of a conversation. The form in which it sends it does not matter.

Left out are reasoning, ids, the white space around an answer, how arguments were written, and how an
assistant's texts and calls were split into messages. A client that drops or rewrites these still matches the
conversation that it continues.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import takewhile

from llm.logs import HASH_PREFIX, canonical_json
from llm.parts import Message, Part, TextPart, ToolCallPart, ToolResultPart
from pydantic_core import to_json

from llm_gpt_oss.turn.messages import INSTRUCTION_ROLES, METADATA, author_name

# Neighbours with one of these roles count as one message: results of several calls may come in one message or
# in several.
MERGED_ROLES = ("assistant", "tool")


def count_instructions(messages: Sequence[Message]) -> int:
    """How many messages at the beginning are instructions.

    They are hashed separately, because agents write the time of day into them.
    """
    return len(list(takewhile(lambda message: message.role in INSTRUCTION_ROLES, messages)))


def prefix_hashes(messages: Sequence[Message], before: str | None = None) -> Iterator[str | None]:
    """For each message, the hash of the conversation up to it; None as long as nothing is visible.

    `before` is the hash of the messages that precede these, the last of which has a role that does not merge
    with the first of these. A message without anything visible, such as an answer that broke off while the
    model was reasoning, changes nothing. The hashes are stored in `gpt_oss_requests.visible_tip`.
    """
    tip = before
    merged: _MergedMessage | None = None
    for message in messages:
        if merged is None or not merges(merged, message):
            before, merged = tip, _MergedMessage(message)
        merged.add(message)
        tip = merged.hash(before)
        yield tip


def merges(message: Message | _MergedMessage, following: Message) -> bool:
    "Whether a message counts as one with the message that follows it."
    return message.role == following.role and message.role in MERGED_ROLES


def looks_same(one: Message, other: Message) -> bool:
    "Whether a client sees the same in both messages."
    return [*prefix_hashes([one])] == [*prefix_hashes([other])]


def is_copy_of(message: Message, logged: Message) -> bool:
    """Whether this message of a client may be a copy of the logged one.

    Some clients leave out the text next to calls.
    """
    if any(isinstance(part, TextPart) for part in message.parts):
        return looks_same(message, logged)
    calls: list[Part] = [part for part in logged.parts if isinstance(part, ToolCallPart)]
    return looks_same(message, replace(logged, parts=calls) if calls else logged)


def tool_calls(messages: Sequence[Message]) -> list[ToolCallPart]:
    return [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]


class _MergedMessage:
    """What is visible of neighbouring messages that count as one: their author, their text, and calls and
    results as JSON.
    """

    __slots__ = ("_author", "_calls", "_results", "_text", "role")

    def __init__(self, first: Message) -> None:
        self.role = first.role
        name = author_name(first)
        self._author = f"{first.role}:{name}" if name else first.role
        self._text = ""
        self._calls: list[bytes] = []
        self._results: list[bytes] = []

    def add(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                self._text += part.text
            elif isinstance(part, ToolCallPart):
                arguments = part.arguments or _unreadable_arguments(part)
                self._calls.append(canonical_json([part.name, arguments]).encode())
            elif isinstance(part, ToolResultPart):
                self._results.append(to_json([part.name, part.output]))

    def hash(self, before: str | None) -> str | None:
        "As `llm.logs.content_hash` of `[before, author, text, calls and results]`, a few times faster."
        text = self._text.strip() if self.role == "assistant" else self._text
        others = self._calls + self._results
        if not text and not others:
            return before
        written = to_json((before, self._author, text, ()))
        if others:
            written = written.removesuffix(b"]]") + b",".join(others) + b"]]"
        return HASH_PREFIX + blake2b(written, digest_size=16).hexdigest()


def _unreadable_arguments(part: ToolCallPart) -> str:
    "The text of arguments that are not a JSON object, which tells such calls apart."
    text = str((part.provider_metadata or {}).get(METADATA, {}).get("arguments", "")).strip()
    return text if text.replace(" ", "") != "{}" else ""
