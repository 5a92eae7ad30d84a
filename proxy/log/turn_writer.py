"""Writes a turn to the log: llm's rows and ours, in the thread that the request continues."""

from __future__ import annotations

from collections.abc import Sequence

from llm.logs import LogStore
from llm.parts import Message

from ..generation import ThreadPosition
from .fingerprint import count_instructions
from .items import ItemChain, has_kept_ids, is_descendant, keep_item_ids, thread_owner
from .tables import ensure_conversation, insert_request, is_deleted
from .thread_match import ThreadMatch, ThreadMatcher, hash_instructions, visible_hashes
from .thread_names import name_thread, new_thread_id, thread_name
from .turn import Turn

LAST_OF = """
select threads.id from turns join threads
on threads.id = turns.thread_id and threads.tip_message_hash = turns.tip_message_hash
where turns.id = ?
"""


class TurnWriter:
    "Writes turns to one log."

    def __init__(self, log: LogStore) -> None:
        self._log = log
        self._connection = log.db.conn
        self._matcher = ThreadMatcher(log)

    def write(self, turn: Turn) -> None:
        "In one transaction with the write lock: llm's rows and ours."
        prompt, request = turn.prompt, turn.request
        first = count_instructions(prompt)
        seen = visible_hashes([*prompt, *turn.answer])
        again = self._again(turn)
        known = None
        if not request.continues:
            known = self._matcher.find(prompt, seen[: len(prompt) - first], request.actor, turn.id, again)
        place = None
        if request.continues:
            place = self._log_behind(turn, request.continues)
        else:
            thread_id = again or self._thread(prompt, request.actor, known)
            self._log.log(turn.response, thread_id=thread_id)
        insert_request(
            self._connection,
            turn,
            covered=known.covered if known else request.added + request.known,
            instructions=hash_instructions(prompt[:first]),
            visible_tip=[None, *seen][-1],
        )
        if place:
            self._keep_ids(turn, place)

    def _again(self, turn: Turn) -> str | None:
        "The thread that the turn is the last one of already: it broke off, and was asked for again."
        row = self._connection.execute(LAST_OF, [turn.id]).fetchone()
        return row[0] if row else None

    def _log_behind(self, turn: Turn, place: ThreadPosition) -> ThreadPosition | None:
        """Where the client says it goes on; None if that was pruned in the meantime.

        What failed is a turn of the thread, but nobody goes on behind it."""
        request = turn.request
        try:
            tip = self._log.thread_tip(place.thread_id)
        except KeyError:
            thread_id = self._log.create_thread(thread_name(turn.prompt), id=new_thread_id())
            self._log.log(turn.response, thread_id=thread_id)
            return None
        moved_on = tip != place.tip and not place.append
        if moved_on or is_deleted(self._connection, place.thread_id):
            fork = self._log.create_thread(
                thread_name(turn.prompt), forked_from=place.thread_id, id=new_thread_id()
            )
            self._log.log(turn.response, thread_id=fork)
            return place
        self._log.log(turn.response, thread_id=place.thread_id)
        name_thread(self._log, place.thread_id, turn.prompt)
        if request.status != 200:
            self._log.db["threads"].update(place.thread_id, {"tip_message_hash": tip})
        elif tip != place.tip:
            self._log.db["threads"].update(place.thread_id, {"tip_message_hash": tip})
            self._log.append(place.thread_id, [*turn.prompt[request.added + request.known :], *turn.answer])
            ensure_conversation(
                self._connection, place.thread_id, thread_owner(self._connection, place.thread_id)
            )
        return place

    def _keep_ids(self, turn: Turn, place: ThreadPosition) -> None:
        "Items go by the ids that they had, and those of the turn by those that its client was told."
        columns = "thread_id, parent_message_hash, tip_message_hash"
        row = self._connection.execute(f"select {columns} from turns where id = ?", [turn.id]).fetchone()
        thread_id, parent, tip = row
        thread_tip = self._log.thread_tip(thread_id)
        joined = turn.request.status == 200 and thread_tip != tip
        goes_on = thread_id == place.thread_id and is_descendant(self._connection, parent, place.tip)
        if goes_on and not joined and not has_kept_ids(self._connection, thread_id):
            return
        known = [entry.id for entry in ItemChain(self._log, place.thread_id, place.tip).entries()]
        keep_item_ids(self._log, thread_id, known, ItemChain(self._log, thread_id, tip, turn.id).entries())
        if joined:
            own = [entry.id for entry in ItemChain(self._log, thread_id, tip, turn.id).entries()][
                len(known) :
            ]
            now = ItemChain(self._log, thread_id, thread_tip).entries()
            earlier = [entry.id for entry in now[: len(now) - len(own)]]
            keep_item_ids(self._log, thread_id, [*earlier, *own], now)

    def _thread(self, prompt: Sequence[Message], actor: str | None, known: ThreadMatch | None) -> str:
        if known is None:
            joined = self._matcher.find_by_calls(prompt, actor)
            return joined or self._log.create_thread(thread_name(prompt), id=new_thread_id())
        if not known.moved_on:
            return known.place.thread_id
        return self._log.create_thread(
            thread_name(prompt), forked_from=known.place.thread_id, id=new_thread_id()
        )
