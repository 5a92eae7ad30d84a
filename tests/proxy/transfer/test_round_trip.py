"What is exported, imported into an empty log and exported again is the same, byte for byte."

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from support.logged_turns import assistant, user
from support.transfer import MODEL, export_text, import_text, write_next
from support.turn_logs import TurnLog

from llm_gpt_oss.log.redaction import Redaction
from proxy.log.access import Viewer
from proxy.log.database import open_log
from proxy.log.llm_store import ChainStore
from proxy.log.lookup import find_thread
from proxy.transfer.export import Format
from proxy.transfer.log_import import Outcome

CASES = [
    pytest.param("turns", False, id="turns"),
    pytest.param("responses", False, id="responses"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat with reasoning"),
]


@pytest.mark.parametrize(("format", "reasoning"), CASES)
def test_an_import_is_exported_as_the_same_bytes(
    full_log: TurnLog, other: TurnLog, format: Format, reasoning: bool
) -> None:
    text = export_text(full_log.store, format, reasoning=reasoning)
    outcomes = import_text(other.store, text)
    assert [outcome.problem for outcome in outcomes] == [None] * len(text.splitlines())
    assert export_text(other.store, format, reasoning=reasoning) == text
    assert other.store.verify() == []


@pytest.mark.parametrize(("format", "reasoning"), CASES)
def test_importing_twice_adds_nothing(
    full_log: TurnLog, other: TurnLog, format: Format, reasoning: bool
) -> None:
    text = export_text(full_log.store, format, reasoning=reasoning)
    turns = sum(outcome.added for outcome in import_text(other.store, text))
    assert turns == other.db["turns"].count
    for log in (other, full_log):
        before = list(log.db.conn.iterdump())
        assert sum(outcome.added for outcome in import_text(log.store, text)) == 0
        assert list(log.db.conn.iterdump()) == before


def test_turns_keep_everything(full_log: TurnLog, other: TurnLog) -> None:
    import_text(other.store, export_text(full_log.store, "turns"))
    tables = {
        "turns": "*",
        "messages": "*",
        "gpt_oss_requests": "*",
        "gpt_oss_calls": "*",
        "gpt_oss_custom_calls": "*",
        "gpt_oss_metadata": "*",
        "turn_tools": "turn_id",
        "threads": "id, name, tip_message_hash, forked_from",
    }
    for table, columns in tables.items():
        rows = [
            sorted(map(tuple, log.db.conn.execute(f"select {columns} from {table}").fetchall()), key=str)
            for log in (full_log, other)
        ]
        assert rows[0] == rows[1], table


@pytest.mark.parametrize("format", ["turns", "responses", "chat"])
def test_what_was_imported_can_be_continued(full_log: TurnLog, other: TurnLog, format: Format) -> None:
    import_text(other.store, export_text(full_log.store, format))
    history = [user("In the shell"), assistant("Hello"), user("What is there?"), assistant("This")]
    continued = write_next(other, *history, user("And?"), answer=assistant("That"))
    turns = other.db["turns"].count_where("thread_id = ?", [other.thread_of(continued)])
    # A stateless client never continues a thread of the shell, which `turns` restores.
    assert turns == (1 if format == "turns" else 3)
    thread = other.thread(continued)
    assert other.store.thread_messages(thread["id"])[-1].parts[0].text == "That"
    assert find_thread(other.store, thread["id"], Viewer(None, admin=True))


def test_threads_of_imported_turns_come_before_the_shells(full_log: TurnLog, other: TurnLog) -> None:
    "`llm -c` continues the thread with the greatest id, which stays the person's own."
    import_text(other.store, export_text(full_log.store, "chat"))
    assert all(row["id"].startswith("00") for row in other.db["threads"].rows)
    assert {row["model"] for row in other.db["turns"].rows} == {MODEL}


def test_part_of_an_export(full_log: TurnLog, other: TurnLog) -> None:
    "A line lacks the messages of earlier ones. Without these it is left out, and taken when they are there."
    lines = export_text(full_log.store, "turns").splitlines(keepends=True)
    first, second, *rest = import_text(other.store, b"".join(lines[1:]))
    assert (first.added, second.added) == (0, 0)
    for outcome in (first, second):
        assert outcome.problem
        assert "neither in the log nor in earlier lines" in outcome.problem
    assert rest[-1] == Outcome(len(lines) - 1, added=1)
    import_text(other.store, b"".join(lines))
    assert other.db["turns"].count == len(lines)


def test_an_export_of_one_thread_has_all_its_messages(full_log: TurnLog, other: TurnLog) -> None:
    fork = next(row["id"] for row in full_log.db["threads"].rows if row["forked_from"])
    import_text(other.store, export_text(full_log.store, "turns", threads=[fork]))
    assert [(row["id"], row["forked_from"]) for row in other.db["threads"].rows] == [(fork, None)]
    assert other.store.thread_messages(fork) == full_log.store.thread_messages(fork)


def test_nothing_is_written_that_another_log_has(full_log: TurnLog, other: TurnLog) -> None:
    "A trial run writes to an empty log, and compares with the real one."
    text = export_text(full_log.store, "turns")
    last = text.splitlines(keepends=True)[-1]
    full_log.db.conn.execute("delete from turns where id = (select max(id) from turns)")
    outcomes = import_text(other.store, text, full_log.store)
    assert sum(outcome.known for outcome in outcomes) == len(outcomes) - 1
    assert [outcome.added for outcome in import_text(other.store, last)] == [0]


@pytest.mark.parametrize("format", ["turns", "responses", "chat"])
def test_what_is_redacted(full_log: TurnLog, tmp_path: Path, format: Format) -> None:
    "The patterns of the log that is written apply. Later turns find the redacted ones that they continue."
    redaction = Redaction([re.compile("42|Again")])
    texts = [export_text(full_log.store, format)]
    write_next(
        full_log, user("In the shell"), assistant("Hello"), user("Again"), answer=assistant("42 times")
    )
    texts.append(export_text(full_log.store, format))
    with closing(open_log(tmp_path / "redacted.db", redaction=redaction).db) as database:
        log = ChainStore(database, redaction)
        for text in texts:
            assert [outcome.problem for outcome in import_text(log, text)] == [None] * len(text.splitlines())
        assert sum(outcome.added for outcome in import_text(log, texts[-1])) == 0
        dump = "\n".join(database.conn.iterdump())
        assert "[redacted] times" in dump
        assert "42 times" not in dump
        assert log.verify() == []
        if format == "turns":
            assert database["threads"].count == full_log.db["threads"].count
            assert export_text(log, format).count(b"\n") == texts[-1].count(b"\n")
