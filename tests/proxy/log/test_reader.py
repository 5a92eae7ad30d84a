"A log that another program has locked: who reads waits for a short time, and is told what to do."

from __future__ import annotations

import asyncio
import datetime
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from llm.logs import LogStore
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.http.errors import ApiError
from proxy.log import reader as module
from proxy.log.database import LogFile
from proxy.log.reader import LogReader
from proxy.log.spool import Spool

HELLO = "<|channel|>final<|message|>Hello"


@pytest.fixture(autouse=True)
def timeouts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    "The milliseconds that the reader lets SQLite wait, from its first problem on."
    used: list[int] = []
    original = LogFile.set_busy_timeout

    def set_busy_timeout(self: LogFile, milliseconds: int) -> None:
        used.append(milliseconds)
        original(self, milliseconds)

    monkeypatch.setattr("proxy.log.database.BUSY_TIMEOUT", 20)
    monkeypatch.setattr(LogFile, "set_busy_timeout", set_busy_timeout)
    return used


@pytest.fixture
def reader(empty_log: Path, tmp_path: Path) -> Iterator[LogReader]:
    shutil.copy(empty_log, tmp_path)
    path = tmp_path / "logs.db"
    reader = LogReader(path, Spool(path))
    yield reader
    reader.close()


@pytest.fixture
def locked(tmp_path: Path, reader: LogReader) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "logs.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield other


def count_turns(log: LogStore) -> int:
    (count,) = log.db.conn.execute("select count(*) from turns").fetchone()
    return int(count)


@pytest.mark.parametrize("is_open", [False, True])
async def test_reads_fail_together_and_recover(
    reader: LogReader,
    tmp_path: Path,
    timeouts: list[int],
    caplog: pytest.LogCaptureFixture,
    is_open: bool,
) -> None:
    if is_open:
        assert await reader.read(count_turns) == 0
    tried = 0

    def counted(log: LogStore) -> int:
        nonlocal tried
        tried += 1
        return count_turns(log)

    with closing(sqlite3.connect(tmp_path / "logs.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        errors = await asyncio.gather(*(reader.read(counted) for _ in range(50)), return_exceptions=True)
        assert {(error.status, error.code) for error in errors if isinstance(error, ApiError)} == {
            (503, "log_unavailable")
        }
        assert isinstance(errors[0], ApiError)
        assert errors[0].headers == {"Retry-After": "2"}
        assert "Another program has locked the log" in errors[0].message
        # The first one waited, and the others with it.
        assert (len(errors), tried) == (50, int(is_open))
        assert timeouts == [module.SHORT_BUSY_TIMEOUT]
        with pytest.raises(ApiError):
            await reader.turn("01")
    assert await reader.read(count_turns) == 0
    assert timeouts == [module.SHORT_BUSY_TIMEOUT] * 2 + [module.BUSY_TIMEOUT]
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.split(":")[0] for message in messages] == [
        f"The log {tmp_path / 'logs.db'} cannot be read",
        "The log can be read again",
    ]


@pytest.mark.usefixtures("locked")
async def test_the_output_names_who_locked_it(
    reader: LogReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "lock_holders", lambda path: ["sqlite3 (process 7)", "cp (process 8)"])
    with pytest.raises(ApiError):
        await reader.read(count_turns)
    assert "It is locked by sqlite3 (process 7) and cp (process 8)." in caplog.text


@pytest.mark.usefixtures("locked")
async def test_retries_are_answered_without_the_log(reader: LogReader) -> None:
    assert await reader.attempts("key", datetime.datetime.now(datetime.timezone.utc)) == []


async def test_other_errors_are_not_reported_as_a_lock(reader: LogReader) -> None:
    def wrong(log: LogStore) -> None:
        log.db.conn.execute("select ?", [])

    with pytest.raises(sqlite3.ProgrammingError):
        await reader.read(wrong)


async def test_a_chat_is_answered_while_the_log_is_locked() -> None:
    "Its turn is written later. A response that continues another one needs the log, so it has to wait."
    body = {"model": "gpt-oss", "messages": [{"role": "user", "content": "Hi"}]}
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO)) as proxy:
        first = (await proxy.post("/v1/responses", {"model": "gpt-oss", "input": "Hi"})).json()
        with closing(sqlite3.connect(proxy.server.settings.database, isolation_level=None)) as other:
            other.execute("begin exclusive")
            chat = await proxy.post("/v1/chat/completions", body)
            assert chat.json()["choices"][0]["message"]["content"] == "Hello"
            continued = {"model": "gpt-oss", "input": "Hi", "previous_response_id": first["id"]}
            refused = await proxy.post("/v1/responses", continued)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert refused.json()["error"]["code"] == "log_unavailable"
            assert proxy.server.log_writer.status.startswith("behind 1")
        assert (await proxy.post("/v1/responses", continued)).status_code == 200
        assert len(proxy.turns()) == 3
