"""Lets only trusted hosts and origins use the server: this machine's own, and those in its settings.

Without this check a web page of another origin could read the log through the user's browser. It could send a
plain request, which its Origin header reveals. Or it could use DNS rebinding, where its own name points to
127.0.0.1, which the Host header reveals.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ApiError, error_response

# RFC 9110, 7.2, as far as browsers use it; and RFC 6454, 6.1.
_NAME = r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?"
_HOST = re.compile(_NAME, re.ASCII | re.IGNORECASE)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_NAME}", re.ASCII | re.IGNORECASE)


class TrustedHosts:
    """ASGI middleware for HTTP and websockets that answers 403 to hosts and origins that are not trusted.

    The Host must be a name of this machine or one of `names`. Any Host is accepted from clients of other
    machines, since this server cannot know what it is called there, and wherever `accept_any_host` is set.
    The Origin, if there is one, must be of the same host, of this machine, or one of `origins`.
    """

    def __init__(
        self, app: ASGIApp, names: Collection[str], origins: Collection[str], *, accept_any_host: bool
    ) -> None:
        self._app = app
        self._names = {normalize_host(name) for name in names}
        self._origins = {origin.lower() for origin in origins}
        self._accept_any_host = accept_any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and (reason := self._objection(scope)):
            await error_response(ApiError(403, reason, code="forbidden"))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # A proxy in front of this server might use one Host header and this server the other.
        if len(hosts) != 1 or not (host := host_of(hosts[0])):
            return "The request must have one Host header, with the name or address of this server."
        if not (self._accept_any_host or is_remote(scope) or self._is_own_name(host)):
            return f"The Host '{host}' is not a name of this server. Use its address, such as 127.0.0.1."
        for origin in headers.getlist("origin"):
            if not self._is_trusted_origin(origin, host):
                return (
                    f"Pages of '{origin[:100]}' may not use this server. "
                    "Start it with --cors-origin to allow them."
                )
        return None

    def _is_trusted_origin(self, origin: str, host: str) -> bool:
        if origin.lower() in self._origins:
            return True
        name = host_of_origin(origin)
        return name is not None and (name == host or self._is_own_name(name))

    def _is_own_name(self, name: str) -> bool:
        return is_local(name) or name in self._names


def is_remote(scope: Scope) -> bool:
    "Whether the client connected to an address of this machine that other machines can reach."
    host, _ = scope.get("server") or ("", None)
    return is_loopback(host) is False


def normalize_host(name: str) -> str:
    "The name in lower case, without the brackets of an IPv6 address and without the final dot."
    return name.lower().strip("[]").removesuffix(".")


def host_of(header: str) -> str | None:
    "The normalized name in a Host header, without the port; None for an invalid header."
    match = _HOST.fullmatch(header)
    return normalize_host(match[1]) if match else None


def host_of_origin(header: str) -> str | None:
    """The normalized name in an Origin header; None for an invalid one and for `null`, which any page may
    send."""
    match = _ORIGIN.fullmatch(header)
    return normalize_host(match[1]) if match else None


def is_local(name: str) -> bool:
    "Whether this normalized name always means this machine."
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name) is True


@lru_cache
def is_loopback(name: str) -> bool | None:
    "Whether this is a loopback address; None if it is no IP address at all."
    try:
        ip: Any = ip_address(name)
    except ValueError:
        return None
    return bool((getattr(ip, "ipv4_mapped", None) or ip).is_loopback)


def host_in_url(name: str) -> str:
    "The name as a URL has it: an IPv6 address in brackets."
    return f"[{name}]" if ":" in name else name
