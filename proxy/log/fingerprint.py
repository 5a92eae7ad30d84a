"""Hashes what a stateless client sends back of a conversation. The form in which it sends it does not matter.

Left out are reasoning, ids, the white space around an answer, how arguments were written, and how an
assistant's texts and calls were split into messages. A client that drops or rewrites these still matches the
conversation that it continues.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, takewhile
from operator import attrgetter

from llm.logs import HASH_PREFIX, canonical_json
from llm.parts import Message, Part, TextPart, ToolCallPart, ToolResultPart
from pydantic_core import to_json

from llm_gpt_oss.turn.messages import INSTRUCTION_ROLES, METADATA, author_name

# Neighbours with one of these roles count as one message: results of several calls may come in one message or
# in several.
MERGED_ROLES = ("assistant", "tool")
# How many bytes of neighbours are hashed more than once, before the next message no longer counts as one
# with them. Only histories that no client has reach it.
MAX_REPEATED = 2**22
# How many hashes of texts are kept, because a client sends all texts of a conversation again with each turn,
# and how long such a text may be, in characters.
KEPT_HASHES = 4096
MAX_KEPT = 2000


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
    for neighbours in _neighbours(messages):
        tip = yield from _hashes(neighbours, tip)


def _neighbours(messages: Sequence[Message]) -> Iterator[list[Message]]:
    "Yield the messages that count as one."
    for role, group in groupby(messages, attrgetter("role")):
        if role in MERGED_ROLES:
            yield [*group]
        else:
            for message in group:
                yield [message]


def _hashes(neighbours: Sequence[Message], before: str | None) -> Generator[str | None, None, str | None]:
    "Yield the hash after each message of those that count as one, and return the last one."
    tip, merged = before, None
    match neighbours:
        case [Message(role=role, parts=[TextPart(text=text)]) as message] if len(text) <= MAX_KEPT:
            tip = _text_hash(role, author_name(message), text, before)
            yield tip
            return tip
    for message in neighbours:
        if merged is None or merged.is_full:
            merged = _MergedMessage(message.role, author_name(message), tip)
        merged.add(message)
        tip = merged.hash()
        yield tip
    return tip


@lru_cache(KEPT_HASHES)
def _text_hash(role: str, name: str | None, text: str, before: str | None) -> str | None:
    message = _MergedMessage(role, name, before)
    message.add_text(text)
    return message.hash()


def merges(message: Message, following: Message) -> bool:
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

    The hash is that of `llm.logs.content_hash` for `[before, author, text, calls and results]`. Each message
    continues the hash of those before it, so that the time for thousands of neighbours is linear. A text
    that follows a call comes before it in the JSON, so the calls are then hashed again. `is_full` says that
    this happened to MAX_REPEATED bytes.
    """

    __slots__ = ("_before", "_calls", "_hash", "_repeated", "_results", "_role", "_spaces", "_text_hash")

    def __init__(self, role: str, name: str | None, before: str | None) -> None:
        self._role = role
        author = f"{role}:{name}" if name else role
        self._before = before
        # The hash of the JSON up to the end of the text. A text always has a hash of its own.
        self._text_hash = blake2b(to_json((before, author)).removesuffix(b"]") + b',"', digest_size=16)
        # White space at the end of the text. It is part of the text if more text follows.
        self._spaces: list[str] | None = None
        self._calls: list[bytes] = []
        self._results: list[bytes] = []
        # The hash of the JSON up to the last call or result, unless it has to be computed again.
        self._hash: blake2b | None = None
        self._repeated = 0

    @property
    def is_full(self) -> bool:
        return self._repeated > MAX_REPEATED

    def add(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                self.add_text(part.text)
            elif isinstance(part, ToolCallPart):
                arguments = part.arguments or _unreadable_arguments(part)
                self._append(self._calls, canonical_json([part.name, arguments]).encode())
            elif isinstance(part, ToolResultPart):
                self._append(self._results, to_json([part.name, part.output]))

    def hash(self) -> str | None:
        "The hash of the conversation up to here."
        if self._spaces is None and not self._calls and not self._results:
            return self._before
        if self._hash is None:
            others = b",".join((*self._calls, *self._results))
            self._repeated += len(others)
            self._hash = self._text_hash.copy()
            self._hash.update(b'",[' + others)
        whole = self._hash.copy()
        whole.update(b"]]")
        return HASH_PREFIX + whole.hexdigest()

    def _append(self, entries: list[bytes], entry: bytes) -> None:
        if self._hash and entries is self._calls and self._results:
            self._hash = None
        elif self._hash:
            self._hash.update(b"," + entry if self._calls or self._results else entry)
        entries.append(entry)

    def add_text(self, text: str) -> None:
        if self._role != "assistant":
            written, spaces = text, ""
        elif written := text.strip():
            spaces = text[len(text.rstrip()) :]
            if self._spaces is not None:
                written = "".join((*self._spaces, text.rstrip()))
        elif self._spaces is not None:
            self._spaces.append(text)
        if written:
            self._text_hash.update(to_json(written)[1:-1])
            self._spaces, self._hash = [spaces], None


def _unreadable_arguments(part: ToolCallPart) -> str:
    "The text of arguments that are not a JSON object, which tells such calls apart."
    text = str((part.provider_metadata or {}).get(METADATA, {}).get("arguments", "")).strip()
    return text if text.replace(" ", "") != "{}" else ""
