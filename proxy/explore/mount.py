"""The ASGI application of the pages under `/logs`.

It imports and starts Datasette when somebody opens a page for the first time. Until then Datasette costs no
time and no memory.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http.errors import SERVER, ApiError
from .message_page import UNREADABLE, error_answer

if TYPE_CHECKING:
    from .log_datasette import LogDatasette

PATH = "/logs"
INSTALL = "llm install 'llm-gpt-oss[datasette]'"
# Datasette's pages and Vega need inline scripts and eval. They may not load from or send to other hosts.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

# The prefix as a client may write it, with escapes.
_RAW_PREFIX = re.compile(rb"(?:%%[0-9A-Fa-f]{2}|.){%d}" % len(PATH))


class LogPages:
    """Datasette on the log at `database`, for clients for which `is_admin` returns true.

    `problems` returns sentences about turns that are not in the log yet. `live` is the address of the page
    with what runs now, if this server has one. Call `close` when the server stops.
    """

    def __init__(
        self,
        database: Path,
        problems: Callable[[], Sequence[str]],
        is_admin: Callable[[Scope], Awaitable[bool]],
        live: str | None = None,
    ) -> None:
        self._database = database
        self._problems = problems
        self._is_admin = is_admin
        self._live = live
        self._opening: asyncio.Task[tuple[LogDatasette, ASGIApp]] | None = None

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, _redirect), Mount(PATH, self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        try:
            app = await self._app(scope)
        except ApiError as error:
            await error_answer(UNREADABLE, error, scope)(scope, receive, send)
        else:
            await app(_without_prefix(scope), receive, _corrected(send))

    async def close(self) -> None:
        if self._opening:
            datasette, _ = await self._opening
            await asyncio.to_thread(datasette.close)

    async def _app(self, scope: Scope) -> ASGIApp:
        "Return Datasette. Raises ApiError if this client may not see the page, or the log cannot be read."
        await self._check(scope)
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        # If this client disconnects, the others still wait for it.
        datasette, app = await asyncio.shield(self._opening)
        await datasette.log.check()
        return app

    async def _check(self, scope: Scope) -> None:
        "Raises ApiError if this client may not see the page, or Datasette is missing."
        if not await self._is_admin(scope):
            message = (
                "These pages show the requests of all apps, so they need the key of an admin, and yours is "
                "not one. Type `llm gpt-oss keys add NAME --admin` for one. The API shows your own requests."
            )
            raise ApiError(403, message, code="forbidden")
        if scope["method"] not in ("GET", "HEAD"):
            raise ApiError(405, "These pages are read-only.", headers={"Allow": "GET, HEAD"})
        if _is_foreign(scope):
            message = (
                "Other sites may link to these pages, but not embed or load them, or send SQL to them. If "
                "you trust this address, type it into the browser yourself."
            )
            raise ApiError(403, message, code="forbidden")
        if not is_installed():
            message = f"These pages need Datasette, which is not installed. Type: {INSTALL}"
            raise ApiError(501, message, SERVER)

    async def _open(self) -> tuple[LogDatasette, ASGIApp]:
        "Import and start Datasette in a thread: that takes about half a second."
        datasette = await asyncio.to_thread(self._create)
        await datasette.invoke_startup()
        return datasette, datasette.app()

    def _create(self) -> LogDatasette:
        from .log_datasette import LogDatasette

        return LogDatasette(self._database, self._problems, self._live)


def is_installed() -> bool:
    return find_spec("datasette") is not None and find_spec("datasette_dashboards") is not None


async def _redirect(request: object) -> RedirectResponse:
    return RedirectResponse(f"{PATH}/")


def _is_foreign(scope: Scope) -> bool:
    """Whether another site caused the request, and it is not a plain link.

    A link to a page is allowed. Images, frames and scripts are not, and neither is an address with a query: a
    site could open it in the browser, and its SQL would keep the server busy.
    """
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site") != "cross-site":
        return False
    is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return not is_link or bool(scope["query_string"])


def _without_prefix(scope: Scope) -> Scope:
    "Return the scope without the prefix, which Datasette adds to its links but does not expect in requests."
    raw = _RAW_PREFIX.sub(b"", scope["raw_path"], count=1)
    return {**scope, "path": scope["path"][len(PATH) :], "raw_path": raw}


def _corrected(send: Send) -> Send:
    """Return a `send` that adds our headers, and corrects two faults of the pages.

    Some of Datasette's redirects lack the prefix. datasette-dashboards sets all cookies of the browser again,
    which would make the login's cookie readable for scripts.
    """

    async def corrected(message: Message) -> None:
        if message["type"] == "http.response.start":
            raw = [(name.lower(), value) for name, value in message["headers"]]
            headers = MutableHeaders(raw=[header for header in raw if not _is_foreign_cookie(header)])
            message = {**message, "headers": headers.raw}
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            location = headers.get("location", "")
            if location.startswith("/") and not location.startswith(f"{PATH}/"):
                headers["location"] = PATH + location
        await send(message)

    return corrected


def _is_foreign_cookie(header: tuple[bytes, bytes]) -> bool:
    "Whether a header sets a cookie that is not Datasette's own."
    name, value = header
    return name == b"set-cookie" and not value.startswith(b"ds_")
