"""Keeps in memory the conversations that were continued last: a client sends all of one with each turn."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llm.logs import LogStore
from llm.parts import Message, ReasoningPart, TextPart, ToolResultPart

from .logged_turn import StoredMessage
from .queries import load_chain

# The limit for all chains together, in characters, and what a message counts besides its text.
MAX_SIZE = 4_000_000
MESSAGE_SIZE = 500
# How many chains are kept. Each request looks for the chain that it continues among all of them.
MAX_CHAINS = 200
# The nearest of the messages :tips that lead to :tip. A turn adds a few messages, so it is near.
NEAREST = """
with recursive chain (hash, parent, depth) as (
    select hash, parent_hash, 0 from messages where hash = :tip
    union all
    select messages.hash, messages.parent_hash, depth + 1
    from messages join chain on messages.hash = chain.parent
    limit 50
)
select hash from chain where hash in (select value from json_each(:tips)) order by depth limit 1
"""


class ChainCache:
    """Chains of messages by the hash of their last message.

    A hash covers its message and all before it, so a chain only ever grows. But once another program has
    written to the log, which may have pruned messages, everything is read anew.
    """

    def __init__(self) -> None:
        self._chains: dict[str, tuple[list[StoredMessage], int]] = {}
        self._version: tuple[LogStore, int] | None = None

    def load(self, log: LogStore, tip: str | None) -> list[StoredMessage]:
        "Like `load_chain`, but reads only messages that are not in memory."
        self._forget_changed(log)
        nearest = self._nearest(log, tip)
        chain, size = self._chains.pop(nearest, ([], 0)) if nearest else ([], 0)
        new = load_chain(log, tip, after=nearest)
        self._keep([*chain, *new], size + _size([stored.message for stored in new]))
        return [*chain, *new]

    def _forget_changed(self, log: LogStore) -> None:
        # Other connections change it. See https://www.sqlite.org/pragma.html#pragma_data_version
        (number,) = log.db.conn.execute("pragma data_version").fetchone()
        if (log, number) != self._version:
            self._chains.clear()
            self._version = log, number

    def _nearest(self, log: LogStore, tip: str | None) -> str | None:
        if not self._chains:
            return None
        arguments = {"tip": tip, "tips": json.dumps([*self._chains])}
        row = log.db.conn.execute(NEAREST, arguments).fetchone()
        return row[0] if row else None

    def _keep(self, chain: list[StoredMessage], size: int) -> None:
        if chain and size <= MAX_SIZE:
            self._chains[chain[-1].hash] = chain, size
        while len(self._chains) > MAX_CHAINS or sum(size for _, size in self._chains.values()) > MAX_SIZE:
            del self._chains[next(iter(self._chains))]


def _size(messages: Sequence[Message]) -> int:
    "About how much memory these messages take, in characters."
    size = MESSAGE_SIZE * len(messages)
    for message in messages:
        for part in message.parts:
            if isinstance(part, TextPart | ReasoningPart):
                size += len(part.text)
            elif isinstance(part, ToolResultPart):
                size += len(str(part.output))
            else:
                size += len(str(part.to_dict()))
    return size
