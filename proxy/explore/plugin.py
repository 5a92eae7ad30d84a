"Our plugin of Datasette: what its pages show beyond the tables."

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from datasette import Response, hookimpl
from datasette.utils.asgi import Base400
from datasette.views.base import DatasetteError
from markupsafe import Markup

from ..http.errors import ApiError
from .message_page import UNREADABLE

NAME = "llm-gpt-oss"

logger = logging.getLogger("uvicorn.error")


@hookimpl
def extra_css_urls() -> list[str]:
    return ["/-/explore/explore.css"]


@hookimpl
def extra_template_vars(datasette: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    "`problems` are sentences about turns that are not in the log yet."

    async def variables() -> dict[str, Any]:
        return {"problems": await asyncio.to_thread(datasette.problems)}

    return variables


@hookimpl
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Callable[[], Awaitable[Response]]:
    "Answer with a page, or with JSON where the path asks for it. What is unexpected is logged, without data."

    async def answer() -> Response:
        status, title, message = _describe(exception)
        if request.path.endswith(".json"):
            body = {"ok": False, "error": str(message), "status": status, "title": title}
            return Response.json(body, status=status)
        context = {"title": title, "error": message, "status": status}
        page = await datasette.render_template(["error.html"], context, request=request)
        return Response.html(page, status=status)

    return answer


def _describe(exception: Exception) -> tuple[int, str | None, str]:
    "Return the status, the title and the message of the page."
    match exception:
        case ApiError():
            return exception.status, UNREADABLE, exception.message
        case DatasetteError():
            message = Markup(exception.message) if exception.message_is_html else exception.message  # noqa: S704
            return exception.status, exception.title, message
        case Base400():
            return exception.status, None, str(exception)
        case _:
            logger.error("A page of the log failed: %s", type(exception).__name__, exc_info=exception)
            return 500, None, "This page failed. The server's output shows the reason."
