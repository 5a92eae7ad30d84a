"""Reads a conversation: its messages, the turns that added them, and where other conversations branch off.

A conversation is a chain of messages. A turn adds the last of its prompt's messages and its answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import sqlite_utils
from llm.logs import LogStore
from llm.parts import Message

from ...log.logged_turn import StoredMessage
from ...log.queries import load_message

# Turns that end with a message of the chain. Those that failed without an answer end with their prompt.
OWN_TURNS = """
select turns.tip_message_hash, turns.id, turns.parent_message_hash from turns
where turns.thread_id = :thread or turns.id = :focus
order by turns.id
"""
# Only one turn for each message: thousands of other threads may begin in the same way.
OTHER_TURNS = """
select hash.value, turns.id, turns.parent_message_hash
from json_each(?) as hash
join turns on turns.rowid = (
    select min(other.rowid) from turns as other where other.tip_message_hash = hash.value
)
"""
# For one message: how many branches are read, and how many turns that end with it are shown.
MAX_BRANCHES = 10
MAX_TURNS = 20
# How many turns of a thread that are not in the conversation are listed. The latest are.
MAX_ELSEWHERE = 50
# How many messages with tool results are read after the calls of a turn.
MAX_RESULTS = 50
BRANCHES = f"""
select parent.value as parent, child.hash, child.role, (
    select coalesce(substr(parts.text, 1, 200), parts.tool_name) from parts
    where parts.message_hash = child.hash and parts.type <> 'reasoning'
    order by parts.position limit 1
) as text
from json_each(?) as parent
join messages as child on child.rowid in (
    select next.rowid from messages as next where next.parent_hash = parent.value
    order by next.rowid limit {MAX_BRANCHES + 1}
)
"""
# The nearest turn that ends with a message or with one that follows it, among the next 500 messages.
NEAREST_TURN = """
with recursive following (hash, depth) as (
    select ?, 0
    union all
    select messages.hash, depth + 1 from following join messages on messages.parent_hash = following.hash
    limit 500
)
select turns.id from following join turns on turns.tip_message_hash = following.hash
order by following.depth, turns.id limit 1
"""
# The tool results that follow the last message of a turn. Of several branches, the first one counts.
NEXT_RESULTS = f"""
with recursive following (hash, role, depth) as (
    select ?, 'tool', 0
    union all
    select next.hash, next.role, depth + 1 from following join messages as next on next.rowid = (
        select min(other.rowid) from messages as other
        where other.parent_hash = following.hash and other.role = 'tool'
    )
    where depth < {MAX_RESULTS}
)
select hash from following where depth > 0 order by depth
"""


class ReadOnlyLog(LogStore):
    "llm's store on a read-only connection. It applies no migrations."

    def __init__(self, connection: object) -> None:
        self.db = sqlite_utils.Database(connection)  # type: ignore[arg-type]


class Branch(NamedTuple):
    "Another continuation: the role and the beginning of its first message, and a turn that contains it."

    role: str
    text: str
    turn_id: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages that one turn added to a conversation: those from `start` up to `end`.

    The turn's answer begins at `answer`. `turn_id` is None for messages that no turn ends with.
    """

    turn_id: str | None
    start: int
    answer: int
    end: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """`elsewhere` are turns of the thread that are not in this conversation, such as those that failed.

    `results` are the messages with results of the last message's calls. They follow the conversation.
    """

    messages: Sequence[StoredMessage]
    exchanges: Sequence[Exchange]
    elsewhere: Sequence[str] = ()
    results: Sequence[Message] = ()

    @property
    def instructions(self) -> int:
        "How many messages at the beginning are instructions."
        roles = (stored.message.role for stored in self.messages)
        return next((n for n, role in enumerate(roles) if role != "system"), len(self.messages))

    def with_last_turn(self, turn_id: str, answer: int) -> Conversation:
        "Return it with the unlogged turn that added the last messages. Its answer begins at `answer`."
        length = len(self.messages)
        *logged, last = self.exchanges or [Exchange(None, 0, 0, 0)]
        if last.turn_id is None:
            return replace(self, exchanges=[*logged, Exchange(turn_id, last.start, answer, length)])
        return replace(self, exchanges=[*logged, last, Exchange(turn_id, length, length, length)])


class _Ended(NamedTuple):
    "A turn that ended with a message, and the place of its answer."

    turn_id: str
    answer: int


def read_conversation(
    log: LogStore, messages: Sequence[StoredMessage], thread_id: str | None, focus: str | None = None
) -> Conversation:
    """Find the turns that added these messages, which need not be in the database.

    If turns of several threads end with the same message, only those of the thread `thread_id` count, and of
    these the last MAX_TURNS. The turn `focus` always counts.
    """
    places = {stored.hash: place for place, stored in enumerate(messages)}
    turns: dict[int, list[_Ended]] = {}
    elsewhere: list[str] = []
    own_turns = log.db.conn.execute(OWN_TURNS, {"thread": thread_id, "focus": focus}).fetchall()
    others = json.dumps([*{*places} - {tip for tip, _, _ in own_turns}])
    for tip, turn_id, parent in (*own_turns, *log.db.conn.execute(OTHER_TURNS, [others])):
        if tip in places:
            # If the parent is not in the chain, the turn's prompt was empty.
            ended = _Ended(turn_id, places.get(parent, -1) + 1)
            turns.setdefault(places[tip], []).append(ended)
        else:
            elsewhere.append(turn_id)
    return Conversation(
        messages,
        _exchanges(turns, len(messages), focus),
        elsewhere[-MAX_ELSEWHERE:],
        _results(log, messages),
    )


def _results(log: LogStore, messages: Sequence[StoredMessage]) -> list[Message]:
    if not messages:
        return []
    rows = log.db.conn.execute(NEXT_RESULTS, [messages[-1].hash])
    found = (load_message(log, hash) for (hash,) in rows.fetchall())
    return [message for message in found if message]


def _exchanges(turns: Mapping[int, Sequence[_Ended]], length: int, focus: str | None) -> list[Exchange]:
    exchanges: list[Exchange] = []
    start = 0
    for place in sorted(turns):
        # The focus comes last, so that it is never cut off.
        ended = sorted(turns[place], key=lambda turn: (turn.turn_id == focus, turn.turn_id))
        for turn_id, answer in ended[-MAX_TURNS:]:
            exchanges.append(Exchange(turn_id, start, max(start, answer), place + 1))
            start = place + 1
    if start < length:
        exchanges.append(Exchange(None, start, length, length))
    return exchanges


def load_branches(
    log: LogStore, conversation: Conversation, start: int, end: int, limit: int = 50
) -> dict[int, list[Branch]]:
    """Return what follows the messages from `start` up to `end` in other conversations, by message index.

    Instructions have no branches, because many conversations begin with the same ones. At most MAX_BRANCHES
    are read for a message, and `limit` in all.
    """
    messages = conversation.messages
    places = {messages[n].hash: n for n in range(max(start, conversation.instructions), end)}
    branches: dict[int, list[Branch]] = {}
    found = 0
    for parent, child, role, text in log.db.conn.execute(BRANCHES, [json.dumps([*places])]).fetchall():
        place = places[parent]
        if place + 1 < len(messages) and messages[place + 1].hash == child:
            continue
        row = log.db.conn.execute(NEAREST_TURN, [child]).fetchone()
        if row and found < limit:
            found += 1
            branches.setdefault(place, []).append(Branch(role, text or "", row[0]))
    return branches
