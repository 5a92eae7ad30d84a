"""A Datasette plugin whose pages show a turn or a whole thread of the log as people read it.

In the log, a conversation is spread over rows of several tables. These pages show who said what, in order,
with the numbers of each turn. They need no JavaScript.
"""

from __future__ import annotations

import re
from typing import Any

from datasette import hookimpl
from markupsafe import Markup

from .pages import privacy_page, prompt_page, thread_page, turn_page

# A time in the log, in ISO 8601 and UTC.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:\+00:00|Z)?", re.ASCII)
# The columns that name a turn or a thread.
COLUMNS = {
    "turn_id": "turn",
    "last_turn_id": "turn",
    "answer_id": "turn",
    "thread_id": "thread",
    "forked_from": "thread",
}
_ID = re.compile("[0-9a-z]{1,40}", re.ASCII)


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    return [
        (r"^/-/turn/(?P<id>[^/]+)$", turn_page),
        (r"^/-/turn/(?P<id>[^/]+)/prompt$", prompt_page),
        (r"^/-/thread/(?P<id>[^/]+)$", thread_page),
        (r"^/-/privacy$", privacy_page),
    ]


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    return [
        {"href": datasette.urls.path("/-/turn/last"), "label": "Latest turn"},
        {"href": datasette.urls.path("/-/privacy"), "label": "What the log keeps"},
    ]


@hookimpl
def render_cell(value: Any, column: str, table: str | None, datasette: Any) -> Markup | None:
    "Link the ids of turns and threads to their pages, and show times to the second."
    if column.endswith("_utc") and isinstance(value, str) and _TIME.fullmatch(value):
        return Markup("{} {}").format(value[:10], value[11:19])
    kind = COLUMNS.get(column)
    if column == "id" and table in ("turns", "threads"):
        kind = table.removesuffix("s")
    # For a foreign key, Datasette passes the label of the row that it refers to as well.
    id, label = (value["value"], value["label"]) if isinstance(value, dict) else (value, value)
    if kind is None or not isinstance(id, str) or not _ID.fullmatch(id):
        return None
    return Markup('<a href="{}">{}</a>').format(datasette.urls.path(f"/-/{kind}/{id}"), label or id)
