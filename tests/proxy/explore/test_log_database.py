"Reading the log while it is written, locked, replaced or missing. Nothing here writes to it."

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from fastapi import FastAPI
from support.logged_turns import assistant, user
from support.turn_logs import TurnLog

ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("insert into threads (id) values ('x')", id="insert"),
        pytest.param("attach '/tmp/other.db' as other", id="attach"),
        pytest.param("with x as (select 1) delete from threads", id="delete after with"),
        pytest.param("select 1; delete from threads", id="two statements"),
        pytest.param("pragma query_only = 0", id="pragma"),
        pytest.param("select load_extension('x')", id="extension"),
    ],
)
async def test_sql_cannot_write(sql: str, browser: httpx.AsyncClient) -> None:
    assert (await browser.get(f"/logs/log.json?sql={quote(sql)}")).status_code == 400


async def test_connections_can_neither_write_nor_attach(log_path: Path, app: FastAPI, tmp_path: Path) -> None:
    from proxy.explore.log_datasette import LogDatasette

    datasette = LogDatasette(log_path, list)
    with closing(datasette.log.connect()) as connection:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("delete from threads")
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            connection.execute("attach ? as other", [str(tmp_path / "other.db")])
    datasette.close()


async def test_plugins_of_datasette_cannot_write(log_path: Path, app: FastAPI) -> None:
    from datasette.views.base import DatasetteError

    from proxy.explore.log_datasette import LogDatasette

    datasette = LogDatasette(log_path, list)
    with pytest.raises(DatasetteError, match="read-only"):
        await datasette.log.execute_write("delete from threads")
    with pytest.raises(DatasetteError, match="read-only"):
        datasette.log.connect(write=True)
    datasette.close()


async def test_an_unexpected_error_shows_no_data(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await browser.get("/logs/")
    monkeypatch.setattr("proxy.explore.plugin.search", lambda *_: {}["text of a row"])
    page = await browser.get("/logs/-/search?q=x")
    assert (page.status_code, "text of a row" in page.text) == (500, False)
    assert "A page of the log failed: KeyError" in caplog.text


async def test_sql_has_a_time_limit(browser: httpx.AsyncClient) -> None:
    started = time.monotonic()
    page = await browser.get(f"/logs/log?sql={quote(ENDLESS)}")
    assert (page.status_code, "took too long" in page.text) == (400, True)
    assert time.monotonic() - started < 10


async def test_rows_are_counted_for_a_short_time(
    browser: httpx.AsyncClient, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proxy.explore.log_datasette import SETTINGS

    monkeypatch.setitem(SETTINGS, "sql_time_limit_ms", 60_000)
    with closing(sqlite3.connect(log_path)) as connection:
        connection.execute(f"create view endless as {ENDLESS.replace('max(i)', 'i')}")
    started = time.monotonic()
    page = (await browser.get("/logs/log/endless.json")).json()
    assert time.monotonic() - started < 30
    assert (page["filtered_table_rows_count"], len(page["rows"])) == (None, 50)


def test_statements_are_interrupted_from_another_thread() -> None:
    "To count all rows of a table is one instruction of SQLite, which its own handler does not interrupt."
    from proxy.explore.log_database import _time_limit

    connection: Any = SimpleNamespace(interrupt=(interrupted := threading.Event()).set)
    with _time_limit(connection, 60_000):
        pass
    assert not interrupted.is_set()
    with _time_limit(connection, 1):
        assert interrupted.wait(30)


async def test_answers_have_a_limit(browser: httpx.AsyncClient) -> None:
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n limit 100)"
    sql = f"{numbers} select zeroblob(1000000) from n"
    answer = await browser.get(f"/logs/log.json?sql={quote(sql)}")
    assert (answer.status_code, "more than 16 MB" in answer.json()["error"]) == (400, True)


async def test_a_locked_log_is_a_page(
    browser: httpx.AsyncClient, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.explore.log_database.PATIENCE", 0.1)
    await browser.get("/logs/log")
    with closing(sqlite3.connect(log_path)) as other:
        other.execute("begin exclusive")
        for path in ("/logs/", "/logs/log", "/logs/log/turns", "/logs/log?sql=select+id+from+turns"):
            page = await browser.get(path)
            assert (page.status_code, "Another program has locked the log" in page.text) == (503, True)
        assert (await browser.get("/logs/log/turns.json")).json()["error"]["code"] == "log_unavailable"
    assert (await browser.get("/logs/log/turns")).status_code == 200


async def test_a_file_that_is_no_database_is_a_page(browser: httpx.AsyncClient, log_path: Path) -> None:
    await anyio.Path(log_path).write_bytes(b"no database" * 1000)
    page = await browser.get("/logs/log")
    assert (page.status_code, "file is not a database" in page.text) == (503, True)


async def test_a_log_that_was_replaced(browser: httpx.AsyncClient, log_path: Path, empty_log: Path) -> None:
    await browser.get("/logs/log/turns")
    TurnLog(log_path).write(user("old"), answer=assistant("old"))
    assert len((await browser.get("/logs/log/turns.json")).json()["rows"]) == 1
    shutil.copy(empty_log, log_path.with_name("copy.db"))
    await anyio.Path(log_path.with_name("copy.db")).replace(log_path)
    assert (await browser.get("/logs/log/turns.json")).json()["rows"] == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
async def test_writers_and_readers_do_not_disturb_each_other(
    journal: str, browser: httpx.AsyncClient, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    "Readers run statements up to a time limit. The writer has the patience of the log's own."
    from proxy.explore.log_datasette import SETTINGS

    monkeypatch.setitem(SETTINGS, "sql_time_limit_ms", 300)
    with closing(sqlite3.connect(log_path)) as connection:
        connection.execute(f"pragma journal_mode = {journal}")
    await browser.get("/logs/")
    stop, errors, written = threading.Event(), [], []

    def write() -> None:
        log = TurnLog(log_path)
        try:
            while not stop.wait(0.02):
                written.append(log.write(user("Hi"), answer=assistant("Hello")).id)
        except sqlite3.Error as error:
            errors.append(error)
        finally:
            log.db.close()

    writer = threading.Thread(target=write)
    writer.start()
    statuses: set[int] = set()
    seen: list[int] = []

    async def look(path: str) -> None:
        for _ in range(3):
            statuses.add((await browser.get(path)).status_code)
        seen.append(len((await browser.get("/logs/log.json?sql=select+id+from+turns")).json()["rows"]))

    try:
        async with anyio.create_task_group() as tasks:
            for path in ("/logs/log", "/logs/log/turns", f"/logs/log?sql={quote(ENDLESS + ', turns')}"):
                tasks.start_soon(look, path)
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert statuses == {200, 400}  # 400: it took too long
    assert max(seen) > 1
    rows = (await browser.get("/logs/log.json?sql=select+count(*)+from+turns&_shape=arrays")).json()["rows"]
    assert rows == [[len(written)]]


async def test_no_statement_is_left_open(browser: httpx.AsyncClient, log_path: Path) -> None:
    "A statement that is left open would keep a WAL file from being shortened."
    log = TurnLog(log_path)
    log.db.conn.execute("pragma journal_mode = wal")
    for _ in range(30):
        log.write(user("Hi"), answer=assistant("Hello"))
    for path in (
        "/logs/log",
        "/logs/log/turns",
        "/logs/log/turns?_size=1",
        f"/logs/log?sql={quote(ENDLESS)}",
    ):
        await browser.get(path)
    log.write(user("Bye"), answer=assistant("Bye"))
    busy, *_ = log.db.conn.execute("pragma wal_checkpoint(truncate)").fetchone()
    assert busy == 0
    log.db.close()


async def test_closing_interrupts_statements(
    app: FastAPI, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proxy.explore import log_datasette

    TurnLog(log_path).db.close()
    datasette = log_datasette.LogDatasette(log_path, list)
    running = threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        running.set()
        for _ in range(2):  # an interrupt ends the first
            with suppress(sqlite3.OperationalError):
                connection.execute(ENDLESS).fetchall()

    task = asyncio.ensure_future(datasette.log.execute_fn(work))
    await asyncio.to_thread(running.wait)
    with anyio.fail_after(20):
        await asyncio.to_thread(datasette.close)
        await task
