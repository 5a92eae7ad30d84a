"Someone else's request, sent on to Ollama as it came, and Ollama's answer, byte for byte."

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ...errors import StreamCut
from ...settings import ServerAddress
from .connection import async_client_options, faults

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: they are about one connection, of which there are two here.
HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# Said to the server that passes the request on: its name, its keys, its own check of who asks. Ollama has
# another name, wants other keys or none, and would refuse origins that were let in here.
FOR_US = {b"host", b"authorization", b"cookie", b"origin", b"referer", b"expect", b"accept-encoding"}
# The one that passes the answer on has its own.
OF_OLLAMA = {b"date", b"server"}


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    "`path` is Ollama's, with the query."

    method: str
    path: str
    headers: RawHeaders
    body: bytes | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class ForwardedResponse:
    "`body` may be read once, inside the `async with`. Raises StreamCut where it does not come whole."

    status: int
    headers: RawHeaders
    body: AsyncIterator[bytes]


@asynccontextmanager
async def forward(
    server: ServerAddress, request: ForwardedRequest, silence: float
) -> AsyncIterator[ForwardedResponse]:
    """Ollama's answer as it begins. To leave is to close the connection, which ends the work there.

    Raises EngineUnreachable, or EngineError where the connection breaks before an answer.
    """
    arguments: Any = {"headers": _kept(request.headers, FOR_US), "content": request.body or None}
    with faults(server, silence):
        async with (
            httpx.AsyncClient(**async_client_options(server, silence)) as http,
            http.stream(request.method, request.path, **arguments) as response,
        ):
            headers = _kept(response.headers.raw, OF_OLLAMA)
            yield ForwardedResponse(response.status_code, headers, _body(response, server, silence))


async def _body(response: httpx.Response, server: ServerAddress, silence: float) -> AsyncIterator[bytes]:
    with faults(server, silence, StreamCut):
        async for data in response.aiter_raw():
            yield data


def _kept(headers: Iterable[tuple[bytes, bytes]], dropped: set[bytes]) -> RawHeaders:
    "Names in lower case. A length that came beside another framing is not passed on: they may contradict."
    lowered = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for token in value.split(b",")
    }
    gone = HOP_BY_HOP | dropped | named
    if any(name == b"transfer-encoding" for name, _ in lowered):
        gone |= {b"content-length"}
    return [(name, value) for name, value in lowered if name not in gone]
