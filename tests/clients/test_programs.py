"The clients that are installed with the tools of the tests call tools, each in a process of its own."

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.clients.programs import has_passed, run_program
from support.clients.server import Recorded, Served
from support.clients.table import CLIENTS, PROGRAMS, Client

INSTALLED = [client for client in CLIENTS if client.installer.packages in (("openai",), ("anthropic",))]
ANSWER = "The capital of Peru is Lima."


def recorded(status: int, answer: bytes = b"{}", body: bytes = b"{}") -> Recorded:
    return Recorded("POST", "/v1/responses", [], body, status, answer)


@pytest.mark.parametrize("client", INSTALLED, ids=[client.slug for client in INSTALLED])
def test_tools(client: Client, server: Served, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, str(PROGRAMS / client.program)]
    server.requests.clear()
    output = run_program(command, "tools", server, folder=tmp_path, log=log, seconds=client.seconds)
    assert has_passed("tools", output, server.requests), log.read_text()
    assert [request.status for request in server.requests] == [200, 200]


@pytest.mark.parametrize(
    ("code", "seconds", "logged"),
    [
        pytest.param("print('half'); exit('no')", 60, "no\n", id="it fails"),
        pytest.param(
            "import time; time.sleep(60)", 0.1, "\nnot finished after 0.1 s\n", id="it takes too long"
        ),
    ],
)
def test_a_program_without_result(
    code: str, seconds: float, logged: str, server: Served, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", code]
    assert run_program(command, "plain", server, folder=tmp_path, log=log, seconds=seconds) == ""
    assert log.read_text() == logged


@pytest.mark.parametrize(
    ("case", "output", "requests", "passed"),
    [
        pytest.param("plain", f"> {ANSWER}\n", [recorded(200)], True, id="an answer"),
        pytest.param("plain", "Lima", [recorded(200)], False, id="another answer"),
        pytest.param("plain", ANSWER, [recorded(400), recorded(200)], False, id="a retry after an error"),
        pytest.param("plain", ANSWER, [recorded(503, body=b""), recorded(200)], True, id="a probe"),
        pytest.param("stream", ANSWER, [recorded(200)], False, id="not streamed"),
        pytest.param("stream", ANSWER, [recorded(200, b"data: {}\n\n")], True, id="streamed"),
    ],
)
def test_what_passes(case: str, output: str, requests: list[Recorded], passed: bool) -> None:
    assert has_passed(case, output, requests) is passed
