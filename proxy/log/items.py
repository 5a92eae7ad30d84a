"""A conversation of the log, message by message and item by item.

An item's id names its turn or the hash of its message (`items/ids`). A hash covers all that stands before the
message: where something is taken out of a conversation, or other instructions are put before it, the messages
behind it get other hashes. Their items go on by the ids that they had: `keep` notes these.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from secrets import token_hex
from typing import Any, NamedTuple

from llm.logs import HASH_PREFIX, LogStore
from llm.parts import Message

from ..items.output import Item, message_items
from ..settings import ReasoningDisplay
from .fingerprint import tool_calls
from .logged_turn import StoredMessage
from .queries import load_chain

TURNS = """
select turns.tip_message_hash, turns.id, turns.parent_message_hash, coalesce(request.added, 0)
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.thread_id = :thread or turns.id is :own
order by turns.id is :own desc, turns.id
"""
# Of each of these hashes one, though thousands may have come to it; no id of another actor's turn is shown.
OTHERS = """
select turns.tip_message_hash, turns.id, turns.parent_message_hash, coalesce(request.added, 0)
from json_each(:hashes) as place
join turns on turns.rowid = (
    select other.rowid from turns as other left join gpt_oss_requests as asked on asked.turn_id = other.id
    where other.tip_message_hash = place.value and asked.actor is :actor order by other.rowid limit 1
)
left join gpt_oss_requests as request on request.turn_id = turns.id
"""
KEPT = """
select message_hash, n, item_id from json_each(:hashes) as place
join gpt_oss_items on gpt_oss_items.message_hash = place.value and gpt_oss_items.thread_id = :thread
"""
# Whoever asked first: others, the shell too, may have gone on.
OWNER = """
select case when conversation.thread_id is null then (
    select request.actor from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.thread_id = threads.id order by turns.id limit 1
) else conversation.actor end
from threads left join gpt_oss_conversations as conversation on conversation.thread_id = threads.id
where threads.id = ?
"""
CUSTOM = "select call_id from gpt_oss_custom_calls where call_id in (select value from json_each(?))"


@dataclass(frozen=True, slots=True)
class ItemEntry:
    """An item. `message` has nothing else in it; in the log it is item `n` of the message with `hash`.
    `custom` are the ids of calls of custom tools.
    """

    id: str
    hash: str
    n: int
    message: Message
    custom: Container[str]

    def item(self, *, shown: ReasoningDisplay = "text", sealed: bool = False) -> Item:
        (item,) = message_items(
            self.message, "", custom_call_ids=self.custom, display=shown, include_encrypted=sealed
        )
        return {**item, "id": self.id}


class _Turn(NamedTuple):
    tip: int
    id: str
    parent: str | None
    added: int


class ItemChain:
    """`messages` are the thread's up to `tip`, less the `added` that were put before them for an answer.

    `own` is the turn whose answer it ends with, where others may have ended there too.
    """

    def __init__(self, log: LogStore, thread_id: str, tip: str | None, own: str | None = None) -> None:
        self._log = log
        self._thread_id = thread_id
        whole = load_chain(log, tip)
        turns = self._turns([each.hash for each in whole], own)
        self.added = turns[-1].added if turns else 0
        self._sources = _sources(whole, turns)
        self.messages = whole[self.added :]

    def entries(self) -> list[ItemEntry]:
        hashes = json.dumps([each.hash for each in self.messages])
        kept = self._log.db.conn.execute(KEPT, {"hashes": hashes, "thread": self._thread_id})
        ids = {(hash, n): id for hash, n, id in kept}
        return [replace(each, id=ids.get((each.hash, each.n), each.id)) for each in self._entries()]

    def _entries(self) -> Iterator[ItemEntry]:
        "With the ids that say where they are found."
        custom = self._custom()
        counts: Counter[str] = Counter()
        for each in self.messages:
            source = self._sources.get(each.hash, each.hash.removeprefix(HASH_PREFIX))
            for n, one in enumerate(split_items(each.message)):
                (item,) = message_items(one, source, counts[source], custom)
                counts[source] += 1
                yield ItemEntry(item["id"], each.hash, n, one, custom)

    def _turns(self, hashes: Sequence[str], own: str | None) -> list[_Turn]:
        "One for each message that turns ended with: of several `own`, or the thread's first, or another's."
        connection = self._log.db.conn
        found: dict[str, tuple[Any, ...]] = {}
        for tip, *turn in connection.execute(TURNS, {"thread": self._thread_id, "own": own}):
            found.setdefault(tip, tuple(turn))
        others = json.dumps([hash for hash in hashes if hash not in found])
        given = {"hashes": others, "actor": thread_owner(connection, self._thread_id)}
        found |= {tip: tuple(turn) for tip, *turn in connection.execute(OTHERS, given)}
        return [_Turn(place, *found[hash]) for place, hash in enumerate(hashes) if hash in found]

    def _custom(self) -> frozenset[str]:
        made = [call.tool_call_id for call in tool_calls([each.message for each in self.messages])]
        rows = self._log.db.conn.execute(CUSTOM, [json.dumps(made)])
        return frozenset(call_id for (call_id,) in rows)


def _sources(chain: Sequence[StoredMessage], turns: Sequence[_Turn]) -> Mapping[str, str]:
    "Which turn put a message out: those that stand behind what it was asked with, up to its tip."
    places = {each.hash: place for place, each in enumerate(chain)}
    sources: dict[str, str] = {}
    for turn in turns:
        first = places[turn.parent] + 1 if turn.parent else 0
        for each in chain[first : turn.tip + 1]:
            sources.setdefault(each.hash, turn.id)
    return sources


def split_items(message: Message) -> list[Message]:
    "Each item of a message as a message of its own."
    if message.role not in ("assistant", "tool"):
        return [message]
    ones = [replace(message, parts=[part]) for part in message.parts]
    return [one for one in ones if message_items(one, "")]


def thread_owner(connection: sqlite3.Connection, thread_id: str) -> str | None:
    "The actor whose thread it is; None, too, for the shell and for a thread that is not there."
    row = connection.execute(OWNER, [thread_id]).fetchone()
    return str(row[0]) if row and row[0] is not None else None


def keep_item_ids(log: LogStore, thread_id: str, ids: Sequence[str], entries: Sequence[ItemEntry]) -> None:
    """Notes by which ids the thread's entries go: the first by these, the others by those that they have.

    Where two would go by one the later gets another: a message that is taken out of several that are alike
    leaves its place, and with it its hash, to the next.
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
    "Whether items of the thread go by other ids than those that say where they are found."
    found = connection.execute("select 1 from gpt_oss_items where thread_id = ?", [thread_id])
    return found.fetchone() is not None
