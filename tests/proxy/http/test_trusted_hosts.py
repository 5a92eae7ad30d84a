"Which hosts and which web pages can use a server, with a key and without."

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket
from support.requests import asking

from proxy.http import api_keys
from proxy.http.api_keys import KeyRing
from proxy.http.trusted_hosts import MAX_LOGGED, ONE_ORIGIN, TrustedHosts
from proxy.http.trusted_origins import TrustedOrigins
from proxy.key_hash import hash_key

OUTSIDE = ("192.168.1.5", 8000)
EVIL = "https://evil.example"
KEY = {"authorization": "Bearer sesame"}
KEYED: dict[str, Any] = {"key_hash": hash_key("sesame")}


async def status(headers: dict[str, str] | list[tuple[str, str]], **settings: Any) -> int:
    async with asking(**settings) as client:
        return (await client.get("/v1/models", headers=headers)).status_code


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.:1",
        "app.localhost:80",
        "127.0.0.1",
        "[::1]:8000",
        "192.168.1.5:8000",
        "0.0.0.0",
        "[fd00::5]:8000",
        "host.docker.internal:8000",
        "HOST.containers.INTERNAL.",
    ],
)
async def test_hosts_that_need_no_key(host: str) -> None:
    assert await status({"host": host}) == 200


# A name with one label, and one that ends in `.local`, can be answered by anybody on the network.
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:8000",
        "127.0.0.1.evil.example",
        "2130706433",
        "internal",
        "evilinternal",
        "box",
        "box.local",
    ],
)
async def test_hosts_that_need_a_key(host: str) -> None:
    assert await status({"host": host}) == 403
    assert await status({"host": host}, allow_unauthenticated=True, address=OUTSIDE) == 403
    assert await status({"host": host, **KEY}, **KEYED) == 200
    assert await status({"host": host}, **KEYED) == 401


async def test_a_key_that_is_added_later_ends_the_check() -> None:
    async with asking() as client:
        headers = {"host": "llm.example.com"}
        assert (await client.get("/v1/models", headers=headers)).status_code == 403
        headers["authorization"] = f"Bearer {api_keys.add('app')}"
        assert (await client.get("/v1/models", headers=headers)).status_code == 200


async def test_an_unreadable_key_file_is_reported_under_every_name() -> None:
    async with asking() as client:
        api_keys.path().write_text("{")
        answer = await client.get("/v1/models", headers={"host": "llm.example.com", "origin": EVIL})
    assert answer.status_code == 500
    assert "cannot read its keys" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("allowed", "host", "code"),
    [
        pytest.param("box.local", "BOX.local.:8000", 200, id="a name"),
        pytest.param("Box.Local", "box.local", 200, id="in other case"),
        pytest.param("box.local", "a.box.local", 403, id="a name below it"),
        pytest.param("*.example.com", "a.b.example.com", 200, id="names below a name"),
        pytest.param("*.example.com", "example.com", 403, id="the name itself"),
        pytest.param("*.example.com", "evilexample.com", 403, id="a similar name"),
        pytest.param("*", "evil.example", 200, id="all names"),
    ],
)
async def test_allowed_hosts(allowed: str, host: str, code: int) -> None:
    assert await status({"host": host}, allowed_hosts=(allowed,)) == code


async def test_the_host_that_the_server_listens_on() -> None:
    assert await status({"host": "MyBox.lan:8000"}, host="mybox.LAN.") == 200
    assert await status({"host": "other.lan"}, host="mybox.lan") == 403


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("host", "localhost"), ("host", "localhost")], id="two"),
        pytest.param([("host", "")], id="empty"),
        pytest.param([("host", ".")], id="no name"),
        pytest.param([("host", "[::1")], id="half an address"),
        pytest.param([("host", "a" * 254)], id="too long"),
    ],
)
async def test_requests_without_one_valid_host(headers: list[tuple[str, str]]) -> None:
    assert await status(headers) == 400
    assert await status([*headers, *KEY.items()], **KEYED) == 400


@pytest.mark.parametrize("origin", [EVIL, "null", "http://192.168.1.5", "chrome-extension://abc"])
async def test_other_origins(origin: str) -> None:
    assert await status({"origin": origin}) == 403
    assert await status({"origin": origin}, allow_unauthenticated=True, address=OUTSIDE) == 403
    assert await status({"origin": origin}, cors_origins=(origin,)) == 200
    assert await status({"origin": origin, **KEY}, **KEYED) == 200
    assert await status({"origin": origin}, **KEYED) == 401


async def test_every_origin_header_is_checked() -> None:
    assert await status([("origin", "http://localhost"), ("origin", EVIL)]) == 403


@pytest.mark.parametrize("allowed_hosts", [(), ("mybox.lan",)])
async def test_a_rebound_name_is_not_trusted_as_an_origin(allowed_hosts: tuple[str, ...]) -> None:
    headers = {"host": "mybox.lan:8000", "origin": "http://mybox.lan:8000"}
    assert await status(headers, allowed_hosts=allowed_hosts) == (200 if allowed_hosts else 403)


async def test_error_messages() -> None:
    async with asking() as client:
        host = await client.get("/health", headers={"host": "evil.example"})
        origin = await client.post("/v1/chat/completions", headers={"origin": EVIL}, content=b"{")
    assert host.json()["error"] == {
        "message": "The Host 'evil.example' is not a name of this server. Use the server's IP address, or "
        "start it with --allowed-host evil.example, or make a key (`llm gpt-oss keys add NAME`). With a key, "
        "any name works.",
        "type": "invalid_request_error",
        "param": None,
        "code": "forbidden",
    }
    assert f"Start it with --cors-origin {EVIL} to allow them." in origin.json()["error"]["message"]
    assert origin.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("origin", "advice"),
    [
        pytest.param("null", "--cors-origin null", id="null"),
        pytest.param("app-shell://", "--cors-origin app-shell://", id="no name"),
        pytest.param("https://a$(reboot)", "--cors-origin 'https://a$(reboot)'", id="what a shell would run"),
        pytest.param("*", None, id="every page"),
        pytest.param("https://*", None, id="many pages"),
        pytest.param("https://a; reboot", None, id="no origin"),
        pytest.param(f"https://{'a' * 300}", None, id="too long"),
        pytest.param("", None, id="empty"),
    ],
)
async def test_the_advice_about_an_origin_is_safe_to_type(origin: str, advice: str | None) -> None:
    async with asking() as client:
        answer = await client.get("/v1/models", headers={"origin": origin})
    message = answer.json()["error"]["message"]
    assert answer.status_code == 403
    assert message == ONE_ORIGIN if advice is None else f"Start it with {advice} to" in message


async def test_no_advice_about_several_origins() -> None:
    async with asking() as client:
        answer = await client.get("/v1/models", headers=[("origin", EVIL), ("origin", EVIL)])
    assert answer.json()["error"]["message"] == ONE_ORIGIN


async def test_refusals_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with asking() as client:
        for headers in [{"origin": EVIL}, {"origin": EVIL}, {"host": "evil.example"}, {}]:
            await client.get("/v1/models", headers=headers)
        origin, host = (record.getMessage() for record in caplog.records if record.name == "uvicorn.error")
        assert f"--cors-origin {EVIL}" in origin
        assert "--allowed-host evil.example" in host
        for number in range(MAX_LOGGED):
            await client.get("/v1/models", headers={"host": f"{number}.evil.example"})
    assert caplog.text.count("A request was refused") == MAX_LOGGED


def connect(headers: dict[str, str], ring: KeyRing) -> int:
    "The status of a WebSocket handshake."

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    arguments: Any = {"names": (), "origins": TrustedOrigins(()), "ring": ring}
    app = Starlette(
        routes=[WebSocketRoute("/v1/responses", echo)], middleware=[Middleware(TrustedHosts, **arguments)]
    )
    try:
        with TestClient(app).websocket_connect("/v1/responses", headers=headers):
            return 101
    except WebSocketDenialResponse as rejected:
        return rejected.status_code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({"host": "localhost"}, 101, id="local"),
        pytest.param(
            {"host": "localhost", "origin": "http://localhost:3000"}, 101, id="a page on this machine"
        ),
        pytest.param({"host": "localhost", "origin": EVIL}, 403, id="another origin"),
        pytest.param({"host": "evil.example", "origin": "http://evil.example"}, 403, id="a rebound name"),
    ],
)
def test_websockets_are_checked(headers: dict[str, str], code: int) -> None:
    assert connect(headers, KeyRing()) == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({"host": "llm.example.com"}, 101, id="a program"),
        pytest.param(
            {"host": "llm.example.com", "origin": "https://llm.example.com"}, 101, id="its own page"
        ),
        pytest.param({"host": "localhost", "origin": EVIL}, 403, id="a page that could guess keys"),
    ],
)
def test_websockets_with_a_key(headers: dict[str, str], code: int) -> None:
    assert connect(headers, KeyRing(hash_key("sesame"))) == code
