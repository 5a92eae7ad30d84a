"""Selects, in SQL, the turns whose texts are redacted, and the messages and other rows that these use.

Each statement takes a short time, so that other programs can write meanwhile. A message is selected once,
although all later turns of its thread share it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .prune_selection import find_ids, utc_text

# How many keys are looked up at a time.
BATCH = 200

# A fragment with an alias is the user's own text for later prompts.
OWN_FRAGMENTS = "select fragment_id from fragment_aliases"
ALL = {
    "turns": "select id from turns",
    "threads": "select id from threads",
    "messages": "select hash as id from messages",
    "values": "select id from gpt_oss_field_values",
    "fragments": f"select id from fragments where id not in ({OWN_FRAGMENTS})",
    "tools": "select id from tools",
    "schemas": "select id from schemas",
}
TURNS = """
select id from turns
where (:all or thread_id in (select value from json_each(:threads)))
    and (:before is null or substr(nullif(datetime_utc, ''), 1, 19) < :before)
"""
# The messages that lead to these ends, except those that are selected already.
CHAINS = """
insert or ignore into temp.chosen_messages
with recursive chain (hash) as (
    select value from json_each(:ends) where value is not null
        and value not in (select id from temp.chosen_messages)
    union
    select messages.parent_hash from chain join messages on messages.hash = chain.hash
    where messages.parent_hash is not null
        and messages.parent_hash not in (select id from temp.chosen_messages)
)
select hash from chain
"""
USED = {
    "tools": "select tool_id from turn_tools where turn_id in ({ids})",
    "schemas": "select schema_id from turns where id in ({ids}) and schema_id is not null",
    "values": "select value_id from gpt_oss_request_fields where turn_id in ({ids})",
    "fragments": f"""
        select fragment_id from turn_fragments
        where turn_id in ({{ids}}) and fragment_id not in ({OWN_FRAGMENTS})
    """,
}
GIVEN = "select value from json_each(?)"


@dataclass(frozen=True, slots=True)
class RedactSelection:
    "Which turns to redact: those of `threads`, or all, if they are older than `before`."

    threads: Sequence[str] = ()
    before: datetime | None = None


# For each kind of row, SQL that selects the keys of the rows as `id`.
Keys = Mapping[str, str]


def select_keys(connection: sqlite3.Connection, selection: RedactSelection) -> Keys:
    """Return the keys of the rows to look at. Must not run in a transaction.

    Creates temporary tables if not all of the log is selected. Raises BadRequest for a thread that does not
    exist.
    """
    threads = find_ids(connection, "thread", selection.threads)
    if not threads and selection.before is None:
        return ALL
    for kind in ALL:
        connection.execute(f"create temporary table chosen_{kind} (id primary key) without rowid")
    before = selection.before and utc_text(selection.before)
    parameters = {"all": not threads, "threads": json.dumps(threads), "before": before}
    connection.execute(f"insert into temp.chosen_turns {TURNS}", parameters)
    if selection.before is None:
        connection.execute(f"insert into temp.chosen_threads {GIVEN}", [json.dumps(threads)])
        _choose_chains(connection, "select tip_message_hash from threads where id in ({ids})", threads)
    keys = {kind: f"select id from temp.chosen_{kind}" for kind in ALL}
    for ids in batches(connection, keys["turns"]):
        _choose_chains(connection, "select tip_message_hash from turns where id in ({ids})", ids)
        for kind, sql in USED.items():
            used = sql.format(ids=GIVEN)
            connection.execute(f"insert or ignore into temp.chosen_{kind} {used}", [json.dumps(ids)])
    return keys


def batches(connection: sqlite3.Connection, keys: str) -> Iterator[list[str | int]]:
    "The keys that this SQL selects, a few at a time."
    sql = f"select id from ({keys}) where ? is null or id > ? order by id limit {BATCH}"
    last = None
    while ids := [id for (id,) in connection.execute(sql, [last, last])]:
        yield ids
        last = ids[-1]


def _choose_chains(connection: sqlite3.Connection, ends: str, ids: Sequence[str | int]) -> None:
    rows = connection.execute(ends.format(ids=GIVEN), [json.dumps(ids)])
    connection.execute(CHAINS, {"ends": json.dumps([end for (end,) in rows])})
