from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from proxy.live import worker_sockets
from proxy.live.worker_sockets import WorkerSockets


async def name(question: dict[str, Any]) -> Any:
    return {"asked": question}


async def test_processes_ask_each_other(tmp_path: Path) -> None:
    first, second = WorkerSockets(tmp_path), WorkerSockets(tmp_path)
    await first.open(name)
    assert await first.ask({"x": 1}) == []
    await second.open(name)
    assert await first.ask({"x": 1}) == [{"asked": {"x": 1}}]
    assert await second.ask({"x": 2}) == [{"asked": {"x": 2}}]
    await second.close()
    assert await first.ask({"x": 1}) == []
    await first.close()
    assert os.listdir(tmp_path) == []


async def test_one_process_has_no_socket() -> None:
    sockets = WorkerSockets(None)
    await sockets.open(name)
    assert await sockets.ask({}) == []
    await sockets.close()


async def test_a_process_that_was_killed_is_left_out(tmp_path: Path) -> None:
    first, killed = WorkerSockets(tmp_path), WorkerSockets(tmp_path)
    await first.open(name)
    await killed.open(name)
    assert killed._server
    killed._server.close()
    (tmp_path / "other.sock").touch()
    assert await first.ask({}) == []
    await first.close()


@pytest.mark.parametrize("line", [b"", b"{\n"], ids=["nothing", "no JSON"])
async def test_an_answer_that_cannot_be_read(tmp_path: Path, line: bytes) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        writer.close()

    sockets = WorkerSockets(tmp_path)
    await sockets.open(name)
    async with await asyncio.start_unix_server(broken, tmp_path / "broken.sock"):
        assert await sockets.ask({}) == []
    await sockets.close()


async def test_a_question_that_cannot_be_read(tmp_path: Path) -> None:
    sockets = WorkerSockets(tmp_path)
    await sockets.open(name)
    reader, writer = await asyncio.open_unix_connection(tmp_path / os.listdir(tmp_path)[0])
    writer.write(b"{\n")
    assert await reader.read() == b""
    writer.close()
    await sockets.close()


async def test_a_busy_process_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def busy(question: dict[str, Any]) -> Any:
        await never.wait()

    monkeypatch.setattr(worker_sockets, "PATIENCE", 0.05)
    sockets, other = WorkerSockets(tmp_path), WorkerSockets(tmp_path)
    await sockets.open(name)
    await other.open(busy)
    assert await sockets.ask({}) == []
    never.set()
    await other.close()
    await sockets.close()


async def test_a_folder_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sockets = WorkerSockets(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        await sockets.open(name)
    assert "one process only" in caplog.text
    assert await sockets.ask({}) == []
    await sockets.close()


async def test_a_system_without_unix_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(asyncio, "start_unix_server")
    sockets = WorkerSockets(tmp_path)
    await sockets.open(name)
    assert await sockets.ask({}) == []
