"""An HTTP server that plays given bytes, with pauses and cuts: for what no cassette can show.

with Scripted(answer({"version": "0.24.0"}), stream(line, 0.2, half_a_line, CUT)) as server:
    ...  # the first request to server.url gets the first reply; the last one goes to all that follow
assert server.requests[0].path == "/api/version"
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}


class Step(NamedTuple):
    "Something to do besides sending bytes."

    name: str


CUT = Step("reset the connection")
HOLD = Step("stay silent until the client leaves")
# How many seconds a step waits for its event.
PATIENCE = 90

# Said, as it is done: else a client might ask again at just that moment.
CLOSING = "Connection: close"

# Bytes are sent, numbers are seconds to wait, events are waited for.
Reply = Iterable["bytes | float | Step | threading.Event"]


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


def head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Some Reason')}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(body: Any, status: int = 200, *headers: str) -> Reply:
    "A whole answer: text as it is, anything else as JSON."
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    length = f"Content-Length: {len(data)}"
    return (head(status, "Content-Type: application/json", length, CLOSING, *headers) + data,)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(*steps: Any) -> Reply:
    "Chunks: a dict is a line of NDJSON, bytes are a piece of one. It ends well, unless it is cut before."
    lines = [json.dumps(step).encode() + b"\n" if isinstance(step, dict) else step for step in steps]
    chunks = [chunk(line) if isinstance(line, bytes) else line for line in lines]
    start = head(200, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked", CLOSING)
    return (start, *chunks, chunk(b""))


def sse(*steps: Any) -> Reply:
    "The same as server-sent events: a dict is one. It ends well, unless it is cut before."
    events = [
        b"data: " + json.dumps(step).encode() + b"\n\n" if isinstance(step, dict) else step for step in steps
    ]
    chunks = [chunk(event) if isinstance(event, bytes) else event for event in events]
    start = head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", CLOSING)
    return (start, *chunks, chunk(b"data: [DONE]\n\n"), chunk(b""))


class Scripted:
    """On 127.0.0.1, at a free port, until the `with` block ends.

    `gone` is set when a client leaves during a HOLD, or before the whole reply was sent.
    """

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Request] = []
        self.gone = threading.Event()
        self.replies = replies
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._clients: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept)
        self._threads: set[threading.Thread] = set()
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Scripted:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for client in [*self._clients]:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in [*self._threads]:
            thread.join()
        self._listener.close()

    def reply(self, request: Request) -> Reply:
        return self.replies[min(len(self.requests), len(self.replies)) - 1]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=[client])
                self._clients.add(client)
                self._threads.add(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, ValueError):  # ValueError: that was no HTTP
            request = _received(client)
            with self._lock:
                self.requests.append(request)
                reply = self.reply(request)
            try:
                for step in reply:
                    self._play(client, step)
            except OSError:
                self.left(request)
        self._clients.discard(client)
        self._threads.discard(threading.current_thread())

    def left(self, request: Request) -> None:
        "The client left before it had the whole reply."
        self.gone.set()

    def _play(self, client: socket.socket, step: bytes | float | Step | threading.Event) -> None:
        match step:
            case bytes():
                client.sendall(step)
            case threading.Event():
                step.wait(PATIENCE)
            case Step() if step is HOLD:
                while client.recv(1024):
                    pass
                raise ConnectionAbortedError
            case Step():
                # Lingering for no time sends a reset instead of a goodbye.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            case _:
                time.sleep(step)


def _received(client: socket.socket) -> Request:
    with client.makefile("rb") as incoming:
        method, path, _ = incoming.readline().decode().split(" ", 2)
        headers: dict[str, str] = {}
        while line := incoming.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = incoming.read(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body) if body else None)


class Refusing:
    "An address where nobody listens: bound, so that nobody else can take it meanwhile."

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class Dropping:
    "An address that drops packets: its queue of one is full, and nobody takes from it."

    def __enter__(self) -> str:
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=0)]
        address = self._sockets[0].getsockname()
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            self._sockets.append(waiting)
        return f"127.0.0.1:{address[1]}"

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()
