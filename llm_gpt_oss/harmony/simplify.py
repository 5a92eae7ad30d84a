"""Simplify JSON schemas before they are printed as TypeScript.

`simplify` follows `$ref`, merges `allOf` and turns `anyOf` into `oneOf`, one level of the schema at a time.
It never copies a part to several places, so the types are about as long as the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .schema import Document, Schema, mapping, sequence, type_names

_NARROWING = ("enum", "properties", "required", "patternProperties", "items", "prefixItems")
_STRUCTURE = ("type", "const", "additionalProperties", *_NARROWING)
_ANNOTATIONS = ("title", "description", "examples", "default", "nullable")
_NULL: Schema = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Location:
    """A position in a schema document.

    `depth` is the number of levels above it. `declaring` is the schema whose declaration begins here, if any.
    """

    document: Document
    depth: int = 0
    declaring: Schema | None = None


def simplify(schema: Any, location: Location) -> tuple[Schema, Location]:
    """Return one level of the schema without `anyOf` and `$ref`, and the location of its children.

    In the result, `allOf` lists the named schemas that also apply. If the result has `oneOf` and other
    keywords that are not annotations, both apply. A schema that cannot be used becomes `{}`.
    """
    below = Location(location.document, location.depth + 1)
    if schema is False:
        return {"type": "never"}, below
    if not isinstance(schema, dict):
        return {}, below
    if location.document.is_named(schema):
        if schema is not location.declaring:
            return {"allOf": [schema]}, below
        if location.depth:  # the declaration of A must not be A
            return {}, below
    if location.depth >= location.document.max_depth:
        return {}, below
    merged = _resolve(schema, Location(location.document, location.depth + 1, location.declaring))
    variants = sequence(merged.get("oneOf")) or sequence(merged.get("anyOf"))
    if not variants:
        return merged, below
    others = [variant for variant in variants if variant != _NULL]
    if len(others) == 1 < len(variants):
        members = [*sequence(merged.get("allOf")), _pick(_STRUCTURE, merged), others[0]]
        return simplify({**_pick(_ANNOTATIONS, merged), "allOf": members, "nullable": True}, below)
    return _union(merged, variants, others), below


def narrows(schema: Schema) -> bool:
    "Whether a simplified schema says more than its type, its `oneOf` and its `allOf`."
    has_keyword = "const" in schema or any(schema.get(key) for key in _NARROWING)
    return has_keyword or bool(mapping(schema.get("additionalProperties")))


def _resolve(schema: Schema, location: Location) -> Schema:
    "Merge the target of `$ref`, the members of `allOf` and the schema itself. In a conflict, the last wins."
    if "$ref" not in schema and "allOf" not in schema:
        return schema
    own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    members = sequence(schema.get("allOf"))
    if isinstance(reference := schema.get("$ref"), str):
        members = [_target(reference, location), *members]
    return _merge(*(simplify(member, location)[0] for member in members), own)


def _target(reference: str, location: Location) -> Any:
    "Return the target of a reference. If it is nested deeply, give it a name, which is printed instead."
    target = location.document.target(reference)
    if isinstance(target, dict) and 2 * location.depth > location.document.max_depth:
        location.document.name(target)
    return target


def _merge(*parts: Schema) -> Schema:
    """Merge schemas that all apply.

    `properties`, `required` and `allOf` are combined. For any other keyword, the last value wins.
    """
    merged: Schema = {}
    lists: dict[str, list[Any]] = {}
    properties: dict[str, list[Any]] = {}
    for part in parts:
        for key, value in part.items():
            match key, value:
                case "properties", dict():
                    for name, property_ in value.items():
                        properties.setdefault(name, []).append(property_)
                    merged[key] = {}
                case (("required" | "allOf"), list()):
                    lists.setdefault(key, []).extend(value)
                    merged[key] = lists[key]
                case _:
                    merged[key] = value
    if merged.get("properties") == {}:
        merged["properties"] = {
            name: schemas[0] if len(schemas) == 1 else {"allOf": schemas}
            for name, schemas in properties.items()
        }
    return merged


def _union(schema: Schema, variants: list[Any], others: list[Any]) -> Schema:
    "Return a `oneOf` whose variants have the type beside the union."
    rest = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
    is_alone = not narrows(rest) and not rest.get("allOf")
    if is_alone and schema.get("nullable") is True:
        variants = [*others, _NULL]
    if (names := type_names(rest)) != [None]:
        shared = {"type": names}
        variants = [{"allOf": [shared, v]} if isinstance(v, dict) and v != _NULL else v for v in variants]
    return {**(_pick(_ANNOTATIONS, rest) if is_alone else rest), "oneOf": variants}


def _pick(keys: tuple[str, ...], schema: Schema) -> Schema:
    return {key: schema[key] for key in keys if key in schema}
