"""Chat completions that clients wanted stored: found in the log, listed, labelled, deleted.

A completion is the turns of its choices, and goes by the id of the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm.logs import LogStore

from ...http.errors import ApiError
from ...log.access import Viewer
from ...log.reader import LoggedTurn, load_answers
from ...log.tables import LISTED, mark_deleted, set_metadata

_ID = re.compile(r"chatcmpl-([0-9a-z]{26})", re.ASCII)

# Whole answers only: each choice is a turn.
WHOLE = """
request.endpoint = :endpoint and request.stored and not request.deleted
and request.answer_id = request.turn_id and not exists (
    select 1 from gpt_oss_requests as choice where choice.answer_id = request.turn_id and choice.status != 200
)
"""
HAS = "exists (select 1 from gpt_oss_metadata where key = :key{n} and value = :value{n} and turn_id = {turn})"


@dataclass(frozen=True, slots=True)
class ListQuery:
    "`after` is a turn; completions are listed by when they were asked for, behind that one."

    viewer: Viewer
    model: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    descending: bool = False


def parse_completion_id(completion_id: str) -> str | None:
    "None for an id that is none of ours."
    found = _ID.fullmatch(completion_id)
    return found[1] if found else None


def list_completions(log: LogStore, wanted: ListQuery, limit: int) -> list[list[LoggedTurn]]:
    "The turns of each, less what they were asked with."
    sql, given = list_statement(wanted, limit)
    ids = [turn_id for (turn_id,) in log.db.conn.execute(sql, given)]
    turns = load_answers(log, ids)
    return [[turn for turn in turns if turn.answer_id == answer_id] for answer_id in ids]


def list_statement(wanted: ListQuery, limit: int) -> tuple[str, dict[str, Any]]:
    "One index has the rows in their order, whatever is asked for; further metadata is looked up row by row."
    given: dict[str, Any] = {"endpoint": LISTED, "limit": limit}
    for n, (key, value) in enumerate(wanted.metadata.items()):
        given |= {f"key{n}": key, f"value{n}": value}
    first = "label" if wanted.metadata else "request"
    conditions = [WHOLE]
    if wanted.metadata:
        conditions.append("label.key = :key0 and label.value = :value0")
    conditions += [HAS.format(n=n, turn="label.turn_id") for n in range(1, len(wanted.metadata))]
    for column, narrowed in _narrowed(wanted):
        given[column] = narrowed
        conditions.append(f"{first if column == 'actor' else 'request'}.{column} = :{column}")
    if wanted.after:
        given["after"] = wanted.after
        conditions.append(f"{first}.turn_id {'<' if wanted.descending else '>'} :after")
    source = "gpt_oss_requests as request"
    if wanted.metadata:  # in this order
        source = f"gpt_oss_metadata as label cross join {source} on request.turn_id = label.turn_id"
    order = f"{first}.turn_id {'desc' if wanted.descending else 'asc'}"
    where = " and ".join(conditions)
    return f"select request.turn_id from {source} where {where} order by {order} limit :limit", given


def _narrowed(wanted: ListQuery) -> Iterator[tuple[str, str | None]]:
    if not wanted.viewer.admin:
        yield "actor", wanted.viewer.actor
    if wanted.model is not None:
        yield "model", wanted.model


def find_completion(log: LogStore, viewer: Viewer, completion_id: str) -> list[LoggedTurn]:
    "Its turns, less what they were asked with. Raises ApiError where there is no such completion."
    turn_id = parse_completion_id(completion_id)
    turns = load_answers(log, [turn_id]) if turn_id else []
    if not turns or not all(_shown(turn, viewer) for turn in turns):
        message = f"There is no stored chat completion with the id '{completion_id[:100]}'."
        raise ApiError(404, message, param="completion_id")
    return turns


def _shown(turn: LoggedTurn, viewer: Viewer) -> bool:
    kept = turn.endpoint == LISTED and turn.stored and not turn.deleted
    return kept and turn.status == 200 and viewer.can_see(turn.actor)


def update_metadata(
    log: LogStore, viewer: Viewer, completion_id: str, metadata: Mapping[str, str]
) -> list[LoggedTurn]:
    "The completion as it is then."
    first, *_ = find_completion(log, viewer, completion_id)
    written = json.dumps(metadata, ensure_ascii=False) if metadata else None
    sql = "update gpt_oss_requests set metadata = ? where answer_id = ?"
    log.db.conn.execute(sql, [written, first.answer_id])
    set_metadata(log.db.conn, first.answer_id, metadata)
    return find_completion(log, viewer, completion_id)


def delete_completion(log: LogStore, viewer: Viewer, completion_id: str) -> None:
    mark_deleted(log.db.conn, [turn.id for turn in find_completion(log, viewer, completion_id)])
