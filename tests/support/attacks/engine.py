"""An Ollama that writes what an attack says, as bytes that were made before.

It reads no more of a request than it must, so that it takes little of the time that is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

DESCRIPTION = {
    "details": {"family": "gptoss", "families": ["gptoss"]},
    "model_info": {"general.architecture": "gptoss"},
    "capabilities": ["completion", "tools", "thinking"],
}
GETS = {
    "/api/version": {"version": "0.24.0"},
    "/api/ps": {"models": []},
    "/api/tags": {"models": [{"name": "gpt-oss:20b", "model": "gpt-oss:20b", "size": 1, "digest": "x"}]},
}


class BadEngine(ThreadingHTTPServer):
    """`answer` is written to each request for a completion, until the client leaves. `sent` counts its bytes.

    With `silent` it sends nothing, and sets `asked`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Iterable[bytes] = ()
        self.sent = 0
        self.silent = False
        self.asked = Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> BadEngine:
        Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        "A client that leaves is none."


class _Handler(BaseHTTPRequestHandler):
    server: BadEngine
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        "Nothing on standard error."

    def do_GET(self) -> None:
        self._answer(GETS.get(self.path, {}))

    def do_POST(self) -> None:
        body = self._body()
        match self.path:
            case "/api/generate" | "/api/chat":
                self._write()
            case "/api/embed":
                texts = json.loads(body)["input"]
                count = len(texts) if isinstance(texts, list) else 1
                self._answer({"embeddings": [[0.5]] * count, "prompt_eval_count": 1})
            case _:
                self._answer(DESCRIPTION)

    def _body(self) -> bytes:
        if length := self.headers.get("Content-Length"):
            return self.rfile.read(int(length))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _write(self) -> None:
        self.close_connection = True
        if self.server.silent:
            self.server.asked.set()
            with suppress(OSError):
                self.connection.recv(1)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            for data in self.server.answer:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.server.sent += len(data)
            self.wfile.write(b"0\r\n\r\n")
