"A Datasette plugin for the pages of the log: search, warnings, links and error pages."

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from datasette import Response, hookimpl
from datasette.database import QueryInterrupted
from datasette.utils.asgi import BadRequest, Base400
from datasette.views.base import DatasetteError
from markupsafe import Markup, escape

from ..http.errors import ApiError
from .charts import DASHBOARD
from .message_page import UNREADABLE
from .metadata import DATABASE, TABLES
from .queries import QUERIES
from .search import END_MARK, MARK, PLACES, TEXT, search

NAME = "llm-gpt-oss"

logger = logging.getLogger("uvicorn.error")


@hookimpl
def extra_css_urls() -> list[str]:
    return ["/-/explore/explore.css"]


@hookimpl
def extra_template_vars(datasette: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    "Return the variables of our templates. `problems` are sentences about turns that are not in the log yet."

    async def variables() -> dict[str, Any]:
        return {
            "problems": await asyncio.to_thread(datasette.problems),
            "database_name": DATABASE,
            "pictures": datasette.urls.path(f"-/dashboards/{DASHBOARD}"),
            "ready_queries": QUERIES,
            "main_tables": [
                (name, table["title"], table["description"])
                for name, table in TABLES.items()
                if "title" in table
            ],
            "search_places": PLACES,
        }

    return variables


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    return [{"href": datasette.urls.path("-/search"), "label": "Search"}]


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Response]]]]:
    return [(r"^/-/search$", search_page)]


async def search_page(request: Any, datasette: Any) -> Response:
    query, place = request.args.get("q") or "", request.args.get("in") or TEXT
    before = request.args.get("before")
    if place not in PLACES:
        raise BadRequest(f"`in` must be one of {', '.join(PLACES)}.")
    if before is not None and not re.fullmatch(r"\d{1,18}", before, re.ASCII):
        raise BadRequest("`before` must be a number.")
    found = await search(datasette.log, query, place, None if before is None else int(before))
    parameters = urlencode({"q": query, "in": place, "before": found.next})
    context = {
        "query": query,
        "place": place,
        "hits": [hit._replace(snippet=_marked(hit.snippet)) for hit in found.hits],
        "complete": found.complete,
        "next": None if found.next is None else datasette.urls.path(f"-/search?{parameters}"),
    }
    return Response.html(await datasette.render_template("search.html", context, request=request))


def _marked(snippet: str) -> Markup:
    return Markup(str(escape(snippet)).replace(MARK, "<mark>").replace(END_MARK, "</mark>"))  # noqa: S704


@hookimpl
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Callable[[], Awaitable[Response]]:
    "Answer with a page, or with JSON for a path in .json. Unexpected exceptions go to the server's own log."

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
        case QueryInterrupted():
            return 400, "This took too long", "Look for fewer or rarer words, or for a shorter time."
        case Base400():
            return exception.status, None, str(exception)
        case _:
            logger.error("A page of the log failed: %s", type(exception).__name__, exc_info=exception)
            return 500, None, "This page failed. The server's output shows the reason."
