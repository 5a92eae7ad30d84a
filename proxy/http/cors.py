"""CORS: pages of trusted origins may read what the server answers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .trusted_origins import TrustedOrigins, is_preflight

# Seconds for which a browser remembers the answer to a preflight request.
MAX_AGE = 600
# A page can read these headers without permission: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
SAFELISTED = {
    b"cache-control",
    b"content-language",
    b"content-length",
    b"content-type",
    b"expires",
    b"last-modified",
    b"pragma",
}


class Cors:
    """ASGI middleware that answers preflight requests of trusted origins, and lets their pages read answers.

    It is the outermost, so that errors can be read too. A request of another origin passes through: the
    browser does not show the answer to its page, and `TrustedHosts` may refuse it.
    """

    # Starlette's CORSMiddleware cannot compare the Origin with the Host.

    def __init__(self, app: ASGIApp, origins: TrustedOrigins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers["origin"] if self._origins.trust(headers) else None

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), origin)
            await send(message)

        if origin is not None and is_preflight(scope, headers):
            await Response(headers=preflight_headers(headers))(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)


def add_headers(headers: MutableHeaders, origin: str | None) -> None:
    "Let a page of this trusted origin, if there is one, read the answer and all of its headers."
    headers.add_vary_header("Origin")
    if origin is not None:
        names = sorted({name for name, _ in headers.raw} - SAFELISTED - {b"vary"})
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = b", ".join(names).decode("latin-1")


def preflight_headers(headers: Headers) -> dict[str, str]:
    "Return headers that allow all that a preflight request with these headers asks for."
    allowed = {
        "Access-Control-Allow-Methods": headers["access-control-request-method"],
        "Access-Control-Max-Age": str(MAX_AGE),
    }
    if requested := headers.get("access-control-request-headers"):
        allowed["Access-Control-Allow-Headers"] = requested
    # https://wicg.github.io/private-network-access/: from a public page to a server on this machine.
    if headers.get("access-control-request-private-network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return allowed
