"The one HTTP client, sync and async, with Ollama's requests and answers as examples."

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx
import pytest
from support.scripted_server import (
    CLOSING,
    CUT,
    HOLD,
    Dropping,
    Refusing,
    Reply,
    Scripted,
    answer,
    chunk,
    head,
    stream,
)

from llm_gpt_oss.completion import Completion
from llm_gpt_oss.engines.http import client, connection
from llm_gpt_oss.engines.http.client import AsyncClient, Client
from llm_gpt_oss.engines.http.request import Request
from llm_gpt_oss.engines.http.transport import AsyncioStream
from llm_gpt_oss.engines.ollama.answers import PullStatus
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.requests import generate, pull, show, version
from llm_gpt_oss.errors import (
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    StreamCut,
)
from llm_gpt_oss.settings import ServerAddress, read_server

Play = Callable[..., Scripted]
Sends = Callable[..., Any]
Streams = Callable[..., list[Any]]


def send_sync(server: ServerAddress, request: Request[Any], read_timeout: float = 5) -> Any:
    with Client(ollama_endpoint(server, read_timeout)) as client:
        return client.send(request)


def send_async(server: ServerAddress, request: Request[Any], read_timeout: float = 5) -> Any:
    async def run() -> Any:
        async with AsyncClient(ollama_endpoint(server, read_timeout)) as client:
            return await client.send(request)

    return asyncio.run(run())


def stream_sync(server: ServerAddress, request: Request[Any], read_timeout: float = 5) -> list[Any]:
    with Client(ollama_endpoint(server, read_timeout)) as client:
        return list(client.stream(request))


def stream_async(server: ServerAddress, request: Request[Any], read_timeout: float = 5) -> list[Any]:
    async def run() -> list[Any]:
        async with AsyncClient(ollama_endpoint(server, read_timeout)) as client:
            return [item async for item in client.stream(request)]

    return asyncio.run(run())


SEND = [pytest.param(send_sync, id="send"), pytest.param(send_async, id="async send")]
STREAM = [pytest.param(stream_sync, id="stream"), pytest.param(stream_async, id="async stream")]


@pytest.fixture(params=SEND)
def send(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=STREAM)
def stream_all(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[*SEND, *STREAM])
def call(request: pytest.FixtureRequest) -> Any:
    return request.param


VERSION = answer({"version": "0.24.0"})
PULLED = stream({"status": "pulling manifest"}, {"status": "success"})


def test_send_returns_the_parsed_answer(play: Play, send: Sends) -> None:
    server = play(VERSION)
    assert send(ServerAddress(server.url), version()) == "0.24.0"
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/api/version", None)
    assert request.headers["host"] == server.host
    assert request.headers["user-agent"] == "llm-gpt-oss"
    assert request.headers["accept-encoding"] == "identity"


def test_stream_yields_the_parsed_objects(play: Play, stream_all: Streams) -> None:
    server = play(PULLED)
    assert stream_all(ServerAddress(server.url), pull("t")) == [
        PullStatus("pulling manifest"),
        PullStatus("success"),
    ]
    [request] = server.requests
    assert (request.method, request.path, request.body) == (
        "POST",
        "/api/pull",
        {"model": "t", "stream": True},
    )
    assert request.headers["content-type"] == "application/json"


def test_the_path_headers_and_key_of_the_server_are_used(play: Play, call: Sends) -> None:
    server = play(answer({"status": "x", "version": "x"}))
    there = read_server(f"{server.url}/behind/", (("X-One", "1"), ("user-agent", "mine"))).with_key("k")
    call(there, Request("/api/x", dict))
    [request] = server.requests
    assert request.path == "/behind/api/x"
    assert request.headers["x-one"] == "1"
    assert request.headers["user-agent"] == "mine"
    assert request.headers["authorization"] == "Bearer k"


def test_half_a_surrogate_pair_can_be_sent(play: Play, call: Sends) -> None:
    server = play(answer({"done": True}))
    call(ServerAddress(server.url), generate(Completion("t", "caf\udce9 \u4e16")))
    assert server.requests[0].body["prompt"] == "caf\udce9 \u4e16"


FAILURES: list[tuple[Reply, type[GptOssError], str]] = [
    (answer({"error": "model 't' not found"}, 404), ModelMissing, "ollama pull t"),
    (answer({"error": "server busy"}, 503), EngineBusy, "server busy"),
    (answer("404 page not found", 404), EngineError, "not have Ollama's API"),
    (
        answer("", 302, "Location: http://elsewhere.example/"),
        EngineError,
        "redirects to http://elsewhere.example/",
    ),
    (answer("", 304), EngineError, "(304)"),
]


@pytest.mark.parametrize(("reply", "error_type", "words"), FAILURES)
def test_error_answers(
    play: Play, call: Sends, reply: Reply, error_type: type[GptOssError], words: str
) -> None:
    server = play(reply)
    with pytest.raises(error_type, match=words) as caught:
        call(ServerAddress(server.url), show("t"))
    assert type(caught.value) is error_type
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    ["<html>", '["0.24.0"]', "{}", '{"version"', pytest.param("[" * 100_000, id="deep")],
)
def test_an_answer_of_another_api(play: Play, send: Sends, body: str) -> None:
    with pytest.raises(EngineError, match="not have Ollama's API: /api/version") as caught:
        send(ServerAddress(play(answer(body)).url), version())
    assert "OLLAMA_HOST" in (caught.value.remedy or "")


def test_a_stream_of_another_api(play: Play, stream_all: Streams) -> None:
    with pytest.raises(EngineError, match="not have Ollama's API: /api/pull"):
        stream_all(ServerAddress(play(stream({"odd": 1})).url), pull("t"))


@pytest.mark.parametrize(
    "line",
    [
        {"error": "pull model manifest: file does not exist"},
        {"object": "error", "message": "pull model manifest: file does not exist"},
    ],
)
def test_an_error_in_a_stream(play: Play, stream_all: Streams, line: dict[str, str]) -> None:
    with pytest.raises(ModelMissing, match="no model t to download"):
        stream_all(ServerAddress(play(stream({"status": "pulling manifest"}, line)).url), pull("t"))


def test_a_stream_with_a_content_encoding(play: Play, stream_all: Streams) -> None:
    "Nobody asked for it, but there are proxies that compress."
    data = gzip.compress(b'{"status": "a"}\n')
    reply = (head(200, "Content-Encoding: gzip", f"Content-Length: {len(data)}"), data)
    assert stream_all(ServerAddress(play(reply).url), pull("t")) == stream_all(
        ServerAddress(play(stream({"status": "a"})).url), pull("t")
    )


def test_a_refused_connection(call: Sends) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable) as caught:
        call(read_server(host), version())
    assert caught.value.message == f"Ollama does not answer at http://{host}: connection refused."
    assert caught.value.remedy == (
        "Start it with `ollama serve`, or type `llm gpt-oss setup`, or set OLLAMA_HOST to where it runs."
    )


def test_all_addresses_of_a_name_refuse_the_connection(call: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    with Refusing() as host:
        port = int(host.split(":")[1])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 2
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(EngineUnreachable, match=rf"at http://box\.example:{port}: connection refused"):
            call(read_server(f"box.example:{port}"), version())


def test_an_unknown_host_name(call: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(EngineUnreachable, match=r"at http://box\.example:11434: name or service not known"):
        call(read_server("box.example"), version())


def test_a_connection_timeout(call: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_gpt_oss.engines.http.connection.LONG_CONNECT_TIMEOUT", 0.1)
    with Dropping() as host, pytest.raises(EngineUnreachable, match="the connection timed out") as caught:
        call(read_server(host), version())
    assert "ollama serve" in str(caught.value)


@pytest.mark.parametrize(("host", "seconds"), [("", 5), ("192.168.0.1", 1), ("https://box.example", 5)])
def test_the_connect_timeout_is_longer_for_tls_and_for_this_machine(host: str, seconds: float) -> None:
    timeout = connection.client_options(ollama_endpoint(read_server(host), 600))["timeout"]
    assert (timeout.connect, timeout.read) == (seconds, 600)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", True),
        ("[::1]:11434", True),
        ("localhost", False),
        ("https://127.0.0.1", False),
        ("192.168.0.1", False),
        ("box.example", False),
    ],
)
def test_the_loopback_transport_is_for_addresses_of_this_machine(host: str, expected: bool) -> None:
    assert (
        "transport" in connection.async_client_options(ollama_endpoint(read_server(host), 600))
    ) is expected


def test_a_read_timeout_before_the_answer(play: Play, call: Sends) -> None:
    with pytest.raises(EngineError, match=r"sent nothing for 0\.05 seconds\..*LLM_GPT_OSS_TIMEOUT") as caught:
        call(ServerAddress(play((HOLD,)).url), version(), read_timeout=0.05)
    assert type(caught.value) is EngineError


def test_a_read_timeout_inside_a_stream(play: Play, stream_all: Streams) -> None:
    with pytest.raises(StreamCut, match=r"sent nothing for 0\.5 seconds\..*LLM_GPT_OSS_TIMEOUT"):
        stream_all(ServerAddress(play(stream({"status": "a"}, HOLD)).url), pull("t"), read_timeout=0.5)


def test_the_read_timeout_starts_again_with_each_byte(play: Play, stream_all: Streams) -> None:
    server = play((0.4, *stream(0.4, {"status": "a"}, 0.4, {"status": "b"})))
    assert stream_all(ServerAddress(server.url), pull("t"), read_timeout=1.1) == [
        PullStatus("a"),
        PullStatus("b"),
    ]


BROKEN: list[Reply] = [
    (
        head(200, "Transfer-Encoding: chunked"),
        chunk(b'{"status":"a"}\n{"sta'),
    ),  # a goodbye, but no last chunk
    (*stream(b'{"status":"a"}\n{"sta')[:-1], CUT),
    (
        head(200),
        b'{"status":"a"}\n{"sta',
    ),  # as old servers do: the end of the connection is the end of the body
    stream(b'{"status":"a"}\n{"sta'),
]


@pytest.mark.parametrize("reply", BROKEN, ids=["unfinished", "reset", "closed", "half a line"])
def test_a_stream_that_is_cut(play: Play, stream_all: Streams, reply: Reply) -> None:
    with pytest.raises(StreamCut):
        stream_all(ServerAddress(play(reply).url), pull("t"))


@pytest.mark.parametrize("reply", [(), (CUT,), (b"HTTP/1.1 200 OK\r\nContent-Le",), (b"SSH-2.0\r\n",)])
def test_a_connection_closed_before_the_answer(play: Play, call: Sends, reply: Reply) -> None:
    server = play(reply)
    with pytest.raises(EngineError, match=f"The connection to Ollama at {server.url} was lost: ") as caught:
        call(ServerAddress(server.url), version())
    assert type(caught.value) is EngineError


def test_a_client_can_be_used_after_an_error(play: Play) -> None:
    server = play(answer({"error": "server busy"}, 503), VERSION)
    with Client(ollama_endpoint(ServerAddress(server.url))) as client:
        with pytest.raises(EngineBusy):
            client.send(version())
        assert client.send(version()) == "0.24.0"


def test_items_arrive_one_by_one(play: Play) -> None:
    server = play(stream({"status": "a"}, HOLD))
    with Client(ollama_endpoint(ServerAddress(server.url))) as client:
        statuses = client.stream(pull("t"))
        assert next(statuses) == PullStatus("a")
        assert not server.gone.is_set()
        statuses.close()
        assert server.gone.wait(10)


async def test_async_items_arrive_one_by_one(play: Play) -> None:
    server = play(stream({"status": "a"}, HOLD))
    async with AsyncClient(ollama_endpoint(ServerAddress(server.url))) as client:
        statuses = client.stream(pull("t"))
        assert await anext(statuses) == PullStatus("a")
        assert not server.gone.is_set()
        await statuses.aclose()
        assert server.gone.wait(10)  # while the event loop stands still


@pytest.mark.parametrize("keepalive", [0, 5])
async def test_a_cancelled_task_closes_its_connection(play: Play, keepalive: float) -> None:
    server = play(stream({"status": "a"}, HOLD))
    first = asyncio.Event()

    async def read() -> None:
        async for _ in client.stream(pull("t")):
            first.set()

    async with AsyncClient(ollama_endpoint(ServerAddress(server.url), keepalive=keepalive)) as client:
        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.gone.wait(10)


async def test_many_streams_at_the_same_time(play: Play) -> None:
    server = play(stream({"status": "a"}, HOLD))
    async with (
        AsyncClient(ollama_endpoint(ServerAddress(server.url), 2)) as client,
        AsyncExitStack() as opened,
    ):
        # httpx alone stops at a hundred.
        streams = [await opened.enter_async_context(aclosing(client.stream(pull("t")))) for _ in range(101)]
        assert await asyncio.gather(*map(anext, streams)) == [PullStatus("a")] * 101


def test_too_many_requests_at_the_same_time() -> None:
    with (
        pytest.raises(EngineBusy, match=r"1000 requests.*Try again"),
        connection.translate_errors(ollama_endpoint(ServerAddress("http://h:1"), 600)),
    ):
        raise httpx.PoolTimeout("")


async def test_the_read_delay_keeps_data_unread() -> None:
    first_was_read, finished = asyncio.Event(), asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "Transfer-Encoding: chunked") + chunk(b"a"))
        await first_was_read.wait()
        writer.write(chunk(b"b"))
        await finished.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = read_server(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with (
            AsyncClient(ollama_endpoint(address)) as client,
            aclosing(client.stream_bytes(pull("t"), lambda *, wakes_at_end: 0.1)) as data,
        ):
            assert await anext(data) == b"a"
            first_was_read.set()
            started = asyncio.get_running_loop().time()
            assert await anext(data) == b"b"
            assert asyncio.get_running_loop().time() - started >= 0.1
            finished.set()


@pytest.mark.parametrize("closes", [True, False])
async def test_the_read_delay_depends_on_who_closes_the_connection(play: Play, closes: bool) -> None:
    "The client asks the server to close the connection. If the server agrees, the end ends the delay."
    calls: list[bool] = []

    def read_delay(*, wakes_at_end: bool) -> float:
        calls.append(wakes_at_end)
        return 0

    reply = stream({"status": "a"})
    server = play(reply if closes else without_close_header(reply))
    async with AsyncClient(ollama_endpoint(read_server(server.host), keepalive=5)) as client:
        async for _ in client.stream_bytes(pull("t"), read_delay):
            pass
    assert set(calls) == {closes and AsyncioStream.wakes_at_end}
    assert server.requests[0].headers["connection"] == "close"


async def test_a_stream_that_is_read_at_once_keeps_its_connection(play: Play) -> None:
    server = play(stream({"status": "a"}))
    async with AsyncClient(ollama_endpoint(read_server(server.host), keepalive=5)) as client:
        async for _ in client.stream_bytes(pull("t")):
            pass
    assert server.requests[0].headers["connection"] == "keep-alive"


def without_close_header(reply: Reply) -> Reply:
    "The reply of a server that does not announce that it will close the connection."
    close_header = f"{CLOSING}\r\n".encode()
    return tuple(step.replace(close_header, b"") if isinstance(step, bytes) else step for step in reply)


def test_no_connection_stays_open_between_two_requests(play: Play) -> None:
    server = play((*without_close_header(VERSION), HOLD))
    with Client(ollama_endpoint(ServerAddress(server.url))) as client:
        client.send(version())
        assert server.gone.wait(10)


async def test_no_async_connection_stays_open_between_two_requests(play: Play) -> None:
    server = play((*without_close_header(VERSION), HOLD))
    async with AsyncClient(ollama_endpoint(ServerAddress(server.url))) as client:
        await client.send(version())
        assert server.gone.wait(10)


async def test_keepalive_reuses_the_connection(play: Play) -> None:
    server = play(without_close_header((*VERSION, 0.2, *VERSION, HOLD)))
    async with AsyncClient(ollama_endpoint(ServerAddress(server.url), keepalive=5)) as client:
        assert [await client.send(version()) for _ in range(2)] == ["0.24.0"] * 2
        assert not server.gone.is_set()
    assert server.gone.wait(10)
    assert len(server.requests) == 1  # on a second connection it would have read another


async def test_a_keepalive_connection_that_the_server_closed(play: Play) -> None:
    server = play(without_close_header(VERSION))
    async with AsyncClient(ollama_endpoint(ServerAddress(server.url), keepalive=5)) as client:
        for _ in range(3):
            assert await client.send(version()) == "0.24.0"
            await asyncio.sleep(0.05)
    assert len(server.requests) == 3


def test_one_client_on_two_event_loops(play: Play) -> None:
    client = AsyncClient(ollama_endpoint(ServerAddress(play(VERSION).url)))
    assert [asyncio.run(client.send(version())) for _ in range(2)] == ["0.24.0"] * 2


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_for_this_machine(
    play: Play, call: Sends, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server = play(answer({"version": "x", "status": "x"}))
    with Refusing() as proxy:
        monkeypatch.setenv(name, f"http://{proxy}")
        call(ServerAddress(server.url), Request("/api/x", dict))
    assert len(server.requests) == 1


def test_a_proxy_for_other_machines(play: Play, send: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = play(VERSION)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert send(read_server("box.example"), version()) == "0.24.0"
    assert proxy.requests[0].path == "http://box.example:11434/api/version"


def test_a_proxy_that_refuses(send: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    with Refusing() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
        with pytest.raises(EngineUnreachable, match="connection refused"):
            send(read_server("box.example"), version())


@pytest.mark.parametrize(
    ("host", "proxy", "authorities"),
    [
        ("", "", False),
        ("", "https://proxy.example", False),
        ("box.example", "", False),
        ("box.example", "https://proxy.example", True),
        ("https://localhost", "", True),
        ("ollama.com", "", True),
    ],
)
def test_certificate_authorities_are_loaded_only_for_tls(
    monkeypatch: pytest.MonkeyPatch, host: str, proxy: str, authorities: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    read = ssl.create_default_context()
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: read)
    context = connection.client_options(ollama_endpoint(read_server(host), 600))["verify"]
    assert (context is read) is authorities
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_https_to_a_server_without_tls(monkeypatch: pytest.MonkeyPatch, send: Sends, play: Play) -> None:
    server = play((head(400),))
    with pytest.raises(EngineUnreachable, match="https://"):
        send(read_server(server.url.replace("http:", "https:")), version())


def test_errors_whose_causes_form_a_circle() -> None:
    error, cause = httpx.ReadError("it broke"), ValueError("and so did this")
    error.__cause__, cause.__cause__ = cause, error
    with (
        pytest.raises(EngineError, match="was lost: it broke"),
        connection.translate_errors(ollama_endpoint(ServerAddress("http://h:1"), 600)),
    ):
        raise error


@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_answer(play: Play, send: Sends, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BODY", 2**20)
    start = head(status, "Transfer-Encoding: chunked")
    server = play((start, *[chunk(b" " * 2**18)] * 5, HOLD))
    with pytest.raises(EngineError, match="longer than 1 MB"):
        send(ServerAddress(server.url), version())


def test_endless_headers(play: Play) -> None:
    lines = b"".join(b"X-Header-%d: %s\r\n" % (number, b"x" * 1000) for number in range(1000))
    server = play((b"HTTP/1.1 200 OK\r\n", lines, HOLD))
    with pytest.raises(EngineError, match="headers of the response do not end"):
        send_async(ServerAddress(server.url), version())
