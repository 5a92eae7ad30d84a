"""The pages of a turn, of a thread, of a turn's prompt, and of what the log keeps.

The log is read, and texts are rendered, in a thread of Datasette. Templates get finished HTML.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import sqlite_utils
from datasette.app import Datasette
from datasette.database import Database
from datasette.utils.asgi import Request, Response

from llm_gpt_oss.errors import BadRequest
from llm_gpt_oss.logged_prompt import first_completion, load_prompt

from .conversation_page import Found, find_thread, find_turn
from .privacy import Privacy, read_privacy
from .references import Reference
from .safe_html import inline, visible

HEADERS = {
    # No scripts, and nothing from other hosts, even if a mistake in these pages let some HTML through.
    "content-security-policy": (
        # The icon is empty data, so that browsers do not ask for one.
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
# SQLite's error for a log that only llm has written to.
NO_TABLE = "no such table: gpt_oss_"
NO_TABLES = "This log has no requests of apps. `llm gpt-oss serve` adds their tables when it starts."

Page = Callable[[Datasette, Request], Awaitable[Response]]


def _with_tables(page: Page) -> Page:
    "Answer with a page that says what to type if the log does not have our tables."

    async def answer(datasette: Datasette, request: Request) -> Response:
        try:
            return await page(datasette, request)
        except sqlite3.OperationalError as error:
            if not str(error).startswith(NO_TABLE):
                raise
            return await _render(datasette, request, "missing", {"reason": inline(NO_TABLES)}, 404)

    return answer


@_with_tables
async def turn_page(datasette: Datasette, request: Request) -> Response:
    id, page = request.url_vars["id"], _page(request)
    return await _conversation_page(
        datasette, request, lambda connection, path: find_turn(connection, path, id, page)
    )


@_with_tables
async def thread_page(datasette: Datasette, request: Request) -> Response:
    id, page = request.url_vars["id"], _page(request)
    return await _conversation_page(
        datasette, request, lambda connection, _: find_thread(connection, id, page)
    )


async def prompt_page(datasette: Datasette, request: Request) -> Response:
    "Show the exact prompt that the model got, as plain text."
    database = await _database(datasette, request)
    id = request.url_vars["id"]

    def read(connection: sqlite3.Connection) -> str:
        prompt, date = load_prompt(sqlite_utils.Database(connection), id)
        return first_completion(prompt, date).prompt

    try:
        text = await database.execute_fn(read)
    except BadRequest as problem:
        return await _render(datasette, request, "missing", {"id": id, "reason": inline(str(problem))}, 404)
    return Response.text(text.encode(errors="replace").decode(), headers=HEADERS)


@_with_tables
async def privacy_page(datasette: Datasette, request: Request) -> Response:
    database = await _database(datasette, request)
    path = Path(database.path)

    def read(connection: sqlite3.Connection) -> Privacy:
        return read_privacy(connection, path, count_all=bool(request.args.get("all")))

    return await _render(datasette, request, "privacy", {"privacy": await database.execute_fn(read)})


async def _conversation_page(
    datasette: Datasette,
    request: Request,
    read: Callable[[sqlite3.Connection, Path], Found],
) -> Response:
    database = await _database(datasette, request)
    path = Path(database.path)
    shown = await database.execute_fn(lambda connection: read(connection, path))
    if shown is None:
        return await _render(
            datasette, request, "missing", {"id": request.url_vars["id"], "reason": None}, 404
        )
    if isinstance(shown, Reference):
        return Response.redirect(datasette.urls.path(f"/-/{shown.kind}/{shown.id}"), headers=HEADERS)
    context = {"shown": shown, "database": database.name}
    return await _render(datasette, request, "conversation", context)


async def _database(datasette: Datasette, request: Request) -> Database:
    "Return the log, which is the first database. Raises Forbidden if this person may not see it."
    database = datasette.get_database()
    permissions = [("view-database", database.name), "view-instance"]
    await datasette.ensure_permissions(request.actor, permissions)
    return database


async def _render(
    datasette: Datasette, request: Request, template: str, context: dict[str, Any], status: int = 200
) -> Response:
    html = await datasette.render_template(f"transcript_{template}.html", context, request=request)
    return Response.html(visible(html), status=status, headers=HEADERS)


def _page(request: Request) -> int | None:
    number = request.args.get("page") or ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None
