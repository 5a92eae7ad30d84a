"""What a request names instead of sending it: the conversation that it goes on with, and items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llm.logs import HASH_PREFIX, LogStore
from llm.parts import Message

from ..items.ids import parse_item_id
from .access import Viewer
from .ids import end_time
from .items import ItemChain, split_items, thread_owner
from .queries import load_chain

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
KEPT = "select message_hash, n from gpt_oss_items where item_id = ?"
# From a message down to whatever holds it: each request goes on a few messages further, so the first is near.
# Where very many conversations begin alike it may be far, and is not looked for any longer.
HELD = """
with recursive below (hash) as (
    select hash from messages where hash = :hash
    union all
    select messages.hash from messages join below on messages.parent_hash = below.hash
    limit 10000
)
select 1 from below where exists (
    select 1 from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.tip_message_hash = below.hash and (:admin or request.actor = :actor)
        and not coalesce(request.deleted, 0)
        and (request.stored or request.endpoint is not '/v1/responses')
) or exists (
    select 1 from threads join gpt_oss_conversations as conversation on conversation.thread_id = threads.id
    where threads.tip_message_hash = below.hash and (:admin or conversation.actor = :actor)
        and not conversation.deleted
)
limit 1
"""


class Thread(NamedTuple):
    "`actor` is whose it is, `created` in seconds since 1970."

    id: str
    tip: str | None
    actor: str | None
    created: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ThreadContext:
    "`messages` are all of the conversation up to `tip`, without what was put before it for an answer."

    thread_id: str
    tip: str | None
    messages: list[Message]


def find_thread(log: LogStore, thread_id: str, viewer: Viewer) -> Thread | None:
    "None for one that is not there, or deleted, or not the viewer's."
    row = log.db.conn.execute(THREAD, [thread_id]).fetchone()
    actor = thread_owner(log.db.conn, thread_id)
    if row is None or not viewer.can_see(actor):
        return None
    tip, begun, metadata, created = row
    return Thread(thread_id, tip, actor, created or end_time(begun, 0), json.loads(metadata or "{}"))


def load_conversation(log: LogStore, thread_id: str, viewer: Viewer) -> ThreadContext | None:
    "None where there is no such thread."
    found = find_thread(log, thread_id, viewer)
    if found is None:
        return None
    messages = [each.message for each in ItemChain(log, thread_id, found.tip).messages]
    return ThreadContext(thread_id, found.tip, messages)


def find_items(log: LogStore, ids: Iterable[str], viewer: Viewer) -> dict[str, Message]:
    """Those that are found, each as a message with nothing else in it.

    What the viewer sees are the items of turns and conversations, of what these were asked with too. An item
    that stands in deleted ones only, or in responses that were not to be stored, is not found.
    """
    places = {id: place for id in ids if (place := parse_item_id(id))}
    shelf = _Shelf(log, viewer)
    shelf.fetch([source for source, _ in places.values()])
    found = {id: shelf.item(id, *place) for id, place in places.items()}
    return {id: message for id, message in found.items() if message}


class _Shelf:
    "Messages by their hashes. Chains are read once, though many items stand in one."

    def __init__(self, log: LogStore, viewer: Viewer) -> None:
        self._log = log
        self._viewer = viewer
        self._parents: dict[str, str | None] = {}
        self._messages: dict[str, Message] = {}
        self._turns: dict[str, tuple[str | None, str | None]] = {}

    def fetch(self, turn_ids: list[str]) -> None:
        "The latest first: what the others answered stands in its chain, as a rule."
        for id, tip, parent in self._log.db.conn.execute(TURN, [json.dumps(turn_ids)]).fetchall():
            self._turns[id] = tip, parent
            self._load(tip)

    def item(self, id: str, source: str, n: int) -> Message | None:
        return self._of_turn(source, n) or self._nth(HASH_PREFIX + source, n) or self._kept(id)

    def _of_turn(self, turn_id: str, n: int) -> Message | None:
        hash, parent = self._turns.get(turn_id, (None, None))
        answer: list[str] = []
        while hash is not None and hash != parent:
            answer.insert(0, hash)
            hash = self._parents[hash]
        places = [
            (hash, place) for hash in answer for place, _ in enumerate(split_items(self._messages[hash]))
        ]
        return self._nth(*places[n]) if n < len(places) else None

    def _kept(self, id: str) -> Message | None:
        rows = self._log.db.conn.execute(KEPT, [id]).fetchall()
        return next((message for row in rows if (message := self._nth(*row))), None)

    def _nth(self, hash: str, n: int) -> Message | None:
        if not self._held(hash):
            return None
        self._load(hash)
        return dict(enumerate(split_items(self._messages[hash]))).get(n)

    def _held(self, hash: str) -> bool:
        "Whether the viewer sees anything that holds this message."
        given = {"hash": hash, "actor": self._viewer.actor, "admin": self._viewer.admin}
        return self._log.db.conn.execute(HELD, given).fetchone() is not None

    def _load(self, tip: str | None) -> None:
        if tip in self._messages:
            return
        parent = None
        for each in load_chain(self._log, tip):
            self._parents[each.hash], self._messages[each.hash] = parent, each.message
            parent = each.hash
