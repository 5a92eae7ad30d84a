from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.scripted_server import CUT, HOLD, Refusing, Scripted, answer, chunk, head, stream

from llm_gpt_oss.engines.ollama.forward import ForwardedRequest, ForwardedResponse, forward
from llm_gpt_oss.errors import EngineError, EngineUnreachable, StreamCut
from llm_gpt_oss.settings import ServerAddress, read_server

Play = Callable[..., Scripted]
BODY = b'{"model": "x"}'


def foreign(**changes: Any) -> ForwardedRequest:
    given = {"method": "POST", "path": "/api/chat", "headers": [], "body": BODY}
    return ForwardedRequest(**{**given, **changes})


def server(address: str, *headers: tuple[str, str]) -> ServerAddress:
    return read_server(address, headers)


async def send(where: ServerAddress, **changes: Any) -> tuple[ForwardedResponse, bytes]:
    async with forward(where, foreign(**changes), 5) as passed:
        return passed, b"".join([data async for data in passed.body])


async def test_body_and_path_go_there_as_they_came(play: Play) -> None:
    ollama = play(answer({"done": True}))
    passed, body = await send(server(ollama.host), path="/api/chat?x=1")
    assert (passed.status, body) == (200, b'{"done": true}')
    (request,) = ollama.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/chat?x=1", {"model": "x"})


async def test_the_answer_comes_back_as_it_is(play: Play) -> None:
    ollama = play(
        answer("no", 404, "X-Own: 1", "Connection: close, X-Hop", "X-Hop: 2", "Date: today", "Server: x")
    )
    passed, body = await send(server(ollama.host))
    assert (passed.status, body) == (404, b"no")
    assert passed.headers == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"x-own", b"1"),
    ]


async def test_bytes_are_those_of_the_stream(play: Play) -> None:
    ollama = play(stream({"a": 1}, b'{"b"', b": 2}\n"))
    passed, body = await send(server(ollama.host))
    assert body == b'{"a": 1}\n{"b": 2}\n'
    assert passed.headers == [(b"content-type", b"application/x-ndjson")]


async def test_headers_that_are_not_for_ollama_stay_here(play: Play) -> None:
    ollama = play(answer({}))
    headers = [
        (b"Host", b"evil.example"),
        (b"Authorization", b"Bearer of-the-proxy"),
        (b"API-Key", b"of-the-proxy"),
        (b"X-API-Key", b"of-the-proxy"),
        (b"Cookie", b"a=b"),
        (b"Origin", b"http://app.example"),
        (b"Accept-Encoding", b"gzip"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Upgrade", b"h2c"),
        (b"User-Agent", b"ollama-python"),
        (b"X-Own", b"\xc3\xa4"),
    ]
    await send(server(ollama.host), headers=headers)
    got = ollama.requests[0].headers
    assert got["host"] == ollama.host
    assert got["user-agent"] == "ollama-python"
    assert got["x-own"] == "ä"
    assert got["accept-encoding"] == "identity"
    assert not got.keys() & {"api-key", "x-api-key", "authorization", "cookie", "origin", "x-hop", "upgrade"}
    assert "h2c" not in str(got)


async def test_a_decoded_body_has_no_headers_of_its_encoding(play: Play) -> None:
    ollama = play(answer({}), answer({}))
    headers = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"14"), (b"Content-Type", b"a/b")]
    await send(server(ollama.host), headers=headers, body=BODY + b" ")

    async def upload() -> AsyncIterator[bytes]:
        yield BODY

    await send(server(ollama.host), headers=headers, body=upload())
    decoded, encoded = [request.headers for request in ollama.requests]
    assert (decoded["content-length"], decoded["content-type"]) == ("15", "a/b")
    assert "content-encoding" not in decoded
    assert (encoded["content-length"], encoded["content-encoding"]) == ("14", "gzip")


async def test_the_servers_own_headers_go_along(play: Play) -> None:
    ollama = play(answer({}))
    where = server(ollama.host, ("Authorization", "Bearer of-ollama"))
    await send(where, headers=[(b"Authorization", b"Bearer of-the-proxy")])
    assert ollama.requests[0].headers["authorization"] == "Bearer of-ollama"


async def test_a_length_is_passed_on(play: Play) -> None:
    ollama = play(answer({}))

    async def upload() -> AsyncIterator[bytes]:
        yield BODY[:4]
        yield BODY[4:]

    headers = [(b"Content-Length", str(len(BODY)).encode())]
    await send(server(ollama.host), headers=headers, body=upload())
    assert ollama.requests[0].body == json.loads(BODY)
    assert "transfer-encoding" not in ollama.requests[0].headers


async def test_a_length_beside_another_framing_is_not(play: Play) -> None:
    ollama = play(answer({}))
    headers = [(b"Content-Length", b"999"), (b"Transfer-Encoding", b"chunked")]
    await send(server(ollama.host), headers=headers)
    assert ollama.requests[0].headers["content-length"] == str(len(BODY))


async def test_a_request_without_a_body_has_none(play: Play) -> None:
    ollama = play(answer({}))
    await send(server(ollama.host), method="GET", body=b"")
    assert not ollama.requests[0].headers.keys() & {"content-length", "transfer-encoding"}


async def test_to_leave_is_to_close(play: Play) -> None:
    ollama = play(stream({"a": 1}, HOLD))
    async with forward(server(ollama.host), foreign(), 5) as passed:
        assert await anext(passed.body) == b'{"a": 1}\n'
        assert not ollama.gone.is_set()
    assert ollama.gone.wait(5)


async def test_nobody_there() -> None:
    with Refusing() as address, pytest.raises(EngineUnreachable):
        await send(server(address))


async def test_no_answer(play: Play) -> None:
    with pytest.raises(EngineError) as raised:
        await send(server(play((CUT,)).host))
    assert type(raised.value) is EngineError


async def test_an_answer_that_breaks_off(play: Play) -> None:
    ollama = play((head(200, "Transfer-Encoding: chunked"), chunk(b"a"), 0.05, CUT))
    async with forward(server(ollama.host), foreign(), 5) as passed:
        assert await anext(passed.body) == b"a"
        with pytest.raises(StreamCut):
            await anext(passed.body)
