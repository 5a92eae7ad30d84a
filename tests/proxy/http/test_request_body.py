from __future__ import annotations

import gzip
import json
import socket
import time
from typing import Any

import pytest
from fastapi import Request
from support.proxy_thread import proxy_thread
from support.requests import CHAT, MINIMAL, asking
from support.scripted_engine import AsyncScriptedEngine

from proxy.app import create_app
from proxy.http import body_pace, request_body
from proxy.http.body_budget import BodyBudget
from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.request_body import ReceivedBody, parse_body, receive_body
from proxy.settings import Settings

TEXT = '{"name":"é"}'


class Named(Body):
    name: str
    more: Any = None


def request(*parts: bytes, then: str = "http.disconnect", **headers: str) -> Request:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": then}

    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": lines}, receive)


async def rejection(request: Request) -> ApiError:
    with pytest.raises(ApiError) as error:
        await receive_body(request, Named, BodyBudget())
    return error.value


async def test_body_in_several_chunks() -> None:
    received = await receive_body(
        request(b'{"na', b'me":"', "é".encode()[:1], "é".encode()[1:], b'"}'), Named, BodyBudget()
    )
    assert received == ReceivedBody('{"name":"é"}'.encode(), {"name": "é"}, Named(name="é"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'name': 1}",
        b'{"name": "a"} {}',
        b'{"name": "\xff"}',
        b"\xff\xfe{\x00",
        b'{"name": "\\ud800"}',
        b'{"name": "a", "more": NaN}',
        b'{"name": "a", "more": -Infinity}',
        b'{"name": "a", "more": {"maximum": [1e999]}}',
        b'{"name": "a", "more": ' + b"1" * 400 + b".0}",
        b'{"name": "a", "more": ' + b"1" * 5000 + b"}",
        b'{"name": "a", "more": ' + b"[" * 90_000 + b"]" * 90_000 + b"}",
        b'{"name": "a", "more": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}",
    ],
)
async def test_invalid_json(body: bytes) -> None:
    error = await rejection(request(body))
    assert (error.status, error.type, error.code, error.param) == (400, "invalid_request_error", None, None)
    assert error.message.startswith("The body is not valid JSON: ")


async def test_body_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY", 2**20)
    fits = b'{"name":"' + b"a" * (2**20 - 11) + b'"}'
    assert (await receive_body(request(fits[:9], fits[9:]), Named, BodyBudget())).model.name
    error = await rejection(request(fits, b" "))
    assert (error.status, error.code) == (413, "request_too_large")
    assert error.message == "The body is longer than 1 MiB."


async def test_a_body_that_is_too_long_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY", 10)
    http = request(*[b"x" * 8] * 5)
    assert (await rejection(http)).status == 413
    assert (await http.receive())["type"] == "http.disconnect"


async def test_compressed_body_in_several_chunks() -> None:
    packed = gzip.compress(b'{"name":"a"}')
    received = await receive_body(
        request(packed[:5], packed[5:], content_encoding="gzip"), Named, BodyBudget()
    )
    assert received == ReceivedBody(b'{"name":"a"}', {"name": "a"}, Named(name="a"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(TEXT.encode("utf-8-sig"), "application/json", id="byte order mark"),
        pytest.param(TEXT.encode("utf-16"), "application/json", id="UTF-16"),
        pytest.param(TEXT.encode("latin-1"), "application/json; charset=ISO-8859-1", id="Latin-1"),
        pytest.param(TEXT.encode(), "application/x-www-form-urlencoded", id="the type that curl sends"),
    ],
)
async def test_body_in_another_charset(body: bytes, content_type: str) -> None:
    received = await receive_body(request(body, content_type=content_type), Named, BodyBudget())
    assert received == ReceivedBody(TEXT.encode(), {"name": "é"}, Named(name="é"))


async def test_compressed_body_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY", 2**20)
    http = request(gzip.compress(b" " * 2**21), b"and", b"more", content_encoding="gzip")
    error = await rejection(http)
    assert (error.status, error.code) == (413, "request_too_large")
    assert error.message == "The body is longer than 1 MiB when it is decompressed."
    assert (await http.receive())["type"] == "http.disconnect"


@pytest.mark.parametrize(
    ("encoding", "status"), [pytest.param("gzip", 400, id="damaged"), pytest.param("lzma", 415, id="unknown")]
)
async def test_body_that_cannot_be_decoded_is_read_to_its_end(encoding: str, status: int) -> None:
    http = request(b'{"name":', b'"a"}', content_encoding=encoding)
    assert (await rejection(http)).status == status
    assert (await http.receive())["type"] == "http.disconnect"


async def test_body_with_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_VALUES", 10)
    # The object, its two values, the two lists and their five.
    fits = b'{"name":"a,,,,,,,,,,,,,","more":[[1,2,3],[{}]]}'
    assert (await receive_body(request(fits), Named, BodyBudget())).model.more
    error = await rejection(request(fits.replace(b"3", b"3,4,5")))
    assert (error.status, error.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"name":["' + b"," * 20 + b'",1,2,3,4,5,6,7,8,9,10,11]}', id="behind a text"),
        pytest.param(b'{"name":["' + b'\\",[{' * 20 + b'",{},{},{},{},{},{}]}', id="empty objects"),
        pytest.param(b"[" * 11, id="lists in lists"),
        pytest.param(b",,,,,,,,,,,", id="no JSON"),
    ],
)
def test_a_body_with_too_many_values_is_not_parsed(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_VALUES", 10)
    monkeypatch.setattr(request_body, "parse_json", None)
    with pytest.raises(ApiError, match="more than 10 values"):
        parse_body(body, Named)


@pytest.mark.parametrize("name", [",[{" * 20, '\\",[{' * 20, "\\" * 21 + ","])
def test_commas_and_brackets_in_texts_are_not_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_VALUES", 10)
    assert parse_body(json.dumps({"name": name}).encode(), Named).model.name == name


def test_a_text_without_an_end_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # To begin again at each quotation mark would take hours.
    body = b'{"name":"' + b'\\",' * 1_000_000
    with pytest.raises(ApiError, match="not valid JSON"):
        parse_body(body, Named)


class Asking(Body):
    model: str


@pytest.mark.parametrize("raw", [b"{}", b'{"model":"body"}'])
def test_the_model_of_the_path_replaces_that_of_the_body(raw: bytes) -> None:
    received = parse_body(raw, Asking, "path")
    assert received == ReceivedBody(b'{"model":"path"}', {"model": "path"}, Asking(model="path"))
    named = b'{"name":"a"}'
    assert parse_body(named, Named, "path").raw == named


async def test_client_that_disconnects_while_it_sends() -> None:
    http = request(b'{"name":')
    messages: list[Any] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    http = Request(http.scope, receive)
    assert (await rejection(http)).status == 499


async def test_errors_name_the_parameter() -> None:
    error = await rejection(request(b'{"name": 5}'))
    assert (error.status, error.code, error.param) == (400, "invalid_type", "name")


async def test_encodings_of_an_endpoint() -> None:
    body = json.dumps(MINIMAL).encode()
    async with asking() as client:
        answer = await client.post(CHAT, content=gzip.compress(body), headers={"content-encoding": "gzip"})
        assert answer.status_code == 200
        answer = await client.post(CHAT, content=body, headers={"content-encoding": "compress"})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate, br, zstd")
        assert answer.json()["error"]["code"] == "unsupported_content_encoding"


async def test_errors_of_an_endpoint() -> None:
    async with asking() as client:
        answer = await client.post(
            CHAT, content=b'{"model": "m", "messages": [{"role": "user", "content": 5}]}'
        )
        assert answer.status_code == 400
        assert answer.json() == {
            "error": {
                "message": "Invalid type for 'messages[0].content': expected one of a string or an array, "
                "but got an integer instead.",
                "type": "invalid_request_error",
                "param": "messages[0].content",
                "code": "invalid_type",
            }
        }
        assert (await client.post(CHAT, json=MINIMAL)).status_code == 200


async def test_bodies_that_are_held_are_limited() -> None:
    budget = BodyBudget(30)
    first = await receive_body(request(b'{"name":', b'"a"}'), Named, budget)
    assert budget.held == 12
    second = await receive_body(request(b'{"name":"b"}'), Named, budget)
    with pytest.raises(ApiError) as error:
        await receive_body(request(b'{"na', b'me":"c"}'), Named, budget)
    assert (error.value.status, error.value.code) == (503, "queue_full")
    assert error.value.headers == {"Retry-After": "2"}
    del second
    assert budget.held == 12
    assert (await receive_body(request(b'{"name":"c"}'), Named, budget)).model.name == "c"
    assert first.model.name == "a"


async def test_one_actor_holds_half() -> None:
    budget = BodyBudget(30)
    sent = request(b'{"name":"0123456789"}')
    sent.state.actor = "mine"
    with pytest.raises(ApiError, match="Your requests"):
        await receive_body(sent, Named, budget)
    assert budget.held == 0


@pytest.mark.parametrize("headers", [{}, {"content_encoding": "lzma"}], ids=["read", "refused"])
async def test_a_body_that_trickles(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    "Of a body that is refused, too, no more is read."
    monkeypatch.setattr(body_pace, "FREE_SECONDS", -1)
    http = request(b'{"name":', b'"a"}', **headers)
    budget = BodyBudget()
    with pytest.raises(ApiError) as error:
        await receive_body(http, Named, budget)
    assert (error.value.status, error.value.headers) == (408, {"Connection": "close"})
    assert budget.held == 0
    assert (await http.receive())["type"] == "http.request"


def test_a_body_that_trickles_over_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_pace, "FREE_SECONDS", 0.1)
    app = create_app(Settings(), engine=AsyncScriptedEngine())
    with proxy_thread(app) as url, socket.create_connection(address_of(url), 10) as client:
        client.sendall(b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        time.sleep(0.3)
        client.sendall(b" ")
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert json.loads(body)["error"]["code"] == "request_timeout"
        assert app.state.proxy.body_budget.held == 0


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


async def test_a_compressed_body_counts_as_it_is_used() -> None:
    budget = BodyBudget(1000)
    packed = gzip.compress(b'{"name":"' + b"a" * 2000 + b'"}')
    with pytest.raises(ApiError) as error:
        await receive_body(request(packed, content_encoding="gzip"), Named, budget)
    assert (error.value.status, budget.held) == (503, 0)
