"""Protects a server that needs no key from web pages of other origins.

Such a page could use the server through the user's browser. It could send a plain request, which its Origin
header reveals. Or it could use DNS rebinding, where its own name points to 127.0.0.1, which the Host header
reveals. A page has no key, so where one is required, neither header is checked, unless the page could use the
answer to find a key.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .api_keys import KeyRing
from .errors import ApiError, error_response
from .host_names import host_of, is_ip_address, is_local, is_remote, normalize_host
from .trusted_origins import TrustedOrigins, is_origin, is_preflight

# How many different refusals are logged. A page could make any number of them.
MAX_LOGGED = 20
ONE_HOST = "The request must have one Host header, with the name or address of this server."
ONE_ORIGIN = "The request may have one Origin header, with the origin of a page such as https://app.example."

log = logging.getLogger("uvicorn.error")


class TrustedHosts:
    """ASGI middleware for HTTP and WebSocket that answers 403 to hosts and origins that are not trusted.

    Where no key is required, the Host must be an IP address, a name of this machine, a name that ends in
    `.internal`, or one of `names`, and an Origin must be trusted. In `names`, `*.example.com` stands for all
    names below it, and `*` for all names.

    Everywhere, a request without exactly one valid Host gets 400, and a preflight request or a WebSocket of
    an origin that is not trusted gets 403.

    The first refusal of each host and origin is logged, since a browser does not show the answer.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], origins: TrustedOrigins, ring: KeyRing) -> None:
        self._app = app
        normalized = {normalize_host(name) for name in names}
        self._names = {name for name in normalized if not name.startswith("*")}
        self._endings = (".internal", *(name[1:] for name in normalized - self._names))
        self._origins = origins
        self._ring = ring
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and (error := self._error(scope)):
            self._log(error.message)
            await error_response(error, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _error(self, scope: Scope) -> ApiError | None:
        headers = Headers(scope=scope)
        # A proxy in front of this server might use one Host header and this server the other.
        host = host_of(", ".join(headers.getlist("host")))
        if host is None:
            return ApiError(400, ONE_HOST)
        if not self._is_trusted(host) and not self._requires_key(scope):
            return ApiError(403, _untrusted_host(host), code="forbidden")
        if (
            "origin" in headers
            and not self._origins.trust(headers)
            and (_can_guess_keys(scope, headers) or not self._requires_key(scope))
        ):
            origin = ", ".join(headers.getlist("origin"))
            return ApiError(403, _untrusted_origin(origin), code="forbidden")
        return None

    def _log(self, message: str) -> None:
        if message not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(message)
            # Quoted, since clients control the text.
            log.warning("A request was refused: %r", message)

    def _is_trusted(self, host: str) -> bool:
        return is_local(host) or is_ip_address(host) or host in self._names or host.endswith(self._endings)

    def _requires_key(self, scope: Scope) -> bool:
        return self._ring.requires_key(remote=is_remote(scope))


def _can_guess_keys(scope: Scope, headers: Headers) -> bool:
    "Whether a page would learn from the answer that a key is valid: without this, it could try many."
    return scope["type"] == "websocket" or is_preflight(scope, headers)


def _untrusted_host(host: str) -> str:
    return (
        f"The Host '{host}' is not a name of this server. Use the server's IP address, or start it with "
        f"--allowed-host {host}, or make a key (`llm gpt-oss keys add NAME`). With a key, any name works."
    )


def _untrusted_origin(origin: str) -> str:
    # Whoever sends the header must not choose what a person pastes into a shell.
    if not is_origin(origin):
        return ONE_ORIGIN
    return (
        f"Pages of '{origin}' may not use this server. "
        f"Start it with --cors-origin {shlex.quote(origin)} to allow them."
    )
