"Times in the past, as people type them: `12h`, `30d`, `2026-01-31`."

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


def past_time(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    "The callback of an option. Raises BadParameter for a text that is neither a duration nor a date."
    if value is None:
        return None
    try:
        if duration := re.fullmatch(r"(\d+)([hdwy])", value):
            return datetime.now().astimezone() - int(duration[1]) * UNITS[duration[2]]
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is neither a time such as 12h, 30d, 8w, 1y nor a date such as 2026-01-31"
        ) from None
