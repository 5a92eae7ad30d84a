"What Datasette shows about the log: titles, descriptions, units, facets, and which tables people need."

from __future__ import annotations

from typing import Any

# The name of the database in Datasette's addresses. `mount` relies on it not being the prefix of these pages.
DATABASE = "log"
TITLE = "What apps ask gpt-oss"


def metadata() -> dict[str, Any]:
    "Return Datasette's metadata."
    return {
        "title": TITLE,
        "databases": {DATABASE: {"title": "The log", "tables": {}}},
    }
