"""The charts of ready queries, which datasette-dashboards shows on `/logs/-/dashboards/log`.

Use only Vega-Lite charts: datasette-dashboards shows the results of its other kinds of charts as raw HTML,
which is unsafe for texts of the log.
"""

from __future__ import annotations

from typing import Any

from .queries import DEFAULT_DAYS, DEFAULT_TURNS, QUERIES

DASHBOARD = "log"
# The version of Vega-Lite that datasette-dashboards has. Nothing is loaded from this address.
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# The height of charts with a bar for each row, in pixels. Without one, Vega-Lite logs a warning.
ROWS_HEIGHT = 260
DAY = {"field": "day", "type": "ordinal", "title": "day"}
TIME = {"field": "datetime_utc", "type": "temporal", "title": "time"}


def _quantity(field: str, title: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title, **more}


def _colour(field: str, title: str) -> dict[str, Any]:
    # People with any kind of colour vision can tell these colours apart, in light and dark mode.
    return {"field": field, "type": "nominal", "title": title, "scale": {"scheme": "tableau10"}}


# Slug to the name of the query, the title of its chart, and its Vega-Lite.
CHARTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tokens-a-day": (
        "tokens",
        "Tokens generated a day, by model and effort",
        {
            "mark": {"type": "bar", "tooltip": True},
            "encoding": {
                "x": DAY,
                "y": _quantity("output_tokens", "tokens", stack="zero"),
                "color": _colour("series", "model"),
            },
        },
    ),
    "problems-a-day": (
        "problems",
        "Failures, repairs and truncations a day",
        {
            "mark": {"type": "bar", "tooltip": True},
            "encoding": {
                "x": DAY,
                "y": _quantity("turns", "turns", stack="zero"),
                "color": _colour("problem", "problem"),
            },
        },
    ),
    "speed-over-time": (
        "speed",
        "Tokens a second",
        {
            "mark": {"type": "point", "filled": True, "tooltip": True},
            "encoding": {
                "x": TIME,
                "y": _quantity("tokens_per_second", "tokens a second"),
                "color": _colour("effort", "effort"),
            },
        },
    ),
    "first-token-over-time": (
        "speed",
        "Time to the first token",
        {
            "mark": {"type": "point", "filled": True, "tooltip": True},
            "encoding": {
                "x": TIME,
                "y": _quantity("first_token_ms", "ms", scale={"type": "symlog", "constant": 100}),
                "color": _colour("effort", "effort"),
            },
        },
    ),
    "speed-by-effort": (
        "effort",
        "Tokens a second by effort (median)",
        {
            "height": ROWS_HEIGHT,
            "mark": {"type": "bar", "tooltip": True},
            "encoding": {
                "x": _quantity("tokens_per_second", "tokens a second"),
                "y": {"field": "effort", "type": "nominal", "title": "effort"},
                "color": _colour("model", "model"),
                "yOffset": {"field": "model"},
            },
        },
    ),
    "contexts": (
        "contexts",
        "What fills the longest contexts (estimated tokens)",
        {
            "height": ROWS_HEIGHT,
            "transform": [{"calculate": "datum.app + ' …' + slice(datum.turn_id, -4)", "as": "label"}],
            "mark": {"type": "bar", "tooltip": {"content": "data"}},
            "encoding": {
                "x": _quantity("estimated_tokens", "tokens", stack="zero"),
                "y": {
                    "field": "label",
                    "type": "nominal",
                    "title": "app, and end of the turn's id",
                    "sort": {"field": "input_tokens", "order": "descending"},
                },
                "color": _colour("kind", "part"),
            },
        },
    ),
    "apps": (
        "apps",
        "Tokens by app",
        {
            "height": ROWS_HEIGHT,
            "transform": [{"calculate": "datum.actor || 'none'", "as": "key"}],
            "mark": {"type": "bar", "tooltip": True},
            "encoding": {
                "x": _quantity("output_tokens", "tokens generated", stack="zero"),
                "y": {"field": "app", "type": "nominal", "title": "app", "sort": "-x"},
                "color": _colour("key", "key"),
            },
        },
    ),
    "cache": (
        "cache",
        "Share of prompts from the cache, where the engine reports it",
        {
            "mark": {"type": "line", "point": True, "tooltip": True},
            "encoding": {
                "x": DAY,
                "y": _quantity("cached_percent", "percent", scale={"domain": [0, 100]}),
                "color": _colour("app", "app"),
            },
        },
    ),
}


def dashboards(database: str) -> dict[str, Any]:
    "Return the configuration of datasette-dashboards."
    sql = {query.name: query.sql for query in QUERIES}
    return {
        DASHBOARD: {
            "title": "The log in pictures",
            "description": f"The last {DEFAULT_DAYS} days, up to the last {DEFAULT_TURNS:,} turns. Pictures "
            "link to their numbers.",
            # Without defaults: with them datasette-dashboards sets all cookies of the browser again.
            "filters": {
                "days": {"name": f"Days ({DEFAULT_DAYS} if empty)", "type": "number", "min": 1},
                "turns": {"name": f"Turns ({DEFAULT_TURNS} if empty)", "type": "number", "min": 1},
            },
            "charts": {
                slug: {
                    "title": title,
                    "db": database,
                    "query": sql[query],
                    "library": "vega-lite",
                    "display": {"$schema": SCHEMA, **display},
                }
                for slug, (query, title, display) in CHARTS.items()
            },
        }
    }
