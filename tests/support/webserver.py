"A web server on this machine whose answers a test writes."

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Answer:
    "`cut` is how many bytes of the body are sent before the connection ends."

    body: bytes = b""
    status: int = 200
    cut: int | None = None
    resumable: bool = True
    headers: dict[str, str] = field(default_factory=dict)


def lines(*objects: Any) -> Answer:
    "NDJSON, or one JSON object."
    return Answer("\n".join(json.dumps(each) for each in objects).encode())


class WebServer:
    "`routes` has for each path an answer, or several: one a request, the last for all that follow."

    def __init__(self, url: str) -> None:
        self.url = url
        self.routes: dict[str, Answer | list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[Any] = []

    def take(self, path: str) -> Answer:
        match self.routes.get(path, Answer(status=404)):
            case [only]:
                return only
            case [*several]:
                self.routes[path] = several[1:]
                return several[0]
            case answer:
                return answer


@contextmanager
def serving() -> Iterator[WebServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            web.bodies.append(json.loads(self.rfile.read(length) or b"null"))
            web.requests.append((self.path, dict(self.headers)))
            answer = web.take(self.path)
            body, status = answer.body, answer.status
            if answer.resumable and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                body, status = (body[start:], 206) if start < len(body) else (b"", 416)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: answer.cut])

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            "Nothing on standard error."

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web = WebServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield web
        server.shutdown()
        thread.join()
