"Turns that wait for the log, as files."

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import llm
import pytest
import sqlite_utils
from llm.logs import LogStore
from llm.utils import Fragment
from support.scripted_engine import ScriptedEngine
from support.turn_requests import FINAL

from llm_gpt_oss.llm_internals import partial_response
from llm_gpt_oss.log.waiting_turns import keep, waiting_turns, write_waiting
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


@pytest.fixture
def store(log: Callable[..., Path]) -> Iterator[LogStore]:
    with sqlite_utils.Database(log()) as database:
        yield LogStore(database)


@pytest.fixture
def path(store: LogStore) -> Path:
    return Path(llm.user_dir() / "logs.db")


def answered(prompt: str = "Warm?", **options: object) -> llm.Response:
    model = GptOss("gpt-oss:20b", Settings(), ScriptedEngine(f"{FINAL}Yes.", '{"name": "Rex"}'))
    response = model.conversation().prompt(prompt, **options)
    response.text()
    return response


def rows(store: LogStore) -> dict[str, list[dict[str, object]]]:
    "All that the log holds, except for when threads and fragments were written."
    tables = ("turns", "messages", "parts", "threads", "schemas", "tools", "fragments", "turn_fragments")
    return {
        table: [
            {**row, **({} if table == "turns" else {"datetime_utc": None})} for row in store.db[table].rows
        ]
        for table in tables
    }


def test_what_waited_is_logged_as_llm_logs_it(store: LogStore, path: Path, tmp_path: Path) -> None:
    response = answered(
        system="Be brief.",
        schema=SCHEMA,
        fragments=[Fragment("A long text.", "file.txt")],
        system_fragments=[Fragment("A rule.", "rule.txt")],
        tools=[llm.Tool("look", "Looks.", {"type": "object", "properties": {}}, plugin="eyes")],
        reasoning_effort="high",
    )
    keep(path, response)
    write_waiting(store, path)
    with sqlite_utils.Database(tmp_path / "direct.db") as database:
        direct = LogStore(database)
        direct.log(response)
        for table, expected in rows(direct).items():
            assert rows(store)[table] == expected, table
    assert waiting_turns(path) == []
    assert [row["id"] for row in store.db["threads"].rows] == [response.conversation.id]


def test_turns_are_written_oldest_first_and_once(store: LogStore, path: Path) -> None:
    first, second = answered("First"), answered("Second")
    store.log(first)  # its process ended before it could delete the file
    for response in (second, first):
        keep(path, response)
    assert [file.stem for file in waiting_turns(path)] == [first.id, second.id]
    write_waiting(store, path)
    assert [row["id"] for row in store.db["turns"].rows_where(order_by="rowid")] == [first.id, second.id]
    assert waiting_turns(path) == []


def test_a_turn_without_a_conversation_gets_a_thread(store: LogStore, path: Path) -> None:
    response = partial_response(answered())
    response.conversation = None
    keep(path, response)
    write_waiting(store, path)
    assert store.db["threads"].count == 1


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff", b'{"response": 1}'])
def test_a_file_that_is_no_turn_is_set_aside(content: bytes, store: LogStore, path: Path) -> None:
    file = keep(path, answered("Broken"))
    file.write_bytes(content)
    good = keep(path, answered("Good"))
    write_waiting(store, path)
    assert [row["id"] for row in store.db["turns"].rows] == [good.stem]
    assert [each.name for each in file.parent.iterdir()] == [f"{file.stem}.rejected"]


def test_a_folder_with_the_name_of_a_turn_is_left_alone(store: LogStore, path: Path) -> None:
    file = keep(path, answered())
    file.with_name("0.shell").mkdir()
    write_waiting(store, path)
    assert store.db["turns"].count == 1


def test_a_broken_file_that_cannot_be_renamed_holds_up_no_turn(store: LogStore, path: Path) -> None:
    file = keep(path, answered("Broken"))
    file.write_bytes(b"{")
    file.with_suffix(".rejected").mkdir()
    good = keep(path, answered("Good"))
    write_waiting(store, path)
    assert [row["id"] for row in store.db["turns"].rows] == [good.stem]
    assert waiting_turns(path) == [file]


def test_a_file_that_cannot_be_read_waits(
    store: LogStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(path, answered("Unreadable"))
    good = keep(path, answered("Good"))
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == file:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    write_waiting(store, path)
    assert [row["id"] for row in store.db["turns"].rows] == [good.stem]
    assert waiting_turns(path) == [file]


def test_a_file_that_cannot_be_deleted_is_logged_once(
    store: LogStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for text in ("First", "Second"):
        keep(path, answered(text))
    monkeypatch.setattr(Path, "unlink", read_only)
    for _ in range(2):
        write_waiting(store, path)
    assert store.db["turns"].count == 2


def test_a_turn_that_the_database_rejects_is_set_aside(store: LogStore, path: Path) -> None:
    file = keep(path, answered("Never"))
    store.db.conn.execute(
        "create trigger never before insert on turns begin select raise(abort, 'never'); end"
    )
    write_waiting(store, path)
    assert [each.name for each in file.parent.iterdir()] == [f"{file.stem}.rejected"]
    assert store.db["messages"].count == 0


def test_turns_wait_until_the_log_can_be_written(store: LogStore, path: Path) -> None:
    keep(path, answered())
    store.db.conn.execute("pragma busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write_waiting(store, path)
    assert len(waiting_turns(path)) == 1
