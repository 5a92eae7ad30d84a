"""A JSON schema made plain, one place at a time: no `allOf` is left to print, no `anyOf`, no known `$ref`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

DEEPEST = 32
LARGEST = 5_000

_STRUCTURE = (
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "items",
    "prefixItems",
)
_ANNOTATIONS = ("title", "description", "examples", "default", "nullable")
_NULL: Schema = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Location:
    "Where in a document we are: the references followed to get here, and how much may still be unfolded."

    document: Any
    followed: tuple[str, ...] = ()
    depth: int = 0
    left: Iterator[int] = field(default_factory=lambda: iter(range(LARGEST)))


def plain(schema: Any, place: Location) -> tuple[Schema, Location]:
    """The schema with references followed, `allOf` merged, unions under `oneOf`; and its children's place.

    A `$ref` stays where following it would never end or leads nowhere. Anything unusable is `{}`.
    """
    # Definitions that use each other twice double at every level: depth alone would not bound the text.
    if place.depth == DEEPEST or next(place.left, None) is None:
        return {}, place
    place = replace(place, depth=place.depth + 1)
    if schema is False:
        return {"type": "never"}, place
    if not isinstance(schema, dict):
        return {}, place
    whole, place = _joined(schema, place)
    variants = sequence(whole.get("oneOf")) or sequence(whole.get("anyOf"))
    if not variants:
        return whole, place
    others = [variant for variant in variants if variant != _NULL]
    if len(others) == 1 < len(variants):
        only = _merged(_among(_STRUCTURE, whole), others[0], _among(_ANNOTATIONS, whole), {"nullable": True})
        return plain(only, place)
    return _union(whole, variants, others), place


def sequence(value: Any) -> list[Any]:
    "The value if it is a list, else an empty one."
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[Any, Any]:
    "The value if it is an object, else an empty one."
    return value if isinstance(value, dict) else {}


def _joined(schema: Schema, place: Location) -> tuple[Schema, Location]:
    "One schema for what `$ref`, `allOf` and the schema itself say. In a conflict, the nearest wins."
    rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    members = sequence(schema.get("allOf"))
    if isinstance(ref := schema.get("$ref"), str):
        target = _target(ref, place)
        if target is None:
            rest["$ref"] = ref
        else:
            members = [target, *members]
            place = replace(place, followed=(*place.followed, ref))
    parts = []
    for member in members:
        part, inside = plain(member, place)
        parts.append(part)
        place = replace(place, followed=inside.followed)
    return _merged(*parts, rest), place


def _target(ref: str, place: Location) -> Any:
    "What the reference points at in its own document; None if that is nothing, or open already."
    if ref in place.followed or not (ref == "#" or ref.startswith("#/")):
        return None
    return reduce(_step, ref.split("/")[1:], place.document)


def _step(node: Any, escaped: str) -> Any:
    key = unquote(escaped).replace("~1", "/").replace("~0", "~")
    if isinstance(node, list):
        return {str(index): child for index, child in enumerate(node)}.get(key)
    return mapping(node).get(key)


def _merged(*parts: Any) -> Schema:
    whole: Schema = {}
    for part in map(mapping, parts):
        for key, value in part.items():
            match key, whole.get(key), value:
                case "properties", dict(before), dict():
                    both = {k: {"allOf": [before[k], v]} for k, v in value.items() if k in before}
                    whole[key] = before | value | both
                case "required", list(before), list():
                    whole[key] = before + value
                case _:
                    whole[key] = value
    return whole


def _union(whole: Schema, variants: list[Any], others: list[Any]) -> Schema:
    "Each variant with what the schema around it says of all of them."
    shared = _among(_STRUCTURE, whole)
    if whole.get("nullable") is True:
        variants = [*others, _NULL]
    each = [_merged(shared, v) if isinstance(v, dict) and v != _NULL else v for v in variants]
    return {**_among(_ANNOTATIONS, whole), "oneOf": each}


def _among(keys: tuple[str, ...], schema: Schema) -> Schema:
    return {key: schema[key] for key in keys if key in schema}
