"""What an endpoint does with each field of a request, and the translation of fields with other names.

A table has rows for OpenAI's fields and for those that other servers add to its API. `tools.cache_control`
is the field `cache_control` of each object in the list `tools`. The documentation is generated from these
tables.

A field that is in no table is unknown. Bodies are read with it, and `unknown_fields` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from .errors import ApiError

Decision = Literal["honoured", "translated", "no effect", "refused"]
# The names that lead to a field, without the positions in lists.
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestField:
    """A row of a table. Use `honoured`, `translated`, `no_effect` or `refused` to make one.

    `note` is for the documentation, and the reason in the error about a refused field. `target` is the field
    that a translated one becomes, such as `reasoning.effort`. `convert` makes the target's value; it returns
    None for a value that requests nothing, and raises ValueError for one that it cannot read. A refused field
    may have one of the `neutral` values, which have no effect.
    """

    decision: Decision
    note: str = ""
    target: str | None = None
    convert: Callable[[Any], Any] | None = None
    neutral: tuple[Any, ...] = ()


class FieldTable(dict[str, RequestField]):
    "The rows of an endpoint, by the names of the fields."

    @cached_property
    def by_names(self) -> Mapping[Names, RequestField]:
        return {names_of(name): field for name, field in self.items()}

    @cached_property
    def objects(self) -> frozenset[Names]:
        "The objects that have fields in this table, such as `options` for a row `options.seed`."
        return frozenset(names[:end] for names in self.by_names for end in range(1, len(names)))

    @cached_property
    def conversions(self) -> Mapping[Names, RequestField]:
        return {names: field for names, field in self.by_names.items() if field.target or field.convert}


def honoured(note: str = "", convert: Callable[[Any], Any] | None = None) -> RequestField:
    "`convert` makes OpenAI's form of a value that has another form."
    return RequestField("honoured", note, convert=convert)


def translated(target: str, convert: Callable[[Any], Any] | None = None, note: str = "") -> RequestField:
    return RequestField("translated", note, target, convert)


def no_effect(note: str = "") -> RequestField:
    return RequestField("no effect", note)


def refused(reason: str, *neutral: Any) -> RequestField:
    return RequestField("refused", reason, neutral=neutral)


class Translation(NamedTuple):
    """A body in OpenAI's words.

    `sources` maps each field that a translation set to the one that the client sent. `overruled` are the
    fields that were left out, because the body has another value for the same thing.
    """

    body: Any
    sources: Mapping[Names, Names]
    overruled: Sequence[Names] = ()


def translate(body: Any, table: FieldTable) -> Translation:
    """Translate the fields of a body.

    A field that the client sent itself is never replaced. Of several fields that become the same one, the
    first in the table counts. Raises ApiError for a value that cannot be translated.
    """
    sources: dict[Names, Names] = {}
    overruled: list[Names] = []
    if not isinstance(body, dict):
        return Translation(body, sources)
    for names, field in table.conversions.items():
        value = _get(body, names) if names[0] in body else None
        if value is None:
            continue
        try:
            converted = field.convert(value) if field.convert else value
        except ValueError as problem:
            name = ".".join(names)
            message = f"Invalid value for '{name}': {problem}."
            raise ApiError(400, message, code="invalid_value", param=name) from None
        if field.target is None:
            # A list whose entries are the same is equal at once, whatever they hold.
            body = body if converted == value else _with(body, names, converted)
            continue
        body = _without(body, names)
        target = names_of(field.target)
        present = _get(body, target)
        if converted is None or not _can_hold(body, target):
            continue
        if present is None:
            body = _with(body, target, converted)
            sources[target] = names
        elif present != converted:
            overruled.append(names)
    return Translation(body, sources, overruled)


def names_of(name: str) -> Names:
    return tuple(name.split("."))


def _get(value: Any, names: Names) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _can_hold(value: Any, names: Names) -> bool:
    "Whether a field can be set: what should be an object may be something else, which validation reports."
    return all(isinstance(_get(value, names[:end]) or {}, dict) for end in range(1, len(names)))


def _with(body: Mapping[str, Any], names: Names, value: Any) -> dict[str, Any]:
    name, *inner = names
    return {**body, name: _with(body.get(name) or {}, tuple(inner), value) if inner else value}


def _without(body: Mapping[str, Any], names: Names) -> dict[str, Any]:
    "Return the body without a field, and without the object that held it if nothing else is left in that."
    name, *inner = names
    rest = {key: value for key, value in body.items() if key != name}
    left = _without(body[name], tuple(inner)) if inner else None
    return {**rest, name: left} if left else rest
