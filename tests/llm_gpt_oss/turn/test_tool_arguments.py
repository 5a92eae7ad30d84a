from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.turn.tool_arguments import Arguments, canonical_json, parse_arguments

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TRIP = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "to": {"type": "object"}},
    "required": ["city", "days"],
}
AROUND, OPEN, CONTROL = "text around the object", "brackets left open", "control characters in a string"
PYTHON = "Python instead of JSON"


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('{"city":"Oslo"}', CITY),
        (' {\n  "city" : "Os\\u006co" }\n', CITY),
        ('{"city":"half a \\ud83d"}', CITY),
        ('{"days": 1.0, "city": "```"}', TRIP),
        ('{"anything":[{}, null]}', None),
        ('{"anything":1}', {}),
        ("{}", {"type": "object", "properties": {}}),
    ],
)
def test_valid_arguments_are_not_changed(text: str, parameters: dict[str, Any] | None) -> None:
    assert parse_arguments(text, parameters) == Arguments(json.loads(text), text)


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        # As gpt-oss-tiny misbehaves: bad-json, extra-args.
        ('{"city":"Oslo"}]', {"city": "Oslo"}, [AROUND]),
        (
            '{"city":"Oslo","unexpected_argument":"surprise"}',
            {"city": "Oslo"},
            ["dropped unexpected_argument"],
        ),
        ('{"a":1,"city":"Oslo","b":2}}', {"city": "Oslo"}, [AROUND, "dropped a, b"]),
        ('{"city":"Oslo"}}}', {"city": "Oslo"}, [AROUND]),
        ('```json\n{"city":"Oslo"}\n```', {"city": "Oslo"}, [AROUND]),
        ('```\n{"city":"Oslo"}```', {"city": "Oslo"}, [AROUND]),
        ('json{"city":"Oslo"}', {"city": "Oslo"}, [AROUND]),
        ('\ufeff{"city":"Oslo"}', {"city": "Oslo"}, [AROUND]),
        ('Step 1: {"city":"Oslo"}. Done!', {"city": "Oslo"}, [AROUND]),
        ('[{"city":"Oslo"}]', {"city": "Oslo"}, [AROUND]),
        ('{"city":"Os\nlo\t"}', {"city": "Os\nlo\t"}, [CONTROL]),
        ('{"city":"Os\nlo"}]', {"city": "Os\nlo"}, [AROUND]),
        ('{"city":"Oslo"', {"city": "Oslo"}, [OPEN]),
        ('{"city":"a { [ \\" ] \\\\"', {"city": 'a { [ " ] \\'}, [OPEN]),
        ('{"city":"Os\nlo"', {"city": "Os\nlo"}, [OPEN]),
        ('{"city":"Oslo","to":{"a":[{"b":[1,2]', {"city": "Oslo", "to": {"a": [{"b": [1, 2]}]}}, [OPEN]),
        ("{'city': 'Oslo'}", {"city": "Oslo"}, [PYTHON]),
        (
            " {'city': \"it's\", 'to': {'a': (True, None)}}",
            {"city": "it's", "to": {"a": [True, None]}},
            [PYTHON],
        ),
        ('{"city":"half a \\ud83d"}]', {"city": "half a \ud83d"}, [AROUND]),
    ],
)
def test_repairs(text: str, value: dict[str, Any], repairs: list[str]) -> None:
    schema = {**TRIP, "required": ["city"]}
    assert parse_arguments(text, schema) == Arguments(value, canonical_json(value), tuple(repairs))


@pytest.mark.parametrize(
    "text",
    [
        "Oslo",
        '{"city":',  # cut-json, of gpt-oss-tiny
        '{"city":"Os',
        '{"city":"Oslo\\',
        '{"city":"Oslo",',
        '{"city"',
        '{"city":"Oslo"]',
        "]{",
        '{"city":"Oslo"}{"city":"Rome"}',
        '{"city":"Oslo"}, "days": 2}',
        '"trip": {"city":"Oslo"}',
        '```json\n{"city":"Os',
        '{"city":NaN}',
        '{"days":-Infinity}',
        '{"days":1e999}',
        "{'days': 1e999}",
        '{"Oslo"}',
        "{'city': b'Oslo'}",
        "{'city': ...}",
        "{Oslo}",
        "[]",
        '["Oslo"]',
        '"Oslo"',
        "3",
        "null",
        "[" * 100_000,
        "(" * 100_000,
        "-" * 100_000 + "1",
        '{"a":' * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"days":' + "9" * 5000 + "}",
    ],
)
def test_text_without_an_object(text: str) -> None:
    reason = parse_arguments(text, TRIP)
    assert isinstance(reason, str)
    assert reason == f"no JSON object: {text!r}" or (len(text) > 80 and len(reason) < 300)


def test_the_reason_has_the_beginning_of_a_long_text() -> None:
    assert parse_arguments("x" * 81, None) == f"no JSON object: '{'x' * 79}…'"
    assert parse_arguments("x" * 80, None) == f"no JSON object: '{'x' * 80}'"


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("Oslo", "Oslo"),  # plain-args, of gpt-oss-tiny
        (" Oslo\n", "Oslo"),
        ('"Oslo"', "Oslo"),
        ('"a\\n\\"b\\""', 'a\n"b"'),
        ('"a\nb"', "a\nb"),
        ('say "hi"', 'say "hi"'),
        ('"a" and "b"', '"a" and "b"'),
        ("12", "12"),
        ("if x: {y}", "if x: {y}"),
        ("-" * 2000, "-" * 2000),
    ],
)
@pytest.mark.parametrize(
    "parameters",
    [
        CITY,
        {"properties": {"city": {"type": "string"}}},
        {"properties": {"n": {"type": "integer"}, "city": {"type": "string"}}, "required": ["city"]},
    ],
)
def test_bare_text_is_the_only_required_string(text: str, city: str, parameters: dict[str, Any]) -> None:
    expected = Arguments({"city": city}, canonical_json({"city": city}), ("the whole text was used as city",))
    assert parse_arguments(text, parameters) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        TRIP,
        {"properties": {"city": {"type": "integer"}}, "required": ["city"]},
        {"properties": {"city": True}, "required": ["city"]},
        {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
        {"properties": {}, "required": ["city"]},
        {"properties": ["city"], "required": "city"},
        {"properties": {"city": {"type": "string"}, "a": {}}, "required": True},
    ],
)
def test_bare_text_for_other_parameters_is_an_error(parameters: dict[str, Any] | None) -> None:
    assert parse_arguments("Oslo", parameters) == "no JSON object: 'Oslo'"


@pytest.mark.parametrize(
    "text",
    ['{"city":', ' ["Oslo"', '```json\n{"city":"Os', '"city": "Oslo"', '"trip": {"city":"x"}', "```[1"],
)
def test_broken_json_is_not_bare_text(text: str) -> None:
    assert parse_arguments(text, CITY) == f"no JSON object: {text!r}"


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
@pytest.mark.parametrize(
    "parameters", [None, {"type": "object", "properties": {}}, {"properties": {"a": {}}}]
)
def test_empty_text_means_no_arguments(text: str, parameters: dict[str, Any] | None) -> None:
    assert parse_arguments(text, parameters) == Arguments({}, text)


def test_empty_text_without_a_required_argument() -> None:
    assert parse_arguments("", CITY) == Arguments({}, "", (), "$: 'city' is a required property")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"city":3}', "$.city: 3 is not of type 'string'"),
        ("{}", "$: 'city' is a required property"),
        ('{"cty":"Oslo"}', "$: 'city' is a required property"),
    ],
)
def test_schema_errors(text: str, error: str) -> None:
    arguments = parse_arguments(text, CITY)
    assert isinstance(arguments, Arguments)
    assert arguments.schema_error == error


A: dict[str, Any] = {"properties": {"a": {}}}


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        (A, ["a"]),
        ({**A, "required": ["b"]}, ["a", "b"]),
        ({**A, "required": [["b"], "c"]}, ["a", "c"]),
        ({**A, "additionalProperties": False}, ["a"]),
        ({**A, "additionalProperties": False, "allOf": [{}]}, ["a"]),
        ({**A, "additionalProperties": True}, ["a", "b", "c"]),
        ({**A, "additionalProperties": {"type": "integer"}}, ["a", "b", "c"]),
        ({**A, "patternProperties": {"^b": {}}}, ["a", "b", "c"]),
        ({**A, "patternProperties": {"^[bc]": {}}, "additionalProperties": False}, ["a", "b", "c"]),
        ({**A, "anyOf": [{}]}, ["a", "b", "c"]),
        ({**A, "oneOf": [{}]}, ["a", "b", "c"]),
        ({**A, "allOf": [{}]}, ["a", "b", "c"]),
        ({**A, "if": {}}, ["a", "b", "c"]),
        ({**A, "$ref": "#/$defs/more", "$defs": {"more": {}}}, ["a", "b", "c"]),
        ({"$ref": "#/$defs/all", "$defs": {"all": A}}, ["a", "b", "c"]),
        ({"type": "object", "properties": {}}, []),
        ({"type": "object"}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        (None, ["a", "b", "c"]),
    ],
)
def test_only_unknown_keys_are_dropped(parameters: dict[str, Any] | None, left: list[str]) -> None:
    arguments = parse_arguments('{"a":1,"b":2,"c":3}', parameters)
    assert isinstance(arguments, Arguments)
    assert [*arguments.value] == left
    assert arguments.text == canonical_json({key: {"a": 1, "b": 2, "c": 3}[key] for key in left})


def test_canonical_json_is_compact_and_readable() -> None:
    assert (
        canonical_json({"a": ["é", 1.0, None], "b": "\ud83d 🦤"}) == '{"a":["é",1.0,null],"b":"\\ud83d 🦤"}'
    )


# What would take minutes if the time was not in proportion, or end the process.
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"city":"' + '\\"' * 500_000, id="escaped quotes in a string that is open"),
        pytest.param('{"city":"' + '"' * 500_000, id="quotes"),
        pytest.param('{"city":"' + "\\" * 500_001, id="backslashes"),
        pytest.param('{"city":["' + '",["' * 200_000, id="brackets and quotes"),
        pytest.param("{'city':'" + "\\'" * 200_000, id="Python's quotes"),
    ],
)
def test_a_long_text(text: str) -> None:
    assert isinstance(parse_arguments(text, CITY), str)


# Whatever comes in.

STRINGS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=8,
)
SCRAPS = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ":", ",", "\\", "```json\n", "1", "b'", "NaN", "city", "-"]
)
TEXTS = st.lists(SCRAPS | st.text(max_size=2), max_size=12).map("".join)
SCHEMAS = (
    st.none()
    | st.sampled_from([CITY, TRIP, A])
    | st.dictionaries(
        st.sampled_from(["properties", "required", "additionalProperties", "type"]), JSON, max_size=3
    )
)


@given(st.dictionaries(STRINGS, JSON, max_size=3), st.booleans())
def test_valid_objects_are_not_changed(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_arguments(text, {"type": "object"}) == Arguments(value, text)


@given(st.dictionaries(STRINGS, JSON, max_size=3), st.sampled_from(["]", "}", "\n```", ". Done"]))
def test_objects_with_text_after_them_are_parsed(value: dict[str, Any], rest: str) -> None:
    assert parse_arguments(json.dumps(value) + rest, None) == Arguments(
        value, canonical_json(value), (AROUND,)
    )


@given(TEXTS, SCHEMAS)
def test_any_text_gives_arguments_or_a_reason(text: str, parameters: dict[str, Any] | None) -> None:
    match parse_arguments(text, parameters):
        case Arguments() as arguments:
            assert json.loads(arguments.text.strip() or "{}") == arguments.value
            json.dumps(arguments.value, allow_nan=False)
            assert (arguments.text == text) == (not arguments.repairs)
        case reason:
            assert reason.startswith("no JSON object: ")
