"The application of `llm gpt-oss explore`: the pages of the log, for one person on this machine."

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hmac import compare_digest
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..http.errors import ApiError
from ..log import problems
from ..log.spool import Spool
from .message_page import UNREADABLE, error_answer
from .mount import LogPages

# No website has one of these names, so DNS rebinding cannot reach these pages.
HOSTS = ["127.0.0.1", "localhost"]


class Access:
    """The secrets that open the pages: `token` in an address, or the cookie that such an address sets.

    `single_use_token` works once. It is for the address that is given to the browser as an argument, which
    other users of the machine can see.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.single_use_token: str | None = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        # Browsers send a cookie to all ports of an address.
        self._cookie_name = f"llm-gpt-oss-explore-{port}"

    def has_cookie(self, request: Request) -> bool:
        return _is_equal(request.cookies.get(self._cookie_name), self._cookie)

    def redirect(self, request: Request) -> RedirectResponse | None:
        "Return a redirect to the same page that sets the cookie, or None if the token is missing or invalid."
        sent = request.query_params.get("token")
        if _is_equal(sent, self.single_use_token):
            self.single_use_token = None
        elif not _is_equal(sent, self.token):
            return None
        response = RedirectResponse(request.url.remove_query_params("token").path)
        response.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="lax")
        return response


class CheckAccess:
    "ASGI middleware that answers 403 to requests that have neither a token nor the cookie of `access`."

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            request = Request(scope)
            app = self._access.redirect(request) or (app if self._access.has_cookie(request) else _refuse)
        await app(scope, receive, send)


def explore_app(database: Path, access: Access) -> Starlette:
    "Return the application. The log at `database` need not exist."
    spool = Spool(database)
    pages = LogPages(database, lambda: [*problems.sentences(database, None, spool)], _everybody)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await pages.close()

    return Starlette(
        routes=pages.routes(),
        lifespan=lifespan,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS),
            Middleware(CheckAccess, access=access),
        ],
    )


async def _everybody(scope: Scope) -> bool:
    return True


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    message = "Open the address that `llm gpt-oss explore` printed. The one in the browser works only once."
    error = ApiError(403, message, code="forbidden")
    await error_answer(UNREADABLE, error, scope)(scope, receive, send)


def _is_equal(sent: str | None, secret: str | None) -> bool:
    return sent is not None and secret is not None and compare_digest(sent.encode(), secret.encode())
