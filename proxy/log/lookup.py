"""Finds what a request refers to by an id: the conversation that it continues, and items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm.logs import HASH_PREFIX, LogStore
from llm.parts import Message

from ..items.ids import parse_item_id
from ..items.messages import LoggedItem
from .access import Viewer
from .fingerprint import tool_calls
from .ids import CONVERSATION_PREFIX, end_time
from .items import ItemChain, split_items, thread_owner
from .queries import load_chain, load_message

THREAD = """
select threads.tip_message_hash, threads.datetime_utc, conversation.metadata, conversation.created
from threads left join gpt_oss_conversations as conversation on conversation.thread_id = threads.id
where threads.id = ? and not coalesce(conversation.deleted, 0)
"""
TURN = """
select turns.id, turns.tip_message_hash, turns.parent_message_hash from turns
where turns.id in (select value from json_each(?))
order by turns.id desc
"""
KEPT_ITEM = "select message_hash, n from gpt_oss_items where item_id = ?"
# The first of these messages that ends a turn or conversation which the viewer sees.
VISIBLE = """
select message.value from json_each(:hashes) as message where exists (
    select 1 from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.tip_message_hash = message.value and (:admin or request.actor = :actor)
        and not coalesce(request.deleted, 0)
        and (request.stored or request.endpoint is not '/v1/responses')
) or exists (
    select 1 from threads join gpt_oss_conversations as conversation on conversation.thread_id = threads.id
    where threads.tip_message_hash = message.value and (:admin or conversation.actor = :actor)
        and not conversation.deleted
)
limit 1
"""
LATER = """
select messages.hash, messages.parent_hash
from json_each(?) as message join messages on messages.parent_hash = message.value
"""
# How many messages are searched for one that ends a turn. A request adds a few, so the first is near. If very
# many conversations have the same beginning it may be far.
MAX_SEARCHED = 10_000
# Whether a call is of a custom tool in a thread of the viewer.
CUSTOM_CALL = """
select 1 from gpt_oss_custom_calls as custom
where custom.call_id = ?1 and custom.name = ?2 and (
    ?3
    or exists (
        select 1 from turns join gpt_oss_requests as request on request.turn_id = turns.id
        where turns.thread_id = custom.thread_id and request.actor = ?4
    )
    or exists (
        select 1 from gpt_oss_conversations as conversation
        where conversation.thread_id = custom.thread_id and conversation.actor = ?4
    )
)
limit 1
"""


class Thread(NamedTuple):
    "`actor` is its owner, `created` in seconds since 1970."

    id: str
    tip: str | None
    actor: str | None
    created: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ThreadContext:
    "`messages` are those of the conversation up to `tip`, without instructions added for one answer."

    thread_id: str
    tip: str | None
    messages: list[Message]


def parse_conversation_id(conversation_id: str) -> str:
    "The id of the conversation's thread. Empty if this is not the id of a conversation: no thread has that."
    if not conversation_id.startswith(CONVERSATION_PREFIX):
        return ""
    return conversation_id.removeprefix(CONVERSATION_PREFIX)


def find_thread(log: LogStore, thread_id: str, viewer: Viewer) -> Thread | None:
    "Return the thread, or None if it does not exist, is deleted, or is not visible to the viewer."
    row = log.db.conn.execute(THREAD, [thread_id]).fetchone()
    actor = thread_owner(log.db.conn, thread_id)
    if row is None or not viewer.can_see(actor):
        return None
    tip, datetime_utc, metadata, created = row
    return Thread(thread_id, tip, actor, created or end_time(datetime_utc, 0), json.loads(metadata or "{}"))


def load_conversation(log: LogStore, thread_id: str, viewer: Viewer) -> ThreadContext | None:
    "Return the conversation of a thread, or None if `find_thread` returns None."
    thread = find_thread(log, thread_id, viewer)
    if thread is None:
        return None
    messages = [stored.message for stored in ItemChain(log, thread_id, thread.tip).messages]
    return ThreadContext(thread_id, thread.tip, messages)


def find_items(log: LogStore, ids: Iterable[str], viewer: Viewer) -> dict[str, LoggedItem]:
    """Return the items with these ids.

    A viewer sees the items of turns and conversations, including those of their prompts. The result lacks
    items that occur only in deleted turns and conversations, or in responses that the client did not want
    stored.
    """
    sources = {id: source for id in ids if (source := parse_item_id(id))}
    finder = _ItemFinder(log, viewer)
    finder.load_turns([source for source, _ in sources.values()])
    items = {id: finder.find(id, *source) for id, source in sources.items()}
    return {
        id: LoggedItem(message, _is_custom_call(log, message, viewer))
        for id, message in items.items()
        if message
    }


def _is_custom_call(log: LogStore, item: Message, viewer: Viewer) -> bool:
    "Whether the item calls a custom tool."
    for call in tool_calls([item]):
        values = [call.tool_call_id, call.name, viewer.admin, viewer.actor]
        return log.db.conn.execute(CUSTOM_CALL, values).fetchone() is not None
    return False


class _ItemFinder:
    "Finds items in chains of messages. Each chain is read once, although it may contain many of the items."

    def __init__(self, log: LogStore, viewer: Viewer) -> None:
        self._log = log
        self._viewer = viewer
        self._parents: dict[str, str | None] = {}
        self._messages: dict[str, Message] = {}
        self._turns: dict[str, tuple[str | None, str | None]] = {}
        # What was found for one item serves the others of the same turn or message.
        self._positions: dict[str, Sequence[tuple[str, int]]] = {}
        self._items: dict[str, Sequence[Message]] = {}
        self._visible: dict[str, bool] = {}

    def load_turns(self, turn_ids: list[str]) -> None:
        "Reads the chains of turns, the latest first: it usually contains the earlier ones."
        for id, tip, parent in self._log.db.conn.execute(TURN, [json.dumps(turn_ids)]).fetchall():
            self._turns[id] = tip, parent
            self._load(tip)

    def find(self, id: str, source: str, n: int) -> Message | None:
        "Item `n` of the source. A source is the id of a turn, or the hash of a message without its prefix."
        return self._in_turn(source, n) or self._in_message(HASH_PREFIX + source, n) or self._with_kept_id(id)

    def _in_turn(self, turn_id: str, n: int) -> Message | None:
        positions = self._positions_in_turn(turn_id)
        return self._in_message(*positions[n]) if n < len(positions) else None

    def _positions_in_turn(self, turn_id: str) -> Sequence[tuple[str, int]]:
        "The message of each item of a turn's answer, and the item's place in it."
        if turn_id not in self._positions:
            hash, parent = self._turns.get(turn_id, (None, None))
            answer: list[str] = []
            while hash is not None and hash != parent:
                answer.append(hash)
                hash = self._parents[hash]
            self._positions[turn_id] = [
                (hash, index) for hash in reversed(answer) for index in range(len(self._items_of(hash)))
            ]
        return self._positions[turn_id]

    def _items_of(self, hash: str) -> Sequence[Message]:
        if hash not in self._items:
            message = self._messages.get(hash) or load_message(self._log, hash)
            self._items[hash] = split_items(message) if message else []
        return self._items[hash]

    def _with_kept_id(self, id: str) -> Message | None:
        rows = self._log.db.conn.execute(KEPT_ITEM, [id]).fetchall()
        return next((message for row in rows if (message := self._in_message(*row))), None)

    def _in_message(self, hash: str, n: int) -> Message | None:
        if not self._is_visible(hash):
            return None
        items = self._items_of(hash)
        return items[n] if n < len(items) else None

    def _is_visible(self, hash: str) -> bool:
        "Whether the viewer sees a turn or conversation that includes this message."
        parents: dict[str, str | None] = {hash: None}
        level = [hash]
        while level and len(parents) <= MAX_SEARCHED:
            reached = self._visible_one(level)
            if reached:
                while reached:
                    self._visible[reached] = True
                    reached = parents[reached]
                return True
            rows = self._log.db.conn.execute(LATER, [json.dumps(level)])
            later = {each: parent for each, parent in rows if self._visible.get(each, True)}
            parents |= later
            level = [*later]
        if not level:  # nothing that includes it is visible
            self._visible |= dict.fromkeys(parents, False)
        return False

    def _visible_one(self, hashes: Sequence[str]) -> str | None:
        "One of these messages that is known to be visible, or that ends something visible."
        for hash in hashes:
            if self._visible.get(hash):
                return hash
        unknown = json.dumps([hash for hash in hashes if hash not in self._visible])
        parameters = {"hashes": unknown, "actor": self._viewer.actor, "admin": self._viewer.admin}
        row = self._log.db.conn.execute(VISIBLE, parameters).fetchone()
        return str(row[0]) if row else None

    def _load(self, tip: str | None) -> None:
        if tip in self._messages:
            return
        parent = None
        for stored in load_chain(self._log, tip):
            self._parents[stored.hash], self._messages[stored.hash] = parent, stored.message
            parent = stored.hash
