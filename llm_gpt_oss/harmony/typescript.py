"""Print JSON schemas as TypeScript types, the form in which gpt-oss was trained to see its tools.

The output is the same as openai/harmony's, line by line, unless that would lose a part of the schema or would
not be valid TypeScript. `docs/rendering.md` lists the differences.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from .comments import (
    comment,
    default_text,
    examples_comment,
    literal,
    text_at,
    title_comment,
    trailing_comment,
)
from .schema import MAX_DEPTH, NO_NUMBERS, RESERVED_NAMES, Document, Schema, mapping, sequence, type_names
from .simplify import Location, narrows, simplify

# Types are at most this many times as long as their schema as JSON.
MAX_GROWTH = 3

_PRIMITIVES = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "never": "never",
}


class Types(NamedTuple):
    "The type of a schema, the declarations of the types that it uses by name, and `Document.numbers`."

    type: str
    declarations: dict[str, str]
    numbers: Mapping[str, int]


class _Type(NamedTuple):
    "A type, the operator that joins its parts (`|`, `&` or none), and whether `null` is one of them."

    text: str
    operator: str = ""
    allows_null: bool = False

    def operand(self, operators: str) -> str:
        "Return the text, in parentheses if its operator is one of these."
        return f"({self.text})" if self.operator and self.operator in operators else self.text


def typescript(
    schema: Any, taken: Container[str] = RESERVED_NAMES, numbers: Mapping[str, int] = NO_NUMBERS
) -> Types:
    """Return the type that the schema describes, `any` if it is unknown. Never raises for a JSON value.

    No declared type has a name that is in `taken`. `numbers` are those of `Document`. All texts together are
    at most MAX_GROWTH times as long as the schema as JSON. To achieve this, deeply nested schemas become
    `any`.
    """
    depth = MAX_DEPTH
    while depth:
        document = Document(schema, taken, depth, numbers)
        type_ = _type(document.root, Location(document), "").text
        declarations = {document.name(each): _declaration(each, document) for each in document.declared}
        if len(type_) + sum(map(len, declarations.values())) <= MAX_GROWTH * document.length:
            return Types(type_, declarations, document.numbers)
        depth //= 2
    return Types("any", {}, NO_NUMBERS)


def _declaration(schema: Schema, document: Document) -> str:
    name = document.name(schema)
    simple, location = simplify(schema, Location(document, declaring=schema))
    title = "" if simple.get("title") == name else title_comment(simple, "")
    description = comment(text_at(simple, "description"))
    above = f"{title}{description}{examples_comment(simple, '')}{comment(default_text(simple))}"
    type_ = _simplified_type(_undescribed(simple), location, "").text
    # A union begins on the next line.
    space = "" if type_.startswith("\n") else " "
    return f"{above}type {name} ={space}{type_};"


def _type(schema: Any, location: Location, indent: str) -> _Type:
    return _simplified_type(*simplify(schema, location), indent)


def _simplified_type(schema: Schema, location: Location, indent: str) -> _Type:
    "Return the type of a simplified schema. If several parts of it apply, it is their intersection."
    operands = [_Type(location.document.name(each)) for each in sequence(schema.get("allOf"))]
    variants = sequence(schema.get("oneOf"))
    if _has_own_type(schema):
        operands.append(_alternatives(schema, location, indent))
    # If a union is all there is, `nullable` is one of its variants.
    is_nullable = schema.get("nullable") is True and bool(operands)
    if variants:
        operands.append(_Type(_union(variants, location, indent), "|"))
    texts = list(dict.fromkeys(each.operand("|") for each in operands))
    type_ = operands[0] if len(texts) == 1 else _Type(" & ".join(texts), "&")
    return _Type(f"{type_.text} | null", "|") if is_nullable and not type_.allows_null else type_


def _alternatives(schema: Schema, location: Location, indent: str) -> _Type:
    "Return the type that a simplified schema describes without its `oneOf` and `allOf`."
    match schema:
        case {"const": value}:
            alternatives = [literal(value)]
        case {"enum": [_, *_] as values}:
            alternatives = [literal(value) for value in values]
        case _:
            names = dict.fromkeys(name if isinstance(name, str) else "any" for name in type_names(schema))
            alternatives = [_named_type(name, schema, location, indent) for name in names]
    distinct = list(dict.fromkeys(alternatives))
    return _Type(" | ".join(distinct), "|" if len(distinct) > 1 else "", "null" in distinct)


def _named_type(name: str, schema: Schema, location: Location, indent: str) -> str:
    match name:
        case "object":
            return _object(schema, location, indent)
        case "array":
            return _array(schema, location, indent)
        case _:
            return _PRIMITIVES.get(name, "any")


def _object(schema: Schema, location: Location, indent: str) -> str:
    required = dict.fromkeys(name for name in sequence(schema.get("required")) if isinstance(name, str))
    properties = dict(mapping(schema.get("properties")))
    properties |= {name: True for name in required if name not in properties}
    lines = [_property(key, value, key in required, location, indent) for key, value in properties.items()]
    others = [_type(value, location, f"{indent}    ").text for value in _unnamed_properties(schema)]
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


def _property(key: str, value: Any, required: bool, location: Location, indent: str) -> str:
    name = f"{_property_name(key)}{'' if required else '?'}"
    if value is True:  # as for each of the many names that a schema may require and not describe
        return f"{indent}{name}: any,\n"
    schema, location = simplify(value, location)
    title, text = title_comment(schema, indent), text_at(schema, "description")
    items = _items_description(schema, location)
    description = comment(text, indent) + (comment(items, indent) if items != text else "")
    examples, default = examples_comment(schema, indent), default_text(schema)
    schema = _undescribed(schema)
    match schema:
        case {"oneOf": [_, *_] as variants} if not (_has_own_type(schema) or schema.get("allOf")):
            lines = "\n".join(f"{line}{note}" for line, note in _variants(variants, location, indent, text))
            above = f"{title}{examples}{description}{comment(default, indent)}"
            return f"{above}{indent}{name}:\n{lines}\n{indent},\n"
        case _:
            type_ = _simplified_type(schema, location, f"{indent}    ").text
            return f"{title}{description}{examples}{indent}{name}: {type_},{trailing_comment(default)}\n"


def _items_description(schema: Schema, location: Location) -> str:
    "Return the description of an array's items, or an empty string if their type includes it."
    items = mapping(schema.get("items"))
    text = text_at(items, "description")
    return "" if text and _describes_itself(simplify(items, location)[0]) else text


def _describes_itself(schema: Schema) -> bool:
    "Whether the printed type already includes the description of the schema, as objects do."
    is_literal = "const" in schema or bool(sequence(schema.get("enum")))
    return _has_own_type(schema) and not is_literal and "object" in type_names(schema)


def _has_own_type(schema: Schema) -> bool:
    "Whether a simplified schema describes a type apart from its `oneOf` and `allOf`."
    return narrows(schema) or not (schema.get("allOf") or sequence(schema.get("oneOf")))


def _undescribed(schema: Schema) -> Schema:
    "Return the schema without the description, which is printed elsewhere."
    return {key: value for key, value in schema.items() if key != "description"}


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
        if description == shown_description:
            schema, description = _undescribed(schema), ""
        elif _describes_itself(schema):
            description = ""
        type_ = _simplified_type(schema, inner, f"{indent}   ")
        text = type_.operand("|") if type_.text.startswith("\n") else type_.text
        notes = filter(None, (description, default_text(schema)))
        yield f"{indent} | {text}", trailing_comment(" ".join(notes))


def _array(schema: Schema, location: Location, indent: str) -> str:
    items = schema.get("items")
    members = sequence(schema.get("prefixItems")) or sequence(items)
    if members:
        types = [_type(member, location, indent).text for member in members]
        rest = [f"...{_array_of(items, location, indent)}"] if isinstance(items, dict) else []
        return f"[{', '.join(types + rest)}]"
    if isinstance(items, dict) or items is True:
        return _array_of(items, location, indent)
    return "Array<any>"


def _array_of(items: Any, location: Location, indent: str) -> str:
    return f"{_type(items, location, indent).operand('|&')}[]"


def _property_name(key: str) -> str:
    return key if key.replace("$", "_").isidentifier() else literal(key)
