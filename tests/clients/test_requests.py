"""What real clients send: each recorded request, once more, over a socket.

`make clients` records them (`scripts/clients.py`). A client sends the same bytes as here, except for what
`support/clients/records.py` leaves out.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from support import anthropic_sdk, openai_types
from support.clients.model import DOG
from support.clients.records import REQUESTS, Json, read_requests
from support.clients.server import Served
from support.clients.table import CASES

FILES = sorted(REQUESTS.glob("*.json"))
# What the answer to the last request of a case contains.
ANSWERS = {**CASES, "structured": json.dumps(DOG)}


def check_chunks(events: list[Json]) -> None:
    for event in events:
        ChatCompletionChunk.model_validate(event)


# What checks an answer, and the events of a stream, by the end of the path.
WHOLE: dict[str, Callable[[Json], object]] = {
    "chat/completions": ChatCompletion.model_validate,
    "responses": Response.model_validate,
    "messages": anthropic_sdk.check_message,
}
STREAM: dict[str, Callable[[list[Json]], object]] = {
    "chat/completions": check_chunks,
    "responses": openai_types.check_events,
    "messages": anthropic_sdk.check_events,
}
# The keys of texts, whole or in pieces.
TEXTS = {"text", "content", "delta", "arguments", "partial_json", "thinking", "reasoning"}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_replay(server: Served, path: Any) -> None:
    requests = read_requests(path)
    server.begin(path.stem)
    last = {request["case"]: texts(send(server, request)) for request in requests}
    missing = {case: text for case, text in last.items() if ANSWERS[case] not in text}
    assert missing == {}


def send(server: Served, request: Json) -> list[Json]:
    "Send a request as its client does. Return the checked events of a stream, or the whole answer alone."
    body = b"" if request["body"] is None else json.dumps(request["body"]).encode()
    lines = [f"{request['method']} {request['path']} HTTP/1.1", "host: 127.0.0.1", *request["headers"]]
    chunked = "transfer-encoding: chunked" in lines
    if not chunked:
        lines.append(f"content-length: {len(body)}")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        with HTTPResponse(connection, method=request["method"]) as response:
            response.begin()
            answer = response.read()
            assert response.status == 200, answer
    endpoint = request["path"].removeprefix("/v1/").partition("?")[0]
    if not answer.startswith((b"data:", b"event:", b":")):
        whole = json.loads(answer)
        WHOLE[endpoint](whole)
        return [whole]
    frames = [line[5:].strip() for line in answer.decode().splitlines() if line.startswith("data:")]
    events = [json.loads(frame) for frame in frames if frame != "[DONE]"]
    STREAM[endpoint](events)
    return events


def texts(value: Any) -> str:
    "Join all texts in an answer. The pieces of one text follow each other."
    match value:
        case dict():
            return "".join(
                each if isinstance(each, str) else texts(each)
                for name, each in value.items()
                if name in TEXTS or not isinstance(each, str)
            )
        case list():
            return "".join(map(texts, value))
    return ""
