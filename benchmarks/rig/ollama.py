"""A fast stand-in for Ollama v0.24, as far as a raw prompt of the proxy goes.

    python ollama.py PORT

The prompt says what to answer: the last "N tokens" in it. With "at P a second" behind it each token is a
write of its own, at its time; without it all come at once. A fifth of them are reasoning.

It is no model: good to be measured against, never to judge by what a proxy says.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

MODEL = "gpt-oss:20b"
STAMP = "2026-01-01T00:00:00.000000000Z"
WANTED = re.compile(r"(\d+) tokens(?: at (\d+) a second)?")
OPENING = ("<|channel|>", "analysis", "<|message|>")
ANSWERING = ("<|end|>", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>")
TAGS = {"models": [{"name": MODEL, "model": MODEL, "digest": "0" * 64, "size": 1, "details": {}}]}
GET: dict[str, Any] = {"/api/tags": TAGS, "/api/ps": {"models": []}, "/api/version": {"version": "0.24.0"}}


def lines(tokens: int) -> Iterator[bytes]:
    thoughts = tokens // 5
    pieces = (*OPENING, *[" thought"] * thoughts, *ANSWERING, *[" word"] * (tokens - thoughts))
    for piece in pieces:
        yield line({"response": piece, "done": False})
    counts = {"prompt_eval_count": 70, "eval_count": len(pieces) + 1}
    times = {"load_duration": 10**6, "prompt_eval_duration": 10**7, "eval_duration": 10**8}
    yield line({"response": "", "done": True, "done_reason": "stop", **counts, **times})


def line(said: dict[str, Any]) -> bytes:
    return json.dumps({"model": MODEL, "created_at": STAMP, **said}).encode() + b"\n"


async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            await answer(head.split(" ")[1], body, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    if path != "/api/generate":
        known = json.dumps(GET[path]).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(known)}\r\n\r\n"
        writer.write(head.encode() + known)
        return
    tokens, pace = WANTED.findall(json.loads(body)["prompt"])[-1]
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [*map(chunk, lines(int(tokens))), chunk(b"")]
    if not pace:
        writer.write(b"".join(chunks))
        return
    loop = asyncio.get_running_loop()
    due = loop.time()
    for each in chunks:
        writer.write(each)
        due += 1 / int(pace)
        await asyncio.sleep(due - loop.time())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def main() -> None:
    server = await asyncio.start_server(served, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
