"Forwards a client's request to Ollama, and Ollama's response to the client, without changing the bodies."

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from ...errors import StreamCut
from ...settings import ServerAddress
from ..http.connection import AsyncConnections, translate_errors
from ..http.endpoint import Endpoint
from .endpoint import ollama_endpoint

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: these headers belong to one connection.
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
# These request headers are for the forwarding server: its host name, its keys, its check of origins. Ollama
# has a different host name, needs other keys or none, and would reject origins that were allowed here.
NOT_FORWARDED = {
    *(b"host", b"origin", b"referer"),
    *(b"authorization", b"api-key", b"x-api-key", b"cookie"),
    *(b"expect", b"accept-encoding"),
}
# These describe a body as the client sent it, not as it was decoded.
OF_ENCODED_BODY = {b"content-encoding", b"content-length"}
# The forwarding server sends its own values of these response headers.
NOT_RETURNED = {b"date", b"server"}


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """A client's request to forward. `path` is the path to request from Ollama, including the query.

    A body in bytes is already decoded. A stream is forwarded in the encoding that the headers name.
    """

    method: str
    path: str
    headers: RawHeaders
    body: bytes | AsyncIterable[bytes]

    def with_body(self, body: bytes) -> ForwardedRequest:
        "Return this request with another body."
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        return replace(self, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class ForwardedResponse:
    """Ollama's response.

    `body` can be read once, inside the `async with`. It raises StreamCut if the response is incomplete.
    """

    status: int
    headers: RawHeaders
    body: AsyncIterator[bytes]


@asynccontextmanager
async def forward(
    server: ServerAddress, request: ForwardedRequest, read_timeout: float
) -> AsyncIterator[ForwardedResponse]:
    """Forward the request, and return the response as soon as it begins.

    Leaving the context closes the connection, which ends the work at Ollama. Raises EngineUnreachable, or
    EngineError if the connection breaks before the response.
    """
    endpoint = ollama_endpoint(server, read_timeout)
    is_decoded = isinstance(request.body, bytes)
    arguments: Any = {
        "method": request.method,
        "url": request.path,
        "headers": _without(request.headers, NOT_FORWARDED | (OF_ENCODED_BODY if is_decoded else set())),
        "content": request.body or None,
    }
    with translate_errors(endpoint):
        connections = AsyncConnections(endpoint)
        try:
            async with connections.open(**arguments) as response:
                headers = _without(response.headers.raw, NOT_RETURNED)
                yield ForwardedResponse(response.status_code, headers, _body(response, endpoint))
        finally:
            await connections.aclose()


async def _body(response: httpx.Response, endpoint: Endpoint) -> AsyncIterator[bytes]:
    with translate_errors(endpoint, StreamCut):
        async for data in response.aiter_raw():
            yield data


def _without(headers: Iterable[tuple[bytes, bytes]], excluded: set[bytes]) -> RawHeaders:
    """Return the headers that can be forwarded, with names in lower case.

    A length next to a transfer encoding is left out, because the two may contradict each other.
    """
    lowered = [(name.lower(), value) for name, value in headers]
    named_by_connection = {
        token.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for token in value.split(b",")
    }
    left_out = HOP_BY_HOP | excluded | named_by_connection
    if any(name == b"transfer-encoding" for name, _ in lowered):
        left_out |= {b"content-length"}
    return [(name, value) for name, value in lowered if name not in left_out]
