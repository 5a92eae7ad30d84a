"""A small HTTP client of the server, which can also stop in the middle of an answer."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from support.faults.ollama import MODEL
from support.faults.row import PATIENCE

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def error(self) -> Json:
        "OpenAI's error object, or an empty one."
        return (self.json().get("error") if self.body else None) or {}

    @property
    def content(self) -> str:
        "The text of a chat completion."
        return str(self.json()["choices"][0]["message"]["content"] or "")


@dataclass(slots=True)
class EventStream:
    "The server-sent events of an answer. `comments` and `events` are those that were read so far."

    response: http.client.HTTPResponse
    comments: list[str] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    done: int = 0

    @property
    def status(self) -> int:
        return self.response.status

    def read(self) -> Iterator[Json]:
        "Yield the events until the answer ends. `done` counts the lines that say that it is complete."
        for line in self.response:
            text = line.decode().rstrip("\r\n")
            if text.startswith(":"):
                self.comments.append(text)
            elif text == "data: [DONE]":
                self.done += 1
            elif text.startswith("data: "):
                self.events.append(json.loads(text[6:]))
                yield self.events[-1]

    def read_all(self) -> list[Json]:
        for _ in self.read():
            pass
        return self.events

    def read_until(self, text: str) -> None:
        "Read until an event contains the text."
        for event in self.read():
            if text in json.dumps(event, ensure_ascii=False):
                return
        raise EOFError(f"the stream ended without {text!r}: {self.events}")

    @property
    def text(self) -> str:
        "The text of the answer so far, of a chat completion or a response."
        pieces = [event for event in self.events if event.get("type") == "response.output_text.delta"]
        return self._joined("content") + "".join(event["delta"] for event in pieces)

    @property
    def reasoning(self) -> str:
        "The reasoning of a chat completion so far."
        return self._joined("reasoning")

    def _joined(self, field: str) -> str:
        deltas = [choice["delta"] for event in self.events for choice in event.get("choices", ())]
        return "".join(delta.get(field) or "" for delta in deltas)

    @property
    def errors(self) -> list[Json]:
        return [event["error"] for event in self.events if event.get("error")]


@dataclass(frozen=True, slots=True)
class Client:
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"

    def with_key(self, key: str) -> Client:
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {key}"})

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        with self._exchange(method, path, body, headers) as response:
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Json, **headers: str) -> Answer:
        return self.request("POST", path, json.dumps(body).encode(), **headers)

    def chat(self, text: str, **fields: Any) -> Answer:
        return self.post(CHAT, chat(text, **fields))

    def respond(self, text: str, **fields: Any) -> Answer:
        return self.post(RESPONSES, response(text, **fields))

    @contextmanager
    def stream(self, path: str, body: Json, **headers: str) -> Iterator[EventStream]:
        "The connection is closed when the block ends, whatever was read."
        data = json.dumps({**body, "stream": True}).encode()
        with self._exchange("POST", path, data, headers) as answer:
            yield EventStream(answer)

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            all_headers = {"Content-Type": "application/json", **self.headers, **headers}
            connection.request(method, path, body, all_headers)
            response = connection.getresponse()
            yield response
            response.close()
        finally:
            connection.close()

    @contextmanager
    def connection(self, data: bytes) -> Iterator[socket.socket]:
        "A connection on which these bytes were sent, and nothing was read."
        with socket.create_connection((self.host, self.port), PATIENCE) as opened:
            opened.sendall(data)
            yield opened

    def raw_post(self, path: str, body: Json) -> bytes:
        "The bytes of a request."
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def chat(text: str, **fields: Any) -> Json:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def response(text: str, **fields: Any) -> Json:
    return {"model": MODEL, "input": text, **fields}
