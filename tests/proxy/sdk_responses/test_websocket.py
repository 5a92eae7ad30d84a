"Responses over a WebSocket."

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
import uvicorn
from fastapi import FastAPI
from support.openai_types import check_events
from support.sdk import MODEL
from support.sdk_responses import (
    DOWN,
    HELLO,
    OSLO,
    VCR,
    WEATHER,
    call_of,
    result_of,
    text_of,
)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    "A real server on this machine, in a thread of its own."
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()


FINAL_TYPES = ("response.completed", "response.incomplete", "response.failed", "error")


def run_conversation(url: str, *requests: Callable[[list[Any]], dict[str, Any]]) -> list[list[Any]]:
    "The events of each response. Each request is made from the events of the response before it."
    responses: list[list[Any]] = [[]]
    client = openai.OpenAI(base_url=url, api_key="any")
    with client, client.responses.connect() as connection:
        for request in requests:
            connection.response.create(**{"model": MODEL, **request(responses[-1])})
            responses.append([connection.recv()])
            while responses[-1][-1].type not in FINAL_TYPES:
                responses[-1].append(connection.recv())
    return responses[1:]


def arun_conversation(url: str, *requests: Callable[[list[Any]], dict[str, Any]]) -> list[list[Any]]:
    async def run() -> list[list[Any]]:
        responses: list[list[Any]] = [[]]
        client = openai.AsyncOpenAI(base_url=url, api_key="any")
        async with client, client.responses.connect() as connection:
            for request in requests:
                await connection.response.create(**{"model": MODEL, **request(responses[-1])})
                responses.append([await connection.recv()])
                while responses[-1][-1].type not in FINAL_TYPES:
                    responses[-1].append(await connection.recv())
        return responses[1:]

    return asyncio.run(run())


BOTH_CLIENTS = pytest.mark.parametrize(
    "run_conversation", [run_conversation, arun_conversation], ids=["sync", "async"]
)
# How the SDK 3.54 uses websockets 17.
IGNORE_DEPRECATION = pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")


@IGNORE_DEPRECATION
@BOTH_CLIENTS
@VCR
def test_connect(run_conversation: Callable[..., list[list[Any]]], app_with: Callable[..., FastAPI]) -> None:
    with serving(app_with()) as url:
        called, answered = run_conversation(
            url,
            lambda _: {"input": OSLO, "tools": [WEATHER], "store": False},
            lambda events: {
                "input": [result_of(call_of(events[-1].response), "Sunny in Oslo")],
                "tools": [WEATHER],
                "store": False,
                "previous_response_id": events[-1].response.id,
            },
        )
    for events in (called, answered):
        check_events([event.to_dict() for event in events])
        assert [event.sequence_number for event in events] == [*range(len(events))]
    assert "Sunny in Oslo" in text_of(answered[-1].response)


@IGNORE_DEPRECATION
@BOTH_CLIENTS
def test_connection_survives_errors(
    run_conversation: Callable[..., list[list[Any]]], app_with: Callable[..., FastAPI]
) -> None:
    "The client can send the next request after an error."
    with serving(app_with(DOWN, HELLO)) as url:
        unknown, bad, down, answered = run_conversation(
            url,
            lambda _: {"input": "Hi", "previous_response_id": "resp_1"},
            lambda _: {"input": "Hi", "temperature": 3},
            lambda _: {"input": "Hi"},
            lambda _: {"input": "Hi"},
        )
    errors = [events[0].to_dict() for events in (unknown, bad, down)]
    assert [(error["type"], error["status"], error["error"]["code"]) for error in errors] == [
        ("error", 400, "previous_response_not_found"),
        ("error", 400, "decimal_above_max_value"),
        ("error", 503, "engine_unreachable"),
    ]
    assert text_of(answered[-1].response) == "Hello!"
