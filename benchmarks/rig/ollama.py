"""A fast stand-in for Ollama v0.24. It has the endpoints that the proxy uses for a prompt.

    python ollama.py PORT

The last "N tokens" in the prompt sets the length of the answer. After "N tokens at P a second" each token is
written by itself, at its time. Otherwise all are written at once. A fifth of the tokens are reasoning.

There is no model in it, so it is only good for measuring, not for the contents of answers.
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
REQUESTED = re.compile(r"(\d+) tokens(?: at (\d+) a second)?")
ANALYSIS = ("<|channel|>", "analysis", "<|message|>")
FINAL = ("<|end|>", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>")
TAGS = {"models": [{"name": MODEL, "model": MODEL, "digest": "0" * 64, "size": 1, "details": {}}]}
GET: dict[str, Any] = {"/api/tags": TAGS, "/api/ps": {"models": []}, "/api/version": {"version": "0.24.0"}}


def lines(tokens: int) -> Iterator[bytes]:
    reasoning = tokens // 5
    pieces = (*ANALYSIS, *[" thought"] * reasoning, *FINAL, *[" word"] * (tokens - reasoning))
    for piece in pieces:
        yield line({"response": piece, "done": False})
    counts = {"prompt_eval_count": 70, "eval_count": len(pieces) + 1}
    times = {"load_duration": 10**6, "prompt_eval_duration": 10**7, "eval_duration": 10**8}
    yield line({"response": "", "done": True, "done_reason": "stop", **counts, **times})


def line(fields: dict[str, Any]) -> bytes:
    return json.dumps({"model": MODEL, "created_at": STAMP, **fields}).encode() + b"\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            closes = "connection: close" in head.lower()
            await answer(head.split(" ")[1], body, writer, closes)
            if closes:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(path: str, body: bytes, writer: asyncio.StreamWriter, closes: bool) -> None:
    if path != "/api/generate":
        content = json.dumps(GET[path]).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        return
    tokens, pace = REQUESTED.findall(json.loads(body)["prompt"])[-1]
    headers = ["Content-Type: application/x-ndjson", "Transfer-Encoding: chunked"]
    headers += ["Connection: close"] * closes
    writer.write("\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode())
    chunks = [*map(chunk, lines(int(tokens))), chunk(b"")]
    if not pace:
        writer.write(b"".join(chunks))
        return
    loop = asyncio.get_running_loop()
    due = loop.time()
    for data in chunks:
        writer.write(data)
        due += 1 / int(pace)
        await asyncio.sleep(due - loop.time())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
