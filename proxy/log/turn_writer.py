"""Writes a turn to the log: llm's rows and ours, in the thread that the request continues."""

from __future__ import annotations

from collections.abc import Sequence

from llm.parts import Message

from ..generation import ThreadPosition
from .custom_calls import copy_custom_calls, insert_custom_calls
from .items import ItemChain, has_kept_ids, keep_item_ids, thread_owner
from .llm_store import ChainStore, StoredPrefix
from .queries import is_descendant
from .tables import ensure_conversation, has_turn, insert_request, is_deleted
from .thread_match import HashedPrompt, ThreadMatch, ThreadMatcher, hash_prompt
from .thread_names import name_thread, new_thread_id, thread_name
from .turn import Turn

ENDS_OF_TURN = """
select turns.thread_id, turns.tip_message_hash, threads.tip_message_hash
from turns join threads on threads.id = turns.thread_id where turns.id = ?
"""
# The last message up to `tip` with which another turn of the thread ended that did not fail.
EARLIER_END = """
with recursive chain (hash, distance) as (
    select :tip, 0
    union all
    select messages.parent_hash, distance + 1 from messages join chain on messages.hash = chain.hash
)
select hash from chain where exists (
    select 1 from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.tip_message_hash = chain.hash and turns.thread_id = :thread and turns.id <> :turn
        and coalesce(request.status, 200) = 200
)
order by distance limit 1
"""


def write_once(log: ChainStore, turn: Turn) -> None:
    """Write a turn that waited. Must run in a transaction that holds the write lock.

    The log may have it: the process that wrote it may have ended before it deleted the file, and another one
    may write the waiting turns, too.
    """
    if not has_turn(log.db.conn, turn):
        TurnWriter(log).write(turn)


class TurnWriter:
    """Writes turns to one log.

    A failed turn belongs to its thread, but is never its end. A client whose history has what arrived of the
    answer continues the thread after it all the same.
    """

    def __init__(self, log: ChainStore) -> None:
        self._log = log
        self._connection = log.db.conn
        self._redaction = log.redaction
        self._matcher = ThreadMatcher(log)

    def write(self, turn: Turn, hashed: HashedPrompt | None = None) -> None:
        """Write the turn. Must run in a transaction that holds the write lock.

        `hashed` is what was computed when the turn began. It is used if the prompt is still the same.
        """
        prompt, request = turn.prompt, turn.request
        if hashed is None or not hashed.is_of(prompt):
            hashed = hash_prompt(prompt)
        covered = request.added + request.known
        position = None
        if request.continues:
            position = self._log_at(turn, request.continues)
        else:
            rerun_thread = self._rerun_thread(turn)
            match = self._matcher.find(hashed, request.actor, len(prompt), turn.id, rerun_thread)
            thread_id = rerun_thread or self._thread(prompt, request.actor, match)
            self._log_in(thread_id, turn, hashed.stored)
            covered = match.covered if match else covered
        insert_request(
            self._connection,
            turn,
            covered=covered,
            instructions=hashed.instructions_hash,
            visible_tip=hashed.hash_with(turn.answer),
            redaction=self._redaction,
        )
        if request.custom_calls:
            sql = "select thread_id from turns where id = ?"
            (thread_id,) = self._connection.execute(sql, [turn.id]).fetchone()
            insert_custom_calls(self._connection, thread_id, request.custom_calls)
        if position:
            self._keep_ids(turn, position)

    def _rerun_thread(self, turn: Turn) -> str | None:
        """Return the thread that has this turn already and has not moved on from it, or None.

        There is one if the turn broke off and the client sent the request again.
        """
        row = self._connection.execute(ENDS_OF_TURN, [turn.id]).fetchone()
        if row is None:
            return None
        thread_id, tip, thread_tip = row
        return thread_id if is_descendant(self._connection, tip, thread_tip) else None

    def _log_in(self, thread_id: str, turn: Turn, stored: StoredPrefix | None = None) -> None:
        failed = turn.request.status != 200
        tip = self._end_without(turn, thread_id) if failed else None
        self._log.log(turn.response, thread_id, stored)
        if failed:
            self._log.db["threads"].update(thread_id, {"tip_message_hash": tip})

    def _end_without(self, turn: Turn, thread_id: str) -> str | None:
        "The thread's end, without what an earlier completion of the same answer wrote."
        tip = self._log.thread_tip(thread_id)
        if self._connection.execute(ENDS_OF_TURN, [turn.id]).fetchone() != (thread_id, tip, tip):
            return tip
        values = {"tip": tip, "thread": thread_id, "turn": turn.id}
        row = self._connection.execute(EARLIER_END, values).fetchone()
        return row[0] if row else None

    def _log_at(self, turn: Turn, position: ThreadPosition) -> ThreadPosition | None:
        "Logs a turn at the position that the request names; returns None if that was pruned meanwhile."
        request = turn.request
        try:
            tip = self._log.thread_tip(position.thread_id)
        except KeyError:
            thread_id = self._create_thread(turn.prompt)
            self._log_in(thread_id, turn)
            return None
        moved_on = tip != position.tip and not position.append
        if moved_on or is_deleted(self._connection, position.thread_id):
            self._log_in(self._fork(turn.prompt, position.thread_id), turn)
            return position
        self._log_in(position.thread_id, turn)
        name_thread(self._log, position.thread_id, turn.prompt)
        if request.status == 200 and tip != position.tip:
            self._log.db["threads"].update(position.thread_id, {"tip_message_hash": tip})
            new_messages = turn.prompt[request.added + request.known :]
            self._log.append(position.thread_id, [*new_messages, *turn.answer])
            owner = thread_owner(self._connection, position.thread_id)
            ensure_conversation(self._connection, position.thread_id, owner)
        return position

    def _keep_ids(self, turn: Turn, position: ThreadPosition) -> None:
        "Keeps the ids that the thread's items had, and those of the turn's items that its client received."
        columns = "thread_id, parent_message_hash, tip_message_hash"
        row = self._connection.execute(f"select {columns} from turns where id = ?", [turn.id]).fetchone()
        thread_id, parent, tip = row
        thread_tip = self._log.thread_tip(thread_id)
        appended = turn.request.status == 200 and thread_tip != tip
        continues = thread_id == position.thread_id and is_descendant(self._connection, parent, position.tip)
        if continues and not appended and not has_kept_ids(self._connection, thread_id):
            return
        known = [entry.id for entry in ItemChain(self._log, position.thread_id, position.tip).entries()]
        entries = ItemChain(self._log, thread_id, tip, turn.id).entries()
        keep_item_ids(self._log, thread_id, known, entries)
        if appended:
            entries = ItemChain(self._log, thread_id, tip, turn.id).entries()
            new_ids = [entry.id for entry in entries[len(known) :]]
            all_entries = ItemChain(self._log, thread_id, thread_tip).entries()
            earlier_ids = [entry.id for entry in all_entries[: len(all_entries) - len(new_ids)]]
            keep_item_ids(self._log, thread_id, [*earlier_ids, *new_ids], all_entries)

    def _thread(self, prompt: Sequence[Message], actor: str | None, match: ThreadMatch | None) -> str:
        "The thread to log a turn in: the one it continues, a fork of that, or a new one."
        if match is None:
            by_calls = self._matcher.find_by_calls(prompt, actor)
            return by_calls or self._log.create_thread(
                thread_name(prompt, self._redaction), id=new_thread_id()
            )
        thread_id = match.position.thread_id
        if not match.moved_on:
            return thread_id
        return self._fork(prompt, thread_id)

    def _fork(self, prompt: Sequence[Message], thread_id: str) -> str:
        "Create a thread that begins as another one, and return its id."
        fork = self._log.create_thread(
            thread_name(prompt, self._redaction), forked_from=thread_id, id=new_thread_id()
        )
        copy_custom_calls(self._connection, thread_id, fork)
        return fork

    def _create_thread(self, prompt: Sequence[Message], forked_from: str | None = None) -> str:
        name = thread_name(prompt, self._redaction)
        thread_id: str = self._log.create_thread(name, forked_from=forked_from, id=new_thread_id())
        return thread_id
