"Makes the settings of httpx for a server, and converts httpx's errors."

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.request import getproxies

import httpx

from ...errors import EngineBusy, EngineError, EngineUnreachable
from ...settings import ServerAddress
from .cancellation import CancellableStream
from .endpoint import Endpoint
from .transport import LoopbackTransport

# Seconds. TLS needs a handshake, and its servers are further away. This machine refuses a connection at once
# if no server listens. If a busy server's queue is full, the system tries again after a second.
CONNECT_TIMEOUT, LONG_CONNECT_TIMEOUT = 1.0, 5.0
MAX_CONNECTIONS = 1000


def client_options(endpoint: Endpoint) -> dict[str, Any]:
    "Return the arguments of `httpx.Client`."
    return _options(endpoint, keepalive=0)


def async_client_options(endpoint: Endpoint) -> dict[str, Any]:
    "Return the arguments of `httpx.AsyncClient`: for an address of this machine with `LoopbackTransport`."
    options = _options(endpoint, endpoint.keepalive)
    if uses_loopback_transport(endpoint):
        options["transport"] = LoopbackTransport(options["limits"])
    return options


def uses_loopback_transport(endpoint: Endpoint) -> bool:
    return bool(endpoint.server.loopback_address) and not _is_secure(endpoint.server)


class AsyncConnections:
    """The connections to one server, of an `httpx.AsyncClient`.

    anyio and httpcore keep a connection for good if a task is cancelled at certain moments while it opens
    one, or while it closes one. So a task of its own sends each request, and is cancelled only when its
    connection is open. Others read the response (`CancellableStream`) and close it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._http = httpx.AsyncClient(**async_client_options(endpoint))
        # `LoopbackTransport` opens connections without anyio.
        self._opens_safely = uses_loopback_transport(endpoint)
        self._abandoned: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, **request: Any) -> AsyncIterator[httpx.Response]:
        "Send the request, and return the response before its body arrives. Leaving the context closes it."
        if self._opens_safely:
            response = await self._http.send(self._http.build_request(**request), stream=True)
        else:
            response = await self._send_in_a_task(request)
        try:
            yield response
        finally:
            await asyncio.shield(asyncio.ensure_future(response.aclose()))

    async def aclose(self) -> None:
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=LONG_CONNECT_TIMEOUT)
        await self._http.aclose()

    async def _send_in_a_task(self, request: dict[str, Any]) -> httpx.Response:
        is_connected = is_abandoned = False

        # https://www.encode.io/httpcore/extensions/#trace
        async def trace(event: str, info: dict[str, Any]) -> None:
            nonlocal is_connected
            if event == "http11.send_request_headers.started":
                is_connected = True
                if is_abandoned:
                    raise asyncio.CancelledError

        built = self._http.build_request(**request, extensions={"trace": trace})
        sending = asyncio.ensure_future(self._http.send(built, stream=True))
        try:
            response = await asyncio.shield(sending)
        except asyncio.CancelledError:
            is_abandoned = True
            if is_connected:
                sending.cancel()
            discarding = asyncio.ensure_future(_discard(sending))
            self._abandoned.add(discarding)
            discarding.add_done_callback(self._abandoned.discard)
            raise
        response.stream = CancellableStream(response.stream)
        return response


async def _discard(sending: asyncio.Task[httpx.Response]) -> None:
    "Wait until the request has failed, or close its response, which may have arrived in the last moment."
    with suppress(asyncio.CancelledError, httpx.HTTPError):
        await (await sending).aclose()


def _options(endpoint: Endpoint, keepalive: float) -> dict[str, Any]:
    server = endpoint.server
    headers = httpx.Headers({"User-Agent": "llm-gpt-oss", "Accept-Encoding": "identity"})
    headers.update(dict(server.headers))
    connect = LONG_CONNECT_TIMEOUT if _is_secure(server) or server.loopback else CONNECT_TIMEOUT
    return {
        "base_url": server.url,
        "headers": headers,
        "timeout": httpx.Timeout(endpoint.read_timeout, connect=connect),
        "limits": httpx.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS if keepalive else 0,
            keepalive_expiry=keepalive,
        ),
        "trust_env": not server.loopback,  # a proxy would send even a request for 127.0.0.1 elsewhere
        "verify": _certificates(server),
    }


def _is_secure(server: ServerAddress) -> bool:
    return server.url.startswith("https:")


def _certificates(server: ServerAddress) -> ssl.SSLContext:
    "Return the TLS context. Without TLS it has no certificate authorities: loading them takes 20 ms or more."
    if _is_secure(server) or (not server.loopback and getproxies()):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def translate_errors(
    endpoint: Endpoint, error_type: type[EngineError] = EngineError, http: Any = httpx
) -> Iterator[None]:
    """Convert the errors of httpx, or of another module with its names.

    `error_type` is the error for an answer that is late or incomplete.
    """
    name_at_url = f"{endpoint.name} at {endpoint.server.url}"
    try:
        yield
    except http.ConnectTimeout as error:
        raise _unreachable(endpoint, "the connection timed out") from error
    except (http.ConnectError, http.ProxyError) as error:
        raise _unreachable(endpoint, _reason(error)) from error
    except http.PoolTimeout as error:
        message = f"{MAX_CONNECTIONS} requests to {endpoint.name} are running, and none has finished."
        raise EngineBusy(message, remedy="Try again when some of them have finished.") from error
    except http.TimeoutException as error:
        message = f"{name_at_url} sent nothing for {endpoint.read_timeout:g} seconds."
        remedy = "If it needs longer, set LLM_GPT_OSS_TIMEOUT to more seconds."
        raise error_type(message, remedy=remedy) from error
    except http.RequestError as error:
        message = f"The connection to {name_at_url} was lost: {_reason(error)}."
        raise error_type(message, remedy="The server may have been stopped. Its log may say why.") from error


def _unreachable(endpoint: Endpoint, reason: str) -> EngineUnreachable:
    message = f"{endpoint.name} does not answer at {endpoint.server.url}: {reason}."
    return EngineUnreachable(message, remedy=endpoint.remedy)


def _reason(error: BaseException) -> str:
    "Return the operating system's message, which is the innermost cause of httpx's error, if there is one."
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # whoever raises an error may set any cause
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio's message is "Connect call failed", whatever the cause.
            vague = cause.strerror.startswith("Connect call failed")
            return (os.strerror(cause.errno or 0) if vague else cause.strerror).lower()
        several = getattr(cause, "exceptions", None)  # one for each address of a name
        cause = several[0] if several else cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
