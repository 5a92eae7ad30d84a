"""What is in the log, read: by a thread and a connection of its own, so that reading does not wait for
turns.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from llm.logs import LogStore, message_hash
from llm.parts import Message, StreamEvent

from llm_gpt_oss.llm_internals import load_parts

from ..generation import Finished, TokenUsage
from ..http.errors import ApiError, log_unavailable
from .database import LogFile, is_transient
from .fingerprint import tool_calls
from .idempotency import PreviousAttempt
from .ids import end_time
from .replay import replay_events
from .spool import Spool
from .turn import Turn

T = TypeVar("T")

# What no turn goes by is not looked for: clients write ids, and files are called after them.
_TURN_ID = re.compile(r"[0-9a-z]{1,40}", re.ASCII)

ANSWERED = """
select turn_id from gpt_oss_requests where answer_id in (select value from json_each(?))
"""
TURN = """
select turns.*, request.endpoint, request.actor, request.status, request.error, request.finish_reason,
    request.stored, request.metadata, request.request, request.model as asked, request.answer_id,
    coalesce(request.added, 0) as added, coalesce(request.first_input, 0) as first_input, request.pieces,
    coalesce(request.deleted, 0) as deleted
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
"""
CHAIN = """
with recursive chain (hash, parent, role, provider_metadata, depth) as (
    select hash, parent_hash, role, provider_metadata, 0 from messages
    where hash = :tip and hash is not :behind
    union all
    select messages.hash, messages.parent_hash, messages.role, messages.provider_metadata, depth + 1
    from messages join chain on messages.hash = chain.parent
    where messages.hash is not :behind
)
select hash, role, provider_metadata from chain order by depth desc
"""


ATTEMPTS = """
select answer_id, turn_id, status, 0 from gpt_oss_requests
where idempotency_key = ? and datetime_utc >= ? and not deleted
"""


class _Asked(NamedTuple):
    answer_id: str
    id: str
    status: int
    under_way: bool


@dataclass(frozen=True, slots=True)
class StoredMessage:
    "A message in the log, and its hash there."

    hash: str
    message: Message


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """A turn of the log. `prompt` is all that it was asked with, `answer` what came.

    `endpoint` is None for a turn that did not come through the proxy, `body` is empty then. `model` is as the
    client wrote it. Of `prompt`, the first `added` are none of the conversation's, and what the request
    itself brought begins at `first_input`. `under_way`: it has no answer yet. `tip` is None until it is in
    the database. `custom` are the ids of its calls of custom tools. `raw` is llm's `response_json`.
    """

    id: str
    answer_id: str
    thread_id: str | None
    tip: str | None
    endpoint: str | None
    model: str
    actor: str | None
    body: Mapping[str, Any]
    metadata: Mapping[str, str]
    prompt: Sequence[StoredMessage]
    answer: Sequence[StoredMessage]
    added: int
    first_input: int
    status: int
    error: str | None
    finish_reason: str
    usage: TokenUsage
    completed_at: int
    stored: bool
    deleted: bool
    pieces: Sequence[Sequence[int]] | None
    custom: frozenset[str]
    raw: Mapping[str, Any]
    in_progress: bool = False

    @property
    def finished(self) -> Finished:
        return Finished(self.finish_reason, self.usage, self.completed_at)

    def events(self) -> list[StreamEvent | Finished]:
        "As the model gave them, and `Finished` where it did."
        finished = self.finished if self.status == 200 else None
        messages = [linked.message for linked in self.answer]
        return list(
            replay_events(messages, pieces=self.pieces, logprobs=self.raw.get("logprobs"), finished=finished)
        )


class LogReader:
    "The log at `path`. All methods raise ApiError where it cannot be read."

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)
        self._spool = Spool(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")

    async def read(self, work: Callable[[LogStore], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(self._read, work))

    def close(self) -> None:
        self._thread.submit(self._file.close)
        self._thread.shutdown()

    async def turn(self, turn_id: str) -> LoggedTurn | None:
        "Whether it is deleted or not: of the database, or of what still waits to be written there."
        if not _TURN_ID.fullmatch(turn_id):
            return None
        return await asyncio.wrap_future(self._thread.submit(self._turn, turn_id))

    async def attempts(self, idempotency_key: str, since: datetime.datetime) -> list[PreviousAttempt]:
        "What was asked for under this key and is not deleted, oldest first."
        turns = await asyncio.wrap_future(self._thread.submit(self._attempts, idempotency_key, since))
        answers = [[*of_one] for _, of_one in groupby(sorted(turns), lambda turn: turn.answer_id)]
        return [
            PreviousAttempt(
                tuple(turn.id for turn in of_one),
                sum(turn.status == 200 for turn in of_one),
                any(turn.under_way for turn in of_one),
            )
            for of_one in answers
        ]

    async def events(self, turn_id: str) -> AsyncGenerator[StreamEvent | Finished, None]:
        logged = await self.turn(turn_id)
        for event in logged.events() if logged else ():
            yield event

    # On the thread.

    def _read(self, work: Callable[[LogStore], T]) -> T:
        try:
            return work(self._file.opened())
        except (OSError, sqlite3.Error) as error:
            if is_transient(error):
                raise log_unavailable(error) from error
            raise

    def _attempts(self, idempotency_key: str, since: datetime.datetime) -> list[_Asked]:
        # First what waits: it may be in the database a moment later, and the other way round it cannot be.
        asked = {
            turn.id: _Asked(turn.request.answer_id or turn.id, turn.id, turn.request.status, under_way)
            for turn, under_way in reversed(self._spool.attempts(idempotency_key))
        }
        given = [idempotency_key, since.isoformat()]
        try:
            rows = self._read(lambda log: log.db.conn.execute(ATTEMPTS, given).fetchall())
        except ApiError:
            rows = []  # an answer does not wait for the log
        return [*{**{row[1]: _Asked(*row) for row in rows}, **asked}.values()]

    def _turn(self, turn_id: str) -> LoggedTurn | None:
        if found := self._spool.find(turn_id):
            turn, under_way = found
            return from_spool(turn, under_way)
        return self._read(lambda log: load_turn(log, turn_id))


def load_turn(log: LogStore, turn_id: str) -> LoggedTurn | None:
    row = next(log.db.query(f"{TURN} where turns.id = ?", [turn_id]), None)
    return _logged(log, row, load_chain(log, row["tip_message_hash"])) if row else None


def load_answers(log: LogStore, answer_ids: Sequence[str]) -> list[LoggedTurn]:
    "The turns of these answers, in order, without what they were asked with: `prompt` is empty."
    sql = f"{TURN} where turns.id in ({ANSWERED}) order by turns.id"
    return [
        _logged(log, row, load_chain(log, row["tip_message_hash"], behind=row["parent_message_hash"]))
        for row in log.db.query(sql, [json.dumps(answer_ids)])
    ]


def _logged(log: LogStore, row: Mapping[str, Any], chain: Sequence[StoredMessage]) -> LoggedTurn:
    prompt = next((n for n, each in enumerate(chain, 1) if each.hash == row["parent_message_hash"]), 0)
    raw = _raw(log, row)
    details = json.loads(row["token_details"] or "{}")
    return LoggedTurn(
        id=row["id"],
        answer_id=row["answer_id"] or row["id"],
        thread_id=row["thread_id"],
        tip=row["tip_message_hash"],
        endpoint=row["endpoint"],
        model=row["asked"] or row["model"],
        actor=row["actor"],
        body=json.loads(row["request"] or "{}"),
        metadata=json.loads(row["metadata"] or "{}"),
        prompt=chain[:prompt],
        answer=chain[prompt:],
        added=row["added"],
        first_input=row["first_input"],
        status=row["status"] or (500 if raw.get("error") else 200),
        error=row["error"] or raw.get("error"),
        finish_reason=row["finish_reason"] or (raw.get("outcome") or {}).get("finish_reason") or "stop",
        usage=TokenUsage(
            row["input_tokens"] or 0, row["output_tokens"] or 0, details.get("reasoning_tokens", 0)
        ),
        completed_at=end_time(row["datetime_utc"], row["duration_ms"]),
        stored=bool(row["stored"]) or row["endpoint"] is None,
        deleted=bool(row["deleted"]),
        pieces=json.loads(row["pieces"]) if row["pieces"] else None,
        custom=_custom(log, [each.message for each in chain]),
        raw=raw,
    )


def _custom(log: LogStore, messages: Sequence[Message]) -> frozenset[str]:
    "Which of the calls in these messages are of custom tools."
    ids = [call.tool_call_id for call in tool_calls(messages)]
    if not ids:
        return frozenset()
    sql = "select call_id from gpt_oss_custom_calls where call_id in (select value from json_each(?))"
    return frozenset(call_id for (call_id,) in log.db.conn.execute(sql, [json.dumps(ids)]))


def _raw(log: LogStore, row: Mapping[str, Any]) -> Mapping[str, Any]:
    written = row["response_json"] or "{}"
    # Where llm left out what the messages say. To put it back it reads the whole conversation, twice.
    raw = log.turn_response_json(row["id"]) if '"$' in written else json.loads(written)
    return raw if isinstance(raw, dict) else {}


def load_chain(log: LogStore, tip: str | None, *, behind: str | None = None) -> list[StoredMessage]:
    "The chain up to `tip`, oldest first; of it what stands behind one of its messages, if that is named."
    rows = log.db.conn.execute(CHAIN, {"tip": tip, "behind": behind}).fetchall()
    # As llm's `load_chain`, which asks for each message by itself.
    parts = load_parts(log, [hash for hash, _, _ in rows])
    return [
        StoredMessage(hash, Message(role, parts.get(hash, []), json.loads(metadata) if metadata else None))
        for hash, role, metadata in rows
    ]


def from_spool(turn: Turn, under_way: bool) -> LoggedTurn:
    "As it will be logged."
    request, response = turn.request, turn.response
    raw = response.response_json or {}
    details = response.token_details or {}
    chain = [*with_hashes([*turn.prompt, *turn.answer])]
    return LoggedTurn(
        id=turn.id,
        answer_id=request.answer_id or turn.id,
        thread_id=None,
        tip=None,
        endpoint=request.endpoint,
        model=request.model or response.model.model_id,
        actor=request.actor,
        body=json.loads(request.body),
        metadata=request.metadata or {},
        prompt=chain[: len(turn.prompt)],
        answer=chain[len(turn.prompt) :],
        added=request.added,
        first_input=request.added + request.known,
        status=request.status,
        error=request.error,
        finish_reason=request.finish_reason or "stop",
        usage=TokenUsage(
            response.input_tokens or 0, response.output_tokens or 0, details.get("reasoning_tokens", 0)
        ),
        completed_at=end_time(response.datetime_utc(), response.duration_ms()),
        stored=request.stored,
        deleted=False,
        pieces=request.pieces,
        custom=frozenset(request.custom_calls),
        raw=raw,
        in_progress=under_way,
    )


def with_hashes(messages: Sequence[Message]) -> Iterator[StoredMessage]:
    "As they will stand in the log."
    tip: str | None = None
    for message in messages:
        tip = message_hash(message, tip)
        yield StoredMessage(tip, message)
