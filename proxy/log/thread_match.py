"""Which thread of the log a request goes on with, and what its client left out.

A request joins the thread whose conversation it continues. Where that thread has gone on meanwhile (an answer
asked for anew, an earlier message edited, two requests at once) it forks it. A history of which only the end
is left joins by the calls in it, and without any call begins a thread of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from llm.logs import LogStore, content_hash
from llm.parts import Message, ToolResultPart

from .fingerprint import count_instructions, looks_same, prefix_hashes, tool_calls
from .items import is_descendant
from .queries import load_chain
from .tables import (
    LogPosition,
    find_by_calls,
    find_by_prefix,
)


class ThreadMatch(NamedTuple):
    "`covered` of the client's messages stand in the log, up to `place`."

    place: LogPosition
    covered: int

    @property
    def moved_on(self) -> bool:
        return self.place.tip != self.place.thread_tip


class ThreadMatcher:
    "Over one log; an actor goes on only with what that actor asked."

    def __init__(self, log: LogStore) -> None:
        self._log = log
        self._connection = log.db.conn

    def history(self, messages: Sequence[Message], actor: str | None, logged: int = 0) -> list[Message]:
        """The client's messages with what it left out put back: reasoning, white space, the text of
        arguments.

        `logged` of them are the log's own already."""
        if logged:
            return [*messages[:logged], *self._with_reasoning(messages[logged:], actor)]
        known = self.find(messages, visible_hashes(messages[:-1]), actor)
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

    def find(
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
        instructed = hash_instructions(messages[:first])
        place = find_by_prefix(self._connection, seen, instructed, actor, exclude_turn)
        if place is None:
            return None
        made = tool_calls(messages[first : first + place.key + 1])
        caller = (
            find_by_calls(self._connection, [call.tool_call_id for call in made], actor) if made else None
        )
        if caller and not is_descendant(self._connection, place.tip, caller.tip):
            # It looks the same, but the calls are those of another.
            own = find_by_prefix(
                self._connection, seen, instructed, actor, exclude_turn, required_tip=caller.tip
            )
            place = own or place
        known = ThreadMatch(place, first + place.key + 1)
        if known.moved_on and place.thread_id != rerun_thread:
            return self._further(known, seen[place.key + 1 :]) or known
        return known

    def _further(self, known: ThreadMatch, later: Sequence[str | None]) -> ThreadMatch | None:
        "Where the thread went on without us, as from the shell, and the client knows it all the same."
        chain = self._chain(known.place.thread_tip)
        *_, tip = [None, *visible_hashes(chain)]
        if tip is None or tip not in later:
            return None
        return ThreadMatch(
            known.place._replace(tip=known.place.thread_tip), known.covered + later.index(tip) + 1
        )

    def find_by_calls(self, prompt: Sequence[Message], actor: str | None) -> str | None:
        "The thread of the last call, if the thread's last answer is the last that the client knows."
        place = find_by_calls(self._connection, [call.tool_call_id for call in tool_calls(prompt)], actor)
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
        while place := find_by_calls(self._connection, wanted, actor):
            del wanted[place.key :]
            chain = self._chain(place.tip)
            logged |= {call.tool_call_id: message for message in chain for call in tool_calls([message])}
            wanted = [call_id for call_id in wanted if call_id not in logged]
        return [_whole(message, logged) for message in messages]


def visible_hashes(messages: Sequence[Message]) -> list[str | None]:
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


def hash_instructions(messages: Sequence[Message]) -> str | None:
    return content_hash([message.to_dict() for message in messages]) if messages else None
