from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_server import Scripted, answer

from llm_gpt_oss.turn import schema_check
from llm_gpt_oss.turn.schema_check import schema_error, validation_error

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"$ref": "#/$defs/year"}},
    "required": ["name"],
    "$defs": {"year": {"type": "integer", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"name": "Ada", "born": 1815}, PERSON),
        ([1, "a", None], {}),
        ([1, "a"], {"prefixItems": [{"type": "integer"}, {"type": "string"}]}),
        (["a", 1], {"$schema": DRAFT_7, "items": [{"type": "string"}, {"type": "integer"}]}),
        (1, {"oneOf": [{"type": "string"}, {"type": "number"}]}),
        ({"a": ["b"]}, {"properties": {"a": {"items": True, "pattern": "(?=b)a"}, "b": False}}),
    ],
)
def test_fits(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema) is None


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        ({}, PERSON, '$: "name" is a required property'),
        ({"name": "Ada", "born": "1815"}, PERSON, '$.born: "1815" is not of type "integer"'),
        ([1], {"$schema": DRAFT_7, "items": [{"type": "string"}]}, '$[0]: 1 is not of type "string"'),
        ([1, 2], {"prefixItems": [{}, {"type": "string"}]}, '$[1]: 2 is not of type "string"'),
        (1, {"$schema": "https://example.com/no-dialect", "type": "string"}, '$: 1 is not of type "string"'),
        ("", {"pattern": "^a"}, '$: "" does not match "^a"'),
        (True, {"type": "integer"}, '$: true is not of type "integer"'),
    ],
)
def test_does_not_fit(value: Any, schema: dict[str, Any], reason: str) -> None:
    assert validation_error(value, schema) == reason


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def lists(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param(1, {"type": "objekt"}, id="no such type"),
        pytest.param("a", {"minLength": "1"}, id="invalid"),
        pytest.param(1, {"$ref": "#/$defs/nowhere"}, id="nowhere"),
        pytest.param(1, {"$ref": "http://["}, id="no address"),
        pytest.param(1, {"$ref": "#"}, id="a circle"),
        pytest.param(lists(2000), {"items": {"$ref": "#"}}, id="a value too deep"),
        pytest.param(1, nested(2000), id="a schema too deep"),
        pytest.param("a", {"pattern": "(?=b)a"}, id="a pattern that looks around"),
        pytest.param("a", {"pattern": "(a{1000}){1000}"}, id="a pattern too long"),
        pytest.param(
            {"b": 1}, {"patternProperties": {"(?=b)a": {}}, "additionalProperties": False}, id="keys"
        ),
        pytest.param(["a"], {"items": {"allOf": [{"pattern": "(?=b)a"}]}}, id="a pattern inside"),
        pytest.param("a", {"allOf": [{"pattern": f"b{i}"} for i in range(501)]}, id="too many patterns"),
        pytest.param(10**400, {"multipleOf": 0.1}, id="a number too big"),
        pytest.param({1: 2}, {"type": "string"}, id="a key that is no string"),
        pytest.param("\ud800", {"type": "integer"}, id="half of a surrogate pair"),
        pytest.param(1, {"type": "string", "description": "\ud800" * 2}, id="half of one in the schema"),
        pytest.param(1, {"$schema": 5}, id="a dialect that is no string"),
        pytest.param("a", {"$schema": ["a"]}, id="a dialect that is a list"),
    ],
)
def test_a_schema_that_cannot_be_checked_accepts_everything(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema) is None


@pytest.mark.parametrize(
    "patterns",
    [
        pytest.param(["[ab]*" * 30_000], id="a long one"),
        # Compiled, it would take minutes.
        pytest.param([r"\s" * 10_000], id="escapes"),
        pytest.param([r"\s" * 100 + str(number) for number in range(6)], id="several"),
    ],
)
def test_patterns_that_take_too_long_are_not_compiled(
    patterns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    "Nothing else runs while jsonschema-rs compiles them."
    monkeypatch.setattr(schema_check, "_is_supported", None)
    schema = {"allOf": [{"pattern": pattern} for pattern in patterns]}
    assert validation_error("c", schema) is None
    assert schema_error(schema) is None


@pytest.mark.parametrize(
    "pattern", [pytest.param("[ab]" * 400, id="long"), pytest.param(r"\d" * 200, id="escapes")]
)
def test_patterns_that_are_compiled(pattern: str) -> None:
    assert validation_error("c", {"pattern": pattern}) is not None


DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOUBLED = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2, "$schema": DIALECT} for i in range(30)}
DEEP: dict[str, Any] = {}
for _ in range(60):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param(
            "x", {"$ref": "#/$defs/d0", "$defs": {**DOUBLED, "d30": {"type": "null"}}}, id="doubled"
        ),
        pytest.param(
            DEEP,
            {"properties": {"a": {"allOf": [{"$ref": "#"}] * 2}}, "required": ["a"]},
            id="doubled in depth",
        ),
        pytest.param(
            DEEP,
            {"$defs": {"b": {"$id": "b", "type": "null"}}, "$ref": "#/$defs/b"},
            id="references relative to something else",
        ),
        pytest.param(1, {"$defs": {"b": {"$anchor": "b", "type": "null"}}, "$ref": "#b"}, id="an anchor"),
        pytest.param(["x"] * 300_000, {"items": {"type": "integer"}}, id="a long value"),
        pytest.param("x" * 100_000, {"pattern": "^a"}, id="a pattern for a long text"),
        pytest.param(
            {"x" * 100_000: 1}, {"patternProperties": {"x": {"type": "null"}}}, id="a pattern for a long key"
        ),
        pytest.param(["x"] * 1000, {"items": {"enum": [*range(1000)]}}, id="a long enum"),
    ],
)
def test_a_check_that_takes_too_long_accepts_everything(value: Any, schema: dict[str, Any]) -> None:
    assert schema_error(schema) is None
    assert validation_error(value, schema) is None


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("2020-1-1", {"pattern": r"^\d{4}-\d{2}-\d{2}$"}),
        ("x" * 100, {"pattern": r"^[^@]+@[^@]+\.[^@]+$"}),
        ("bar?", {"pattern": "^(foo|bar)+$"}),
        ("a" * 40 + "!", {"pattern": "^(a+)+$"}),
        ("a" * 40 + "!", {"pattern": "^(a|a)*$"}),
        ("a" * 3000 + "!", {"pattern": "a*a*a*b"}),
        ({"a" * 40 + "!": 1}, {"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}),
        ("a", {"pattern": r"^\p{Lu}$"}),
        ([1], {"unevaluatedItems": False}),
        (
            {"a": [1, "b"]},
            {"properties": {"a": {"items": [{}], "additionalItems": False}}, "$schema": DRAFT_7},
        ),
        ({"ab": 1}, {"propertyNames": {"pattern": "^.$"}}),
        ({"a": 1}, {"dependentSchemas": {"a": {"required": ["b"]}}}),
        (3, {"if": {"type": "integer"}, "then": {"not": {"const": 3}}}),
        ({"pattern": "x"}, {"const": {"pattern": "(?=a)"}, "pattern": "(?=a)"}),
        (["b", "b"], {"uniqueItems": True}),
        (1, {"allOf": [{"$ref": "#"}], "type": "string"}),
        ({"b": 1}, {"additionalProperties": False, "patternProperties": {"^a": {}}}),
        (
            [{"a": i} for i in range(2000)] + [{"a": "x"}],
            {"items": {"properties": {"a": {"type": "integer"}}}},
        ),
    ],
)
def test_a_check_that_takes_a_moment_is_made(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema)


def test_other_documents_are_not_fetched() -> None:
    with Scripted(answer({"type": "string"})) as server:
        assert validation_error(1, {"$ref": f"{server.url}/schema.json"}) is None
        assert server.requests == []


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({}, None),
        (PERSON, None),
        ({"$ref": "#/$defs/nowhere"}, None),
        ({"pattern": r"^\p{Lu}$"}, None),
        ({"format": "no such format"}, None),
        ({"$schema": "http://[", "type": "string"}, None),
        (nested(20), None),
        ({"$schema": DRAFT_7, "items": [{}]}, None),
        ({"items": [{}]}, '$.items: [{}] is not of types "boolean", "object"'),
        (
            {"type": "objekt"},
            "$.type: \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        (
            {"properties": {"a": {"required": "b"}}},
            '$.properties.a.required: "b" is not of type "array"',
        ),
        ({"$schema": 5}, "$['$schema']: 5 is not of type \"string\""),
        (nested(2000), "it is nested too deeply"),
        ({"enum": [*range(20_000)]}, "it has more than 20000 values"),
        ({"pattern": "("}, None),
        ({"pattern": ["("]}, '$.pattern: ["("] is not of type "string"'),
        ({"$ref": "https://example.com/schema"}, None),
        ({"$schema": "https://example.com/dialect"}, None),
    ],
)
def test_schema_errors(schema: dict[str, Any], reason: str | None) -> None:
    assert schema_error(schema) == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYWORDS = st.sampled_from(
    ["type", "$ref", "$schema", "items", "properties", "pattern", "required", "multipleOf", "allOf", "$id"]
)


@given(JSON, st.dictionaries(KEYWORDS, JSON | st.sampled_from(["string", "#", "("]), max_size=4))
def test_any_schema_gives_a_result(value: Any, schema: dict[str, Any]) -> None:
    reason = validation_error(value, schema)
    assert reason is None or reason.startswith("$")
    assert not (reason and schema_error(schema))


def test_a_long_reason_is_cut_in_the_middle() -> None:
    reason = validation_error({"a": "x" * 100_000}, {"properties": {"a": {"type": "integer"}}})
    assert reason is not None
    assert reason.startswith('$.a: "xxx')
    assert reason.endswith('xxx" is not of type "integer"')
    assert len(reason) < 310


@pytest.mark.parametrize(
    "schema",
    [
        # jsonschema took more than a minute for each.
        pytest.param({"type": [{"a": i} for i in range(6000)]}, id="types"),
        pytest.param({"properties": {"b": {"required": [{"a": i} for i in range(6000)]}}}, id="required"),
    ],
)
def test_a_large_invalid_schema_is_refused(schema: dict[str, Any]) -> None:
    assert schema_error(schema)


def test_values_that_need_not_be_distinct() -> None:
    # jsonschema took more than a minute.
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "enum": [{"a": i} for i in range(6000)]}
    assert validation_error({"a": 5999}, schema) is None


def test_the_reason_is_short_if_it_would_copy_a_long_value_often() -> None:
    schema = {"anyOf": [{"type": "integer", "minimum": i} for i in range(1000)]}
    assert validation_error("x" * 1_000_000, schema) == "$: it does not fit the schema"


def test_a_schema_is_compiled_once() -> None:
    schema = {"type": "integer"}
    validation_error(1, schema)
    before = schema_check._compile.cache_info().misses
    assert validation_error("a", schema)
    assert schema_error(schema) is None
    assert schema_check._compile.cache_info().misses == before
    assert validation_error("a", {"type": "integer"})
    assert schema_check._compile.cache_info().misses == before + 1
