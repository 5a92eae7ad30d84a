"""Checks the values of a line that pages and views of the log use.

SQLite accepts any value. A single text in place of a number, or a date after the year 9999, would make a page
or a view fail for all turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _check_time(text: str) -> str:
    # Python has no dates after 9999, and conversion to local time may add a day.
    if not 1970 <= datetime.fromisoformat(text).year < 9999:
        raise ValueError("it is not a date from 1970 to 9998")
    return text


# Numbers that JavaScript and SQLite can represent.
Count = Annotated[int, Field(ge=0, le=2**53)]
Id = Annotated[str, Field(pattern="^[0-9A-Za-z_.:-]{1,64}$")]
Time = Annotated[str, AfterValidator(_check_time)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Thread(_Strict):
    id: Id
    name: str | None
    forked_from: str | None


class _Request(_Strict):
    endpoint: str
    actor: str | None
    client: str | None
    status: Count
    error: str | None
    finish_reason: str | None
    queue_ms: Count | None
    first_token_ms: Count | None
    model: str | None


class _Usage(_Strict):
    input: Count | None = None
    output: Count | None = None
    details: dict[str, Any] | None = None


class _Response(_Strict):
    id: Id
    model: str
    usage: _Usage | None = None
    datetime_utc: Time


class _Note(_Strict):
    kind: str
    text: str | None = None
    raw: str | None = None


class _Outcome(_Strict):
    notes: list[_Note] = []


class _ResponseJson(_Strict):
    outcome: _Outcome | None = None


class _Line(_Strict):
    thread: _Thread
    request: _Request | None
    response: _Response
    duration_ms: Count
    response_json: _ResponseJson | None


def check_turn(line: Mapping[str, Any]) -> None:
    "Raises ValidationError for a value of the wrong type, and for a number or date that is impossible."
    _Line.model_validate(line)
