"Selects the turns to export, and yields their ids in the order of the log."

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from llm.logs import LogStore

# How many turns a query reads. Queries are short, so that the server's WAL file does not grow.
RANGE = 500

# The last id of a range, ascending and descending.
LAST_ID = """
select max(id) from (select id from turns where id > :edge order by id limit :range)
"""
FIRST_ID = """
select min(id) from (select id from turns where id < :edge order by id desc limit :range)
"""
FAILED = "(error is not null or coalesce(status, 200) <> 200)"
# The id of a key follows its name: `laptop:9f86d081`.
KEY = """exists (
    select 1 from json_each(:keys) as key
    where actor = key.value or substr(actor, 1, length(key.value) + 1) = key.value || ':'
)"""
# The index is asked for each turn, because very many turns may match.
SEARCH = """exists (
    select 1 from turn_search cross join turn_search_fts as fts on fts.rowid = turn_search.rowid
    where turn_search.turn_id = gpt_oss_turns.turn_id and fts.turn_search_fts match :search
)"""
# Greater than any id.
LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Selection:
    """The turns from `since` to `until`, of any of these threads, models, apps and keys.

    An empty list selects all. `failed` selects turns that failed (True), that did not fail (False), or both
    (None). `search` are words in the prompt or the answer. Turns that were deleted through the API are never
    selected, and turns of `llm gpt-oss bench` only with `benchmarks`.
    """

    since: datetime | None = None
    until: datetime | None = None
    threads: Sequence[str] = ()
    models: Sequence[str] = ()
    apps: Sequence[str] = ()
    keys: Sequence[str] = ()
    failed: bool | None = None
    search: str | None = None
    benchmarks: bool = False

    def conditions(self) -> Iterator[tuple[str, str, Any]]:
        "Yield conditions for the view `gpt_oss_turns`, each with the name and value of its parameter."
        if self.since:
            yield "datetime_utc >= :since", "since", _utc(self.since)
        if self.until:
            yield "datetime_utc < :until", "until", _utc(self.until)
        names = {"thread_id": self.threads, "model": self.models, "app": self.apps}
        for column, values in names.items():
            if values:
                yield f"{column} in (select value from json_each(:{column}))", column, _json(values)
        if self.keys:
            yield KEY, "keys", _json(self.keys)
        if self.failed is not None:
            yield f"{FAILED} = :failed", "failed", self.failed
        if self.search:
            yield SEARCH, "search", _fts_phrases(self.search)


def turn_ids(log: LogStore, selection: Selection, *, descending: bool = False) -> Iterator[str]:
    "Yield the ids of the selected turns. Turns that are logged meanwhile may be included."
    conditions = ["not deleted", *([] if selection.benchmarks else ["not benchmark"])]
    parameters: dict[str, Any] = {"range": RANGE}
    for condition, name, value in selection.conditions():
        conditions.append(condition)
        parameters[name] = value
    within = "turn_id < :edge and turn_id >= :end" if descending else "turn_id > :edge and turn_id <= :end"
    order = "desc" if descending else "asc"
    where = " and ".join([within, *conditions])
    sql = f"select turn_id from gpt_oss_turns where {where} order by turn_id {order}"
    connection = log.db.conn
    edge = LAST if descending else ""
    while (end := _end_of_range(connection, edge, descending)) is not None:
        yield from [id for (id,) in connection.execute(sql, {**parameters, "edge": edge, "end": end})]
        edge = end


def _end_of_range(connection: sqlite3.Connection, edge: str, descending: bool) -> str | None:
    sql = FIRST_ID if descending else LAST_ID
    (end,) = connection.execute(sql, {"edge": edge, "range": RANGE}).fetchone()
    return end if end is None else str(end)


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat()


def _json(values: Sequence[str]) -> str:
    return json.dumps([*values])


def _fts_phrases(words: str) -> str:
    "Quote each word, so that SQLite does not read it as an operator."
    return " ".join('"{}"'.format(word.replace('"', '""')) for word in words.split())
