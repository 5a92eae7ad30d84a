"A server in its own process: its clients disconnect, and it is stopped or killed."

from __future__ import annotations

import json
import signal
import socket
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.scripted_server import HOLD
from support.served_app import BEGIN, CHAT, END, PATIENCE, Ollama, serving, until
from websockets.sync.client import connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


LEFT = (499, "The client disconnected.")


@pytest.mark.parametrize("begin", [[], BEGIN])
@pytest.mark.parametrize("streams", [True, False])
def test_the_engine_stops_when_the_client_disconnects(path: Path, begin: list[Any], streams: bool) -> None:
    with Ollama([*begin, HOLD]) as ollama, serving(path, ollama) as server:
        with server.asking(stream=streams) as client:
            if begin and streams:
                until(client, b"Hello")
            while len(ollama.requests) < 2:
                time.sleep(0.01)
        assert ollama.gone.wait(PATIENCE)
        server.logs(LEFT)
        assert server.stop() == 0


def test_keep_alive_comments_while_the_engine_is_silent(path: Path) -> None:
    with Ollama([HOLD]) as ollama, serving(path, ollama, keep_alive=0.01) as server:
        with server.asking(stream=True) as client:
            heard = until(client, b": keep-alive\n\n")
        assert heard.startswith(b"HTTP/1.1 200")


# As Java's HTTP client sends it: the body comes later than the head.
JAVA = f"""POST {CHAT} HTTP/1.1
Connection: Upgrade, HTTP2-Settings
Content-Length: %d
Host: 127.0.0.1
HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA
Upgrade: h2c
Content-Type: application/json

""".replace("\n", "\r\n")


def test_the_http_client_of_java(path: Path) -> None:
    body = json.dumps({"model": "gpt-oss-tiny", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    with Ollama([*BEGIN, END]) as ollama, serving(path, ollama) as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
            for _ in range(2):
                client.sendall(JAVA.encode() % len(body))
                time.sleep(0.05)
                client.sendall(body)
                response = HTTPResponse(client)
                response.begin()
                assert (response.status, b"Hello" in response.read()) == (200, True)
        server.logs((200, None), (200, None))


def test_websocket(path: Path) -> None:
    request = {"type": "response.create", "model": "gpt-oss-tiny", "input": "Hi"}
    with Ollama([*BEGIN, END]) as ollama, serving(path, ollama) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/responses"
        with connect(url, proxy=None, open_timeout=PATIENCE) as client:
            client.send(json.dumps(request))
            events = [json.loads(client.recv(PATIENCE))]
            while events[-1]["type"] != "response.completed":
                events.append(json.loads(client.recv(PATIENCE)))
        assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


def test_streams_finish_when_the_server_stops(path: Path) -> None:
    with Ollama([*BEGIN, 0.3, END]) as ollama, serving(path, ollama) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            server.process.send_signal(signal.SIGTERM)
            until(client, b"data: [DONE]\n\n")
        assert server.process.wait(PATIENCE) == 0
        assert server.rows() == [(200, None)]


def test_a_stream_that_takes_too_long_is_cut_and_logged(path: Path) -> None:
    with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama, grace=1) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            assert server.stop() == 0
        assert server.rows() == [LEFT]


def test_turns_of_a_killed_server_are_logged_after_a_restart(path: Path) -> None:
    with Ollama([*BEGIN, HOLD]) as ollama:
        with serving(path, ollama) as server, server.asking(stream=True) as client:
            until(client, b"Hello")
            server.kill()
            assert server.rows() == []
        with serving(path, ollama) as server:
            server.logs((500, "The server stopped before the answer was complete."))


def test_a_conversation_is_locked_in_all_processes_until_its_own_ends(path: Path) -> None:
    with (
        Ollama([*BEGIN, HOLD], [*BEGIN, END]) as ollama,
        serving(path, ollama) as server,
        serving(path, ollama) as other,
    ):
        base = f"http://127.0.0.1:{other.port}/v1"
        created = httpx.post(f"{base}/conversations", json={}, timeout=PATIENCE)
        body = {"model": "gpt-oss-tiny", "input": "Hi", "conversation": created.json()["id"]}

        def status() -> int:
            return httpx.post(f"{base}/responses", json=body, timeout=PATIENCE).status_code

        with server.asking("/v1/responses", **body, stream=True) as client:
            until(client, b"Hello")
            assert status() == 409
            server.kill()
        assert status() == 200
