"""Conversations in the log. Each is one of llm's threads, whichever program created it.

A conversation that was created or changed through the API also has a row of its own. Messages in the log
never change: adding or deleting an item makes a new chain of them, and turns keep the one they ended with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from llm.parts import Message

from llm_gpt_oss.log.redacting_store import RedactingStore

from ...http.errors import ApiError
from ...items.messages import History, item_references, join_items, to_messages
from ...items.wire import AnyItem
from ...log.access import Viewer
from ...log.custom_calls import insert_custom_calls
from ...log.items import ItemChain, ItemEntry, keep_item_ids, split_items
from ...log.lookup import Thread, find_items, find_thread, parse_conversation_id
from ...log.thread_names import name_thread, new_thread_id

SAVE = """
insert into gpt_oss_conversations (thread_id, actor, metadata, created, deleted) values (?, ?, ?, ?, ?)
on conflict (thread_id) do update set metadata = excluded.metadata, deleted = excluded.deleted
"""


def find_conversation(log: RedactingStore, viewer: Viewer, conversation_id: str) -> Conversation:
    "Return the conversation with this id. Raises ApiError if the viewer has no such conversation."
    thread = find_thread(log, parse_conversation_id(conversation_id), viewer)
    if thread is None:
        message = f"Conversation with id '{conversation_id[:100]}' not found."
        raise ApiError(404, message, param="conversation_id")
    return Conversation(log, viewer, thread)


def create_conversation(
    log: RedactingStore, viewer: Viewer, items: Sequence[AnyItem], metadata: Mapping[str, str], now: int
) -> Conversation:
    """Create a conversation with these items. `now` is in seconds since 1970.

    Raises ApiError for items that cannot be used.
    """
    thread_id = log.create_thread(id=new_thread_id())
    conversation = Conversation(log, viewer, Thread(thread_id, None, viewer.actor, now, metadata))
    conversation.add(items)
    return conversation


class Conversation:
    "A conversation as one viewer sees it. Change it inside a transaction only."

    def __init__(self, log: RedactingStore, viewer: Viewer, thread: Thread) -> None:
        self._log = log
        self._viewer = viewer
        self.thread = thread

    def entries(self) -> list[ItemEntry]:
        return self._chain().entries()

    def entry(self, item_id: str) -> ItemEntry:
        "Return the entry of an item. Raises ApiError if there is no such item."
        return _find_entry(self.entries(), item_id)

    def update_metadata(self, metadata: Mapping[str, str]) -> Conversation:
        self._save(self.thread._replace(metadata=metadata))
        return self

    def delete(self) -> None:
        "Hides the conversation from the API. The log keeps its turns until they are pruned."
        self._save(self.thread, deleted=True)

    def add(self, items: Sequence[AnyItem]) -> list[ItemEntry]:
        "Add items to the end, and return their entries. Raises ApiError for items that cannot be used."
        chain = self._chain()
        entries = chain.entries()
        added = self._to_messages(items, [each.message for each in chain.messages])
        insert_custom_calls(self._log.db.conn, self.thread.id, added.custom_calls)
        name_thread(self._log, self.thread.id, added.messages)
        new_items = [item for message in added.messages for item in split_items(message)]
        ids = [entry.id for entry in entries]
        return self._replace_tail(chain, len(chain.messages), new_items, ids)[len(entries) :]

    def remove(self, item_id: str) -> Conversation:
        "Remove an item. Raises ApiError if there is no such item."
        chain = self._chain()
        entries = chain.entries()
        removed = _find_entry(entries, item_id)
        # The message with the item and all after it get other hashes, so they are written again.
        unchanged = [message.hash for message in chain.messages].index(removed.hash)
        first = [entry.hash for entry in entries].index(removed.hash)
        remaining = [entry for entry in entries if entry is not removed]
        messages = [entry.message for entry in remaining]
        name_thread(self._log, self.thread.id, messages, removed=[removed.message])
        self._replace_tail(chain, unchanged, messages[first:], [entry.id for entry in remaining])
        return self

    def _chain(self) -> ItemChain:
        return ItemChain(self._log, self.thread.id, self.thread.tip)

    def _to_messages(self, items: Sequence[AnyItem], history: Sequence[Message]) -> History:
        referenced = find_items(self._log, item_references(items), self._viewer)
        with _attribute_to_items():
            return to_messages(items, referenced, history)

    def _replace_tail(
        self, chain: ItemChain, unchanged: int, items: Sequence[Message], ids: Sequence[str]
    ) -> list[ItemEntry]:
        """Replace everything after the first `unchanged` messages of the chain with `items`.

        Each of `items` is a message that holds one item. `ids` are the ids of the conversation's items; items
        beyond those get ids by their place in the log. Returns all entries.
        """
        while (
            unchanged and items and items[0].role == chain.messages[unchanged - 1].message.role == "assistant"
        ):
            unchanged -= 1
            items = [*split_items(chain.messages[unchanged].message), *items]
        parent, copied = self._parent(chain, unchanged)
        tip = self._log.ensure_chain([*copied, *join_items(items)], parent=parent)
        self._log.db["threads"].update(self.thread.id, {"tip_message_hash": tip})
        self._save(self.thread._replace(tip=tip))
        keep_item_ids(self._log, self.thread.id, ids, self.entries())
        return self.entries()

    def _parent(self, chain: ItemChain, unchanged: int) -> tuple[str | None, list[Message]]:
        "The hash of the message to continue from, and messages to write again before anything new."
        if unchanged == len(chain.messages):
            return self.thread.tip, []
        if (
            chain.added
        ):  # hashes of a chain that begins with instructions, which are not part of a conversation
            return None, [each.message for each in chain.messages[:unchanged]]
        return (chain.messages[unchanged - 1].hash if unchanged else None), []

    def _save(self, thread: Thread, *, deleted: bool = False) -> None:
        self.thread = thread
        metadata = self._log.redaction.value(thread.metadata)
        metadata = json.dumps(metadata, ensure_ascii=False) if metadata else None
        row = [thread.id, thread.actor, metadata, thread.created, deleted]
        self._log.db.conn.execute(SAVE, row)


def _find_entry(entries: Sequence[ItemEntry], item_id: str) -> ItemEntry:
    entry = next((entry for entry in entries if entry.id == item_id), None)
    if entry is None:
        message = f"Item with id '{item_id[:100]}' not found in this conversation."
        raise ApiError(404, message, param="item_id")
    return entry


@contextmanager
def _attribute_to_items() -> Iterator[None]:
    "Reports errors about items as faults of the field `items`. In a Responses request it is `input`."
    try:
        yield
    except ApiError as error:
        raise ApiError(error.status, error.message, error.type, error.code, "items", error.headers) from error
