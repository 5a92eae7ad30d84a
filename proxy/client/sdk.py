"""Sends the client's requests with OpenAI's SDK.

The classes have the methods of `llm_gpt_oss.engines.http.client.Client` and `AsyncClient` that the client
uses, and raise the same errors.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar, cast

import openai

from llm_gpt_oss.engines.http.client import error_of, parse
from llm_gpt_oss.engines.http.connection import translate_errors
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.engines.http.ndjson import damaged_stream
from llm_gpt_oss.engines.http.request import Request
from llm_gpt_oss.engines.http.server_errors import to_error
from llm_gpt_oss.errors import EngineError, StreamCut

T = TypeVar("T")

# The HTTP library of the installed SDK: httpx, or httpx2 in newer versions.
HTTP = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
CONNECT_TIMEOUT = 5.0  # seconds


def _options(endpoint: Endpoint) -> dict[str, Any]:
    server = endpoint.server
    return {
        "base_url": f"{server.url}/v1",
        "api_key": "any",  # the SDK needs one. The client's own is among the headers
        "default_headers": dict(server.headers),
        "timeout": openai.Timeout(endpoint.read_timeout, connect=CONNECT_TIMEOUT),
        "max_retries": 0,
    }


def _http_options(endpoint: Endpoint) -> dict[str, Any]:
    # A proxy would send even a request for 127.0.0.1 elsewhere. A redirect means that the address is wrong.
    return {"trust_env": not endpoint.server.loopback, "follow_redirects": False}


@contextmanager
def _translated_errors(
    endpoint: Endpoint, request: Request[Any], error_type: type[EngineError] = EngineError
) -> Iterator[None]:
    with translate_errors(endpoint, error_type, HTTP):
        connection_error: BaseException | None = None
        try:
            yield
        except openai.APIStatusError as error:
            response: Any = error.response
            raise error_of(endpoint, request, response, response.content) from error
        except openai.APIConnectionError as error:
            connection_error = error.__cause__
        except openai.APIError as error:
            body = {"error": error.body or error.message}
            raise to_error(endpoint.api.error_rules, endpoint.name, None, body, request.model) from error
        except (ValueError, RecursionError) as error:  # of the JSON parser
            if error_type is StreamCut:
                raise damaged_stream(getattr(error, "doc", "")[:80]) from error
            parse(endpoint, request, None)
        # Not in the `except` block: there the SDK's error would become the context of its own cause.
        if connection_error:
            raise connection_error


def _arguments(endpoint: Endpoint, request: Request[Any]) -> dict[str, Any]:
    body = {} if request.body is None else {"body": request.body}
    return {"path": endpoint.server.url + request.path, "cast_to": object, **body}


class SdkClient:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._sdk = openai.OpenAI(
            **_options(endpoint), http_client=openai.DefaultHttpxClient(**_http_options(endpoint))
        )

    def send(self, request: Request[T]) -> T:
        with _translated_errors(self._endpoint, request):
            method = self._sdk.get if request.body is None else self._sdk.post
            value = cast(Any, method)(**_arguments(self._endpoint, request))
        return parse(self._endpoint, request, value)

    def stream(self, request: Request[T]) -> Generator[T, None, None]:
        arguments = _arguments(self._endpoint, request)
        with _translated_errors(self._endpoint, request):
            stream = self._sdk.post(**arguments, stream=True, stream_cls=openai.Stream[object])
        with stream, _translated_errors(self._endpoint, request, StreamCut):
            for value in stream:
                yield parse(self._endpoint, request, value)

    def close(self) -> None:
        self._sdk.close()


class AsyncSdkClient:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._sdk = openai.AsyncOpenAI(
            **_options(endpoint), http_client=openai.DefaultAsyncHttpxClient(**_http_options(endpoint))
        )

    async def send(self, request: Request[T]) -> T:
        with _translated_errors(self._endpoint, request):
            method = self._sdk.get if request.body is None else self._sdk.post
            value = await cast(Any, method)(**_arguments(self._endpoint, request))
        return parse(self._endpoint, request, value)

    async def stream(self, request: Request[T]) -> AsyncGenerator[T, None]:
        arguments = _arguments(self._endpoint, request)
        with _translated_errors(self._endpoint, request):
            stream = await self._sdk.post(**arguments, stream=True, stream_cls=openai.AsyncStream[object])
        async with stream:
            with _translated_errors(self._endpoint, request, StreamCut):
                async for value in stream:
                    yield parse(self._endpoint, request, value)

    async def aclose(self) -> None:
        await self._sdk.close()
