"""Which pages and names may ask at all: this machine's own, and origins that were named.

A page of another origin in a browser could otherwise read the log through this server: directly (its Origin
tells), or by a name that it lets point to 127.0.0.1 (the Host tells: DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ApiError, error_response
from .host_names import host_of, host_of_origin, is_local, is_loopback, normalize_host


def is_remote(scope: Scope) -> bool:
    "Whether the client came to an address of this machine that others reach too."
    host, _ = scope.get("server") or ("", None)
    return is_loopback(host) is False


class TrustedHosts:
    """ASGI middleware, for HTTP and websockets.

    `names` are further names that this server goes by. Where a client came from outside it goes by names that
    it cannot know, as it does where `anyone` may ask. Pages of `origins` may ask, besides its own and this
    machine's.
    """

    def __init__(
        self, app: ASGIApp, names: Collection[str], origins: Collection[str], *, anyone: bool
    ) -> None:
        self._app = app
        self._names = {normalize_host(name) for name in names}
        self._origins = {origin.lower() for origin in origins}
        self._anyone = anyone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and (why := self._objection(scope)):
            await error_response(ApiError(403, why, code="forbidden"))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # Two of them could mean one thing here and another to whoever forwarded the request.
        if len(hosts) != 1 or not (host := host_of(hosts[0])):
            return "The request should have one Host header, with the name or address of this server."
        if not (self._anyone or is_remote(scope) or self._is_ours(host)):
            return f"The Host '{host}' is none that this server goes by."
        for origin in headers.getlist("origin"):
            if not self._may_ask(origin, host):
                return (
                    f"Pages of '{origin[:100]}' may not ask: start the server with --cors-origin to let them."
                )
        return None

    def _may_ask(self, origin: str, host: str) -> bool:
        name = host_of_origin(origin)
        return origin.lower() in self._origins or (name is not None and (name == host or self._is_ours(name)))

    def _is_ours(self, name: str) -> bool:
        return is_local(name) or name in self._names
