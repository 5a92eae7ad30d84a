"""What goes from llm's log when turns and threads do, as SQL.

A message is shared by the turns and threads whose chains lead to it, and goes with the last of them.
Attachments, fragments, schemas and tools go with the last row that names them. What refers to what is read
from the schema, so that tables which later versions add are taken along: what belongs to a turn or thread
goes with it, what names a message keeps it.

Everything stands in temporary tables of the connection, so memory stays small however long the log is.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from llm_gpt_oss.errors import BadRequest

# Rows that many turns and messages use, each by its id.
SHARED = ("attachments", "fragments", "schemas", "tools", "tool_instances", "gpt_oss_field_values")

# What the API puts in front of the ids of turns and threads.
PREFIX = re.compile("^(resp_|chatcmpl-|cmpl-|conv_)")


@dataclass(frozen=True, slots=True)
class PruneSelection:
    """Which turns are to go: these, and those of these threads (of all, where none is named), if they are
    older than `before`. Without anything: what was deleted through the API, of conversations all turns.

    Both are named by their ids in the log or by those of the API. The first choice of an answer that has
    several stands for all of them.
    """

    turns: Sequence[str] = ()
    threads: Sequence[str] = ()
    before: datetime | None = None

    @property
    def marked(self) -> bool:
        "What was deleted through the API."
        return not (self.turns or self.threads or self.before)


# Table to the condition by which its rows go. Those that refer stand before those that they refer to.
Rows = Mapping[str, str]


class Reference(NamedTuple):
    "`column` of `table` holds keys of `target`."

    table: str
    column: str
    target: str

    @property
    def keeps(self) -> bool:
        "Whether a message that is named so stays; rows of ours go with it instead."
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
CHOSEN_TURNS = """
select turns.id from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where (
    :all
    or turns.id in (select value from json_each(:turns))
    or request.answer_id in (select value from json_each(:turns))
    or turns.thread_id in (select value from json_each(:threads))
) and (:before is null or substr(nullif(turns.datetime_utc, ''), 1, 19) < :before)
"""
CHOSEN_THREADS = "select value from json_each(:threads) where :before is null"

# A conversation of the API holds what was said in it, and its turns, which tell of its items, until it is
# deleted itself.
HOLDING = "select thread_id from gpt_oss_conversations where not deleted and thread_id not in temp.released"
HELD = f"""
with recursive chain (thread_id, hash) as (
    select id, tip_message_hash from threads
    where id in ({HOLDING}) and id in (select thread_id from turns where id in temp.gone_turns)
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
    and id not in ({HOLDING})
"""
EMPTY = """
select id from temp.touched
where not exists (
    select 1 from turns where turns.thread_id = touched.id and turns.id not in temp.gone_turns
)
"""
# A thread keeps its tip if the first turn to be met on the way down from there stays. If not, it ends with
# the last turn that stays, one that did not fail if there is any.
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
# Nothing names these messages; of them, all stay that a message leads to which does not go.
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
select json_extract(payload, '$.tool_call_id') from parts
where type in ('tool_call', 'tool_result') and json_extract(payload, '$.tool_call_id') is not null
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


def select_rows(connection: sqlite3.Connection, choice: PruneSelection) -> Rows:
    """The rows that go, until the transaction or the connection ends.

    Makes temporary tables, among them `gone_turns`, `gone_threads` and `gone_messages`; `held`, turns that
    were chosen and stay, for the sake of a conversation; `released`, threads that go as a whole; `moved`,
    those that get another tip. Raises BadRequest for a turn or thread that the log does not have.
    """
    _chosen(connection, choice)
    _temporary(connection, "held", HELD)
    connection.execute("delete from temp.gone_turns where id in temp.held")
    _temporary(connection, "touched", TOUCHED)
    _temporary(connection, "gone_threads", EMPTY)
    connection.execute(MOVED)
    references = [Reference(*row) for row in connection.execute(REFERENCES)]
    rows = {**_belonging(references), **OWN}
    _temporary(connection, "named", _named(references, rows))
    _temporary(connection, "gone_messages", UNNAMED)
    connection.execute(REACHED)
    for table in SHARED:
        rows[table] = f"id in temp.gone_{table}"
        _unused(connection, table, references, rows)
    return rows


def _chosen(connection: sqlite3.Connection, choice: PruneSelection) -> None:
    turns, threads = _ids(connection, "turn", choice.turns), _ids(connection, "thread", choice.threads)
    before = choice.before and choice.before.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    given = {
        "turns": json.dumps(turns),
        "threads": json.dumps(threads),
        "all": not turns and not threads,
        "before": before,
    }
    _temporary(connection, "gone_turns", DELETED_TURNS if choice.marked else CHOSEN_TURNS, given)
    _temporary(connection, "released", DELETED_THREADS if choice.marked else CHOSEN_THREADS, given)


def _ids(connection: sqlite3.Connection, what: str, named: Iterable[str]) -> list[str]:
    ids = []
    for name in named:
        found = connection.execute(f"select id from {what}s where id in (?, ?)", [name, PREFIX.sub("", name)])
        row = found.fetchone()
        if row is None:
            raise BadRequest(f"The log has no {what} {name}.", param=what, remedy="`llm logs` shows the ids.")
        ids.append(row[0])
    return ids


def _temporary(
    connection: sqlite3.Connection, name: str, keys: str, given: Mapping[str, Any] | None = None
) -> None:
    connection.execute(f"create temporary table {name} (id primary key) without rowid")
    connection.execute(f"insert or ignore into temp.{name} {keys}", given or {})


def _belonging(references: Iterable[Reference]) -> dict[str, str]:
    "Rows of other tables that go with parts, turns, threads and messages."
    conditions: dict[str, list[str]] = {
        "gpt_oss_custom_calls": [
            f"call_id in ({CALL_IDS.format('in')}) and call_id not in ({CALL_IDS.format('not in')})"
        ],
    }
    for reference in references:
        table, column, target = reference
        if target in BELONGING and table not in OWN and not reference.keeps:
            conditions.setdefault(table, []).append(f'"{column}" in {BELONGING[target]}')
    return {table: " or ".join(each) for table, each in conditions.items()}


def _named(references: Iterable[Reference], rows: Rows) -> str:
    "Where the chains begin that stay. In order, since a large table is filled far faster so."
    gone = {**rows, "threads": f"{rows['threads']} or id in (select id from temp.moved)"}
    keys = [
        f'select "{each.column}" as hash from "{each.table}" where not ({gone.get(each.table, 0)})'
        for each in references
        if each.keeps
    ]
    return f"select hash from ({' union all '.join(keys)}) where hash is not null order by hash"


def _unused(connection: sqlite3.Connection, table: str, references: Iterable[Reference], rows: Rows) -> None:
    "Makes the table of those that only rows which go refer to."
    users = [reference for reference in references if reference.target == table]
    used = [
        f'select "{column}" from "{user}" where {rows[user]}' for user, column, _ in users if user in rows
    ]
    _temporary(connection, f"gone_{table}", f"select * from ({' union '.join(used)})")
    connection.execute(f"delete from temp.gone_{table} where id is null")
    for user, column, _ in users:
        if connection.execute(f"select 1 from temp.gone_{table}").fetchone():
            staying = f'"{column}" in temp.gone_{table} and not ({rows.get(user, 0)})'
            connection.execute(
                f'delete from temp.gone_{table} where id in (select "{column}" from "{user}" where {staying})'
            )
