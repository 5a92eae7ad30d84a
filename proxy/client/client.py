"The client: sync and async."

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.http.api import ServerApi
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.engines.http.request import Request
from llm_gpt_oss.engines.http.server_errors import unexpected_event, unfinished_stream
from llm_gpt_oss.engines.http.sse import SseReader
from llm_gpt_oss.settings import DEFAULT_READ_TIMEOUT, read_url

from . import requests
from .answer import Answer, ChatAnswer, Delta, Health, Model
from .errors import REMEDY, RULES, SERVER_NAME, not_this_server
from .requests import Messages

T = TypeVar("T")

URL = "http://127.0.0.1:8000"
# The name that each server has for its default model.
MODEL = "gpt-oss"


class Sender(Protocol):
    "Sends requests: with httpx, or with OpenAI's SDK."

    def send(self, request: Request[T]) -> T: ...

    def stream(self, request: Request[T]) -> Generator[T, None, None]: ...

    def close(self) -> None: ...


class AsyncSender(Protocol):
    async def send(self, request: Request[T]) -> T: ...

    def stream(self, request: Request[T]) -> AsyncGenerator[T, None]: ...

    async def aclose(self) -> None: ...


def _endpoint(url: str, key: str | None, timeout: float) -> Endpoint:
    api = ServerApi(SseReader, RULES, not_this_server)
    return Endpoint(SERVER_NAME, read_url(url).with_key(key), timeout, REMEDY, api)


def _sender(endpoint: Endpoint, sdk: bool | None) -> Sender:
    if sdk if sdk is not None else find_spec("openai"):
        from .sdk import SdkClient

        return SdkClient(endpoint)
    from llm_gpt_oss.engines.http.client import Client as HttpClient

    return HttpClient(endpoint)


def _async_sender(endpoint: Endpoint, sdk: bool | None) -> AsyncSender:
    if sdk if sdk is not None else find_spec("openai"):
        from .sdk import AsyncSdkClient

        return AsyncSdkClient(endpoint)
    from llm_gpt_oss.engines.http.client import AsyncClient as AsyncHttpClient

    return AsyncHttpClient(endpoint)


class Client:
    """A client of the server at `url`.

    `key` is an API key of the server. `model` is the model of methods that are called without one. `timeout`
    is how many seconds the server may be silent. With `sdk`, OpenAI's SDK sends the requests, without it
    httpx. The results are the same. None uses the SDK if it is installed.

    `fields` of the methods are fields of OpenAI's API, such as `tools`, `reasoning_effort` or `temperature`.
    All methods raise the errors of `llm_gpt_oss.errors`.
    """

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        model: str = MODEL,
        timeout: float = DEFAULT_READ_TIMEOUT,
        sdk: bool | None = None,
    ) -> None:
        self._model = model
        self._sender = _sender(_endpoint(url, key, timeout), sdk)

    def chat(self, messages: Messages, *, model: str | None = None, **fields: Any) -> Answer:
        "Answer a question, or the last of the messages."
        return self._sender.send(requests.chat(model or self._model, messages, fields))

    def stream(
        self, messages: Messages, *, model: str | None = None, **fields: Any
    ) -> Generator[Delta, None, None]:
        """Yield the answer to `chat` as it is written. The last delta has the whole answer.

        Closing the generator stops the model.
        """
        answer = ChatAnswer()
        request = requests.chat_chunks(model or self._model, messages, fields)
        with closing(self._sender.stream(request)) as chunks:
            for chunk in chunks:
                yield from _deltas(answer, chunk)
        yield _last_delta(answer)

    def respond(
        self, input: Messages, *, previous: str | None = None, model: str | None = None, **fields: Any
    ) -> Answer:
        """Answer through the Responses API. `input` is a question, or a list of items.

        `previous` is the id of an answer of `respond`, whose conversation this continues. It may also be the
        id of a turn in the server's log.
        """
        return self._sender.send(requests.response(model or self._model, input, previous, fields))

    def models(self) -> list[Model]:
        "Return the models of the server, each under all of its names."
        return self._sender.send(requests.models())

    def health(self) -> Health:
        return self._sender.send(requests.health())

    def close(self) -> None:
        self._sender.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    "Like `Client`, for async code."

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        model: str = MODEL,
        timeout: float = DEFAULT_READ_TIMEOUT,
        sdk: bool | None = None,
    ) -> None:
        self._model = model
        self._sender = _async_sender(_endpoint(url, key, timeout), sdk)

    async def chat(self, messages: Messages, *, model: str | None = None, **fields: Any) -> Answer:
        "See `Client.chat`."
        return await self._sender.send(requests.chat(model or self._model, messages, fields))

    async def stream(
        self, messages: Messages, *, model: str | None = None, **fields: Any
    ) -> AsyncGenerator[Delta, None]:
        "See `Client.stream`. Close it with `contextlib.aclosing` if you do not read it to its end."
        answer = ChatAnswer()
        request = requests.chat_chunks(model or self._model, messages, fields)
        async with aclosing(self._sender.stream(request)) as chunks:
            async for chunk in chunks:
                for delta in _deltas(answer, chunk):
                    yield delta
        yield _last_delta(answer)

    async def respond(
        self, input: Messages, *, previous: str | None = None, model: str | None = None, **fields: Any
    ) -> Answer:
        "See `Client.respond`."
        return await self._sender.send(requests.response(model or self._model, input, previous, fields))

    async def models(self) -> list[Model]:
        "See `Client.models`."
        return await self._sender.send(requests.models())

    async def health(self) -> Health:
        return await self._sender.send(requests.health())

    async def aclose(self) -> None:
        await self._sender.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _deltas(answer: ChatAnswer, chunk: Json) -> list[Delta]:
    "Return what the chunk adds to the answer. Raises StreamCut for a chunk of an unexpected form."
    try:
        return [*answer.feed(chunk)]
    except (KeyError, TypeError, AttributeError) as error:
        raise unexpected_event(SERVER_NAME, chunk) from error


def _last_delta(answer: ChatAnswer) -> Delta:
    "Return the end of a stream. Raises StreamCut if the answer is incomplete."
    if not answer.is_complete:
        raise unfinished_stream(SERVER_NAME)
    return Delta(answer=answer.answer)
