from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from llm.logs import LogStore
from sqlite_utils.db import NotFoundError, View
from support.logged_turns import assistant, call, reasoning, result, turn, user

from llm_gpt_oss.log.database import write_transaction
from proxy.log.database import open_log
from proxy.log.llm_store import ChainStore


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ChainStore]:
    log = open_log(tmp_path / "logs.db")
    yield log
    log.db.close()


def test_a_nested_transaction_is_part_of_the_outer_one(log: ChainStore) -> None:
    with suppress(KeyError), write_transaction(log.db.conn):
        with log.db.atomic():
            log.create_thread(id="a")
        raise KeyError
    with log.db.atomic():
        log.create_thread(id="b")
    assert [row["id"] for row in log.db["threads"].rows] == ["b"]


def test_the_schema_is_looked_up_once(log: ChainStore) -> None:
    statements: list[str] = []
    with write_transaction(log.db.conn):
        log.create_thread(id="a")
        log.db.conn.set_trace_callback(statements.append)
        log.create_thread(id="b")
    log.db.conn.set_trace_callback(None)
    assert [sql.split()[0] for sql in statements] == ["insert", "commit"]
    assert isinstance(log.db["message_tree"], View)
    assert "turn_search_fts" in log.db.table_names(fts5=True)


ROWS = [
    pytest.param({"id": "a", "name": "A"}, {}, id="plain"),
    pytest.param({"id": "a", "name": None}, {"replace": True}, id="replaced"),
    pytest.param({"id": "a", "name": {"é": [1]}}, {}, id="JSON"),
    pytest.param({"id": "old", "name": "A"}, {"ignore": True}, id="ignored"),
    pytest.param({"id": "old", "name": "A"}, {"replace": True}, id="written over"),
]


@pytest.mark.parametrize("in_transaction", [True, False], ids=["in a transaction", "alone"])
@pytest.mark.parametrize(("row", "options"), ROWS)
def test_a_row_is_inserted_as_by_sqlite_utils(
    log: ChainStore, row: dict[str, Any], options: dict[str, Any], in_transaction: bool
) -> None:
    plain, ours = sqlite_utils.Database(log.db.conn), log.db
    rows = []
    for db in (plain, ours):
        db["threads"].delete_where()
        db["threads"].insert({"id": "old", "datetime_utc": ""})
        with write_transaction(db.conn) if in_transaction else nullcontext():
            db["threads"].insert({**row, "datetime_utc": "now"}, **options)
        rows.append([*plain["threads"].rows])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("in_transaction", [True, False], ids=["in a transaction", "alone"])
@pytest.mark.parametrize("name", [pytest.param("B", id="text"), pytest.param(None, id="null")])
def test_a_row_is_updated_as_by_sqlite_utils(log: ChainStore, name: str | None, in_transaction: bool) -> None:
    for thread_id in ("a", "other"):
        log.create_thread("A", id=thread_id)
    with write_transaction(log.db.conn) if in_transaction else nullcontext():
        log.db["threads"].update("a", {"name": name, "forked_from": "other"})
    assert not log.db.conn.in_transaction
    rows = [(row["id"], row["name"], row["forked_from"]) for row in log.db["threads"].rows]
    assert rows == [("a", name, "other"), ("other", "A", None)]


@pytest.mark.parametrize("in_transaction", [True, False], ids=["in a transaction", "alone"])
def test_a_row_that_does_not_exist_is_not_updated(log: ChainStore, in_transaction: bool) -> None:
    transaction = write_transaction(log.db.conn) if in_transaction else nullcontext()
    with pytest.raises(NotFoundError), transaction:
        log.db["threads"].update("absent", {"name": "A"})


def test_a_row_is_not_read_before_it_is_updated(log: ChainStore) -> None:
    statements: list[str] = []
    with write_transaction(log.db.conn):
        log.create_thread(id="a")
        log.db["threads"].update("a", {"name": "A"})
        log.db.conn.set_trace_callback(statements.append)
        log.db["threads"].update("a", {"name": "B"})
        log.db.conn.set_trace_callback(None)
    assert [sql.split()[0] for sql in statements] == ["update"]


def test_a_number_that_is_too_large_for_sqlite(log: ChainStore) -> None:
    with write_transaction(log.db.conn):
        log.db["threads"].insert({"id": "a", "name": 2**70, "datetime_utc": ""})
    assert [row["name"] for row in log.db["threads"].rows] == [str(2**63 - 1)]


def test_a_row_that_breaks_a_constraint(log: ChainStore) -> None:
    log.create_thread(id="a")
    with pytest.raises(sqlite3.IntegrityError), write_transaction(log.db.conn):
        log.create_thread(id="a")


def test_only_new_messages_are_written(log: ChainStore) -> None:
    llms = LogStore(sqlite_utils.Database(memory=True))
    messages = [llm.user(f"{number}") for number in range(9)]
    for length in (0, 3, 3, 1, 4, 9):
        assert log.ensure_chain(messages[:length]) == llms.ensure_chain(messages[:length])
        assert log.db["messages"].count == llms.db["messages"].count
    tip = log.ensure_chain(messages[:2])
    assert log.ensure_chain(messages[2:], parent=tip) == log.ensure_chain(messages)
    assert log.load_chain(log.ensure_chain([*messages[:5], llm.user("other")])) == [
        *messages[:5],
        llm.user("other"),
    ]


def test_messages_are_written_as_by_llm(log: ChainStore) -> None:
    llms = LogStore(sqlite_utils.Database(memory=True))
    named = llm.user("Hi")
    named.provider_metadata = {"gpt-oss": {"name": "Ada"}}
    messages = [named, assistant(reasoning("Hm"), "Hello", call("call_1", a=1)), result("call_1", "three")]
    long = [*messages, *messages]
    assert log.ensure_chain(long) == llms.ensure_chain(long)
    for table in ("messages", "parts"):
        assert [*log.db[table].rows] == [*llms.db[table].rows]


def test_a_long_conversation_takes_few_queries(log: ChainStore) -> None:
    messages = [llm.user(f"{number}") for number in range(1000)]
    with write_transaction(log.db.conn):
        log.ensure_chain(messages)
        statements: list[str] = []
        log.db.conn.set_trace_callback(statements.append)
        log.ensure_chain([*messages, llm.user("more")])
        log.db.conn.set_trace_callback(None)
    assert len(statements) < 20


def answered(value: Any, tools: Sequence[llm.Tool] = ()) -> llm.Response:
    response = turn(user("Hi"), answer=assistant("Hello")).response
    response.response_json = value
    response.prompt.tools = [*tools]
    return response


JSON_VALUES = [
    pytest.param(None, id="none"),
    pytest.param({"outcome": {"notes": []}}, id="plain"),
    pytest.param(
        {"a": {"$": "tool.x.description"}, "b": [{"$raw": 1}], "c": "$"}, id="what looks like a reference"
    ),
]


@pytest.mark.parametrize("value", JSON_VALUES)
def test_the_json_of_a_response_is_read_as_it_was(log: ChainStore, value: Any) -> None:
    response = answered(value)
    with write_transaction(log.db.conn):
        turn_id = log.log(response)
    assert log.turn_response_json(turn_id) == response.response_json == value


def test_long_texts_are_not_searched_for_in_the_json_of_a_response(
    log: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    "llm compiles them to a regular expression."
    tool = llm.Tool("x", "a long description of a tool " * 10)
    with write_transaction(log.db.conn):
        monkeypatch.setattr("condense_json.re", None)
        turn_id = log.log(answered({"outcome": {}}, tools=[tool]))
    monkeypatch.undo()
    assert log.turn_response_json(turn_id) == {"outcome": {}}
