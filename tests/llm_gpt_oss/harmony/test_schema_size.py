"""No schema makes a prompt large: the types of any schema are short, always the same, and printed quickly."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tool_schemas import NUMBER, STRING, object_with, printed

from llm_gpt_oss.harmony.typescript import MAX_GROWTH, typescript

NAMES = ["A", "B", "C D", "string"]
KEYS = st.sampled_from(["a", "b-c", "$ref", "\n", "description", ""])
PLACES = ["#", "#/properties/a", "#/items", "#/anyOf/0", "#/$defs/A/properties/a", "#/nowhere", "https://x/y"]
REFERENCES = st.sampled_from([*(f"#/$defs/{name}" for name in NAMES), *PLACES]).map(lambda ref: {"$ref": ref})
LEAVES = st.sampled_from(
    [
        STRING,
        NUMBER,
        {},
        True,
        False,
        7,
        {"type": ["object", "null"]},
        {"enum": ["x", 1, None]},
        {"const": []},
    ]
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(alphabet="d\n\u2028", max_size=9),
        "title": st.text(alphabet="t\n", max_size=3),
        "default": st.sampled_from([None, "x", [1]]),
        "examples": st.lists(st.integers(0, 9), max_size=9),
        "nullable": st.booleans(),
        "required": st.lists(KEYS, max_size=2),
        "type": st.sampled_from(["object", "array", "string", ["object", "object"]]),
    },
)


def schemas_around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several, named = st.lists(inner, min_size=1, max_size=4), st.dictionaries(KEYS, inner, max_size=4)
    keywords = {
        **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), several),
        **dict.fromkeys(("properties", "patternProperties"), named),
        **dict.fromkeys(("items", "additionalProperties"), inner),
    }
    structures = st.one_of([st.builds(lambda v, k=key: {k: v}, value) for key, value in keywords.items()])
    return st.builds(
        lambda first, second, extras: {**first, **second, **extras},
        structures,
        structures | REFERENCES,
        EXTRAS,
    )


PARTS = st.recursive(LEAVES | REFERENCES, schemas_around, max_leaves=8)
DOCUMENTS = st.builds(
    lambda root, parts: {
        **(root if isinstance(root, dict) else {}),
        "$defs": dict(zip(NAMES, parts, strict=True)),
    },
    PARTS,
    st.lists(PARTS, min_size=4, max_size=4),
)


def json_length(schema: Any) -> int:
    return len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")))


def printed_length(schema: Any) -> int:
    type_, declarations, _ = typescript(schema)
    return len(type_) + sum(map(len, declarations.values()))


@given(DOCUMENTS)
def test_types_are_at_most_three_times_as_long_as_the_schema(schema: Any) -> None:
    assert MAX_GROWTH == 3
    assert printed_length(schema) <= 3 * json_length(schema)


@given(DOCUMENTS)
def test_the_same_schema_is_always_printed_the_same(schema: Any) -> None:
    assert printed(json.loads(json.dumps(schema))) == printed(schema)


def numbered(schema: Any, numbers: Iterator[int]) -> Any:
    "The schema with a different text as each description."
    match schema:
        case dict():
            texts = (
                {"description": f"text {next(numbers)}."}
                if isinstance(schema.get("description"), str)
                else {}
            )
            return {key: numbered(value, numbers) for key, value in schema.items()} | texts
        case list():
            return [numbered(value, numbers) for value in schema]
        case _:
            return schema


@given(DOCUMENTS)
def test_no_description_is_printed_twice(schema: Any) -> None:
    shown = re.findall(r"text \d+\.", printed(numbered(schema, iter(range(1_000)))))
    assert len(shown) == len(set(shown))


def definitions(count: int) -> dict[str, Any]:
    "Definitions that all refer to five of the others."
    others = [[(7 * number + other * other + 1) % count for other in range(5)] for number in range(count)]
    return {
        f"D{number}": {
            "anyOf": [
                object_with({"$ref": f"#/$defs/D{indexes[0]}"}),
                {"allOf": [{"$ref": f"#/$defs/D{index}"} for index in indexes[1:]]},
            ]
        }
        for number, indexes in enumerate(others)
    }


HUGE = [
    pytest.param({"$ref": "#/$defs/D0", "$defs": definitions(1_000)}, "a?: D", id="definitions"),
    pytest.param(
        {
            "$ref": "#/$defs/D0",
            "$defs": {f"D{i}": {"prefixItems": 2 * [{"$ref": f"#/$defs/D{i + 1}"}]} for i in range(1_000)},
        },
        "type D999 = [any, any];",
        id="definitions that use the next one twice",
    ),
    pytest.param(
        {
            "$ref": "#/$defs/D0",
            "$defs": {f"D{i}": {"allOf": 2 * [{"$ref": f"#/$defs/D{i + 1}"}]} for i in range(1_000)},
        },
        "type D998 = D999;",
        id="definitions that include the next one twice",
    ),
    pytest.param(
        {
            "properties": {f"p{i}": STRING for i in range(1_000)},
            "anyOf": [{"required": [f"p{i}"]} for i in range(1_000)],
        },
        "p999: any,",
        id="union beside properties",
    ),
    pytest.param(
        {"allOf": [{"properties": {f"p{i}": STRING}, "required": [f"p{i}"]} for i in range(1_000)]},
        "p999: string,",
        id="allOf",
    ),
    pytest.param({"allOf": 1_000 * [object_with(STRING)]}, "a?: string,", id="the same property in allOf"),
    pytest.param({"type": 1_000 * ["object"], **object_with(STRING)}, "a?: string,", id="types"),
    pytest.param({"enum": list(range(1_000))}, "998 | 999", id="enum"),
    pytest.param(
        {
            "properties": {f"p{i}": {"$ref": f"#/$defs/{'!' * (i // 2)}"} for i in range(2_000)},
            "$defs": {"!" * i: STRING for i in range(1_000)},
        },
        "p1999?: ",
        id="definitions whose names have no letters",
    ),
]


@pytest.mark.parametrize(("schema", "part"), HUGE)
def test_huge_schemas_are_printed_whole_and_quickly(schema: Any, part: str) -> None:
    start = time.process_time()
    text = printed(schema)
    assert time.process_time() - start < 5
    assert part in text
    assert len(text) <= 3 * json_length(schema)


def nested_objects(depth: int) -> Any:
    schema: Any = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema, "b": {}, "c": {}}}
    return schema


def test_less_of_a_schema_is_printed_if_its_types_would_be_too_long() -> None:
    text = printed(nested_objects(30))
    # Half of the nesting, since the indentation of all of it would be longer than the schema.
    assert text.count("a?: {") == 15
    assert text.count("a?: any") == 1
    assert len(text) <= 3 * json_length(nested_objects(30))


def test_nothing_is_printed_of_a_schema_whose_types_are_always_too_long() -> None:
    assert printed({"description": "\u2028" * 1_000, "properties": {"a": STRING}}) == "any"
