"""OpenAI's own SDK, sync and async, against an app in this process: one face for both.

with asking(app) as sdk, or aasking(app) as sdk:
    sdk.create(messages=[...])
    sdk.chunks(messages=[...])
    events, completion = sdk.stream(messages=[...])
    completion = sdk.parse(messages=[...], response_format=Person)

Of the client itself, which is awaited where it has to be:

    response = sdk.call(lambda client: client.responses.create(...))
    events = sdk.listed(lambda client: client.responses.create(..., stream=True))
    events, response = sdk.entered(lambda client: client.responses.stream(...))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import httpx2
import openai
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.testclient import TestClient

# VCR lets requests for this host through.
BASE_URL = "http://testserver/v1"
MODEL = "gpt-oss"
COMPLETED = "response.completed"


class SDK(Protocol):
    client: openai.OpenAI | openai.AsyncOpenAI

    def create(self, **fields: Any) -> ChatCompletion: ...

    def chunks(self, **fields: Any) -> list[ChatCompletionChunk]: ...

    def stream(self, **fields: Any) -> tuple[list[Any], Any]: ...

    def parse(self, **fields: Any) -> Any: ...

    def call(self, ask: Callable[[Any], Any]) -> Any:
        "What `ask` gets from the client."

    def listed(self, ask: Callable[[Any], Any]) -> list[Any]:
        "All pages, or all events."

    def entered(self, ask: Callable[[Any], Any]) -> tuple[list[Any], Any]:
        "The events of a stream that is a context, and what they came to; None if that is no whole response."


class Sync:
    def __init__(self, client: openai.OpenAI) -> None:
        self.client = client

    def create(self, **fields: Any) -> ChatCompletion:
        completion: ChatCompletion = self.client.chat.completions.create(**{"model": MODEL, **fields})
        return completion

    def chunks(self, **fields: Any) -> list[ChatCompletionChunk]:
        with self.client.chat.completions.create(**{"model": MODEL, **fields}, stream=True) as chunks:
            return list(chunks)

    def stream(self, **fields: Any) -> tuple[list[Any], Any]:
        with self.client.chat.completions.stream(**{"model": MODEL, **fields}) as stream:
            return list(stream), stream.get_final_completion()

    def parse(self, **fields: Any) -> Any:
        return self.client.chat.completions.parse(**{"model": MODEL, **fields})

    def call(self, ask: Callable[[Any], Any]) -> Any:
        return ask(self.client)

    def listed(self, ask: Callable[[Any], Any]) -> list[Any]:
        return list(ask(self.client))

    def entered(self, ask: Callable[[Any], Any]) -> tuple[list[Any], Any]:
        with ask(self.client) as stream:
            events = list(stream)
            return events, stream.get_final_response() if events[-1].type == COMPLETED else None


class Async:
    def __init__(self, client: openai.AsyncOpenAI, portal: BlockingPortal) -> None:
        self.client = client
        self._portal = portal

    def create(self, **fields: Any) -> ChatCompletion:
        async def read() -> ChatCompletion:
            completion: ChatCompletion = await self.client.chat.completions.create(
                **{"model": MODEL, **fields}
            )
            return completion

        return self._portal.call(read)

    def chunks(self, **fields: Any) -> list[ChatCompletionChunk]:
        async def read() -> list[ChatCompletionChunk]:
            chunks = await self.client.chat.completions.create(**{"model": MODEL, **fields}, stream=True)
            return [chunk async for chunk in chunks]

        return self._portal.call(read)

    def stream(self, **fields: Any) -> tuple[list[Any], Any]:
        async def read() -> tuple[list[Any], Any]:
            async with self.client.chat.completions.stream(**{"model": MODEL, **fields}) as stream:
                return [event async for event in stream], await stream.get_final_completion()

        return self._portal.call(read)

    def parse(self, **fields: Any) -> Any:
        return self._portal.call(lambda: self.client.chat.completions.parse(**{"model": MODEL, **fields}))

    def call(self, ask: Callable[[Any], Any]) -> Any:
        async def read() -> Any:
            return await ask(self.client)

        return self._portal.call(read)

    def listed(self, ask: Callable[[Any], Any]) -> list[Any]:
        async def read() -> list[Any]:
            given = ask(self.client)
            return [each async for each in (await given if inspect.iscoroutine(given) else given)]

        return self._portal.call(read)

    def entered(self, ask: Callable[[Any], Any]) -> tuple[list[Any], Any]:
        async def read() -> tuple[list[Any], Any]:
            async with ask(self.client) as stream:
                events = [event async for event in stream]
                return events, await stream.get_final_response() if events[-1].type == COMPLETED else None

        return self._portal.call(read)


def cassette_name(test: str, clients: Collection[str]) -> str:
    "Tests that differ only in the client ask the engine for the same: its name is none of the cassette's."
    name, _, ids = test.removesuffix("]").partition("[")
    return "-".join([name, *(each for each in ids.split("-") if each not in clients)])


@contextmanager
def asking(app: FastAPI, **settings: Any) -> Iterator[SDK]:
    with TestClient(app) as http:
        yield Sync(openai.OpenAI(base_url=BASE_URL, api_key="any", http_client=http, **settings))


@contextmanager
def async_http(app: FastAPI) -> Iterator[tuple[httpx2.AsyncClient, BlockingPortal]]:
    "A client of the app while that runs, and the portal to the event loop of both."
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):
        yield httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)), portal


@contextmanager
def aasking(app: FastAPI, **settings: Any) -> Iterator[SDK]:
    with async_http(app) as (http, portal):
        yield Async(
            openai.AsyncOpenAI(base_url=BASE_URL, api_key="any", http_client=http, **settings), portal
        )
