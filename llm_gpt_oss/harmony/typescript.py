"""Print JSON schemas as TypeScript types, the form in which gpt-oss was trained to see its tools.

The output is openai/harmony's, line by line, except where that would lose a part of the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .comments import (
    comment,
    default_text,
    examples_comment,
    items_description,
    literal,
    text_at,
    trailing_comment,
)
from .schema import Location, Schema, mapping, sequence, simplify

_PRIMITIVES = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "never": "never",
}


def typescript(schema: Any, indent: str = "") -> str:
    "Return the type that the schema describes, `any` if it is unknown. Never raises for a JSON value."
    return _type(schema, indent, Location(schema))


def _type(schema: Any, indent: str, location: Location) -> str:
    return _simplified_type(*simplify(schema, location), indent)


def _simplified_type(schema: Schema, location: Location, indent: str) -> str:
    return " | ".join(_alternatives(schema, location, indent))


def _alternatives(schema: Schema, location: Location, indent: str) -> list[str]:
    "Return the members of a simplified schema's union type. A `oneOf` counts as one member of several lines."
    match schema:
        case {"oneOf": [_, *_] as variants}:
            return [_union(variants, location, indent)]
        case {"const": value}:
            alternatives = [literal(value)]
        case {"enum": [_, *_] as values}:
            alternatives = [literal(value) for value in values]
        case _:
            alternatives = [_named_type(name, schema, location, indent) for name in _type_names(schema)]
    if schema.get("nullable") is True:
        alternatives.append("null")
    return list(dict.fromkeys(alternatives))


def _type_names(schema: Schema) -> list[Any]:
    "Return the names under `type`. If it is missing, other keywords imply the name."
    match schema:
        case {"type": [_, *_] as names}:
            return list(names)
        case {"type": name}:
            return [name]
        case {"properties": _} | {"patternProperties": _} | {"additionalProperties": dict()}:
            return ["object"]
        case {"items": _} | {"prefixItems": _}:
            return ["array"]
        case _:
            return [None]


def _named_type(name: Any, schema: Schema, location: Location, indent: str) -> str:
    match name, schema.get("$ref"):
        case "object", _:
            return _object(schema, location, indent)
        case "array", _:
            return _array(schema, location, indent)
        case str(), _:
            return _PRIMITIVES.get(name, "any")
        case None, str(ref) if (target := ref.rpartition("/")[2]).isidentifier():
            return target
        case _:
            return "any"


def _object(schema: Schema, location: Location, indent: str) -> str:
    required = [name for name in sequence(schema.get("required")) if isinstance(name, str)]
    properties = dict(mapping(schema.get("properties")))
    properties |= {name: True for name in required if name not in properties}
    lines = [_property(key, value, key in required, location, indent) for key, value in properties.items()]
    others = [_type(value, f"{indent}    ", location) for value in _unnamed_properties(schema)]
    description = comment(text_at(schema, "description"), indent)
    if others and not lines:
        return f"{description}{{{', '.join(f'[key: string]: {other}' for other in others)}}}"
    lines += [f"{indent}[key: string]: {other},\n" for other in others]
    return f"{description}{{\n{''.join(lines)}{indent}}}"


def _unnamed_properties(schema: Schema) -> Iterator[Any]:
    """Yield the schemas of `patternProperties` and `additionalProperties`.

    Additional properties of any type are the default, so they are only shown if no property has a name.
    """
    yield from mapping(schema.get("patternProperties")).values()
    match schema.get("additionalProperties"):
        case dict(extra) if extra:
            yield extra
        case dict() | True if not schema.get("properties"):
            yield True


def _property(key: Any, value: Any, required: bool, location: Location, indent: str) -> str:
    schema, location = simplify(value, location)
    name = f"{_property_name(str(key))}{'' if required else '?'}"
    title = comment(text_at(schema, "title"), indent)
    title += f"{indent}//\n" if title else ""
    text = text_at(schema, "description")
    description = comment(text, indent) + comment(items_description(schema), indent)
    examples, default = examples_comment(schema, indent), default_text(schema)
    match schema:
        case {"oneOf": [_, *_] as variants}:
            lines = "\n".join(f"{line}{note}" for line, note in _variants(variants, location, indent, text))
            above = f"{title}{examples}{description}{comment(default, indent)}"
            return f"{above}{indent}{name}:\n{lines}\n{indent},\n"
        case _:
            type_ = _simplified_type(schema, location, f"{indent}    ")
            return f"{title}{description}{examples}{indent}{name}: {type_},{trailing_comment(default)}\n"


def _union(variants: list[Any], location: Location, indent: str) -> str:
    lines = list(_variants(variants, location, indent, ""))
    # Text on the same line would become part of the last comment.
    end = f"\n{indent}" if lines[-1][1] else ""
    return "".join(f"\n{line}{note}" for line, note in lines) + end


def _variants(
    variants: list[Any], location: Location, indent: str, shown_description: str
) -> Iterator[tuple[str, str]]:
    """Yield a line and its trailing comment for each variant of a union.

    The comment does not repeat `shown_description`, the description above the union.
    """
    for variant in variants:
        schema, inner = simplify(variant, location)
        description = text_at(schema, "description")
        notes = (description if description != shown_description else "", default_text(schema))
        type_ = _simplified_type(schema, inner, f"{indent}   ")
        yield f"{indent} | {type_}", trailing_comment(" ".join(filter(None, notes)))


def _array(schema: Schema, location: Location, indent: str) -> str:
    items = schema.get("items")
    members = sequence(schema.get("prefixItems")) or sequence(items)
    if members:
        types = [_type(member, indent, location) for member in members]
        rest = [f"...{_array_of(items, location, indent)}"] if isinstance(items, dict) else []
        return f"[{', '.join(types + rest)}]"
    if isinstance(items, dict) or items is True:
        return _array_of(items, location, indent)
    return "Array<any>"


def _array_of(items: Any, location: Location, indent: str) -> str:
    alternatives = _alternatives(*simplify(items, location), indent)
    type_ = " | ".join(alternatives)
    is_single = len(alternatives) == 1 and not type_.startswith("\n")
    return f"{type_}[]" if is_single else f"({type_})[]"


def _property_name(key: str) -> str:
    return key if key.replace("$", "_").isidentifier() else literal(key)
