from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpcore
import pytest

from llm_gpt_oss.engines.http.http1 import ResponseParser, send_request

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = b""

# The bytes, status, body and whether the connection can be reused.
RESPONSES = [
    pytest.param([OK + b"Content-Length: 2\r\n\r\nok"], 200, b"ok", True, id="length"),
    pytest.param([CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"], 200, b"abc", True, id="chunks"),
    pytest.param([OK + b"\r\nab", b"c", CLOSED], 200, b"abc", False, id="until the end of the connection"),
    pytest.param([b"HTTP/1.0 200 OK\r\n\r\na", CLOSED], 200, b"a", False, id="HTTP/1.0"),
    pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b"", True, id="no body"),
    pytest.param(
        [b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" + CHUNKED + b"0\r\n\r\n"], 200, b"", True, id="1xx"
    ),
    pytest.param(
        [OK + b"Content-Length: 1\r\nConnection: close\r\n\r\na"], 200, b"a", False, id="Connection: close"
    ),
    pytest.param([OK + b"Content-Length: 1\r\n\r\na?"], 200, b"a", False, id="data after the response"),
    pytest.param([(OK + b"Content-Length: 1\r\n\r\na") * 2], 200, b"a", False, id="a second response"),
]


@pytest.mark.parametrize(("data", "status", "body", "can_be_reused"), RESPONSES)
def test_complete_responses(data: list[bytes], status: int, body: bytes, can_be_reused: bool) -> None:
    parser = ResponseParser()
    for part in data:
        parser.feed(part)
    assert (parser.status, parser.take_body(), parser.take_body()) == (status, body, b"")
    assert (parser.has_headers, parser.is_complete, parser.can_be_reused) == (True, True, can_be_reused)


def test_headers_are_those_of_the_last_response() -> None:
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nB: 2\r\n")
    assert not parser.has_headers
    parser.feed(b"b: 3\r\n\r\n")
    assert parser.headers == [(b"B", b"2"), (b"b", b"3")]
    assert (parser.status, parser.reason, parser.http_version) == (404, b"Not Found", b"1.1")


def test_bytes_may_be_split_anywhere() -> None:
    data = CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
    for size in range(1, len(data)):
        parser, body = ResponseParser(), b""
        for start in range(0, len(data), size):
            assert not parser.is_complete
            parser.feed(data[start : start + size])
            body += parser.take_body()
        assert (body, parser.is_complete) == (b"abc", True)


def test_a_response_to_head_has_no_body() -> None:
    parser = ResponseParser(is_head=True)
    parser.feed(OK + b"Content-Length: 5\r\n\r\n")
    assert (parser.is_complete, parser.can_be_reused) == (True, False)


ERRORS = [
    pytest.param([CLOSED], "without a response", id="closed at once"),
    pytest.param([OK, CLOSED], "without a response", id="closed in the headers"),
    pytest.param([CHUNKED + b"1\r\na\r\n", CLOSED], "before the response ended", id="closed between chunks"),
    pytest.param([OK + b"Content-Length: 2\r\n\r\na", CLOSED], "before the response ended", id="too short"),
    pytest.param([b"SSH-2.0-OpenSSH\r\n"], "invalid HTTP response", id="another protocol"),
    pytest.param([CHUNKED + b"x\r\n"], "invalid HTTP response", id="no length of a chunk"),
    pytest.param(
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
        "invalid HTTP response",
        id="an upgrade that was not requested",
    ),
]


@pytest.mark.parametrize(("data", "words"), ERRORS)
def test_invalid_responses(data: list[bytes], words: str) -> None:
    parser = ResponseParser()
    for part in data[:-1]:
        parser.feed(part)
    with pytest.raises(httpcore.RemoteProtocolError, match=words):
        parser.feed(data[-1])


class Recorder(httpcore.AsyncNetworkStream):
    "A stream that records what is written. It fails after `fails_after` writes."

    def __init__(self, fails_after: int = 100) -> None:
        self.written: list[bytes] = []
        self._fails_after = fails_after

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if len(self.written) == self._fails_after:
            raise httpcore.WriteError
        self.written.append(buffer)


async def parts() -> AsyncIterator[bytes]:
    for part in (b"ab", b"", b"c"):
        yield part


def request(content: Any, *headers: tuple[bytes, bytes]) -> httpcore.Request:
    return httpcore.Request("POST", "http://h/p?q=1", headers=list(headers), content=content)


HEAD = b"POST /p?q=1 HTTP/1.1\r\n"
LENGTH, TRANSFER = (b"Content-Length", b"3"), (b"transfer-encoding", b"chunked")
REQUESTS = [
    pytest.param(request(None), [HEAD + b"\r\n"], id="no body"),
    pytest.param(request(b"abc", LENGTH), [HEAD + b"Content-Length: 3\r\n\r\nabc"], id="one write"),
    pytest.param(request(parts(), LENGTH), [HEAD + b"Content-Length: 3\r\n\r\nab", b"c"], id="length"),
    pytest.param(
        request(parts(), TRANSFER),
        [HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n", b"1\r\nc\r\n", b"0\r\n\r\n"],
        id="chunks",
    ),
]


@pytest.mark.parametrize(("made", "written"), REQUESTS)
async def test_sent_requests(made: httpcore.Request, written: list[bytes]) -> None:
    stream = Recorder()
    await send_request(made, stream, 5)
    assert stream.written == written


async def test_a_server_that_stops_reading_may_still_answer() -> None:
    stream = Recorder(fails_after=1)
    await send_request(request(parts(), LENGTH), stream, 5)
    assert len(stream.written) == 1


@pytest.mark.parametrize("header", [(b"A", b"1\r\nB: 2"), (b"A\n", b"1"), (b"A", b"\0")])
async def test_a_header_with_a_line_break_is_not_sent(header: tuple[bytes, bytes]) -> None:
    stream = Recorder()
    with pytest.raises(httpcore.LocalProtocolError):
        await send_request(request(b"", header), stream, 5)
    assert stream.written == []
