"""The pages of a turn, of a thread, of a turn's prompt, and of what the log keeps.

Reading and rendering run in a thread of Datasette. Templates get HTML that is finished.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlite_utils
from datasette.app import Datasette
from datasette.database import Database
from datasette.utils.asgi import Request, Response

from llm_gpt_oss.errors import BadRequest
from llm_gpt_oss.logged_prompt import first_completion, load_prompt

from ...log.logged_turn import from_spool
from ...log.queries import load_chain
from ...log.spool import Spool
from .exchanges import ReadOnlyLog, read_conversation
from .privacy import Privacy, read_privacy
from .references import Reference, find_reference, turn_of_answer
from .safe_html import inline, visible
from .turn_facts import facts_of_spooled
from .view import View, view

T = TypeVar("T")

HEADERS = {
    # No script, and nothing from elsewhere: not even what a mistake in these pages would let through.
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
THREAD = "select id, name, tip_message_hash, datetime_utc from threads where id = ?"
TURN = """
select turns.thread_id, turns.tip_message_hash, threads.name
from turns left join threads on threads.id = turns.thread_id where turns.id = ?
"""
# Other ids are not looked for: files of the spool are named after turns.
_TURN_ID = re.compile("[0-9a-z]{1,40}", re.ASCII)


class Shown(NamedTuple):
    "The page of a turn (`turn_id`) or of a whole thread."

    turn_id: str | None
    thread_id: str | None
    thread_name: str | None
    view: View


async def turn_page(datasette: Datasette, request: Request) -> Response:
    id, page = request.url_vars["id"], _page(request)
    return await _conversation_page(
        datasette, request, lambda connection, path: _turn(connection, path, id, page)
    )


async def thread_page(datasette: Datasette, request: Request) -> Response:
    id, page = request.url_vars["id"], _page(request)
    return await _conversation_page(datasette, request, lambda connection, _: _thread(connection, id, page))


async def prompt_page(datasette: Datasette, request: Request) -> Response:
    "The exact text that the model got, as plain text."
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


async def privacy_page(datasette: Datasette, request: Request) -> Response:
    database = await _database(datasette, request)
    path = Path(database.path)

    def read(connection: sqlite3.Connection) -> Privacy:
        return read_privacy(connection, path)

    return await _render(datasette, request, "privacy", {"privacy": await database.execute_fn(read)})


async def _conversation_page(
    datasette: Datasette,
    request: Request,
    read: Callable[[sqlite3.Connection, Path], Shown | Reference | None],
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


def _turn(connection: sqlite3.Connection, path: Path, id: str, page: int | None) -> Shown | Reference | None:
    log = ReadOnlyLog(connection)
    if _TURN_ID.fullmatch(id) and (found := Spool(path).find(id)):
        turn, in_progress = found
        logged = from_spool(turn, in_progress)
        facts = facts_of_spooled(turn, in_progress=in_progress)
        conversation = read_conversation(log, [*logged.prompt, *logged.answer], None).with_last_turn(
            id, len(logged.prompt)
        )
        return Shown(id, None, None, view(log, conversation, page, id, {id: facts}))
    row = connection.execute(TURN, [id]).fetchone()
    if row is None:
        reference = find_reference(connection, id, "turn")
        if reference is None and turn_of_answer(id) != id:
            # It may not be in the database yet.
            spooled = turn_of_answer(id)
            reference = Reference("turn", spooled) if _is_spooled(path, spooled) else None
        return reference
    thread_id, tip, name = row
    conversation = read_conversation(log, load_chain(log, tip), thread_id, id)
    return Shown(id, thread_id, name, view(log, conversation, page, id))


def _is_spooled(path: Path, turn_id: str) -> bool:
    return bool(_TURN_ID.fullmatch(turn_id)) and Spool(path).find(turn_id) is not None


def _thread(connection: sqlite3.Connection, id: str, page: int | None) -> Shown | Reference | None:
    row = connection.execute(THREAD, [id]).fetchone()
    if row is None:
        return find_reference(connection, id, "thread")
    log = ReadOnlyLog(connection)
    conversation = read_conversation(log, load_chain(log, row["tip_message_hash"]), id)
    return Shown(None, id, row["name"], view(log, conversation, page))


async def _database(datasette: Datasette, request: Request) -> Database:
    "The log: the first database. Raises Forbidden if this person cannot see it."
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
