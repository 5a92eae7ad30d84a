"""JSON schemas as the TypeScript that gpt-oss was shown its tools in.

Line for line as openai/harmony prints it, wherever that keeps what the schema says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .comments import about_items, comment, default, examples, literal, said, trailing
from .schema import Location, Schema, mapping, plain, sequence

_NAMED = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "never": "never",
}


def typescript(schema: Any, indent: str = "") -> str:
    "The type that the schema describes; `any` where it cannot be told. Never raises on what JSON can hold."
    return _type(schema, indent, Location(schema))


def _type(schema: Any, indent: str, place: Location) -> str:
    return _inline(*plain(schema, place), indent)


def _inline(schema: Schema, place: Location, indent: str) -> str:
    "The type of a plain schema."
    return " | ".join(_alternatives(schema, place, indent))


def _alternatives(schema: Schema, place: Location, indent: str) -> list[str]:
    "What stands between the bars of a plain schema's type. A union of several lines counts as one."
    match schema:
        case {"oneOf": [_, *_] as variants}:
            return [_union(variants, place, indent)]
        case {"const": value}:
            alternatives = [literal(value)]
        case {"enum": [_, *_] as values}:
            alternatives = [literal(value) for value in values]
        case _:
            alternatives = [_of_kind(kind, schema, place, indent) for kind in _kinds(schema)]
    if schema.get("nullable") is True:
        alternatives.append("null")
    return list(dict.fromkeys(alternatives))


def _kinds(schema: Schema) -> list[Any]:
    "The names under `type`; where it is missing, the one that the other keywords are about."
    match schema:
        case {"type": [_, *_] as kinds}:
            return list(kinds)
        case {"type": kind}:
            return [kind]
        case {"properties": _} | {"patternProperties": _} | {"additionalProperties": dict()}:
            return ["object"]
        case {"items": _} | {"prefixItems": _}:
            return ["array"]
        case _:
            return [None]


def _of_kind(kind: Any, schema: Schema, place: Location, indent: str) -> str:
    match kind, schema.get("$ref"):
        case "object", _:
            return _object(schema, place, indent)
        case "array", _:
            return _array(schema, place, indent)
        case str(), _:
            return _NAMED.get(kind, "any")
        case None, str(ref) if (name := ref.rpartition("/")[2]).isidentifier():
            return name
        case _:
            return "any"


def _object(schema: Schema, place: Location, indent: str) -> str:
    required = [name for name in sequence(schema.get("required")) if isinstance(name, str)]
    properties = dict(mapping(schema.get("properties")))
    properties |= {name: True for name in required if name not in properties}
    lines = [_property(key, value, key in required, place, indent) for key, value in properties.items()]
    others = [_type(value, f"{indent}    ", place) for value in _other_properties(schema)]
    about = comment(said(schema, "description"), indent)
    if others and not lines:
        return f"{about}{{{', '.join(f'[key: string]: {other}' for other in others)}}}"
    lines += [f"{indent}[key: string]: {other},\n" for other in others]
    return f"{about}{{\n{''.join(lines)}{indent}}}"


def _other_properties(schema: Schema) -> Iterator[Any]:
    "Schemas of properties without a name. To allow any next to named ones says nothing: it is the default."
    yield from mapping(schema.get("patternProperties")).values()
    match schema.get("additionalProperties"):
        case dict(extra) if extra:
            yield extra
        case dict() | True if not schema.get("properties"):
            yield True


def _property(key: Any, value: Any, required: bool, place: Location, indent: str) -> str:
    schema, place = plain(value, place)
    name = f"{_name(str(key))}{'' if required else '?'}"
    title = comment(said(schema, "title"), indent)
    title += f"{indent}//\n" if title else ""
    about = said(schema, "description")
    described = comment(about, indent) + comment(about_items(schema), indent)
    match schema:
        case {"oneOf": [_, *_] as variants}:
            above = f"{title}{examples(schema, indent)}{described}{comment(default(schema), indent)}"
            lines = "\n".join(f"{line}{note}" for line, note in _variants(variants, place, indent, about))
            return f"{above}{indent}{name}:\n{lines}\n{indent},\n"
        case _:
            above = f"{title}{described}{examples(schema, indent)}"
            type_ = _inline(schema, place, f"{indent}    ")
            return f"{above}{indent}{name}: {type_},{trailing(default(schema))}\n"


def _union(variants: list[Any], place: Location, indent: str) -> str:
    lines = list(_variants(variants, place, indent, ""))
    # What follows on the same line would belong to the last comment.
    end = f"\n{indent}" if lines[-1][1] else ""
    return "".join(f"\n{line}{note}" for line, note in lines) + end


def _variants(variants: list[Any], place: Location, indent: str, known: str) -> Iterator[tuple[str, str]]:
    "A line for each variant, and the comment that ends it; a description that is `known` is not repeated."
    for variant in variants:
        schema, inside = plain(variant, place)
        about = said(schema, "description")
        notes = (about if about != known else "", default(schema))
        type_ = _inline(schema, inside, f"{indent}   ")
        yield f"{indent} | {type_}", trailing(" ".join(filter(None, notes)))


def _array(schema: Schema, place: Location, indent: str) -> str:
    items = schema.get("items")
    members = sequence(schema.get("prefixItems")) or sequence(items)
    if members:
        types = [_type(member, indent, place) for member in members]
        more = [f"...{_array_of(items, place, indent)}"] if isinstance(items, dict) else []
        return f"[{', '.join(types + more)}]"
    if isinstance(items, dict) or items is True:
        return _array_of(items, place, indent)
    return "Array<any>"


def _array_of(items: Any, place: Location, indent: str) -> str:
    alternatives = _alternatives(*plain(items, place), indent)
    type_ = " | ".join(alternatives)
    single = len(alternatives) == 1 and not type_.startswith("\n")
    return f"{type_}[]" if single else f"({type_})[]"


def _name(key: str) -> str:
    return key if key.replace("$", "_").isidentifier() else literal(key)
