"""Redacts texts that are in llm's log already. `llm_gpt_oss/log/redaction.py` redacts what is written.

A message keeps its hash, by which turns, threads and the API know it. So it no longer fits its text, which
`LogStore.verify` reports. A program that loads it and continues it, as `llm -c` does, stores the redacted
conversation as new messages. A client that sends the original text again continues the same messages.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.redaction import MARKER, Redaction
from llm_gpt_oss.setup.progress import Progress, Report

from .redact_selection import RedactSelection, batches, select_keys
from .whole_log import opened_log

# How many pages of the search index are merged in one transaction.
MERGE_PAGES = 500
MERGE = "insert into turn_search_fts (turn_search_fts, rank) values ('merge', ?)"
ANSWERS = "select text, arguments from gpt_oss_messages where turn_id = ? and is_answer"

Redact = Callable[[Redaction, str], str]


class Texts(NamedTuple):
    """Columns of a table with texts, and how each is redacted.

    `key` is the primary key. The rows belong to the `owners` whose keys are in the column `owner`.
    """

    table: str
    key: str
    owner: str
    owners: str
    columns: Mapping[str, Redact]


@dataclass(frozen=True, slots=True)
class RedactResult:
    """The number of redacted rows in each table.

    `copy_remains`: another program keeps the log's -wal file open, which still contains the old texts.
    """

    rows: Mapping[str, int]
    copy_remains: bool = False


def redact(
    path: Path, redaction: Redaction, selection: RedactSelection, *, really: bool = False, report: Report
) -> RedactResult:
    """Redacts the selected rows if `really` is set, and otherwise only counts them.

    Other programs may use the log meanwhile: each transaction changes a few rows. If this is interrupted, it
    can run again. Raises GptOssError if the file is not a log of llm's or cannot be opened, and BadRequest
    for a thread that it does not contain.
    """
    with opened_log(path, "cannot be redacted now") as connection:
        connection.isolation_level = None
        report(Progress("Finding the turns to redact"))
        keys = select_keys(connection, selection)
        rows = {}
        for texts in TABLES:
            report(Progress(f"Searching {texts.table}"))
            rows[texts.table] = _redact_table(connection, texts, keys[texts.owners], redaction, really)
        if not really:
            return RedactResult(rows)
        if rows["turn_search"]:
            report(Progress("Removing the old texts from the search index"))
            _merge_index(connection)
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        return RedactResult(rows, bool(busy))


def _redact_table(
    connection: sqlite3.Connection, texts: Texts, keys: str, redaction: Redaction, really: bool
) -> int:
    "Returns the number of rows that are or would be redacted."
    names = [*texts.columns]
    select = (
        f"select {texts.key}, {', '.join(names)} from {texts.table} "
        f"where {texts.owner} in (select value from json_each(?))"
    )
    # A row that another program has changed or deleted meanwhile stays as it is.
    update = (
        f"update {texts.table} set {', '.join(f'{name} = ?' for name in names)} "
        f"where {texts.key} = ? and {' and '.join(f'{name} is ?' for name in names)}"
    )
    count = 0
    for ids in batches(connection, keys):
        changes = []
        for key, *old in connection.execute(select, [json.dumps(ids)]).fetchall():
            new = [
                redact(redaction, text) if isinstance(text, str) else text
                for redact, text in zip(texts.columns.values(), old, strict=True)
            ]
            if texts.table == "turns" and _spells_out_secrets(connection, key, new[0], redaction):
                new[0] = _without_logprobs(new[0])
            if new != old:
                changes.append((*new, key, *old))
        if really and changes:
            with write_transaction(connection):
                connection.executemany(update, changes)
        count += len(changes)
    return count


def _merge_index(connection: sqlite3.Connection) -> None:
    "Merges the search index to one segment, as `optimize` does, but in short transactions."
    pages = -MERGE_PAGES  # a negative number begins a merge of all segments
    while True:
        before = connection.total_changes
        with write_transaction(connection):
            connection.execute(MERGE, [pages])
        if connection.total_changes - before < 2:
            return
        pages = MERGE_PAGES


def _text(redaction: Redaction, text: str) -> str:
    return redaction.text(text)


def _json(redaction: Redaction, text: str, *, ascii: bool = True) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return redaction.text(text)
    redacted = redaction.value(value)
    return text if redacted == value else json.dumps(redacted, ensure_ascii=ascii)


def _body(redaction: Redaction, text: str) -> str:
    return _json(redaction, text, ascii=False)


def _payload(redaction: Redaction, text: str) -> str:
    "The part of a message without its text. Ids and the names of tools stay."
    payload = json.loads(text)
    redacted = redaction.payload(payload)
    return text if redacted == payload else json.dumps(redacted)


def _spells_out_secrets(
    connection: sqlite3.Connection, turn_id: str, response: str | None, redaction: Redaction
) -> bool:
    "Whether the log probabilities of a turn spell out an answer that is redacted."
    if not response or '"logprobs"' not in response:
        return False
    answers: Iterable[tuple[str | None, ...]] = connection.execute(ANSWERS, [turn_id]).fetchall()
    texts = [text for row in answers for text in row if text]
    return any(MARKER in text or redaction.text(text) != text for text in texts)


def _without_logprobs(text: str) -> str:
    value: Any = json.loads(text)
    if isinstance(value, dict):
        value.pop("logprobs", None)
    return json.dumps(value)


TABLES = (
    Texts("parts", "id", "message_hash", "messages", {"text": _text, "payload": _payload}),
    Texts("messages", "hash", "hash", "messages", {"provider_metadata": _json}),
    Texts("fragments", "id", "id", "fragments", {"content": _text}),
    Texts("turns", "id", "id", "turns", {"response_json": _json, "options_json": _json}),
    Texts("tools", "id", "id", "tools", {"description": _text, "input_schema": _json}),
    Texts("schemas", "id", "id", "schemas", {"content": _json}),
    Texts("threads", "id", "id", "threads", {"name": _text}),
    Texts("turn_search", "id", "turn_id", "turns", {"prompt": _text, "response": _text}),
    Texts(
        "gpt_oss_requests",
        "turn_id",
        "turn_id",
        "turns",
        {"request": _body, "error": _text, "ignored": _body, "client": _text, "metadata": _body},
    ),
    Texts("gpt_oss_metadata", "turn_id", "turn_id", "turns", {"value": _text}),
    Texts("gpt_oss_conversations", "thread_id", "thread_id", "threads", {"metadata": _body}),
    Texts("gpt_oss_field_values", "id", "id", "values", {"value": _body}),
)
