"""Clients: many streams at once, or one request after the other on one connection."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]


# What stands in the last lines of a whole answer: of OpenAI's two kinds, and of Ollama's.
ENDS = (b"[DONE]", b'"done": true', b"event: response.completed")


async def streamed(port: int, path: str, bodies: Iterable[Body]) -> None:
    "All at once, each on a connection of its own. Raises RuntimeError for an answer that is not whole."
    for answer in await asyncio.gather(*(_stream(port, path, body) for body in bodies)):
        if not any(end in answer for end in ENDS):
            raise RuntimeError(f"{path} answered {answer[:200]!r} ... {answer[-200:]!r}")


async def _stream(port: int, path: str, body: Body) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    )
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    answer = await reader.read()
    writer.close()
    return answer


class Client:
    "Keeps its connection, as the SDKs do."

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: Body, headers: dict[str, str] | None = None) -> bytes:
        "The answer's body. Raises RuntimeError for any status but 200."
        given = {"Content-Type": "application/json", **(headers or {})}
        self._connection.request("POST", path, json.dumps(body), given)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {answer[:300]!r}")
        return answer
