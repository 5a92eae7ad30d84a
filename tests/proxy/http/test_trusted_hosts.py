"Which hosts and which web pages can use the server."

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket
from support.requests import asking

from proxy.http.api_keys import hash_key
from proxy.http.trusted_hosts import TrustedHosts, host_in_url, host_of, host_of_origin, is_local, is_loopback

OUTSIDE = ("192.168.1.5", 8000)
EVIL = "https://evil.example"


async def status(headers: dict[str, str] | list[tuple[str, str]], **settings: Any) -> int:
    async with asking(**settings) as client:
        return (await client.get("/v1/models", headers=headers)).status_code


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.:1", "[::1]:8000", "127.0.0.1", "app.localhost:80"])
async def test_local_hosts(host: str) -> None:
    assert await status({"host": host}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8000", "192.168.1.5", "0.0.0.0", "[::1", ""]
)
async def test_other_hosts(host: str) -> None:
    assert await status({"host": host}) == 403


async def test_two_host_headers() -> None:
    assert await status([("host", "localhost"), ("host", "localhost")]) == 403


async def test_the_host_that_the_server_listens_on() -> None:
    assert await status({"host": "MyBox.lan:8000"}, host="mybox.LAN.") == 200
    assert await status({"host": "other.lan"}, host="mybox.lan") == 403


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:1", "tauri://localhost"]
)
async def test_local_origins(origin: str) -> None:
    assert await status({"origin": origin}) == 200


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "", "http://localhost.evil.example", "file://", "http://192.168.1.5"]
)
async def test_other_origins(origin: str) -> None:
    assert await status({"origin": origin}) == 403


async def test_every_origin_header_is_checked() -> None:
    assert await status([("origin", "http://localhost"), ("origin", EVIL)]) == 403


async def test_error_messages() -> None:
    async with asking() as client:
        host = await client.get("/health", headers={"host": "evil.example"})
        origin = await client.post("/v1/chat/completions", headers={"origin": EVIL}, content=b"{")
    assert host.json()["error"] == {
        "message": "The Host 'evil.example' is not a name of this server. "
        "Use its address, such as 127.0.0.1.",
        "type": "invalid_request_error",
        "param": None,
        "code": "forbidden",
    }
    assert "--cors-origin" in origin.json()["error"]["message"]
    assert origin.headers["x-request-id"].startswith("req_")


async def test_remote_clients_may_use_any_host_but_only_its_own_origin() -> None:
    client: dict[str, Any] = {"address": OUTSIDE, "allow_unauthenticated": True}
    assert await status({"host": "mybox.lan"}, **client) == 200
    assert await status({"host": "mybox.lan", "origin": "http://mybox.lan:8000"}, **client) == 200
    assert await status({"host": "mybox.lan", "origin": EVIL}, **client) == 403
    assert await status({"host": "[bad"}, **client) == 403


async def test_remote_clients_with_a_key_may_use_any_host() -> None:
    headers = {"host": "mybox.lan", "authorization": "Bearer sesame"}
    assert await status(headers, address=OUTSIDE, key_hash=hash_key("sesame")) == 200
    assert await status(headers, key_hash=hash_key("sesame")) == 403


async def test_open_server_behind_a_tunnel() -> None:
    assert await status({"host": "me.tunnel.example"}, allow_unauthenticated=True) == 200
    assert await status({"host": "me.tunnel.example", "origin": EVIL}, allow_unauthenticated=True) == 403


PREFLIGHT = {
    "origin": EVIL,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


class TestCors:
    async def preflight(self, **settings: Any) -> Any:
        async with asking(**settings) as client:
            return await client.options("/v1/chat/completions", headers=PREFLIGHT)

    async def test_allowed_origin(self) -> None:
        answer = await self.preflight(cors_origins=(EVIL,))
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == EVIL
        assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
        assert "access-control-allow-credentials" not in answer.headers

    async def test_allowed_origin_can_read_answers_and_errors(self) -> None:
        async with asking(cors_origins=(EVIL,), key_hash="0" * 64) as client:
            answer = await client.get("/v1/models", headers={"origin": EVIL})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == EVIL
        assert "x-request-id" in answer.headers["access-control-expose-headers"]

    async def test_other_origin(self) -> None:
        assert (await self.preflight(cors_origins=("https://app.example",))).status_code == 403
        assert await status({"origin": EVIL}, cors_origins=("https://app.example",)) == 403

    async def test_local_origin_that_is_not_allowed_cannot_read(self) -> None:
        async with asking(cors_origins=(EVIL,)) as client:
            answer = await client.get("/v1/models", headers={"origin": "http://localhost:3000"})
        assert "access-control-allow-origin" not in answer.headers

    async def test_no_cors_headers_without_allowed_origins(self) -> None:
        async with asking() as client:
            headers = {**PREFLIGHT, "origin": "http://localhost:3000"}
            answer = await client.options("/v1/chat/completions", headers=headers)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_websockets_are_checked() -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    app = Starlette(
        routes=[WebSocketRoute("/v1/responses", echo)],
        middleware=[Middleware(TrustedHosts, names=(), origins=(), accept_any_host=False)],
    )
    client = TestClient(app)
    with client.websocket_connect("/v1/responses", headers={"host": "localhost"}):
        pass
    for headers in ({"host": "localhost", "origin": EVIL}, {"host": "evil.example"}):
        with (
            pytest.raises(WebSocketDenialResponse) as rejected,
            client.websocket_connect("/v1/responses", headers=headers),
        ):
            pass
        assert rejected.value.status_code == 403


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("localhost.:8000", "localhost"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("my_service.internal:80", "my_service.internal"),
        ("", None),
        (":8000", None),
        ("[::1", None),
        ("::1", None),
        ("localhost:", None),
        ("localhost:http", None),
        ("me@localhost", None),
        ("localhost/evil", None),
        ("localhost evil", None),
        ("localhost\n", None),
        ("löcalhost", None),
    ],
)
def test_host_of(header: str, host: str | None) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("http://localhost:3000", "localhost"),
        ("https://Evil.Example", "evil.example"),
        ("https://evil.example.", "evil.example"),
        ("http://[::1]:8000", "::1"),
        ("tauri://localhost", "localhost"),
        ("chrome-extension://abc", "abc"),
        ("null", None),
        ("", None),
        ("localhost", None),
        ("file://", None),
        ("http://localhost/", None),
        ("http://localhost.evil@evil.example", None),
        ("*", None),
    ],
)
def test_host_of_origin(header: str, host: str | None) -> None:
    assert host_of_origin(header) == host


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("localhost.evil.example", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("::ffff:192.168.1.5", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
    ],
)
def test_is_local(name: str, local: bool) -> None:
    assert is_local(name) is local


def test_is_loopback_of_a_name() -> None:
    assert is_loopback("testserver") is None


def test_host_in_url() -> None:
    assert (host_in_url("::1"), host_in_url("localhost")) == ("[::1]", "localhost")
