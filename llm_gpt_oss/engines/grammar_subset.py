"""The part of a JSON schema that llama.cpp's converter, which is Ollama's too, surely makes a grammar of.

It is C++ in the server's own process: some patterns, and references that go round in a circle, end that
process, for everybody who uses it. Ollama refuses much else, llama.cpp leaves it unbound without a word. So
only what it is known to carry is sent. The answer is checked against the whole schema when it is here: only
the binding is lost.

Read from llama.cpp's json-schema-to-grammar.cpp, as Ollama v0.24 has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..completion import Json

TYPES = ("object", "array", "string", "number", "boolean", "null")
# An empty schema would be an object there, and one without a type an error.
ANYTHING: Json = {"type": [*TYPES]}
# The converter calls itself, and a grammar has 32 KB.
DEEPEST, MOST_SCHEMAS = 32, 500
LONGEST_NAME, LONGEST_VALUE, LONGEST_PATTERN = 200, 4000, 200
# Repetitions are unrolled; numbers of more digits are written wrong.
MOST_REPEATED, MOST_IN_PATTERN, LARGEST = 1000, 100, 10**14

LIMITS = {"minimum": 0, "exclusiveMinimum": 1, "maximum": 0, "exclusiveMaximum": -1}
ALTERNATIVES = ("anyOf", "oneOf")
DEFINITIONS = ("$defs", "definitions")
# Not read there, but for the references in them.
REMARKS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "uniqueItems", "multipleOf", "minProperties", "maxProperties"),
}
# By any of these it knows what to write.
TELLING = {
    "$ref",
    "type",
    "const",
    "enum",
    "properties",
    "items",
    "prefixItems",
    "pattern",
    "allOf",
    "anyOf",
    "oneOf",
}
FORMATS = {"date", "time", "date-time", "uuid"}

REFERENCE = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")
PLAIN_NAME = re.compile(r"\w+", re.ASCII)
# What it takes in a pattern: no dot and no [^a], which would let a quotation mark into the string.
ATOM = r"[\w ,:;@#%&=<>~!/'-]|\[-?(?:[0-9]-[0-9]|[A-Z]-[A-Z]|[a-z]-[a-z]|[\w .,:;@/+])+-?\]"
TOKEN = re.compile(rf"(?P<atom>{ATOM})|(?P<times>[*+?]|\{{\d{{1,3}}(?:,\d{{1,3}})?\}})|[(|)]", re.ASCII)


def grammar_subset(schema: Json) -> Json:
    "The schema with what cannot be bound left out; a plain one comes out equal."
    return _Binder(schema).root(schema)


class _Binder:
    "One schema's definitions, and how many subschemas may still come."

    def __init__(self, schema: Json) -> None:
        self._targets = {
            f"#/{key}/{name}": target
            for key in DEFINITIONS
            if isinstance(targets := schema.get(key), dict)
            for name, target in targets.items()
            if isinstance(target, dict) and _is_name(name) and REFERENCE.fullmatch(f"#/{key}/{name}")
        }
        self._left = MOST_SCHEMAS

    def root(self, schema: Json) -> Json:
        bound = self._told(schema, 0) if schema else {}
        kept: Json = {}
        for key in schema:  # in their order
            if key in bound:
                kept[key] = bound[key]
            elif key in DEFINITIONS and (targets := self._definitions(key)):
                kept[key] = targets
        return {**kept, **bound}

    def _definitions(self, key: str) -> Json:
        found = ((REFERENCE.fullmatch(ref), target) for ref, target in self._targets.items())
        return {match[2]: self._told(target, 1) for match, target in found if match and match[1] == key}

    def _told(self, schema: object, depth: int) -> Json:
        "For a place where a schema has to be."
        bound = self._bound(schema, depth)
        return bound if _tells(bound) else {**bound, **ANYTHING}

    def _bound(self, schema: object, depth: int) -> Json:
        self._left -= 1
        if not isinstance(schema, dict) or depth > DEEPEST or self._left < 0:
            return {}
        bound: Json = {}
        for key, value in schema.items():
            bound |= self._keyword(key, value, schema, depth + 1)
        if "properties" in bound:
            # It would read the alternatives alone.
            bound = {key: value for key, value in bound.items() if key not in ALTERNATIVES}
        return bound

    def _keyword(self, key: str, value: Any, schema: Json, depth: int) -> Json:
        "What is left of one keyword: itself, something else in its place, or nothing."
        kept = False
        match key:
            case "$ref":
                kept = self._leads_somewhere(value)
            case "type":
                names = value if isinstance(value, list) else [value]
                kept = bool(names) and all(name in (*TYPES, "integer") for name in names)
            case "enum":
                kept = isinstance(value, list) and bool(value) and _sayable(value)
            case "required":
                kept = isinstance(value, list) and all(map(_is_name, value))
            case "pattern":
                kept = isinstance(value, str) and _safe(value)
            case "format":
                kept = _is_name(value)
            case "properties":
                return self._properties(value, depth)
            case "additionalProperties":
                return self._additional(value, schema, depth)
            case "items" | "prefixItems":
                return self._items(key, value, schema, depth)
            case "anyOf" | "oneOf":
                return self._alternatives(key, value, depth)
            case "allOf":
                return self._parts(value, depth)
            case "minItems" | "maxItems" | "minLength" | "maxLength":
                kept = _repeatable(schema, key[3:])
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                kept = _in_order(schema) and not _far(key, value)
            case _:
                kept = (key in REMARKS or key == "const") and _sayable(value)
        return {key: value} if kept else {}

    def _properties(self, value: object, depth: int) -> Json:
        if not isinstance(value, dict) or not all(_is_name(name) and name != "$ref" for name in value):
            return {"type": "object"}
        return {"properties": {name: self._told(schema, depth) for name, schema in value.items()}}

    def _additional(self, value: object, schema: Json, depth: int) -> Json:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict) or not all(map(_is_name, properties)) or "$ref" in properties:
            return {}
        if value is False:
            return {"additionalProperties": False}
        # It spells the names that are taken in the grammar, letter by letter.
        if not all(map(PLAIN_NAME.fullmatch, properties)):
            return {}
        bound = self._bound(value, depth)
        return {"additionalProperties": bound if _tells(bound) else True}

    def _items(self, key: str, value: object, schema: Json, depth: int) -> Json:
        if key == "items" and "prefixItems" in schema:
            return {}  # it would read these alone
        if isinstance(value, list):
            return {key: [self._told(item, depth) for item in value]} if value else {}
        bound = self._bound(value, depth) if key == "items" else {}
        return {key: bound} if _tells(bound) else {}

    def _alternatives(self, key: str, value: object, depth: int) -> Json:
        "None, where one of them may be anything."
        bound = (
            [self._bound(one, depth) for one in value if one is not False] if isinstance(value, list) else []
        )
        return {key: bound} if bound and all(map(_tells, bound)) else {}

    def _parts(self, value: object, depth: int) -> Json:
        "It joins the properties, or the values, of all parts; of any other part it would make an object."
        if not isinstance(value, list):
            return {}
        bound = [self._bound(part, depth) for part in value]
        meant = [self._meant(part) for part in bound]
        names = [name for part in meant for name in part.get("properties", ())]
        if bound and (
            (all("properties" in part for part in meant) and len(names) == len({*names}))
            or all("enum" in part for part in meant)
        ):
            return {"allOf": bound}
        return {"$ref": bound[0]["$ref"]} if len(bound) == 1 and "$ref" in bound[0] else {}

    def _meant(self, part: Json) -> Json:
        "It reads what a part refers to each time anew: so nothing that leads on, within itself or twice."
        if not part.keys().isdisjoint(ALTERNATIVES):
            return {}
        if "$ref" not in part:
            return part
        target = self._targets[part["$ref"]]
        return self._bound(target, DEEPEST) if "$ref" not in target and _sayable(target, "allOf") else {}

    def _leads_somewhere(self, ref: object) -> bool:
        "To a definition, and not back to itself before anything is written."
        if not isinstance(ref, str) or ref not in self._targets:
            return False
        seen: set[str] = set()
        ahead = [*self._next(ref)]
        while ahead:
            if (one := ahead.pop()) not in seen:
                seen.add(one)
                ahead += self._next(one)
        return ref not in seen

    def _next(self, ref: str) -> Iterator[str]:
        "The references that stand where that definition begins."
        inside: list[Any] = [self._targets[ref]]
        while inside:
            schema = inside.pop()
            if isinstance(schema, list):
                inside += schema
            elif isinstance(schema, dict):
                inside += (schema[key] for key in ("allOf", *ALTERNATIVES) if key in schema)
                if isinstance(one := schema.get("$ref"), str) and one in self._targets:
                    yield one


def _tells(bound: Json) -> bool:
    return (
        not TELLING.isdisjoint(bound)
        or bound.get("additionalProperties", True) is not True
        or bound.get("format") in FORMATS
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and _sayable(value, "")


def _sayable(value: object, *without: str) -> bool:
    "JSON that another parser takes, of a modest size, with no references (or no `without`) in it."
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        return False
    words = without or ("$ref",)
    return (
        len(text) <= LONGEST_VALUE
        and not any(word and f'"{word}"' in text for word in words)
        and not re.search(r"\d{300}", text)
    )


def _repeatable(schema: Json, of: str) -> bool:
    bounds = [schema[name] for name in (f"min{of}", f"max{of}") if name in schema]
    return all(map(_is_count, bounds)) and bounds == sorted(bounds)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_REPEATED


def _in_order(schema: Json) -> bool:
    "Whether all the limits of a number are numbers, not too large, and leave some between them."
    given = {name: schema[name] for name in LIMITS if name in schema and not _far(name, schema[name])}
    for limit in given.values():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not -LARGEST < limit < LARGEST:
            return False
    low = [value + LIMITS[name] for name, value in given.items() if name.endswith("inimum")]
    high = [value + LIMITS[name] for name, value in given.items() if name.endswith("aximum")]
    return not low or not high or max(low) <= min(high)


def _far(name: str, limit: object) -> bool:
    "Whether it leaves out only what nobody writes, as the 2**53 of JavaScript's libraries does."
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return False
    return limit <= -LARGEST if name.endswith("inimum") else limit >= LARGEST


def _safe(pattern: str) -> bool:
    "Whether this is of the few patterns that are surely carried: no escapes, no repetition of nothing."
    if len(pattern) > LONGEST_PATTERN or not (pattern[:1] == "^" and pattern[-1:] == "$"):
        return False
    before, depth, at, end = "(", 0, 1, len(pattern) - 1
    while at < end:
        token = TOKEN.match(pattern, at, end)
        if not token:
            return False
        now = token.lastgroup or token[0]
        if (before in "(|" and now in ("times", "|", ")")) or (before == "times" == now):
            return False
        if now == "times" and not _modest(token[0]):
            return False
        depth += (now == "(") - (now == ")")
        if depth < 0:
            return False
        before, at = now, token.end()
    return depth == 0 and before not in "(|" and _compiles(pattern)


def _modest(times: str) -> bool:
    counts = [int(count) for count in re.findall(r"\d+", times)]
    return counts == sorted(counts) and all(0 < count <= MOST_IN_PATTERN for count in counts[-1:])


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
