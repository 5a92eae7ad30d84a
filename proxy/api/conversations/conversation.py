"""Conversations in the log: each is a thread, whoever began it.

What is kept of a conversation beside its thread is in a row of its own, once it was made or changed through
the API. An item that is added or taken out leads to another chain of messages: the one before it stays in the
log, for the turns that end there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from llm.logs import LogStore
from llm.parts import Message

from ...http.errors import ApiError
from ...items.messages import History, join_items, messages, references
from ...items.wire import AnyItem
from ...log.access import Viewer
from ...log.items import ItemChain, ItemEntry, keep_item_ids, split_items
from ...log.lookup import Thread, find_items, find_thread
from ...log.threads import name_thread, new_thread_id

PREFIX = "conv_"

WRITE = """
insert into gpt_oss_conversations (thread_id, actor, metadata, created, deleted) values (?, ?, ?, ?, ?)
on conflict (thread_id) do update set metadata = excluded.metadata, deleted = excluded.deleted
"""


def find_conversation(log: LogStore, viewer: Viewer, conversation_id: str) -> Conversation:
    "Raises ApiError where there is none for this viewer."
    kept = find_thread(log, conversation_id.removeprefix(PREFIX), viewer)
    if kept is None or not conversation_id.startswith(PREFIX):
        message = f"Conversation with id '{conversation_id[:100]}' not found."
        raise ApiError(404, message, param="conversation_id")
    return Conversation(log, viewer, kept)


def create_conversation(
    log: LogStore, viewer: Viewer, sent: Sequence[AnyItem], metadata: Mapping[str, str], now: int
) -> Conversation:
    "`now` is in seconds since 1970. Raises ApiError for items that cannot be taken."
    thread_id = log.create_thread(id=new_thread_id())
    conversation = Conversation(log, viewer, Thread(thread_id, None, viewer.actor, now, metadata))
    conversation.add(sent)
    return conversation


class Conversation:
    "As one viewer sees it, in a transaction where it is to be changed."

    def __init__(self, log: LogStore, viewer: Viewer, kept: Thread) -> None:
        self._log = log
        self._viewer = viewer
        self.thread = kept

    def entries(self) -> list[ItemEntry]:
        return self._chain().entries()

    def entry(self, item_id: str) -> ItemEntry:
        "Raises ApiError where there is none."
        return _entry(self.entries(), item_id)

    def relabel(self, metadata: Mapping[str, str]) -> Conversation:
        self._keep(self.thread._replace(metadata=metadata))
        return self

    def delete(self) -> None:
        "It is there no more for the API; its turns are, until they are pruned."
        self._keep(self.thread, deleted=True)

    def add(self, sent: Sequence[AnyItem]) -> list[ItemEntry]:
        "Those that were added. Raises ApiError for items that cannot be taken."
        chain = self._chain()
        before = chain.entries()
        own = self._history(sent, [each.message for each in chain.messages])
        calls = [(call_id,) for call_id in own.custom]
        self._log.db.conn.executemany("insert or ignore into gpt_oss_custom_calls values (?)", calls)
        name_thread(self._log, self.thread.id, own.messages)
        ones = [one for message in own.messages for one in split_items(message)]
        return self._follow(chain, len(chain.messages), ones, [each.id for each in before])[len(before) :]

    def take_out(self, item_id: str) -> Conversation:
        "Raises ApiError where there is no such item."
        chain = self._chain()
        entries = chain.entries()
        gone = _entry(entries, item_id)
        kept = [each.hash for each in chain.messages].index(gone.hash)
        first = [each.hash for each in entries].index(gone.hash)
        left = [each for each in entries if each is not gone]
        name_thread(self._log, self.thread.id, [each.message for each in left], gone=[gone.message])
        self._follow(chain, kept, [each.message for each in left[first:]], [each.id for each in left])
        return self

    def _chain(self) -> ItemChain:
        return ItemChain(self._log, self.thread.id, self.thread.tip)

    def _history(self, sent: Sequence[AnyItem], earlier: Sequence[Message]) -> History:
        recalled = find_items(self._log, references(sent), self._viewer)
        with _about_items():
            return messages(sent, recalled, earlier)

    def _follow(
        self, chain: ItemChain, kept: int, ones: Sequence[Message], ids: Sequence[str]
    ) -> list[ItemEntry]:
        """The first `kept` messages, and the items in `ones` behind them, are the conversation now. Its items
        go by these ids, as far as they reach."""
        while kept and ones and ones[0].role == chain.messages[kept - 1].message.role == "assistant":
            kept -= 1
            ones = [*split_items(chain.messages[kept].message), *ones]
        parent, before = self._parent(chain, kept)
        tip = self._log.ensure_chain([*before, *join_items(ones)], parent=parent)
        self._log.db["threads"].update(self.thread.id, {"tip_message_hash": tip})
        self._keep(self.thread._replace(tip=tip))
        keep_item_ids(self._log, self.thread.id, ids, self.entries())
        return self.entries()

    def _parent(self, chain: ItemChain, kept: int) -> tuple[str | None, list[Message]]:
        "The message of the log that the first `kept` end with, and what is to be written behind it first."
        if kept == len(chain.messages):
            return self.thread.tip, []
        if chain.added:  # told by turns that may not be of the new chain
            return None, [each.message for each in chain.messages[:kept]]
        return (chain.messages[kept - 1].hash if kept else None), []

    def _keep(self, kept: Thread, *, deleted: bool = False) -> None:
        self.thread = kept
        metadata = json.dumps(kept.metadata, ensure_ascii=False) if kept.metadata else None
        row = [kept.id, kept.actor, metadata, kept.created, deleted]
        self._log.db.conn.execute(WRITE, row)


def _entry(entries: Sequence[ItemEntry], item_id: str) -> ItemEntry:
    found = next((each for each in entries if each.id == item_id), None)
    if found is None:
        message = f"Item with id '{item_id[:100]}' not found in this conversation."
        raise ApiError(404, message, param="item_id")
    return found


@contextmanager
def _about_items() -> Iterator[None]:
    "What is wrong with items is told of the field that they are in here."
    try:
        yield
    except ApiError as error:
        raise ApiError(error.status, error.message, error.type, error.code, "items", error.headers) from error
