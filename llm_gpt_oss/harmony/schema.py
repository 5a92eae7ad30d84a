"""A JSON schema as a document: it resolves references, and names the parts that are declared as types."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from functools import reduce
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

# How deeply schemas are nested in schemas. A deeper one is printed as `any`.
MAX_DEPTH = 32
# How deeply JSON values are nested. Usually two levels, such as `properties` and its value, are one schema.
MAX_JSON_DEPTH = 100

_WORDS = """
any bigint boolean never null number object string symbol undefined unknown void Array
break case catch class const continue debugger default delete do else enum export extends false finally for
function if import in instanceof new return super switch this throw true try typeof var while with
"""
# Words that cannot name a type in TypeScript, and the generic type that we print.
RESERVED_NAMES = frozenset(_WORDS.split())
NO_NUMBERS: Mapping[str, int] = {}


class Document:
    """A copy of a schema, cut at MAX_JSON_DEPTH, in which references can be followed.

    A part of the schema has a name if a `$ref` leads to it and it is used in more than one place. So every
    recursive part has one. `is_named()` says whether a part has a name. Names are identifiers that are not in
    `taken`: a name that is taken gets a number. `numbers` has the last number of each name. The argument has
    those of earlier documents, which need not be tried again.

    `declared` lists the parts whose names were used, in the order of their first use. `length` is the number
    of characters of the schema as JSON without spaces.
    """

    def __init__(
        self,
        schema: Any,
        taken: Container[str] = RESERVED_NAMES,
        max_depth: int = MAX_DEPTH,
        numbers: Mapping[str, int] = NO_NUMBERS,
    ) -> None:
        # In a copy, no object is in two places, so the id of an object identifies one place in the schema.
        self.root = _copy(schema, MAX_JSON_DEPTH)
        text = json.dumps(self.root, ensure_ascii=False, separators=(",", ":"))
        self.length = len(text)
        self.max_depth = max_depth
        self.declared: list[Schema] = []
        self._taken = taken
        self._targets: dict[str, Any] = {}
        self._references: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._used_names: set[str] = set()
        self.numbers: dict[str, int] = {}
        self._earlier_numbers = numbers
        # Most schemas have no references, and nothing to count.
        self._shared = self._find_shared() if '"$ref"' in text else set()

    def target(self, reference: str) -> Any:
        "Return the schema that a `$ref` leads to. None if it is not a JSON pointer into this document."
        if reference not in self._targets:
            is_pointer = reference == "#" or reference.startswith("#/")
            target = reduce(find_child, reference.split("/")[1:], self.root) if is_pointer else None
            self._targets[reference] = target
            if isinstance(target, dict):
                self._references.setdefault(id(target), reference)
        return self._targets[reference]

    def is_named(self, schema: Schema) -> bool:
        "Whether the schema is printed as a name instead of a type."
        return id(schema) in self._shared or id(schema) in self._names

    def name(self, schema: Schema) -> str:
        "Return the name of a schema that a `$ref` leads to. From now on, `is_named()` is true of it."
        if id(schema) not in self._names:
            self._names[id(schema)] = self._unused_name(_identifier(self._references[id(schema)]))
            self.declared.append(schema)
        return self._names[id(schema)]

    def _unused_name(self, name: str) -> str:
        number = self.numbers.get(name) or self._earlier_numbers.get(name, 1)
        unused = _numbered(name, number)
        while unused in self._taken or unused in self._used_names:
            number += 1
            unused = _numbered(name, number)
        self.numbers[name] = number
        self._used_names.add(unused)
        return unused

    def _find_shared(self) -> set[int]:
        "Return the ids of the targets of `$ref`s that are used more than once. The caller uses the root."
        uses: Counter[int] = Counter()
        found = [self.root]
        while found:
            schema = found.pop()
            if not isinstance(schema, dict):
                continue
            uses[id(schema)] += 1
            if uses[id(schema)] == 1:
                found.extend(_subschemas(schema))
                found.append(self.target(ref) if isinstance(ref := schema.get("$ref"), str) else None)
        return {target for target in self._references if uses[target] > 1}


def sequence(value: Any) -> list[Any]:
    "Return the value if it is a list, else an empty list."
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[Any, Any]:
    "Return the value if it is an object, else an empty one."
    return value if isinstance(value, dict) else {}


def type_names(schema: Schema) -> list[Any]:
    "Return the names under `type`. If it is missing, return the one that other keywords imply, or None."
    match schema:
        case {"type": [_, *_] as names}:
            return list(names)
        case {"type": name}:
            return [name]
        case (
            {"properties": _}
            | {"patternProperties": _}
            | {"additionalProperties": dict()}
            | {"required": [_, *_]}
        ):
            return ["object"]
        case {"items": _} | {"prefixItems": _}:
            return ["array"]
        case _:
            return [None]


def _subschemas(schema: Schema) -> Iterator[Any]:
    "Yield the schemas inside a schema that are printed."
    for key in ("properties", "patternProperties"):
        yield from mapping(schema.get(key)).values()
    for key in ("allOf", "anyOf", "oneOf", "prefixItems", "items"):
        yield from sequence(schema.get(key))
    yield schema.get("items")
    yield schema.get("additionalProperties")


def _copy(value: Any, depth: int) -> Any:
    "Return a copy as plain JSON values. Objects and arrays below this depth are empty."
    if isinstance(value, dict):
        return {str(key): _copy(child, depth - 1) for key, child in value.items()} if depth else {}
    if isinstance(value, (list, tuple)):
        return [_copy(child, depth - 1) for child in value] if depth else []
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def find_child(node: Any, escaped: str) -> Any:
    """Return the child that one segment of a JSON pointer selects, or None if there is none.

    The segment is escaped as in a URI fragment.
    """
    key = _unescaped(escaped)
    if isinstance(node, list):
        is_index = len(key) < 10 and key.isdecimal() and str(int(key)) == key
        return node[int(key)] if is_index and int(key) < len(node) else None
    return mapping(node).get(key)


def _unescaped(segment: str) -> str:
    return unquote(segment).replace("~1", "/").replace("~0", "~")


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"


def _identifier(reference: str) -> str:
    "Return the last segment of a reference as an identifier, `Root` for the whole document."
    last = _unescaped(reference.rpartition("/")[2]) if reference != "#" else "Root"
    name = "".join(char if f"_{char}".isidentifier() or char == "$" else "_" for char in last)
    return name if name[:1].isidentifier() or name.startswith("$") else f"_{name}"
