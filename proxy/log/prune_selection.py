"""Selects, in SQL, the rows of llm's log to delete when turns and threads are deleted.

Turns and threads share the messages of their chains: a message is deleted with the last of them.
Attachments, fragments, schemas, tools and long request fields are deleted with the last row that refers to
them. The schema says which columns refer to what, so that tables of later versions are included: rows that
belong to a turn or thread are deleted with it, and rows of other programs that refer to a message keep it.

The selection is stored in temporary tables of the connection, so a long log does not take more memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlite_utils.db import quote_identifier

from llm_gpt_oss.errors import BadRequest

from .ids import CONVERSATION_PREFIX, turn_of_answer

# Tables whose rows are shared by many turns and messages, which refer to them by id.
SHARED = ("attachments", "fragments", "schemas", "tools", "tool_instances", "gpt_oss_field_values")


@dataclass(frozen=True, slots=True)
class PruneSelection:
    """Which turns to delete: `turns` and those of `threads`, or all, if they are older than `before`.

    Without any of these: what was deleted through the API, and all turns of deleted conversations. Ids are
    those of the log or of the API. The id of an answer's first choice selects all its choices.
    """

    turns: Sequence[str] = ()
    threads: Sequence[str] = ()
    before: datetime | None = None

    @property
    def marked(self) -> bool:
        "Whether to delete what was deleted through the API."
        return not (self.turns or self.threads or self.before)


# For each table the SQL condition of the rows to delete. Tables come before those that they refer to.
Rows = Mapping[str, str]


class Reference(NamedTuple):
    "`column` of `table` contains keys of `target`."

    table: str
    column: str
    target: str

    @property
    def keeps(self) -> bool:
        "Whether this reference keeps a message. Rows of ours are deleted together with it instead."
        ours = self.table in ("messages", "parts") or self.table.startswith("gpt_oss_")
        return self.target == "messages" and not ours


REFERENCES = """
select tables.name, keys."from", keys."table"
from sqlite_master as tables, pragma_foreign_key_list(tables.name) as keys
where tables.type = 'table'
union
select tables.name, columns.name, keys.value
from sqlite_master as tables, pragma_table_info(tables.name) as columns
join json_each('{"turn_id": "turns", "thread_id": "threads", "message_hash": "messages"}') as keys
    on keys.key = columns.name
where tables.type = 'table' and tables.name glob 'gpt_oss_*'
"""

DELETED_THREADS = "select thread_id from gpt_oss_conversations where deleted"
DELETED_TURNS = f"""
select turn_id from gpt_oss_requests where deleted
union select id from turns where thread_id in ({DELETED_THREADS})
"""
SELECTED_TURNS = """
select turns.id from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where (
    :all
    or turns.id in (select value from json_each(:turns))
    or request.answer_id in (select value from json_each(:turns))
    or turns.thread_id in (select value from json_each(:threads))
) and (:before is null or substr(nullif(turns.datetime_utc, ''), 1, 19) < :before)
"""
SELECTED_THREADS = "select value from json_each(:threads) where :before is null"

# A conversation of the API keeps its messages and turns until it is deleted itself.
KEPT_CONVERSATIONS = (
    "select thread_id from gpt_oss_conversations where not deleted and thread_id not in temp.released"
)
KEPT_TURNS = f"""
with recursive chain (thread_id, hash) as (
    select id, tip_message_hash from threads
    where id in ({KEPT_CONVERSATIONS}) and id in (select thread_id from turns where id in temp.gone_turns)
    union all
    select chain.thread_id, messages.parent_hash from chain join messages on messages.hash = chain.hash
)
select turns.id
from chain join turns on turns.thread_id = chain.thread_id and turns.tip_message_hash = chain.hash
where turns.id in temp.gone_turns
"""
# Threads that lose turns.
TOUCHED = f"""
select id from threads
where (id in (select thread_id from turns where id in temp.gone_turns) or id in temp.released)
    and id not in ({KEPT_CONVERSATIONS})
"""
EMPTY = """
select id from temp.touched
where not exists (
    select 1 from turns where turns.thread_id = touched.id and turns.id not in temp.gone_turns
)
"""
# A thread keeps its tip if the turn that is next to it, searched towards the beginning, stays. Otherwise its
# new tip is that of the last turn that stays, preferably of one that did not fail.
MOVED = """
create temporary table moved as
with recursive way (thread_id, hash) as (
    select id, tip_message_hash from threads
    where id in temp.touched and id not in temp.gone_threads
    union all
    select way.thread_id, messages.parent_hash from way join messages on messages.hash = way.hash
    where not exists (
        select 1 from turns where turns.thread_id = way.thread_id and turns.tip_message_hash = way.hash
    )
)
select id, (
    select tip_message_hash from turns left join gpt_oss_requests as request on request.turn_id = turns.id
    where turns.thread_id = touched.id and turns.id not in temp.gone_turns
    order by coalesce(request.status, 200) = 200 desc, turns.id desc limit 1
) as tip
from temp.touched
where id not in temp.gone_threads and id not in (
    select way.thread_id
    from way join turns on turns.thread_id = way.thread_id and turns.tip_message_hash = way.hash
    where turns.id not in temp.gone_turns
)
"""
# Messages that no row refers to. Those that a remaining message follows stay too.
UNNAMED = "select hash from messages where hash not in temp.named"
REACHED = """
with recursive chain (hash) as (
    select gone.id
    from temp.gone_messages as gone join messages as child on child.parent_hash = gone.id
    where child.hash not in temp.gone_messages
    union
    select messages.parent_hash from chain join messages on messages.hash = chain.hash
    where messages.parent_hash in temp.gone_messages
)
delete from temp.gone_messages where id in (select hash from chain)
"""
CALL_IDS = """
select json_extract(part.json, '$.tool_call_id') from (
    select *, case when json_valid(payload) then payload end as json from parts
) as part
where type in ('tool_call', 'tool_result') and json_extract(part.json, '$.tool_call_id') is not null
    and message_hash {} temp.gone_messages
"""

OWN = {
    "parts": "message_hash in temp.gone_messages",
    "turns": "id in temp.gone_turns",
    "threads": "id in temp.gone_threads",
    "messages": "hash in temp.gone_messages",
}
BELONGING = {
    "parts": f"(select id from parts where {OWN['parts']})",
    "turns": "temp.gone_turns",
    "threads": "temp.gone_threads",
    "messages": "temp.gone_messages",
}


def select_rows(connection: sqlite3.Connection, selection: PruneSelection) -> Rows:
    """The rows to delete. The conditions are valid in this transaction.

    Creates temporary tables, among them `gone_turns`, `gone_threads` and `gone_messages`, which are deleted;
    `held`, turns that were selected but are kept by a conversation; `released`, threads that are deleted as a
    whole; `moved`, threads that get another tip. Raises BadRequest for a turn or thread that does not exist.
    """
    _select_turns(connection, selection)
    _create_temporary(connection, "held", KEPT_TURNS)
    connection.execute("delete from temp.gone_turns where id in temp.held")
    _create_temporary(connection, "touched", TOUCHED)
    _create_temporary(connection, "gone_threads", EMPTY)
    connection.execute(MOVED)
    references = [Reference(*row) for row in connection.execute(REFERENCES)]
    rows = {**_dependent_rows(references), **OWN}
    _create_temporary(connection, "named", _referenced_messages(references, rows))
    _create_temporary(connection, "gone_messages", UNNAMED)
    connection.execute(REACHED)
    for table in SHARED:
        rows[table] = f"id in temp.gone_{table}"
        _select_unused(connection, table, references, rows)
    return rows


def _select_turns(connection: sqlite3.Connection, selection: PruneSelection) -> None:
    turns = find_ids(connection, "turn", selection.turns)
    threads = find_ids(connection, "thread", selection.threads)
    before = selection.before and utc_text(selection.before)
    parameters = {
        "turns": json.dumps(turns),
        "threads": json.dumps(threads),
        "all": not turns and not threads,
        "before": before,
    }
    _create_temporary(
        connection, "gone_turns", DELETED_TURNS if selection.marked else SELECTED_TURNS, parameters
    )
    _create_temporary(
        connection, "released", DELETED_THREADS if selection.marked else SELECTED_THREADS, parameters
    )


def utc_text(time: datetime) -> str:
    "The time in the form of the first 19 characters of `turns.datetime_utc`."
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def find_ids(connection: sqlite3.Connection, noun: str, requested: Iterable[str]) -> list[str]:
    "The ids in the log. `noun` is turn or thread."
    ids = []
    for id in requested:
        sql = f"select id from {noun}s where id in (?, ?)"
        row = connection.execute(sql, [id, turn_of_answer(id).removeprefix(CONVERSATION_PREFIX)]).fetchone()
        if row is None:
            raise BadRequest(f"The log has no {noun} {id}.", param=noun, remedy="`llm logs` shows the ids.")
        ids.append(row[0])
    return ids


def _create_temporary(
    connection: sqlite3.Connection, name: str, ids: str, parameters: Mapping[str, Any] | None = None
) -> None:
    "Creates a table with the ids that the query `ids` selects."
    connection.execute(f"create temporary table {name} (id primary key) without rowid")
    connection.execute(f"insert or ignore into temp.{name} {ids}", parameters or {})


def _dependent_rows(references: Iterable[Reference]) -> dict[str, str]:
    "Rows of other tables that are deleted with parts, turns, threads and messages."
    conditions: dict[str, list[str]] = {
        "gpt_oss_custom_calls": [
            f"call_id in ({CALL_IDS.format('in')}) and call_id not in ({CALL_IDS.format('not in')})"
        ],
    }
    for reference in references:
        table, column, target = reference
        if target in BELONGING and table not in OWN and not reference.keeps:
            conditions.setdefault(table, []).append(f"{quote_identifier(column)} in {BELONGING[target]}")
    return {table: " or ".join(parts) for table, parts in conditions.items()}


def _referenced_messages(references: Iterable[Reference], rows: Rows) -> str:
    "Selects the messages that remaining rows refer to. Sorted, which fills a large table far faster."
    gone = {**rows, "threads": f"{rows['threads']} or id in (select id from temp.moved)"}
    keys = [
        f"select {quote_identifier(column)} as hash from {quote_identifier(table)}"
        f" where not ({gone.get(table, 0)})"
        for table, column, _ in (reference for reference in references if reference.keeps)
    ]
    return f"select hash from ({' union all '.join(keys)}) where hash is not null order by hash"


def _select_unused(
    connection: sqlite3.Connection, table: str, references: Iterable[Reference], rows: Rows
) -> None:
    "Creates the table with the ids of shared rows that only deleted rows refer to."
    users = [reference for reference in references if reference.target == table]
    used = [
        f"select {quote_identifier(column)} from {quote_identifier(user)} where {rows[user]}"
        for user, column, _ in users
        if user in rows
    ]
    _create_temporary(connection, f"gone_{table}", f"select * from ({' union '.join(used)})")
    connection.execute(f"delete from temp.gone_{table} where id is null")
    for user, column, _ in users:
        if connection.execute(f"select 1 from temp.gone_{table}").fetchone():
            key = quote_identifier(column)
            stays = f"{key} in temp.gone_{table} and not ({rows.get(user, 0)})"
            used_ids = f"select {key} from {quote_identifier(user)} where {stays}"
            connection.execute(f"delete from temp.gone_{table} where id in ({used_ids})")
