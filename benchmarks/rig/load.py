"""HTTP clients that put load on a server: many streams at once, or requests one after the other."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]

# One of these is in the last lines of a complete response: of Chat Completions, Ollama and Responses.
ENDS = (b"[DONE]", b'"done": true', b"event: response.completed")


async def stream_all(port: int, path: str, bodies: Iterable[Body]) -> None:
    "Post all bodies at once, each on its own connection. Raises RuntimeError for an incomplete response."
    for response in await asyncio.gather(*(_stream(port, path, body) for body in bodies)):
        if not any(end in response for end in ENDS):
            raise RuntimeError(f"{path} answered {response[:200]!r} ... {response[-200:]!r}")


async def _stream(port: int, path: str, body: Body) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    )
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    response = await reader.read()
    writer.close()
    return response


class Client:
    "Keeps its connection open between requests, as the SDKs do."

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: Body, headers: dict[str, str] | None = None) -> bytes:
        "Return the body of the response. Raises RuntimeError for a status other than 200."
        return self._request(
            "POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        )

    def get(self, path: str) -> bytes:
        "Like `post`, without a body."
        return self._request("GET", path, None, {})

    def _request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {content[:300]!r}")
        return content
