"""Reduce a JSON schema to the part that llama.cpp's converter safely turns into a grammar.

Ollama uses the same converter. It is C++ in the server's process: some patterns, and circular references,
crash that process for all its clients. Ollama refuses many other schemas, and llama.cpp's server silently
drops a schema that it cannot convert. So only keywords that are known to work are sent. The answer is
validated against the whole schema later, so a keyword that is left out here is still checked.

Source: json-schema-to-grammar.cpp of llama.cpp, as in Ollama v0.24.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from typing import Any

from ..completion import Json

TYPES = ("object", "array", "string", "number", "boolean", "null")
# The converter turns an empty schema into an object, and refuses one without a type.
ANYTHING: Json = {"type": [*TYPES]}
# The converter is recursive, and a grammar may have at most 32 KB.
MAX_DEPTH, MAX_SCHEMAS = 32, 500
MAX_NAME, MAX_VALUE, MAX_PATTERN = 200, 4000, 200
# The converter unrolls repetitions, and writes numbers with more digits incorrectly.
MAX_REPETITIONS, MAX_PATTERN_REPETITIONS, MAX_NUMBER = 1000, 100, 10**14

# The limits of a number, and what to add for the nearest integer that each of them allows.
LIMITS = {"minimum": 0, "exclusiveMinimum": 1, "maximum": 0, "exclusiveMaximum": -1}
ALTERNATIVES = ("anyOf", "oneOf")
DEFINITIONS = ("$defs", "definitions")
# The converter ignores these, except for references in them.
ANNOTATIONS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "uniqueItems", "multipleOf", "minProperties", "maxProperties"),
}
# The converter needs at least one of these to know what to generate.
DEFINING = {
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
# Supported in patterns. A dot or [^a] would allow a quotation mark inside the string.
ATOM = r"[\w ,:;@#%&=<>~!/'-]|\[-?(?:[0-9]-[0-9]|[A-Z]-[A-Z]|[a-z]-[a-z]|[\w .,:;@/+])+-?\]"
TOKEN = re.compile(rf"(?P<atom>{ATOM})|(?P<times>[*+?]|\{{\d{{1,3}}(?:,\d{{1,3}})?\}})|[(|)]", re.ASCII)


def grammar_subset(schema: Json) -> Json:
    "Return the schema without what the converter cannot handle. A plain schema is returned unchanged."
    return _SchemaFilter(schema).document(schema)


class _SchemaFilter:
    "Filters one document. It knows the document's definitions and limits the number of subschemas."

    def __init__(self, schema: Json) -> None:
        self._targets = {
            f"#/{key}/{name}": target
            for key in DEFINITIONS
            if isinstance(targets := schema.get(key), dict)
            for name, target in targets.items()
            if isinstance(target, dict) and _is_name(name) and REFERENCE.fullmatch(f"#/{key}/{name}")
        }
        self._leading: dict[str, Set[str]] = {}
        self._expanded: dict[str, Json] = {}
        self._budget = MAX_SCHEMAS

    def document(self, schema: Json) -> Json:
        filtered = self._defined(schema, 0) if schema else {}
        ordered: Json = {}
        for key in schema:
            if key in filtered:
                ordered[key] = filtered[key]
            elif key in DEFINITIONS and (definitions := self._definitions(key)):
                ordered[key] = definitions
        return {**ordered, **filtered}

    def _definitions(self, key: str) -> Json:
        matches = ((REFERENCE.fullmatch(ref), target) for ref, target in self._targets.items())
        return {match[2]: self._defined(target, 1) for match, target in matches if match and match[1] == key}

    def _defined(self, schema: object, depth: int) -> Json:
        "Filter a schema that must not be empty. One that allows anything becomes a list of all types."
        filtered = self._schema(schema, depth)
        return filtered if _is_defined(filtered) else {**filtered, **ANYTHING}

    def _schema(self, schema: object, depth: int) -> Json:
        self._budget -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._budget < 0:
            return {}
        filtered: Json = {}
        for key, value in schema.items():
            filtered |= self._keyword(key, value, schema, depth + 1)
        if "properties" in filtered:
            # The converter would ignore the properties if there are alternatives.
            filtered = {key: value for key, value in filtered.items() if key not in ALTERNATIVES}
        return filtered

    def _keyword(self, key: str, value: Any, schema: Json, depth: int) -> Json:
        "Return the keyword and its value, a replacement for them, or nothing if it is not supported."
        supported = False
        match key:
            case "$ref":
                supported = self._is_resolvable(value)
            case "type":
                names = value if isinstance(value, list) else [value]
                supported = bool(names) and all(name in (*TYPES, "integer") for name in names)
            case "enum":
                supported = isinstance(value, list) and bool(value) and _is_representable(value)
            case "required":
                supported = isinstance(value, list) and all(map(_is_name, value))
            case "pattern":
                supported = isinstance(value, str) and _is_supported_pattern(value)
            case "format":
                supported = _is_name(value)
            case "properties":
                return self._properties(value, depth)
            case "additionalProperties":
                return self._additional_properties(value, schema, depth)
            case "items" | "prefixItems":
                return self._items(key, value, schema, depth)
            case "anyOf" | "oneOf":
                return self._alternatives(key, value, depth)
            case "allOf":
                return self._all_of(value, depth)
            case "minItems" | "maxItems" | "minLength" | "maxLength":
                supported = _is_valid_length(schema, key[3:])
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                supported = _is_valid_range(schema) and not _is_unlimited(key, value)
            case _:
                supported = (key in ANNOTATIONS or key == "const") and _is_representable(value)
        return {key: value} if supported else {}

    def _properties(self, value: object, depth: int) -> Json:
        if not isinstance(value, dict) or not all(_is_name(name) and name != "$ref" for name in value):
            return {"type": "object"}
        return {"properties": {name: self._defined(schema, depth) for name, schema in value.items()}}

    def _additional_properties(self, value: object, schema: Json, depth: int) -> Json:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict) or not all(map(_is_name, properties)) or "$ref" in properties:
            return {}
        if value is False:
            return {"additionalProperties": False}
        # To exclude the names of the properties, the converter spells them letter by letter.
        if not all(map(PLAIN_NAME.fullmatch, properties)):
            return {}
        filtered = self._schema(value, depth)
        return {"additionalProperties": filtered if _is_defined(filtered) else True}

    def _items(self, key: str, value: object, schema: Json, depth: int) -> Json:
        if key == "items" and "prefixItems" in schema:
            return {}  # the converter would ignore prefixItems
        if isinstance(value, list):
            return {key: [self._defined(item, depth) for item in value]} if value else {}
        filtered = self._schema(value, depth) if key == "items" else {}
        return {key: filtered} if _is_defined(filtered) else {}

    def _alternatives(self, key: str, value: object, depth: int) -> Json:
        "Return the alternatives, or nothing if one of them allows anything."
        if not isinstance(value, list):
            return {}
        filtered = [self._schema(schema, depth) for schema in value if schema is not False]
        return {key: filtered} if filtered and all(map(_is_defined, filtered)) else {}

    def _all_of(self, value: object, depth: int) -> Json:
        """Return `allOf` if the converter can merge its parts. Otherwise return nothing, or a lone `$ref`.

        The converter can merge parts that all have properties, with different names, and parts that all have
        an enum. It would turn any other part into an object.
        """
        if not isinstance(value, list):
            return {}
        filtered = [self._schema(part, depth) for part in value]
        parts = [self._all_of_part(part) for part in filtered]
        names = [name for part in parts for name in part.get("properties", ())]
        if filtered and (
            (all("properties" in part for part in parts) and len(names) == len({*names}))
            or all("enum" in part for part in parts)
        ):
            return {"allOf": filtered}
        return {"$ref": filtered[0]["$ref"]} if len(filtered) == 1 and "$ref" in filtered[0] else {}

    def _all_of_part(self, part: Json) -> Json:
        """Return what the converter reads in a part of `allOf`: the part, or the target of its `$ref`.

        It expands the target each time, so a target that itself contains `$ref` or `allOf` counts as empty.
        """
        if not part.keys().isdisjoint(ALTERNATIVES):
            return {}
        if "$ref" not in part:
            return part
        ref = part["$ref"]
        if ref not in self._expanded:
            target = self._targets[ref]
            expandable = "$ref" not in target and _is_representable(target, "allOf")
            self._expanded[ref] = self._schema(target, MAX_DEPTH) if expandable else {}
        return self._expanded[ref]

    def _is_resolvable(self, ref: object) -> bool:
        "Whether the reference has a target that does not lead back to it before any text is generated."
        if not isinstance(ref, str) or ref not in self._targets:
            return False
        seen: set[str] = set()
        pending = {*self._leading_references(ref)}
        while pending and len(seen) < MAX_SCHEMAS:
            seen.add(reference := pending.pop())
            pending |= self._leading_references(reference) - seen
        return not pending and ref not in seen

    def _leading_references(self, ref: str) -> Set[str]:
        "Return the references that the converter follows at the start of the reference's target."
        if ref not in self._leading:
            self._leading[ref] = {*self._find_leading_references(self._targets[ref])}
        return self._leading[ref]

    def _find_leading_references(self, start: Json) -> Iterator[str]:
        pending: list[Any] = [start]
        while pending:
            schema = pending.pop()
            if isinstance(schema, list):
                pending += schema
            elif isinstance(schema, dict):
                pending += (schema[key] for key in ("allOf", *ALTERNATIVES) if key in schema)
                if isinstance(ref := schema.get("$ref"), str) and ref in self._targets:
                    yield ref


def _is_defined(schema: Json) -> bool:
    "Whether the schema restricts what is generated, instead of allowing any value."
    return (
        not DEFINING.isdisjoint(schema)
        or schema.get("additionalProperties", True) is not True
        or schema.get("format") in FORMATS
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME and _is_representable(value, "")


def _is_representable(value: object, *forbidden_keys: str) -> bool:
    "Whether the value is JSON of limited size that other parsers accept, without `$ref` or the given keys."
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        return False
    keys = forbidden_keys or ("$ref",)
    return (
        len(text) <= MAX_VALUE
        and not any(key and f'"{key}"' in text for key in keys)
        and not re.search(r"\d{300}", text)
    )


def _is_valid_length(schema: Json, noun: str) -> bool:
    "Whether `minItems` and `maxItems`, or `minLength` and `maxLength`, are small counts in order."
    counts = [schema[name] for name in (f"min{noun}", f"max{noun}") if name in schema]
    return all(map(_is_count, counts)) and counts == sorted(counts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REPETITIONS


def _is_valid_range(schema: Json) -> bool:
    "Whether all limits of a number are numbers of supported size, and some number satisfies them."
    limits = {
        name: schema[name] for name in LIMITS if name in schema and not _is_unlimited(name, schema[name])
    }
    for limit in limits.values():
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            return False
        if not -MAX_NUMBER < limit < MAX_NUMBER:
            return False
    lower = [value + LIMITS[name] for name, value in limits.items() if name.endswith("inimum")]
    upper = [value + LIMITS[name] for name, value in limits.items() if name.endswith("aximum")]
    return not lower or not upper or max(lower) <= min(upper)


def _is_unlimited(name: str, limit: object) -> bool:
    "Whether the limit excludes only huge numbers, as the 2**53 of JavaScript libraries does."
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return False
    return limit <= -MAX_NUMBER if name.endswith("inimum") else limit >= MAX_NUMBER


def _is_supported_pattern(pattern: str) -> bool:
    "Whether the pattern is anchored, has no escapes, and repeats something wherever it repeats."
    if len(pattern) > MAX_PATTERN or not (pattern[:1] == "^" and pattern[-1:] == "$"):
        return False
    before, depth, at, end = "(", 0, 1, len(pattern) - 1
    while at < end:
        token = TOKEN.match(pattern, at, end)
        if not token:
            return False
        current = token.lastgroup or token[0]
        if (before in "(|" and current in ("times", "|", ")")) or (before == "times" == current):
            return False
        if current == "times" and not _is_small_repetition(token[0]):
            return False
        depth += (current == "(") - (current == ")")
        if depth < 0:
            return False
        before, at = current, token.end()
    return depth == 0 and before not in "(|" and _compiles(pattern)


def _is_small_repetition(times: str) -> bool:
    counts = [int(count) for count in re.findall(r"\d+", times)]
    return counts == sorted(counts) and all(0 < count <= MAX_PATTERN_REPETITIONS for count in counts[-1:])


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
