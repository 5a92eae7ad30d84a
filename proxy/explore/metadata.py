"Datasette's metadata for the log: titles, descriptions, units, facets, and the tables that it hides."

from __future__ import annotations

from html import escape
from typing import Any

from .charts import CHARTS, DASHBOARD, dashboards
from .queries import DEFAULT_DAYS, DEFAULT_TURNS, QUERIES, ReadyQuery

# The name of the database in Datasette's addresses. It must differ from the prefix in `mount.py`, `logs`.
DATABASE = "log"
TITLE = "The log of gpt-oss"
# Tables that llm no longer writes, and tables that only programs read. Datasette also hides tables with names
# that begin with one of these.
HIDDEN = (
    "_llm_migrations",
    "conversations",
    "prompt_attachments",
    "prompt_fragments",
    "responses",
    "system_fragments",
    "tool_calls",
    "tool_responses",
    "tool_results",
    "turn_search",
    "gpt_oss_calls",
    "gpt_oss_custom_calls",
    "gpt_oss_items",
    "gpt_oss_migrations",
)
MILLISECONDS = (
    *("duration_ms", "queue_ms", "first_token_ms", "load_ms", "prompt_ms", "completion_ms"),
    *("average_ms", "slow_first_token_ms", "slow_duration_ms"),
)
TABLES: dict[str, dict[str, Any]] = {
    "gpt_oss_turns": {
        "title": "Turns",
        "description": "What was asked and answered, and how it went: a row for each turn.",
        "facets": ["app", "model", "effort"],
        "sort_desc": "turn_id",
        "size": 20,
    },
    "gpt_oss_threads": {
        "title": "Threads",
        "description": "A row for each conversation, with the totals of its turns.",
        "sort_desc": "thread_id",
        "size": 20,
    },
    "gpt_oss_messages": {
        "title": "Messages",
        "description": "What each turn added: its input and its answer, a row for each part.",
        "sort_desc": "turn_id",
    },
    "gpt_oss_tool_calls": {
        "title": "Tool calls",
        "description": "A row for each tool call, with its result.",
        "sort_desc": "turn_id",
    },
    "turns": {
        "description": "LLM's table of turns. gpt_oss_turns is easier to read.",
        "facets": ["model", "resolved_model"],
        "sort_desc": "id",
        "label_column": "id",
        "size": 20,
    },
    "threads": {"description": "LLM's table of conversations.", "sort_desc": "id", "label_column": "name"},
    "messages": {
        "description": "LLM's table of messages. Each refers to the one before it, and is stored once.",
        "label_column": "role",
    },
    "parts": {
        "description": "What messages consist of: text, reasoning, tool calls and tool results.",
        "facets": ["type"],
        "sort_desc": "id",
    },
    "gpt_oss_requests": {
        "title": "Requests",
        "description": "The requests of apps: a row for each turn that the server logged.",
        "facets": ["endpoint", "status", "actor"],
        "sort_desc": "turn_id",
        "size": 20,
    },
    "gpt_oss_request_fields": {
        "description": "Which turns sent which long fields, such as the tools of an agent.",
        "sort_desc": "turn_id",
    },
    "gpt_oss_field_values": {
        "description": "The long fields of requests, each value once.",
        "label_column": "id",
        "size": 10,
    },
    "gpt_oss_conversations": {"description": "The conversations of the API."},
    "gpt_oss_metadata": {"description": "The metadata by which apps find stored chat completions."},
    "tools": {"description": "The tools that prompts of LLM could call.", "label_column": "name"},
    "schemas": {"description": "The JSON schemas of answers.", "label_column": "id"},
}


def metadata() -> dict[str, Any]:
    "Return Datasette's metadata."
    tables = {name: {"units": dict.fromkeys(MILLISECONDS, "ms"), **table} for name, table in TABLES.items()}
    hidden = {name: {"hidden": True} for name in HIDDEN}
    database = {"title": "The log", "tables": {**tables, **hidden}, "queries": _queries()}
    return {
        "title": TITLE,
        "databases": {DATABASE: database},
        "plugins": {"datasette-dashboards": dashboards(DATABASE)},
    }


def _queries() -> dict[str, Any]:
    return {
        query.name: {
            "title": query.title,
            "description_html": _description(query),
            "sql": query.sql,
            "hide_sql": True,
        }
        for query in QUERIES
    }


def _description(query: ReadyQuery) -> str:
    "Return what the page of a query says about it, as HTML."
    sentences = [escape(query.description)]
    if query.takes_a_window:
        sentences.append(
            f"Covers the last {DEFAULT_DAYS} days, and at most the last {DEFAULT_TURNS:,} turns, unless you "
            "type other numbers below."
        )
    for slug, (name, title, _) in CHARTS.items():
        if name == query.name:
            sentences.append(f'<a href="../-/dashboards/{DASHBOARD}/{slug}">Picture: {escape(title)}</a>')
    return " ".join(sentences)
