from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.engines import grammar_subset as module
from llm_gpt_oss.engines.grammar_subset import ANYTHING, MAX_SCHEMAS, grammar_subset

TEXT = {"type": "string"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
POINT = {"properties": {"x": {"type": "number"}}}


def field(schema: Any) -> dict[str, Any]:
    "The schema of an object with one property."
    return {"type": "object", "properties": {"a": schema}}


def all_of(*schemas: Any, **definitions: Any) -> dict[str, Any]:
    "The schema of an object with a property that has this allOf."
    return {**field({"allOf": [*schemas]}), **({"$defs": definitions} if definitions else {})}


PLAIN: list[dict[str, Any]] = [
    {},
    TEXT,
    NODE | {"$defs": {"node": NODE}, "title": "T", "additionalProperties": False},
    {"definitions": {"node": TEXT}, "$ref": "#/definitions/node"},
    field({"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 9, "default": 3}),
    field({"type": "string", "minLength": 1, "maxLength": 100, "description": "d"}),
    field({"items": TEXT, "minItems": 0, "maxItems": 3, "type": "array"}),
    field({"prefixItems": [TEXT, {"const": 1}]}),
    field({"enum": ["a", 1, None]}),
    field({"anyOf": [TEXT, {"format": "date"}]}),
    field({"type": "string", "format": "email"}),
    {"type": "object", "additionalProperties": TEXT},
    field(TEXT) | {"additionalProperties": True},
    all_of(POINT, {"properties": {"y": TEXT}}),
    all_of({"$ref": "#/$defs/p"}, {"properties": {"y": TEXT}}, p=POINT),
    all_of({"enum": ["a"]}, {"enum": ["a", "b"]}),
]


@pytest.mark.parametrize("schema", PLAIN, ids=json.dumps)
def test_plain_schema_is_unchanged(schema: dict[str, Any]) -> None:
    assert json.dumps(grammar_subset(schema)) == json.dumps(schema)


@pytest.mark.parametrize(
    "pattern",
    [
        "^a$",
        "^[a-z]{2}$",
        "^[A-Z0-9_.-]+@[a-z]{1,63}$",
        "^(a|bc)*d?$",
        "^((a){2}|b)$",
        "^[-a]$",
        "^1+$",
    ],
)
def test_supported_patterns(pattern: str) -> None:
    schema = field(TEXT | {"pattern": pattern})
    assert grammar_subset(schema) == schema


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "^(?=x)y$",
            "(?!x)",
            "^(?:x)y$",
            "(?i)",
            "(?P<n>a)",
            "^*a$",
            "^{2}$",
            r"^\d{2}$",
            "a",
            "",
            "^",
            "^$",
        ),
        *(
            "^(|a)$",
            "^a|$",
            "^()$",
            "^(a$",
            "^a)$",
            "^a**$",
            "^a+?$",
            "^a{2,1}$",
            "^a{0}$",
            "^a{999}$",
            "^a{2,}$",
        ),
        *("^.*$", "^[^a]$", "^[z-a]$", "^[ -~]$", '^"$', "^a\n$", "^(*a)$", f"^{'a' * 300}$", 5, None),
    ],
)
def test_unsupported_patterns(pattern: Any) -> None:
    assert grammar_subset(field(TEXT | {"pattern": pattern})) == field(TEXT)


UNSUPPORTED: list[tuple[Any, Any]] = [
    (True, ANYTHING),
    ({}, ANYTHING),
    ({"description": "d"}, {"description": "d", **ANYTHING}),
    ({"not": TEXT}, ANYTHING),
    ({"type": "string", "if": {}, "then": {}, "else": {}}, TEXT),
    ({"type": "objekt"}, ANYTHING),
    ({"type": []}, ANYTHING),
    ({"$ref": "#/$defs/nowhere"}, ANYTHING),
    ({"$ref": "#"}, ANYTHING),
    ({"$ref": 5}, ANYTHING),
    (TEXT | {"maxLength": 100_000}, TEXT),
    (TEXT | {"minLength": 3, "maxLength": 2}, TEXT),
    (TEXT | {"minLength": True}, TEXT),
    ({"type": "array", "items": TEXT, "minItems": 1_000_000}, {"type": "array", "items": TEXT}),
    ({"type": "array", "items": True}, {"type": "array"}),
    ({"type": "array", "items": []}, {"type": "array"}),
    ({"type": "array", "prefixItems": [True], "items": False}, {"type": "array", "prefixItems": [ANYTHING]}),
    ({"type": "array", "prefixItems": TEXT}, {"type": "array"}),
    ({"type": "integer", "minimum": 10**20}, {"type": "integer"}),
    # Zod's `z.int().positive()`.
    (
        {"type": "integer", "exclusiveMinimum": 0, "maximum": 2**53 - 1},
        {"type": "integer", "exclusiveMinimum": 0},
    ),
    ({"type": "integer", "minimum": 1 - 2**53, "maximum": 9}, {"type": "integer", "maximum": 9}),
    ({"type": "integer", "minimum": True}, {"type": "integer"}),
    ({"type": "integer", "minimum": "0"}, {"type": "integer"}),
    ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, {"type": "integer"}),
    ({"enum": []}, ANYTHING),
    ({"enum": [{"$ref": 5}]}, ANYTHING),
    ({"const": float("inf")}, ANYTHING),
    ({"const": 10**400}, ANYTHING),
    ({"const": "\udce9"}, ANYTHING),
    ({"const": "x" * 5000}, ANYTHING),
    ({"const": {1, 2}}, ANYTHING),
    (TEXT | {"format": 5}, TEXT),
    ({"anyOf": []}, ANYTHING),
    ({"anyOf": TEXT}, ANYTHING),
    ({"anyOf": [TEXT, False]}, {"anyOf": [TEXT]}),
    (TEXT | {"anyOf": [TEXT, {"required": ["a"]}]}, TEXT),
    (field(TEXT) | {"oneOf": [TEXT]}, field(TEXT)),
    (field(TEXT) | {"required": "a"}, field(TEXT)),
    (field(TEXT) | {"additionalProperties": {}}, field(TEXT) | {"additionalProperties": True}),
    ({"properties": 5, "additionalProperties": False}, {"type": "object"}),
    ({"properties": {"$ref": TEXT}, "additionalProperties": False}, {"type": "object"}),
    ({"properties": {"a-b": TEXT}, "additionalProperties": True}, {"properties": {"a-b": TEXT}}),
    ({"properties": {"x" * 300: TEXT}}, {"type": "object"}),
    ({"allOf": 5}, ANYTHING),
    ({"allOf": []}, ANYTHING),
    ({"allOf": [TEXT]}, ANYTHING),
    ({"allOf": [POINT, POINT]}, ANYTHING),
    ({"allOf": [POINT, {"enum": [1]}]}, ANYTHING),
    ({"allOf": [{"enum": [1], "anyOf": [TEXT]}]}, ANYTHING),
]


@pytest.mark.parametrize(("schema", "subset"), UNSUPPORTED)
def test_unsupported_keywords_are_left_out(schema: Any, subset: Any) -> None:
    assert grammar_subset(field(schema)) == field(subset)


def test_circular_references() -> None:
    schema = {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"anyOf": [TEXT, {"$ref": "#/$defs/b"}]},
            "b": {"allOf": [{"$ref": "#/$defs/a"}, 5]},
            "c": {"$ref": "#/$defs/c"},
            "d": 5,
        },
    }
    assert grammar_subset(schema) == {**ANYTHING, "$defs": {"a": ANYTHING, "b": ANYTHING, "c": ANYTHING}}


def test_all_of_that_would_be_expanded_without_end() -> None:
    node = {"properties": {"x": {"allOf": [{"$ref": "#/$defs/n"}, {"properties": {"y": TEXT}}]}}}
    subset = grammar_subset({"allOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": node}})
    assert subset == {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"x": ANYTHING}}}}


def test_definitions_with_unsupported_names() -> None:
    assert grammar_subset({"type": "object", "$defs": {"a/b": TEXT}}) == {"type": "object"}
    assert grammar_subset({"type": "object", "$defs": [TEXT]}) == {"type": "object"}


def test_depth_is_limited() -> None:
    schema: dict[str, Any] = TEXT
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    assert 100 < len(json.dumps(grammar_subset(schema))) < 2000


def test_deep_value_is_left_out() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert grammar_subset(TEXT | {"default": value}) == TEXT


def test_number_of_schemas_is_limited() -> None:
    subset = grammar_subset({"properties": {f"a{i}": TEXT for i in range(2 * MAX_SCHEMAS)}})
    assert list(subset["properties"].values()).count(TEXT) == MAX_SCHEMAS - 1


KEYS = st.sampled_from(
    [
        *(
            "type",
            "$ref",
            "items",
            "prefixItems",
            "properties",
            "pattern",
            "required",
            "enum",
            "allOf",
            "anyOf",
        ),
        *("$defs", "minItems", "maxLength", "minimum", "additionalProperties", "format", "not"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["string", "object", "#/$defs/type", "^a*$", "("]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_subset_of_a_subset_is_unchanged(schema: dict[str, Any]) -> None:
    subset = grammar_subset(schema)
    assert grammar_subset(subset) == subset


@pytest.mark.parametrize(
    "definitions",
    [
        pytest.param({f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(4000)}, id="a chain"),
        pytest.param(
            {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{n}"} for n in range(4000)]} for i in range(9)},
            id="unions",
        ),
    ],
)
def test_references_are_followed_in_linear_time(
    definitions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[object] = []
    follow = module._SchemaFilter._find_leading_references

    def counted(self: Any, target: dict[str, Any]) -> Any:
        followed.append(target)
        return follow(self, target)

    monkeypatch.setattr(module._SchemaFilter, "_find_leading_references", counted)
    definitions["d4000"] = {"type": "string"}
    properties = {f"p{i}": {"$ref": f"#/$defs/d{i}"} for i in range(4000)}
    grammar_subset({"type": "object", "properties": properties, "$defs": definitions})
    assert len(followed) <= len(definitions)


def test_a_part_that_is_used_often_is_expanded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    part = {"properties": {"a": {"type": "string"}}}
    properties = {f"p{i}": {"allOf": [{"$ref": "#/$defs/a"}]} for i in range(100)}
    schema = {"type": "object", "properties": properties, "$defs": {"a": part}}
    dumped: list[object] = []

    def representable(value: object, *_: str) -> bool:
        dumped.append(value)
        return True

    monkeypatch.setattr(module, "_is_representable", representable)
    assert grammar_subset(schema) == schema
    assert dumped.count(part) == 1
