"The server in a process of its own, while neither the log nor the folder beside it can be written."

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import openai
import pytest
from support.fork_server import SERVER, Process, Start, start_python
from support.served_app import BEGIN, END, PATIENCE, Ollama

from proxy.log.spool import Spool

COMMAND = ("-m", "proxy", "--port", "0", "--model", "gpt-oss-tiny", "--database")
WORKERS = ("--workers", "2")
HI = {"model": "gpt-oss-tiny", "input": "Hi"}


class Server:
    def __init__(self, process: Process | Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, pattern: str) -> re.Match[str]:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(self.lines)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        "Return the exit status."
        assert self.process.stderr
        self.lines += self.process.stderr
        return self.process.wait()


@contextmanager
def serving(
    path: Path, ollama: Ollama, *options: str, start: Start = SERVER.start
) -> Iterator[tuple[Server, openai.OpenAI]]:
    environ = {**os.environ, "OLLAMA_HOST": ollama.host}
    with start(*COMMAND, str(path), *options, env=environ, stderr=PIPE, text=True) as process:
        timer = threading.Timer(PATIENCE * 5, process.kill)
        timer.start()
        try:
            server = Server(process)
            url = server.read_until(r"OPENAI_BASE_URL=(\S+)")[1]
            with openai.OpenAI(base_url=url, api_key="any", max_retries=0, timeout=PATIENCE) as client:
                yield server, client
        finally:
            process.kill()
            timer.cancel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    "The database is none, and a file is where its folder should be."
    (path := tmp_path / "logs.db").write_bytes(b"x" * 9999)
    Spool(path).folder.touch()
    return path


@pytest.fixture
def ollama() -> Iterator[Ollama]:
    with Ollama([*BEGIN, END]) as ollama:
        yield ollama


def two_turns(client: openai.OpenAI) -> list[str]:
    first = client.responses.create(**HI)
    assert client.responses.retrieve(first.id).output_text == "Hello"
    second = client.responses.create(**HI, previous_response_id=first.id)
    assert client.responses.retrieve(second.id).previous_response_id == first.id
    return [first.id, second.id]


def test_a_stop_waits_for_turns_in_memory(path: Path, ollama: Ollama) -> None:
    with serving(path, ollama) as (server, client):
        ids = two_turns(client)
        server.stop()
        server.read_until("2 turns are only in memory: .*logs.db cannot be written .* Press Ctrl-C once more")
        Spool(path).folder.unlink()
        assert server.end() == 0
    assert [f"resp_{turn.id}" for turn in Spool(path).waiting()] == ids
    path.unlink()
    with serving(path, ollama) as (server, client):
        assert [client.responses.retrieve(id).output_text for id in ids] == ["Hello", "Hello"]
    assert [*Spool(path).waiting()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_loses_them(path: Path, ollama: Ollama, number: int) -> None:
    with serving(path, ollama) as (server, client):
        ids = [id.removeprefix("resp_") for id in two_turns(client)]
        server.stop(number)
        server.read_until("Press Ctrl-C once more")
        server.stop(number)
        assert server.end() == 1
    expected = f"2 turns are lost, because nothing could be written: {ids[0]}, {ids[1]}\n"
    assert server.lines[-1] == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_wait_and_lose_turns_as_one_process_does(path: Path, ollama: Ollama, number: int) -> None:
    with serving(path, ollama, *WORKERS) as (server, client):
        client.with_options(max_retries=15).responses.create(**HI)
        server.stop(number)
        server.read_until("1 turn is only in memory: .* Press Ctrl-C once more")
        server.stop(number)
        assert server.end() == 1
    assert "1 turn is lost" in server.lines[-1]


@pytest.mark.parametrize("options", [(), WORKERS], ids=["one process", "workers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_server_starts(
    tmp_path: Path, ollama: Ollama, options: tuple[str, ...], number: int
) -> None:
    "The address is printed before the application is imported."
    with serving(tmp_path / "logs.db", ollama, *options, start=start_python) as (server, _):
        server.stop(number)
        assert server.end() == 0
    assert [line for line in server.lines if "Traceback" in line] == []


def test_signals_that_come_at_once(path: Path, ollama: Ollama) -> None:
    "Nobody has read yet what a second signal loses."
    with serving(path, ollama) as (server, client):
        two_turns(client)
        server.stop(signal.SIGINT)
        server.stop(signal.SIGINT)
        server.read_until("Press Ctrl-C once more")
        path.unlink()
        assert server.end() == 0
    assert len([*Spool(path).waiting()]) == 0
