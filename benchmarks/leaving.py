"""How soon the engine's connection is closed when a client leaves, in every way that it can leave.

    python benchmarks/leaving.py --leaves 1000

It runs `python -m proxy` before an engine in this process that writes without end, or is silent. Clients ask
over each API, and leave at random moments: they close or reset their connection, close only their side of it,
or send a WebSocket's close frame, having read nothing. At the end the server must have as many open files as
at the beginning, and no connection to the engine. It reads `/proc`, so it needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import socket
import statistics
import struct
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

from rig.process import free_port, running

# Milliseconds between a client's leaving and the end of the engine's work, at most.
TARGET = 100
PATIENCE = 30.0
SILENT, ENDLESS = "SILENT", "ENDLESS"
WORD = json.dumps({"model": "gpt-oss:20b", "response": "word " * 100, "done": False}).encode() + b"\n"
BEGIN = [
    json.dumps({"model": "gpt-oss:20b", "response": text, "done": False}).encode() + b"\n"
    for text in ("<|channel|>", "final", "<|message|>")
]
OTHER = json.dumps({"version": "0.24.0", "models": [], "details": {"family": "gptoss"}}).encode()
APIS: dict[str, dict[str, Any]] = {
    "chat": {"stream": False, "messages": [{"role": "user"}]},
    "chat, streamed": {"stream": True, "messages": [{"role": "user"}]},
    "responses": {"stream": False},
    "responses, streamed": {"stream": True},
    "messages": {"stream": True, "max_tokens": 100_000, "messages": [{"role": "user"}]},
    "Ollama": {"stream": True, "messages": [{"role": "user"}]},
    "WebSocket": {"type": "response.create"},
}
PATHS = {"chat": "/v1/chat/completions", "resp": "/v1/responses", "mess": "/v1/messages", "Olla": "/api/chat"}
HANDSHAKE = (
    "GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nX-LLM-Log: off\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    f"{base64.b64encode(bytes(16)).decode()}\r\n\r\n"
)
WAYS = ("close", "reset", "half close", "close frame")


class Engine:
    "An Ollama that counts the completions that run. `ended` is set when none does, at the time `ended_at`."

    def __init__(self) -> None:
        self.open = self.running = self.completions = 0
        self.ended = asyncio.Event()
        self.ended_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self._answer(reader, writer)
        self.open -= 1
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), "x: 0")
        body = await reader.readexactly(int(length.split(":")[1]))
        if head.split()[1] not in ("/api/generate", "/api/chat"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OTHER), OTHER))
            return
        self.completions += 1
        self.running += 1
        self.ended.clear()
        writing = asyncio.ensure_future(self._write(writer)) if ENDLESS.encode() in body else None
        try:
            await reader.read(1)
        finally:
            if writing:
                writing.cancel()
            self.running -= 1
            if not self.running:
                self.ended_at = time.perf_counter()
                self.ended.set()
        raise ConnectionResetError

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"".join(map(_chunk, BEGIN)))
        with suppress(ConnectionError):
            while True:
                writer.write(_chunk(WORD) * 20)
                await writer.drain()
                await asyncio.sleep(0.002)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _frame(data: bytes, opcode: int) -> bytes:
    "A frame of a WebSocket client, masked with zeros."
    length = struct.pack("!B", 128 | len(data)) if len(data) < 126 else struct.pack("!BH", 254, len(data))
    return bytes([128 | opcode]) + length + bytes(4) + data


def _request(api: str, word: str) -> bytes:
    body = {"model": "gpt-oss:20b", **APIS[api]}
    if "messages" in body:
        body["messages"] = [{"role": "user", "content": word}]
    else:
        body["input"] = word
    data = json.dumps(body).encode()
    if api == "WebSocket":
        return HANDSHAKE.encode() + _frame(data, 1)
    lines = [f"POST {PATHS[api[:4]]} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "X-LLM-Log: off", "", ""]).encode() + data


async def leave(engine: Engine, port: int, api: str, way: str, word: str, wait: float) -> float | None:
    "Return the seconds that the engine worked on, or None if it had not begun. Raises TimeoutError."
    loop, before = asyncio.get_running_loop(), engine.completions
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, _request(api, word))
        await asyncio.sleep(wait)
        left = time.perf_counter()
        match way:
            case "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            case "close":
                client.close()
            case "half close":
                client.shutdown(socket.SHUT_WR)
            case "close frame":
                client.send(_frame(b"", 8))
        if engine.completions == before:
            await asyncio.sleep(TARGET / 1000)
        if engine.running:
            await asyncio.wait_for(engine.ended.wait(), PATIENCE)
        return max(0.0, engine.ended_at - left) if engine.completions > before else None


async def measure(leaves: int) -> bool:
    "Print the figures, and return whether they meet the target."
    engine = Engine()
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, backlog=1000)
    port = free_port()
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "OLLAMA_HOST": host, "LLM_USER_PATH": folder}
        proxy = running([sys.executable, "-m", "proxy", "--port", str(port)], port, "/v1/models", environ)
        process = await asyncio.to_thread(proxy.__enter__)
        try:
            await leave(engine, port, "chat", "close", SILENT, 1)
            await asyncio.sleep(3)
            files = process.files()
            choose = random.Random(1)  # noqa: S311 - the same moments each time
            for _ in range(leaves):
                api = choose.choice([*APIS])
                way = choose.choice(WAYS if api == "WebSocket" else WAYS[:3])
                wait = choose.choice((choose.uniform(0, 0.03), choose.uniform(0.03, 0.3)))
                seconds = await leave(engine, port, api, way, choose.choice((SILENT, ENDLESS)), wait)
                times += [seconds] if seconds is not None else []
            await asyncio.sleep(3)
            left = process.files()
        finally:
            await asyncio.to_thread(proxy.__exit__, None, None, None)
    median, slowest = statistics.median(times) * 1000, max(times) * 1000
    print(f"{leaves} leaves, {len(times)} of them while the engine worked")
    print(f"the engine's connection was closed after {median:.1f} ms, at most {slowest:.1f} ms")
    print(f"open files: {files} before, {left} afterwards; connections to the engine: {engine.open}")
    return slowest <= TARGET and left <= files and not engine.open


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--leaves", type=int, default=1000)
    if not asyncio.run(measure(parser.parse_args().leaves)):
        sys.exit(f"The target of {TARGET} ms is not met, or something stayed open.")


if __name__ == "__main__":
    main()
