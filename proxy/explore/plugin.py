"A Datasette plugin for the pages of the log: search, warnings, links and error pages."

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from traceback import walk_tb
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
from .queries import DEFAULT_DAYS, DEFAULT_TURNS, QUERIES
from .search import END_MARK, MARK, PLACES, TEXT, search

NAME = "llm-gpt-oss"

logger = logging.getLogger("uvicorn.error")


@hookimpl
def extra_css_urls() -> list[str]:
    return ["/-/explore/explore.css"]


@hookimpl
def extra_template_vars(datasette: Any, request: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    "Return the variables of our templates. `problems` are sentences about turns that are not in the log yet."

    async def variables() -> dict[str, Any]:
        return {
            **_parameters(request),
            "live": datasette.live,
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


def _parameters(request: Any) -> dict[str, dict[str, Any]]:
    "What the boxes of a ready query's page hold. Datasette would leave them empty."
    name = request.url_vars.get("table") if request else None
    if not any(query.name == name and query.takes_a_window for query in QUERIES):
        return {}
    defaults = {"days": DEFAULT_DAYS, "turns": DEFAULT_TURNS}
    return {
        "named_parameter_values": {key: request.args.get(key) or value for key, value in defaults.items()}
    }


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
        status, title, message = _describe(exception, has_query=bool(request.query_string))
        if request.path.endswith(".json"):
            body = {"ok": False, "error": str(message), "status": status, "title": title}
            return Response.json(body, status=status)
        context = {"title": title, "error": message, "status": status}
        page = await datasette.render_template(["error.html"], context, request=request)
        return Response.html(page, status=status)

    return answer


def _describe(exception: Exception, *, has_query: bool) -> tuple[int, str | None, str]:
    """Return the status, the title and the message of the page.

    Datasette does not check the parameters of an address, and fails where it uses them.
    """
    match exception:
        case ApiError():
            return exception.status, UNREADABLE, exception.message
        case DatasetteError():
            message = Markup(exception.message) if exception.message_is_html else exception.message  # noqa: S704
            # Datasette's own status where it names none. It raises these about parameters.
            return 400 if exception.status == 500 else exception.status, exception.title, message
        case QueryInterrupted():
            return 400, "This took too long", "Look for fewer or rarer words, or for a shorter time."
        case Base400():
            return exception.status, None, str(exception)
        case sqlite3.Error() | OverflowError() if has_query:
            return 400, "Wrong parameter", f"SQLite cannot use a parameter of this address: {exception}."
        case _ if has_query and _is_of_datasette(exception):
            return 400, "Wrong parameter", "Datasette cannot use a parameter of this address."
        case _:
            logger.error("A page of the log failed: %s", type(exception).__name__, exc_info=exception)
            return 500, None, "This page failed. The server's output shows the reason."


def _is_of_datasette(exception: Exception) -> bool:
    "Whether Datasette raised the exception, or what it called, and not code of ours."
    names = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(exception.__traceback__))
    packages = [name.partition(".")[0] for name in names]
    return [each for each in packages if each in ("datasette", "proxy")][-1:] == ["datasette"]
