"""Which thread of the log a request goes on with, and what its client left out.

A request joins the thread whose conversation it continues. Where that thread has gone on meanwhile (an answer
asked for anew, an earlier message edited, two requests at once) it forks it. A history of which only the end
is left joins by the calls in it, and without any call begins a thread of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from llm.logs import LogStore, content_hash
from llm.parts import Message, TextPart, ToolResultPart
from llm.utils import monotonic_ulid

from ..generation import ThreadPosition
from .fingerprint import count_instructions, looks_same, prefix_hashes, tool_calls
from .items import ItemChain, has_kept_ids, is_descendant, keep_item_ids, thread_owner
from .reader import load_chain
from .tables import (
    LogPosition,
    ensure_conversation,
    find_by_calls,
    find_by_prefix,
    insert_request,
    is_deleted,
)
from .turn import Turn

NAME_LENGTH = 60
# Such as what Codex tells of the machine and of AGENTS.md, before what the person wrote and as the user's.
TAGGED = re.compile(r"\s*(#[^\n]*\s+)?<[\w-]+>.*</[\w-]+>\s*", re.DOTALL)
LAST_OF = """
select threads.id from turns join threads
on threads.id = turns.thread_id and threads.tip_message_hash = turns.tip_message_hash
where turns.id = ?
"""


class ThreadMatch(NamedTuple):
    "`covered` of the client's messages stand in the log, up to `place`."

    place: LogPosition
    covered: int

    @property
    def moved_on(self) -> bool:
        return self.place.tip != self.place.thread_tip


class Threads:
    "Over one log; an actor goes on only with what that actor asked."

    def __init__(self, log: LogStore) -> None:
        self._log = log
        self.connection = log.db.conn

    def history(self, messages: Sequence[Message], actor: str | None, logged: int = 0) -> list[Message]:
        """The client's messages with what it left out put back: reasoning, white space, the text of
        arguments.

        `logged` of them are the log's own already."""
        if logged:
            return [*messages[:logged], *self._with_reasoning(messages[logged:], actor)]
        known = self._known(messages, _seen(messages[:-1]), actor)
        if known is None:
            return self._with_reasoning(messages, actor)
        first = count_instructions(messages)
        said = self._chain(known.place.tip)
        said = said[count_instructions(said) :]
        while said and [*prefix_hashes(said[-1:])] == [None]:
            said.pop()  # it broke off before anything was to be seen: nobody goes on from there
        seen = tool_calls(messages[first : known.covered])
        ids = {
            sent.tool_call_id: call.tool_call_id for sent, call in zip(seen, tool_calls(said), strict=True)
        }
        rest = [_answering(message, ids) for message in messages[known.covered :]]
        return [*messages[:first], *said, *self._with_reasoning(rest, actor)]

    def write(self, turn: Turn) -> None:
        "In one transaction with the write lock: llm's rows and ours."
        prompt, request = turn.prompt, turn.request
        first = count_instructions(prompt)
        seen = _seen([*prompt, *turn.answer])
        again = self._again(turn)
        known = None
        if not request.continues:
            known = self._known(prompt, seen[: len(prompt) - first], request.actor, turn.id, again)
        place = None
        if request.continues:
            place = self._log_behind(turn, request.continues)
        else:
            thread_id = again or self._thread(prompt, request.actor, known)
            self._log.log(turn.response, thread_id=thread_id)
        insert_request(
            self.connection,
            turn,
            covered=known.covered if known else request.added + request.known,
            instructions=_instructions(prompt[:first]),
            visible_tip=[None, *seen][-1],
        )
        if place:
            self._keep_ids(turn, place)

    def _again(self, turn: Turn) -> str | None:
        "The thread that the turn is the last one of already: it broke off, and was asked for again."
        row = self.connection.execute(LAST_OF, [turn.id]).fetchone()
        return row[0] if row else None

    def _log_behind(self, turn: Turn, place: ThreadPosition) -> ThreadPosition | None:
        """Where the client says it goes on; None if that was pruned in the meantime.

        What failed is a turn of the thread, but nobody goes on behind it."""
        request = turn.request
        try:
            tip = self._log.thread_tip(place.thread_id)
        except KeyError:
            thread_id = self._log.create_thread(_name(turn.prompt), id=new_thread_id())
            self._log.log(turn.response, thread_id=thread_id)
            return None
        moved_on = tip != place.tip and not place.append
        if moved_on or is_deleted(self.connection, place.thread_id):
            fork = self._log.create_thread(
                _name(turn.prompt), forked_from=place.thread_id, id=new_thread_id()
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
                self.connection, place.thread_id, thread_owner(self.connection, place.thread_id)
            )
        return place

    def _keep_ids(self, turn: Turn, place: ThreadPosition) -> None:
        "Items go by the ids that they had, and those of the turn by those that its client was told."
        columns = "thread_id, parent_message_hash, tip_message_hash"
        row = self.connection.execute(f"select {columns} from turns where id = ?", [turn.id]).fetchone()
        thread_id, parent, tip = row
        thread_tip = self._log.thread_tip(thread_id)
        joined = turn.request.status == 200 and thread_tip != tip
        goes_on = thread_id == place.thread_id and is_descendant(self.connection, parent, place.tip)
        if goes_on and not joined and not has_kept_ids(self.connection, thread_id):
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
            joined = self._by_calls(prompt, actor)
            return joined or self._log.create_thread(_name(prompt), id=new_thread_id())
        if not known.moved_on:
            return known.place.thread_id
        return self._log.create_thread(_name(prompt), forked_from=known.place.thread_id, id=new_thread_id())

    def _known(
        self,
        messages: Sequence[Message],
        seen: Sequence[str | None],
        actor: str | None,
        exclude_turn: str = "",
        rerun_thread: str | None = None,
    ) -> ThreadMatch | None:
        """`seen` are the tips of those that may be known: not by the turn `but`, which if it is written
        anew is the last of the thread `again`."""
        first = count_instructions(messages)
        instructed = _instructions(messages[:first])
        place = find_by_prefix(self.connection, seen, instructed, actor, exclude_turn)
        if place is None:
            return None
        made = tool_calls(messages[first : first + place.key + 1])
        caller = find_by_calls(self.connection, [call.tool_call_id for call in made], actor) if made else None
        if caller and not is_descendant(self.connection, place.tip, caller.tip):
            # It looks the same, but the calls are those of another.
            own = find_by_prefix(
                self.connection, seen, instructed, actor, exclude_turn, required_tip=caller.tip
            )
            place = own or place
        known = ThreadMatch(place, first + place.key + 1)
        if known.moved_on and place.thread_id != rerun_thread:
            return self._further(known, seen[place.key + 1 :]) or known
        return known

    def _further(self, known: ThreadMatch, later: Sequence[str | None]) -> ThreadMatch | None:
        "Where the thread went on without us, as from the shell, and the client knows it all the same."
        chain = self._chain(known.place.thread_tip)
        *_, tip = [None, *_seen(chain)]
        if tip is None or tip not in later:
            return None
        return ThreadMatch(
            known.place._replace(tip=known.place.thread_tip), known.covered + later.index(tip) + 1
        )

    def _by_calls(self, prompt: Sequence[Message], actor: str | None) -> str | None:
        "The thread of the last call, if the thread's last answer is the last that the client knows."
        place = find_by_calls(self.connection, [call.tool_call_id for call in tool_calls(prompt)], actor)
        answers = [message for message in prompt if message.role == "assistant"]
        if place and answers and looks_same(answers[-1], self._chain(place.thread_tip)[-1]):
            return place.thread_id
        return None

    def _chain(self, tip: str) -> list[Message]:
        return [each.message for each in load_chain(self._log, tip)]

    def _with_reasoning(self, messages: Sequence[Message], actor: str | None) -> list[Message]:
        "Messages that call a tool as they were logged: clients send no reasoning back, or a piece of it."
        wanted = [call.tool_call_id for call in tool_calls(messages)]
        logged: dict[str | None, Message] = {}
        while place := find_by_calls(self.connection, wanted, actor):
            del wanted[place.key :]
            chain = self._chain(place.tip)
            logged |= {call.tool_call_id: message for message in chain for call in tool_calls([message])}
            wanted = [call_id for call_id in wanted if call_id not in logged]
        return [_whole(message, logged) for message in messages]


def _seen(messages: Sequence[Message]) -> list[str | None]:
    "The tips behind the instructions."
    return [*prefix_hashes(messages[count_instructions(messages) :])]


def _whole(message: Message, logged: Mapping[str | None, Message]) -> Message:
    made = tool_calls([message])
    candidate = logged.get(made[0].tool_call_id) if made else None
    return candidate if candidate and looks_same(candidate, message) else message


def _answering(message: Message, ids: Mapping[str | None, str | None]) -> Message:
    "Results answer the calls as they were logged, whatever the client calls them."
    parts = [
        replace(part, tool_call_id=ids.get(part.tool_call_id, part.tool_call_id))
        if isinstance(part, ToolResultPart)
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def _instructions(messages: Sequence[Message]) -> str | None:
    return content_hash([message.to_dict() for message in messages]) if messages else None


def new_thread_id() -> str:
    """Shaped like llm's ids and below all of them: `llm -c` goes on with the highest one, which must stay the
    person's own."""
    return "00" + str(monotonic_ulid()).lower()[2:]


def name_thread(
    log: LogStore, thread_id: str, messages: Sequence[Message], gone: Sequence[Message] = ()
) -> None:
    "After what stands in it first, as long as it has no name, or one after what is `gone` from it."
    sql = "update threads set name = ? where id = ? and (name is null or name = ?)"
    log.db.conn.execute(sql, [_name(messages) or None, thread_id, _name(gone) or None])


def _name(messages: Sequence[Message]) -> str:
    "The first line that a user wrote: what agents say in system prompts or within tags makes a poor name."
    parts = [part for message in messages if message.role == "user" for part in message.parts]
    said = [part.text for part in parts if isinstance(part, TextPart)]
    line = " ".join(next((text for text in said if not TAGGED.fullmatch(text)), (said or [""])[0]).split())
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"
