"""Simplify JSON schemas before they are printed as TypeScript.

`simplify` follows `$ref`, merges `allOf` and turns `anyOf` into `oneOf`, one level of the schema at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

MAX_DEPTH = 32
MAX_SCHEMAS = 5_000

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
    """A position in a schema document, and the limits that keep the output finite.

    `references` are the `$ref`s that were followed to get here, `depth` is the number of levels above.
    `budget` has an item for each schema that may still be simplified. All locations of a document share it.
    """

    document: Any
    references: tuple[str, ...] = ()
    depth: int = 0
    budget: Iterator[int] = field(default_factory=lambda: iter(range(MAX_SCHEMAS)))


def simplify(schema: Any, location: Location) -> tuple[Schema, Location]:
    """Return one level of the schema without `allOf`, `anyOf` and `$ref`, and the location of its children.

    A `$ref` that is recursive or has no target stays. A schema that cannot be used becomes `{}`.
    """
    # Definitions that use each other twice double at every level: a limit of the depth is not enough.
    if location.depth == MAX_DEPTH or next(location.budget, None) is None:
        return {}, location
    location = replace(location, depth=location.depth + 1)
    if schema is False:
        return {"type": "never"}, location
    if not isinstance(schema, dict):
        return {}, location
    merged, location = _resolve(schema, location)
    variants = sequence(merged.get("oneOf")) or sequence(merged.get("anyOf"))
    if not variants:
        return merged, location
    others = [variant for variant in variants if variant != _NULL]
    if len(others) == 1 < len(variants):
        only = _merge(_pick(_STRUCTURE, merged), others[0], _pick(_ANNOTATIONS, merged), {"nullable": True})
        return simplify(only, location)
    return _union(merged, variants, others), location


def sequence(value: Any) -> list[Any]:
    "Return the value if it is a list, else an empty list."
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[Any, Any]:
    "Return the value if it is an object, else an empty one."
    return value if isinstance(value, dict) else {}


def _resolve(schema: Schema, location: Location) -> tuple[Schema, Location]:
    "Merge the target of `$ref`, the members of `allOf` and the schema itself. In a conflict, the last wins."
    own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    members = sequence(schema.get("allOf"))
    if isinstance(ref := schema.get("$ref"), str):
        target = _target(ref, location)
        if target is None:
            own["$ref"] = ref
        else:
            members = [target, *members]
            location = replace(location, references=(*location.references, ref))
    parts = []
    for member in members:
        part, inner = simplify(member, location)
        parts.append(part)
        location = replace(location, references=inner.references)
    return _merge(*parts, own), location


def _target(ref: str, location: Location) -> Any:
    "Return the target of a reference into the same document. None if there is none, or if it is recursive."
    if ref in location.references or not (ref == "#" or ref.startswith("#/")):
        return None
    return reduce(_child, ref.split("/")[1:], location.document)


def _child(node: Any, escaped: str) -> Any:
    """Return the child that one segment of a JSON pointer selects, or None if there is none.

    The segment is escaped as in a URI fragment.
    """
    key = unquote(escaped).replace("~1", "/").replace("~0", "~")
    if isinstance(node, list):
        return {str(index): child for index, child in enumerate(node)}.get(key)
    return mapping(node).get(key)


def _merge(*parts: Any) -> Schema:
    """Merge schemas that all apply.

    `properties` and `required` are combined. Of any other keyword the last one wins.
    """
    merged: Schema = {}
    for part in map(mapping, parts):
        for key, value in part.items():
            match key, merged.get(key), value:
                case "properties", dict(before), dict():
                    both = {k: {"allOf": [before[k], v]} for k, v in value.items() if k in before}
                    merged[key] = before | value | both
                case "required", list(before), list():
                    merged[key] = before + value
                case _:
                    merged[key] = value
    return merged


def _union(schema: Schema, variants: list[Any], others: list[Any]) -> Schema:
    "Return a `oneOf` in which each variant contains the keywords beside the union."
    shared = _pick(_STRUCTURE, schema)
    if schema.get("nullable") is True:
        variants = [*others, _NULL]
    merged = [_merge(shared, v) if isinstance(v, dict) and v != _NULL else v for v in variants]
    return {**_pick(_ANNOTATIONS, schema), "oneOf": merged}


def _pick(keys: tuple[str, ...], schema: Schema) -> Schema:
    return {key: schema[key] for key in keys if key in schema}
