"""Finds the thread that a request continues, and restores what its client left out of the history.

A request joins the thread whose conversation it continues. If that thread already continues differently, the
request forks it: the client asks for another answer, edits an earlier message, or sends two requests at the
same time. If the beginning of a history was cut off, the tool calls in it identify the thread. Without calls
the request starts a new thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from llm.logs import content_hash
from llm.parts import Message, ToolResultPart

from llm_gpt_oss.log.redacting_store import RedactingStore
from llm_gpt_oss.log.redaction import is_redacted, unredacted

from .chain_cache import ChainCache
from .fingerprint import count_instructions, is_copy_of, merges, prefix_hashes, tool_calls
from .llm_store import StoredPrefix
from .logged_turn import StoredMessage
from .positions import LogPosition, find_by_calls, find_by_prefix
from .queries import is_descendant, load_chain

# The reasoning of a history's calls is looked for in so many threads. Clients put a few of them together.
MAX_THREADS = 20


class ThreadMatch(NamedTuple):
    """The first `covered` messages of a request are in the log, up to `position`.

    `moved_on` says whether the thread continues differently. A turn that failed is not the thread's end, so
    the position may be after it.
    """

    position: LogPosition
    covered: int
    moved_on: bool


@dataclass(frozen=True, slots=True)
class HashedPrompt:
    """All messages of a request, with what was computed to find them in the log.

    The first `instructions` of them are instructions, which `instructions_hash` identifies. `prefix_hashes`
    has one hash for each of the others. `stored` says which first messages are in llm's tables as they are,
    `matched` how many stand for those that were found in the log.
    """

    messages: list[Message]
    instructions: int
    instructions_hash: str | None
    prefix_hashes: Sequence[str | None]
    stored: StoredPrefix | None = None
    matched: int = 0

    @property
    def new_messages(self) -> int:
        "How many messages follow those that were found in the log."
        return len(self.messages) - self.matched

    def is_of(self, messages: Sequence[Message]) -> bool:
        "Whether these are the same objects, so that what was computed holds for them."
        return len(messages) == len(self.messages) and all(
            one is other for one, other in zip(messages, self.messages, strict=True)
        )

    def hash_with(self, answer: Sequence[Message]) -> str | None:
        "The hash of the conversation once the model has given this answer."
        if answer and self.messages and merges(self.messages[-1], answer[0]):
            conversation = [*self.messages[self.instructions :], *answer]
            return [None, *prefix_hashes(conversation)][-1]
        before = [None, *self.prefix_hashes][-1]
        return [before, *prefix_hashes(answer, before)][-1]


def hash_prompt(messages: Sequence[Message]) -> HashedPrompt:
    first = count_instructions(messages)
    instructions = [message.to_dict() for message in messages[:first]]
    return HashedPrompt(
        [*messages],
        first,
        content_hash(instructions) if instructions else None,
        [*prefix_hashes(messages[first:])],
    )


class ThreadMatcher:
    "Matches requests with one log. A request continues only turns of its own actor."

    def __init__(self, log: RedactingStore, chains: ChainCache | None = None) -> None:
        self._log = log
        self._redaction = log.redaction
        self._chains = chains or ChainCache()
        self._connection = log.db.conn

    def history(self, messages: Sequence[Message], actor: str | None, logged: int = 0) -> list[Message]:
        """Return the client's messages, with what the client left out restored from the log.

        That is reasoning, white space, and the original text of the arguments of tool calls. Where the log is
        redacted, the client's own text stays. The first
        `logged` messages come from the log, so they need not be restored.
        """
        if logged:
            return [*messages[:logged], *self._with_reasoning(messages[logged:], actor)]
        return self.restore(messages, actor).messages

    def restore(self, messages: Sequence[Message], actor: str | None) -> HashedPrompt:
        "Like `history`, for messages of which none come from the log. The result includes their hashes."
        prompt = hash_prompt(messages)
        match = self.find(prompt, actor, len(messages) - 1)
        if match is None:
            return _with_messages(prompt, self._with_reasoning(messages, actor), 0, 0)
        first = prompt.instructions
        chain = self._chains.load(self._log, match.position.tip)
        while chain and [*prefix_hashes([chain[-1].message])] == [None]:
            chain.pop()  # it broke off before anything was visible, so nothing continues it
        chain_instructions = count_instructions([stored.message for stored in chain])
        known = [stored.message for stored in chain[chain_instructions:]]
        call_ids = {
            sent.tool_call_id: call.tool_call_id
            for sent, call in zip(tool_calls(messages[first : match.covered]), tool_calls(known), strict=True)
        }
        new = [_with_call_ids(message, call_ids) for message in messages[match.covered :]]
        stored = self._stored_prefix(messages[:first], chain, chain_instructions)
        if any(stored.is_redacted for stored in chain[chain_instructions:]):
            sent = messages[first : match.covered]
            if [message.role for message in sent] == [message.role for message in known]:
                known = [*map(unredacted, sent, known)]
            else:  # the client splits its messages otherwise
                known, new, stored = self._with_reasoning(sent, actor), [*messages[match.covered :]], None
        restored = [*messages[:first], *known, *self._with_reasoning(new, actor)]
        return replace(
            _with_messages(prompt, restored, match.covered, first + len(known)),
            stored=stored,
            matched=first + len(known),
        )

    def find(
        self,
        prompt: HashedPrompt,
        actor: str | None,
        searched: int,
        exclude_turn: str = "",
        rerun_thread: str | None = None,
    ) -> ThreadMatch | None:
        """Return the thread that the first `searched` messages continue.

        The turn `exclude_turn` is ignored, because it is being written again. `rerun_thread` is the thread
        that it is the last turn of, if any: that thread does not count as continued.
        """
        first = prompt.instructions
        hashes = prompt.prefix_hashes[: max(0, searched - first)]
        conditions = (prompt.instructions_hash, actor, exclude_turn)
        position = find_by_prefix(self._connection, hashes, *conditions)
        if position is None:
            return None
        call_ids = _call_ids(prompt.messages[first : first + position.matched + 1])
        caller = find_by_calls(self._connection, call_ids, actor)
        if caller and not is_descendant(self._connection, position.tip, caller.tip):
            # This conversation looks the same, but the calls belong to another one.
            own = find_by_prefix(self._connection, hashes, *conditions, required_tip=caller.tip)
            position = own or position
        moved_on = position.tip != position.thread_tip and not is_descendant(
            self._connection, position.tip, position.thread_tip
        )
        match = ThreadMatch(position, first + position.matched + 1, moved_on)
        if match.moved_on and position.thread_id != rerun_thread:
            return self._match_thread_tip(match, hashes[position.matched + 1 :]) or match
        return match

    def find_by_calls(self, prompt: Sequence[Message], actor: str | None) -> str | None:
        "The thread of the last call, if the thread's last answer is the last that the client knows."
        position = find_by_calls(self._connection, _call_ids(prompt), actor)
        answers = [message for message in prompt if message.role == "assistant"]
        if position and position.thread_tip and answers:
            last = load_chain(self._log, position.thread_tip)[-1].message
            if self._is_copy_of(answers[-1], last):
                return position.thread_id
        return None

    def _match_thread_tip(self, match: ThreadMatch, later: Sequence[str | None]) -> ThreadMatch | None:
        """Return a match at the end of the thread, or None.

        There is one if another program continued the thread and the request includes that continuation.
        """
        thread_tip = match.position.thread_tip
        if thread_tip is None or not later:
            return None
        chain = [stored.message for stored in load_chain(self._log, thread_tip)]
        tip = [None, *prefix_hashes(chain[count_instructions(chain) :])][-1]
        if tip is None or tip not in later:
            return None
        position = match.position._replace(tip=thread_tip)
        return ThreadMatch(position, match.covered + later.index(tip) + 1, moved_on=False)

    def _with_reasoning(self, messages: Sequence[Message], actor: str | None) -> list[Message]:
        """Replaces messages that call tools by the logged ones, because clients send back no reasoning or
        only a part.
        """
        wanted = _call_ids(messages)
        logged: dict[str | None, Message] = {}
        for _ in range(MAX_THREADS):
            position = find_by_calls(self._connection, wanted, actor)
            if position is None:
                break
            del wanted[position.matched :]
            chain = [stored.message for stored in load_chain(self._log, position.tip)]
            logged |= {call.tool_call_id: message for message in chain for call in tool_calls([message])}
            wanted = [call_id for call_id in wanted if call_id not in logged]
        return [self._logged_message(message, logged) for message in messages]

    def _logged_message(self, message: Message, logged: Mapping[str | None, Message]) -> Message:
        calls = tool_calls([message])
        candidate = logged.get(calls[0].tool_call_id) if calls else None
        if candidate is None or not self._is_copy_of(message, candidate):
            return message
        return unredacted(message, candidate) if is_redacted(candidate) else candidate

    def _is_copy_of(self, message: Message, logged: Message) -> bool:
        "Whether this message of a client may be a copy of the logged one, which may be redacted."
        return is_copy_of(message, logged) or is_copy_of(self._redaction.message(message), logged)

    def _stored_prefix(
        self, instructions: Sequence[Message], chain: Sequence[StoredMessage], chain_instructions: int
    ) -> StoredPrefix | None:
        "The chain, if it begins with the instructions of this request."
        logged = [stored.message for stored in chain[:chain_instructions]]
        same = logged == [*map(self._redaction.message, instructions)]
        return StoredPrefix(len(chain), chain[-1].hash) if chain and same else None


def _call_ids(messages: Sequence[Message]) -> list[str | None]:
    return [call.tool_call_id for call in tool_calls(messages)]


def _with_messages(prompt: HashedPrompt, restored: list[Message], covered: int, known: int) -> HashedPrompt:
    """The prompt with its messages restored. Its hashes are computed again only where they may differ.

    `known` messages of the log replace the first `covered` messages of the prompt."""
    new = [*zip(prompt.messages[covered:], restored[known:], strict=True)]
    changed = [index for index, (sent, message) in enumerate(new, known) if sent is not message]
    # The hash of a message that merges with another one depends on how both are written.
    boundaries = {known, *changed, *(index + 1 for index in changed)}
    pairs = [restored[index - 1 : index + 1] for index in boundaries if 0 < index < len(restored)]
    if known != covered or any(merges(*pair) for pair in pairs):
        return hash_prompt(restored)
    return replace(prompt, messages=restored)


def _with_call_ids(message: Message, ids: Mapping[str | None, str | None]) -> Message:
    "The message with its results referring to the ids that the calls have in the log."
    if message.role != "tool":
        return message
    parts = [
        replace(part, tool_call_id=ids.get(part.tool_call_id, part.tool_call_id))
        if isinstance(part, ToolResultPart)
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)
