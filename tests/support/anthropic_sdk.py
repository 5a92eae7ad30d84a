"""Anthropic's own SDK, sync and async, against an app in this process: one face for both.

with asking(app) as sdk, or aasking(app) as sdk:
    message = sdk.create(messages=[...])
    events, message = sdk.stream(messages=[...])
    count = sdk.call(lambda client: client.messages.count_tokens(...))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, get_args

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from .openai_types import unknown_keys
from .sdk import async_http

# VCR lets requests for this host through.
BASE_URL = "http://testserver"
DEFAULTS: dict[str, Any] = {"model": "gpt-oss", "max_tokens": 1000}

# The class of each type of event. The union of all classes would report errors of every one of them.
EVENT_CLASSES: dict[str, type[BaseModel]] = {
    get_args(event_class.model_fields["type"].annotation)[0]: event_class
    for event_class in get_args(get_args(RawMessageStreamEvent)[0])
}


class SDK(Protocol):
    def create(self, **fields: Any) -> Message: ...

    def stream(self, **fields: Any) -> tuple[list[Any], Message]:
        "The events, with those that the SDK makes of them, and the message that they add up to."

    def call(self, ask: Callable[[Any], Any]) -> Any:
        "What `ask` gets from the client."


class Sync:
    def __init__(self, client: anthropic.Anthropic) -> None:
        self._client = client

    def create(self, **fields: Any) -> Message:
        message: Message = self._client.messages.create(**{**DEFAULTS, **fields})
        return message

    def stream(self, **fields: Any) -> tuple[list[Any], Message]:
        with self._client.messages.stream(**{**DEFAULTS, **fields}) as stream:
            return list(stream), stream.get_final_message()

    def call(self, ask: Callable[[Any], Any]) -> Any:
        return ask(self._client)


class Async:
    def __init__(self, client: anthropic.AsyncAnthropic, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def create(self, **fields: Any) -> Message:
        message: Message = self.call(lambda client: client.messages.create(**{**DEFAULTS, **fields}))
        return message

    def stream(self, **fields: Any) -> tuple[list[Any], Message]:
        async def read() -> tuple[list[Any], Message]:
            async with self._client.messages.stream(**{**DEFAULTS, **fields}) as stream:
                return [event async for event in stream], await stream.get_final_message()

        return self._portal.call(read)

    def call(self, ask: Callable[[Any], Any]) -> Any:
        async def read() -> Any:
            return await ask(self._client)

        return self._portal.call(read)


@contextmanager
def asking(app: FastAPI, **settings: Any) -> Iterator[SDK]:
    with TestClient(app) as http:
        yield Sync(anthropic.Anthropic(base_url=BASE_URL, api_key="any", http_client=http, **settings))


@contextmanager
def aasking(app: FastAPI, **settings: Any) -> Iterator[SDK]:
    with async_http(app) as (http, portal):
        client = anthropic.AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http, **settings)
        yield Async(client, portal)


def check_events(events: Sequence[dict[str, Any]]) -> None:
    "Checks each event with its class. A ping has none."
    for event in events:
        if event != {"type": "ping"}:
            typed = EVENT_CLASSES[event["type"]].model_validate(event, strict=True)
            assert [*unknown_keys(typed)] == []


def check_message(message: dict[str, Any]) -> None:
    assert [*unknown_keys(Message.model_validate(message, strict=True))] == []
