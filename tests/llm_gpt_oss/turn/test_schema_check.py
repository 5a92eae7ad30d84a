from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_server import Scripted, answer

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
    ],
)
def test_fits(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema) is None


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        ({}, PERSON, "$: 'name' is a required property"),
        ({"name": "Ada", "born": "1815"}, PERSON, "$.born: '1815' is not of type 'integer'"),
        ([1], {"$schema": DRAFT_7, "items": [{"type": "string"}]}, "$[0]: 1 is not of type 'string'"),
        ([1, 2], {"prefixItems": [{}, {"type": "string"}]}, "$[1]: 2 is not of type 'string'"),
        (1, {"$schema": "https://example.com/no-dialect", "type": "string"}, "$: 1 is not of type 'string'"),
        ("", {"pattern": "^a"}, "$: '' does not match '^a'"),
        (True, {"type": "integer"}, "$: True is not of type 'integer'"),
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
        pytest.param("a", {"pattern": r"^\p{Lu}$"}, id="not Python's pattern"),
        pytest.param(10**400, {"multipleOf": 0.1}, id="a number too big"),
        pytest.param(1, {"$schema": 5}, id="a dialect that is no string"),
        pytest.param("a", {"$schema": ["a"]}, id="a dialect that is a list"),
    ],
)
def test_a_schema_that_cannot_be_checked_accepts_everything(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema) is None


DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOUBLED = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2, "$schema": DIALECT} for i in range(30)}
AS = "a" * 40 + "!"


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param(AS, {"pattern": "^(a+)+$"}, id="nested"),
        pytest.param(AS, {"pattern": "^(a|a)*$"}, id="alternatives"),
        pytest.param(AS, {"pattern": "^(?:(?=a)a?a)*$"}, id="optional"),
        pytest.param("a" * 3000 + "!", {"pattern": "a*a*a*b"}, id="long"),
        pytest.param({AS: 1}, {"patternProperties": {"^(a+)+$": {}}}, id="keys"),
        pytest.param(
            {AS: 1}, {"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}, id="other keys"
        ),
        pytest.param([1], {"unevaluatedItems": False}, id="a way of its own"),
        pytest.param("x", {"$ref": "#/$defs/d0", "$defs": {**DOUBLED, "d30": {}}}, id="doubled"),
        pytest.param("x", {"$schema": DIALECT, "$ref": "#/$defs/d0", "$defs": DOUBLED}, id="to nowhere"),
    ],
)
def test_a_check_that_takes_too_long_accepts_everything(value: Any, schema: dict[str, Any]) -> None:
    assert validation_error(value, schema) is None


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("2020-1-1", {"pattern": r"^\d{4}-\d{2}-\d{2}$"}),
        ("x" * 100, {"pattern": r"^[^@]+@[^@]+\.[^@]+$"}),
        ("bar?", {"pattern": "^(foo|bar)+$"}),
        ("b", {"pattern": "(?=a)"}),
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
        ({"items": [{}]}, "$.items: [{}] is not of type 'object', 'boolean'"),
        ({"type": "objekt"}, "$.type: 'objekt' is not valid under any of the given schemas"),
        (
            {"properties": {"a": {"required": "b"}}},
            "$.properties.a.required: 'b' is not of type 'array'",
        ),
        ({"$schema": 5}, "$['$schema']: 5 is not of type 'string'"),
        (nested(2000), "it is nested too deeply"),
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
    assert reason.startswith("$.a: 'xxx")
    assert reason.endswith("xxx' is not of type 'integer'")
    assert len(reason) < 310
