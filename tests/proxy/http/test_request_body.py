from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request
from support.requests import CHAT, MINIMAL, asking

from proxy.http import request_body
from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.request_body import ReceivedBody, receive_body


class Named(Body):
    name: str
    more: Any = None


def request(*parts: bytes, then: str = "http.disconnect") -> Request:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": then}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def rejection(request: Request) -> ApiError:
    with pytest.raises(ApiError) as error:
        await receive_body(request, Named)
    return error.value


async def test_body_in_several_chunks() -> None:
    received = await receive_body(
        request(b'{"na', b'me":"', "é".encode()[:1], "é".encode()[1:], b'"}'), Named
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
        b"\xff\xfe{\x00}\x00",
        b'{"name": "\\ud800"}',
        b'{"name": "a", "more": NaN}',
        b'{"name": "a", "more": -Infinity}',
        b'{"name": "a", "more": {"maximum": [1e999]}}',
        b'{"name": "a", "more": ' + b"1" * 400 + b".0}",
        b'{"name": "a", "more": ' + b"1" * 5000 + b"}",
        b'{"name": "a", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
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
    assert (await receive_body(request(fits[:9], fits[9:]), Named)).model.name
    error = await rejection(request(fits, b" "))
    assert (error.status, error.code) == (413, "request_too_large")
    assert error.message == "The body is longer than 1 MiB."


async def test_a_body_that_is_too_long_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY", 10)
    http = request(*[b"x" * 8] * 5)
    assert (await rejection(http)).status == 413
    assert (await http.receive())["type"] == "http.disconnect"


async def test_body_with_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_VALUES", 10)
    # The object, its two values, the two lists and their five.
    fits = b'{"name":"a,,,,,,,,,,,,,","more":[[1,2,3],[{}]]}'
    assert (await receive_body(request(fits), Named)).model.more
    error = await rejection(request(fits.replace(b"3", b"3,4,5")))
    assert (error.status, error.code) == (413, "request_too_large")


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
