"How httpx is set up for a server, and what goes wrong on the way there."

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import httpx

from ...errors import EngineBusy, EngineError, EngineUnreachable
from ...settings import ServerAddress
from .transport import Transport

# Seconds. The latter has a handshake to make, and far to go.
CONNECT, CONNECT_TLS = 1.0, 5.0
# Requests at once.
MAX_CONNECTIONS = 1000


def client_options(server: ServerAddress, silence: float, idle: float = 0) -> dict[str, Any]:
    """The arguments of httpx's client. A connection waits `idle` seconds for the next call.

    Without that it serves one call: on loopback that is nearly free, and nothing idle goes stale when the
    server restarts, has to be closed, or belongs to an event loop that has ended.
    """
    headers = httpx.Headers({"User-Agent": "llm-gpt-oss", "Accept-Encoding": "identity"})
    headers.update(dict(server.headers))
    connect = CONNECT_TLS if _is_secure(server) else CONNECT
    return {
        "base_url": server.url,
        "headers": headers,
        "timeout": httpx.Timeout(silence, connect=connect),
        "limits": httpx.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS if idle else 0,
            keepalive_expiry=idle,
        ),
        "trust_env": not server.loopback,  # a proxy would carry even a request for 127.0.0.1 elsewhere
        "verify": _certificates(server),
    }


def async_client_options(server: ServerAddress, silence: float, idle: float = 0) -> dict[str, Any]:
    "Those of the async one, which reaches an address of this machine by `sockets`."
    given = client_options(server, silence, idle)
    if server.loopback_address and not _is_secure(server):
        given["transport"] = Transport(given["verify"], given["limits"])
    return given


def _is_secure(server: ServerAddress) -> bool:
    return server.url.startswith("https:")


def _certificates(server: ServerAddress) -> ssl.SSLContext:
    "Reading the authorities takes 20 ms and more, and plain HTTP needs none: then nobody is trusted."
    if _is_secure(server) or (not server.loopback and getproxies()):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is asked: what people call it, where it is, how many seconds it may stay silent, and what to type
    where nobody answers."""

    name: str
    server: ServerAddress
    read_timeout: float
    remedy: str


@contextmanager
def translate_errors(peer: Endpoint, broken: type[EngineError] = EngineError) -> Iterator[None]:
    "What httpx raises, as one of our errors: `broken` where an answer was expected and did not come whole."
    where = f"{peer.name} at {peer.server.url}"
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise _unreachable(peer, "no sign of life") from error
    except (httpx.ConnectError, httpx.ProxyError) as error:
        raise _unreachable(peer, _reason(error)) from error
    except httpx.PoolTimeout as error:
        message = f"{MAX_CONNECTIONS} requests to {peer.name} are under way, and none of them ends."
        raise EngineBusy(message, remedy="Try again when some of them have ended.") from error
    except httpx.TimeoutException as error:
        remedy = "If it needs longer, set LLM_GPT_OSS_TIMEOUT to more seconds."
        raise broken(f"{where} was silent for {peer.read_timeout:g} seconds.", remedy=remedy) from error
    except httpx.RequestError as error:
        message = f"{where} broke off: {_reason(error)}."
        raise broken(message, remedy="Its log may say why; it may have been stopped.") from error


def _unreachable(peer: Endpoint, why: str) -> EngineUnreachable:
    message = f"{peer.name} does not answer at {peer.server.url}: {why}."
    return EngineUnreachable(message, remedy=peer.remedy)


def _reason(error: BaseException) -> str:
    "The system's own words, where they are: httpx keeps them at the bottom."
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio has only "Connect call failed" to say, whatever the cause.
            vague = cause.strerror.startswith("Connect call failed")
            return (os.strerror(cause.errno or 0) if vague else cause.strerror).lower()
        several = getattr(cause, "exceptions", None)  # an address tried for each of a name's
        cause = several[0] if several else cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
