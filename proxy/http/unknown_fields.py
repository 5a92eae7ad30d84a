"""Finds the fields of a body that its model does not have, and decides on each by the endpoint's table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .body_model import Body, LenientBody
from .errors import ApiError
from .field_table import FieldTable
from .validation_errors import Step, path_text

Path = tuple[Step, ...]

# How many unknown fields are named, and the length up to which each path is.
MAX_NAMED = 20
MAX_PATH = 100


def unknown_fields(body: Body) -> tuple[str, ...]:
    """Return the paths of the fields that this server does not know, such as `tools[0].function.colour`.

    A field that is null counts as not sent. If there are too many to name, the last entry is `...`. Raises
    ApiError for a field that the table of the body's endpoint refuses.
    """
    paths = [
        path_text(unknown)[:MAX_PATH]
        for path, value in _extra_fields(body)
        for unknown in _undecided(path, value, body.FIELDS)
    ]
    return tuple(paths if len(paths) <= MAX_NAMED else [*paths[:MAX_NAMED], "..."])


def unknown_parameter(path: str) -> ApiError:
    return ApiError(400, f"Unknown parameter: '{path}'.", code="unknown_parameter", param=path)


def unsupported_parameter(name: str, reason: str) -> ApiError:
    message = f"'{name}' is not supported here: {reason}."
    return ApiError(400, message, code="unsupported_parameter", param=name)


def _extra_fields(body: Body, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    "Yield the fields that the models of a body do not have. Parts of the history ignore theirs."
    for name, value in (body.__pydantic_extra__ or {}).items():
        yield (*path, name), value
    for name, value in vars(body).items():
        values = value if isinstance(value, list) else (value,)
        # Only the types are looked at, because a history may have thousands of entries.
        if not any(map(_keeps_extra_fields, {*map(type, values)})):
            continue
        alias = type(body).model_fields[name].alias or name
        for index, inner in enumerate(values):
            if _keeps_extra_fields(inner.__class__):
                yield from _extra_fields(inner, (*path, alias, index) if values is value else (*path, alias))


@cache
def _keeps_extra_fields(cls: type) -> bool:
    return issubclass(cls, Body) and not issubclass(cls, LenientBody)


def _undecided(path: Path, value: Any, table: FieldTable) -> Iterator[Path]:
    "Yield the path if the table has no row for it, or the paths in it if it is an object with rows."
    names = tuple(step for step in path if isinstance(step, str))
    field = table.by_names.get(names)
    if value is None:
        return
    if field is None and names in table.objects and isinstance(value, dict):
        for name, inner in value.items():
            yield from _undecided((*path, name), inner, table)
    elif field is None:
        yield path
    elif field.decision == "refused" and value not in field.neutral:
        raise unsupported_parameter(path_text(path), field.note)
