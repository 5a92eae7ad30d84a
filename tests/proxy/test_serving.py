"A server in its own process: its clients disconnect, and it is stopped or killed."

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.scripted_server import HOLD
from support.served_app import BEGIN, CHAT, END, PATIENCE, Ollama, serving, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


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


REQUEST = {"type": "response.create", "model": "gpt-oss-tiny", "input": "Hi"}


def test_websocket(path: Path) -> None:
    with Ollama([*BEGIN, END]) as ollama, serving(path, ollama) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/responses"
        with connect(url, proxy=None, open_timeout=PATIENCE) as client:
            client.send(json.dumps(REQUEST))
            events = [json.loads(client.recv(PATIENCE))]
            while events[-1]["type"] != "response.completed":
                events.append(json.loads(client.recv(PATIENCE)))
        assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


def test_streams_finish_when_the_server_stops(path: Path) -> None:
    with Ollama([*BEGIN, 0.3, END]) as ollama, serving(path, ollama) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            server.send_signal(signal.SIGTERM)
            until(client, b"data: [DONE]\n\n")
        assert server.wait() == 0
        assert server.rows() == [(200, None)]


STOPPED = (503, "The server was stopped.")
CUT = "1 requests that are still running are cut."


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGHUP])
def test_a_stream_that_takes_too_long_is_cut_and_logged(path: Path, signal_: signal.Signals) -> None:
    with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama, grace=1) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            assert server.stop(signal_) == 0
            assert b"server_stopped" in until(client, b"\r\n0\r\n\r\n")
        assert server.rows() == [STOPPED]
        assert CUT in server.output
        assert "Traceback" not in server.output


def wait_until_closed(port: int) -> None:
    with suppress(ConnectionRefusedError, ConnectionResetError):
        while True:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            time.sleep(0.01)


def test_ctrl_c_during_a_stop_cuts_what_still_runs(path: Path) -> None:
    with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama, grace=600) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            server.send_signal(signal.SIGTERM)
            wait_until_closed(server.port)
            assert server.stop(signal.SIGINT) == 0
            assert b"server_stopped" in until(client, b"\r\n0\r\n\r\n")
        assert server.rows() == [STOPPED]
        assert CUT in server.output
        assert "Traceback" not in server.output


def test_an_answer_that_takes_too_long_is_an_error(path: Path) -> None:
    with Ollama([HOLD]) as ollama, serving(path, ollama, grace=1) as server:
        with server.asking() as client:
            assert ollama.asked.wait(PATIENCE)
            assert server.stop() == 0
            head, _, body = until(client, b"}}").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in head.lower()
        assert json.loads(body)["error"]["code"] == "server_stopped"
        assert server.rows() == [STOPPED]
        assert "Traceback" not in server.output


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_relayed_answer_that_takes_too_long(path: Path, has_begun: bool) -> None:
    with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama, grace=1) as server:
        if not has_begun:
            ollama.replies = ((HOLD,),)
        with server.asking("/api/chat", messages=[{"role": "user", "content": "Hi"}]) as client:
            assert ollama.asked.wait(PATIENCE)
            assert server.stop() == 0
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 " if has_begun else b"HTTP/1.1 503 ")
        assert not answer.endswith(b"\r\n0\r\n\r\n")
        assert server.rows() == [STOPPED]
        assert "Traceback" not in server.output


def events_until_close(client: ClientConnection) -> list[dict[str, Any]]:
    events = []
    with suppress(ConnectionClosed):
        while True:
            events.append(json.loads(client.recv(PATIENCE)))
    return events


class TestStopOfWebSockets:
    def test_a_response_is_finished(self, path: Path) -> None:
        with Ollama([*BEGIN, 0.5, END]) as ollama, serving(path, ollama) as server:
            with connect(f"ws://127.0.0.1:{server.port}/v1/responses", proxy=None) as client:
                client.send(json.dumps(REQUEST))
                assert ollama.asked.wait(PATIENCE)
                server.send_signal(signal.SIGTERM)
                *_, last = events_until_close(client)
                assert (last["type"], client.close_code) == ("response.completed", 1012)
            assert server.wait() == 0
            assert server.rows() == [(200, None)]

    def test_a_connection_without_a_request_does_not_delay_it(self, path: Path) -> None:
        with (
            Ollama([HOLD]) as ollama,
            serving(path, ollama) as server,
            connect(f"ws://127.0.0.1:{server.port}/v1/responses", proxy=None) as client,
        ):
            assert server.stop() == 0
            assert events_until_close(client) == []
            assert client.close_code == 1012

    def test_a_response_that_takes_too_long(self, path: Path) -> None:
        with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama, grace=1) as server:
            with connect(f"ws://127.0.0.1:{server.port}/v1/responses", proxy=None) as client:
                client.send(json.dumps(REQUEST))
                assert ollama.asked.wait(PATIENCE)
                assert server.stop() == 0
                *_, last = events_until_close(client)
                assert (last["type"], last["error"]["code"]) == ("error", "server_stopped")
            assert server.rows() == [STOPPED]
            assert "Traceback" not in server.output


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
