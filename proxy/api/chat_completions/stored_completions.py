"""Stored chat completions in the log: find, list, update and delete them.

A completion consists of the turns of its choices. Its id is that of the first turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm.logs import LogStore

from llm_gpt_oss.log.redacting_store import RedactingStore

from ...http.errors import ApiError
from ...log.access import Viewer
from ...log.logged_turn import LoggedTurn
from ...log.queries import load_answers
from ...log.tables import LISTED, mark_deleted, set_metadata

_ID = re.compile(r"chatcmpl-([0-9a-z]{26})", re.ASCII)

# The first turns of stored completions. Every choice must have succeeded, and each choice is a turn.
IS_LISTED = """
request.endpoint = :endpoint and request.stored and not request.deleted
and request.answer_id = request.turn_id and not exists (
    select 1 from gpt_oss_requests as choice where choice.answer_id = request.turn_id and choice.status != 200
)
"""
HAS_METADATA = """
exists (select 1 from gpt_oss_metadata where key = :key{n} and value = :value{n} and turn_id = label.turn_id)
"""


@dataclass(frozen=True, slots=True)
class ListQuery:
    "Completions are listed by creation time. `after` is the id of the turn to start after."

    viewer: Viewer
    model: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    descending: bool = False


def parse_completion_id(completion_id: str) -> str | None:
    "The id of a completion's first turn, or None if this server did not make the id."
    match = _ID.fullmatch(completion_id)
    return match[1] if match else None


def list_completions(log: LogStore, query: ListQuery, limit: int) -> list[list[LoggedTurn]]:
    "The turns of each completion, without their prompts."
    statement, parameters = list_statement(query, limit)
    ids = [turn_id for (turn_id,) in log.db.conn.execute(statement, parameters)]
    turns = load_answers(log, ids)
    return [[turn for turn in turns if turn.answer_id == answer_id] for answer_id in ids]


def list_statement(query: ListQuery, limit: int) -> tuple[str, dict[str, Any]]:
    """A statement that returns ids of first turns, with its parameters.

    For every query one index has the rows in order. With metadata that index is the one of the first pair;
    other pairs are looked up for each row.
    """
    parameters: dict[str, Any] = {"endpoint": LISTED, "limit": limit}
    for n, pair in enumerate(query.metadata.items()):
        parameters[f"key{n}"], parameters[f"value{n}"] = pair
    ordered_table = "label" if query.metadata else "request"
    conditions = [IS_LISTED]
    if query.metadata:
        conditions.append("label.key = :key0 and label.value = :value0")
    conditions += [HAS_METADATA.format(n=n) for n in range(1, len(query.metadata))]
    for column, value in _filters(query):
        parameters[column] = value
        table = ordered_table if column == "actor" else "request"
        conditions.append(f"{table}.{column} = :{column}")
    if query.after:
        parameters["after"] = query.after
        conditions.append(f"{ordered_table}.turn_id {'<' if query.descending else '>'} :after")
    source = "gpt_oss_requests as request"
    if query.metadata:  # a cross join, so that SQLite reads the tables in this order
        source = f"gpt_oss_metadata as label cross join {source} on request.turn_id = label.turn_id"
    order = f"{ordered_table}.turn_id {'desc' if query.descending else 'asc'}"
    where = " and ".join(conditions)
    statement = f"select request.turn_id from {source} where {where} order by {order} limit :limit"
    return statement, parameters


def _filters(query: ListQuery) -> Iterator[tuple[str, str | None]]:
    if not query.viewer.admin:
        yield "actor", query.viewer.actor
    if query.model is not None:
        yield "model", query.model


def find_completion(log: LogStore, viewer: Viewer, completion_id: str) -> list[LoggedTurn]:
    """Return the turns of a stored completion, without their prompts.

    Raises ApiError if there is no such completion.
    """
    turn_id = parse_completion_id(completion_id)
    turns = load_answers(log, [turn_id]) if turn_id else []
    if not turns or not all(_is_visible(turn, viewer) for turn in turns):
        message = f"There is no stored chat completion with the id '{completion_id[:100]}'."
        raise ApiError(404, message, param="completion_id")
    return turns


def _is_visible(turn: LoggedTurn, viewer: Viewer) -> bool:
    is_stored = turn.endpoint == LISTED and turn.stored and not turn.deleted
    return is_stored and turn.status == 200 and viewer.can_see(turn.actor)


def update_metadata(
    log: RedactingStore, viewer: Viewer, completion_id: str, metadata: Mapping[str, str]
) -> list[LoggedTurn]:
    "Replace the metadata of a completion, and return the updated completion."
    first, *_ = find_completion(log, viewer, completion_id)
    metadata = log.redaction.value(metadata)
    metadata_json = json.dumps(metadata, ensure_ascii=False) if metadata else None
    statement = "update gpt_oss_requests set metadata = ? where answer_id = ?"
    log.db.conn.execute(statement, [metadata_json, first.answer_id])
    set_metadata(log.db.conn, first.answer_id, metadata)
    return find_completion(log, viewer, completion_id)


def delete_completion(log: LogStore, viewer: Viewer, completion_id: str) -> None:
    mark_deleted(log.db.conn, [turn.id for turn in find_completion(log, viewer, completion_id)])
