"""A conversation of the log, message by message and item by item.

The id of an item names its turn, or the hash of its message (`items/ids`). A hash covers all earlier
messages. When a message is removed, or other instructions precede the conversation, all later messages get
other hashes. Their items keep the ids that they had: `keep_item_ids` stores these.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from secrets import token_hex
from typing import Any, NamedTuple

from llm.logs import HASH_PREFIX, LogStore
from llm.parts import Message

from ..generation import CustomCall
from ..items.output import Item, message_items
from ..settings import ReasoningDisplay
from .custom_calls import find_custom_calls
from .logged_turn import LoggedTurn, StoredMessage
from .queries import load_chain

TURNS = """
select turns.tip_message_hash, turns.id, turns.parent_message_hash, coalesce(request.added, 0)
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.thread_id = :thread or turns.id is :answer_turn
order by turns.id is :answer_turn desc, turns.id
"""
# One turn for each hash, although thousands may have ended there. Another actor's turn ids are not shown.
TURNS_OF_OTHER_THREADS = """
select turns.tip_message_hash, turns.id, turns.parent_message_hash, coalesce(request.added, 0)
from json_each(:hashes) as hash
join turns on turns.rowid = (
    select other.rowid from turns as other left join gpt_oss_requests as first on first.turn_id = other.id
    where other.tip_message_hash = hash.value and first.actor is :actor order by other.rowid limit 1
)
left join gpt_oss_requests as request on request.turn_id = turns.id
"""
KEPT_IDS = """
select message_hash, n, item_id from json_each(:hashes) as hash
join gpt_oss_items on gpt_oss_items.message_hash = hash.value and gpt_oss_items.thread_id = :thread
"""
# The actor of the first turn. Others, the shell too, may have continued the thread.
OWNER = """
select case when conversation.thread_id is null then (
    select request.actor from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.thread_id = threads.id order by turns.id limit 1
) else conversation.actor end
from threads left join gpt_oss_conversations as conversation on conversation.thread_id = threads.id
where threads.id = ?
"""


@dataclass(frozen=True, slots=True)
class ItemEntry:
    """An item: the `n`th of the message that has `hash` in the log.

    `message` contains only this item. `custom` are the calls of custom tools.
    """

    id: str
    hash: str
    n: int
    message: Message
    custom: Container[CustomCall]

    def item(self, *, shown: ReasoningDisplay = "text", sealed: bool = False) -> Item:
        (item,) = message_items(
            self.message, "", custom_calls=self.custom, display=shown, include_encrypted=sealed
        )
        return {**item, "id": self.id}


class _Turn(NamedTuple):
    "A turn, with the index of its last message in the chain."

    tip: int
    id: str
    parent: str | None
    added: int


class ItemChain:
    """The messages of a thread up to `tip`, without the `added` ones that preceded them for one answer.

    `answer_turn` is the turn that produced the last message, in case several turns ended with it.
    """

    def __init__(
        self, log: LogStore, thread_id: str, tip: str | None, answer_turn: str | None = None
    ) -> None:
        self._log = log
        self._thread_id = thread_id
        chain = load_chain(log, tip)
        turns = self._turns([stored.hash for stored in chain], answer_turn)
        self.added = turns[-1].added if turns else 0
        self._sources = _sources(chain, turns)
        self.messages = chain[self.added :]

    def entries(self) -> list[ItemEntry]:
        hashes = json.dumps([stored.hash for stored in self.messages])
        rows = self._log.db.conn.execute(KEPT_IDS, {"hashes": hashes, "thread": self._thread_id})
        kept_ids = {(hash, n): id for hash, n, id in rows}
        return [
            replace(entry, id=kept_ids.get((entry.hash, entry.n), entry.id))
            for entry in _computed_entries(self.messages, self._sources, self._custom_calls())
        ]

    def _turns(self, hashes: Sequence[str], answer_turn: str | None) -> list[_Turn]:
        """A turn for each message that a turn ended with.

        If several did: `answer_turn`, or the first of this thread, or the first of another one."""
        connection = self._log.db.conn
        turns: dict[str, tuple[Any, ...]] = {}
        parameters = {"thread": self._thread_id, "answer_turn": answer_turn}
        for tip, *turn in connection.execute(TURNS, parameters):
            turns.setdefault(tip, tuple(turn))
        missing = json.dumps([hash for hash in hashes if hash not in turns])
        parameters = {"hashes": missing, "actor": thread_owner(connection, self._thread_id)}
        turns |= {tip: tuple(turn) for tip, *turn in connection.execute(TURNS_OF_OTHER_THREADS, parameters)}
        return [_Turn(index, *turns[hash]) for index, hash in enumerate(hashes) if hash in turns]

    def _custom_calls(self) -> frozenset[CustomCall]:
        messages = [stored.message for stored in self.messages]
        return find_custom_calls(self._log.db.conn, self._thread_id, messages)


def input_entries(log: LogStore, turn: LoggedTurn) -> list[ItemEntry]:
    """The items of a turn's whole input: of the conversation that it continues, and of the request itself.

    Instructions that were added for this answer are not part of it.
    """
    if turn.thread_id is not None:
        hashes = {stored.hash for stored in turn.prompt[turn.added :]}
        entries = ItemChain(log, turn.thread_id, turn.tip, turn.id).entries()
        return [entry for entry in entries if entry.hash in hashes]
    if turn.continues is not None:
        known = ItemChain(log, turn.continues.thread_id, turn.continues.tip).entries()
    else:
        known = [*_computed_entries(turn.prompt[turn.added : turn.first_input], {}, turn.custom)]
    return [*known, *request_entries(turn)]


def request_entries(turn: LoggedTurn) -> list[ItemEntry]:
    "The items of the request itself, with ids that are computed from their message."
    return [*_computed_entries(turn.prompt[turn.first_input :], {}, turn.custom)]


def answer_entries(turn: LoggedTurn) -> list[ItemEntry]:
    "The items of the turn's answer, with ids that are computed from the turn."
    sources = {stored.hash: turn.id for stored in turn.answer}
    return [*_computed_entries(turn.answer, sources, turn.custom)]


def _computed_entries(
    messages: Iterable[StoredMessage], sources: Mapping[str, str], custom: Container[CustomCall]
) -> Iterator[ItemEntry]:
    "The entries with ids that are computed from their turn in `sources`, or from their message."
    counts: Counter[str] = Counter()
    for stored in messages:
        source = sources.get(stored.hash, stored.hash.removeprefix(HASH_PREFIX))
        for n, message in enumerate(split_items(stored.message)):
            (item,) = message_items(message, source, counts[source], custom)
            counts[source] += 1
            yield ItemEntry(item["id"], stored.hash, n, message, custom)


def _sources(chain: Sequence[StoredMessage], turns: Sequence[_Turn]) -> Mapping[str, str]:
    "The turn that produced each message: a turn's answer is what follows its parent, up to its tip."
    indexes = {stored.hash: index for index, stored in enumerate(chain)}
    sources: dict[str, str] = {}
    for turn in turns:
        first = indexes[turn.parent] + 1 if turn.parent else 0
        for stored in chain[first : turn.tip + 1]:
            sources.setdefault(stored.hash, turn.id)
    return sources


def split_items(message: Message) -> list[Message]:
    "Each item of a message as a message of its own."
    if message.role not in ("assistant", "tool"):
        return [message]
    single_parts = [replace(message, parts=[part]) for part in message.parts]
    return [part for part in single_parts if message_items(part, "")]


def thread_owner(connection: sqlite3.Connection, thread_id: str) -> str | None:
    "The actor who owns a thread; None for a thread of the shell, and if there is no such thread."
    row = connection.execute(OWNER, [thread_id]).fetchone()
    return str(row[0]) if row and row[0] is not None else None


def keep_item_ids(log: LogStore, thread_id: str, ids: Sequence[str], entries: Sequence[ItemEntry]) -> None:
    """Stores the ids of the thread's entries: the first get `ids`, the others keep their own.

    If an id would be used twice the later entry gets a new one. That happens when one of several equal
    messages is removed: the next one moves to its position, and gets its hash.
    """
    used: set[str] = set()
    rows = []
    for id, entry in zip_longest(ids[: len(entries)], entries):
        id = id or entry.id
        if id in used:
            id = f"{id.partition('_')[0]}_{token_hex(16)}_0"
        used.add(id)
        if id != entry.id:
            rows.append((thread_id, entry.hash, entry.n, id))
    log.db.conn.executemany("insert or replace into gpt_oss_items values (?, ?, ?, ?)", rows)


def has_kept_ids(connection: sqlite3.Connection, thread_id: str) -> bool:
    "Whether items of the thread have other ids than those that are computed."
    row = connection.execute("select 1 from gpt_oss_items where thread_id = ?", [thread_id]).fetchone()
    return row is not None
