"""Unions, `allOf` and references, which are resolved before a schema is printed."""

from __future__ import annotations

from typing import Any

import pytest
from support.tool_schemas import NULL, NUMBER, STRING, object_with

from llm_gpt_oss.harmony.typescript import typescript

UNIONS = [
    pytest.param(
        object_with({"anyOf": [STRING, NUMBER], "description": "D"}),
        "{\n// D\na?:\n | string\n | number\n,\n}",
        id="anyOf",
    ),
    pytest.param(
        object_with({"anyOf": [STRING, NULL], "default": None, "description": "D"}),
        "{\n// D\na?: string | null, // default: null\n}",
        id="optional, as pydantic writes it",
    ),
    pytest.param(
        object_with({"anyOf": [object_with(STRING), NULL]}),
        "{\na?: {\n    a?: string,\n    } | null,\n}",
        id="optional object",
    ),
    pytest.param(
        object_with({"oneOf": [STRING, NUMBER], "nullable": True}),
        "{\na?:\n | string\n | number\n | null\n,\n}",
        id="nullable union",
    ),
    pytest.param(
        {"anyOf": [{"oneOf": [STRING, NUMBER]}, NULL]}, "\n | string\n | number\n | null", id="optional union"
    ),
    pytest.param(
        {"anyOf": [STRING, NUMBER, NULL], "nullable": True}, "\n | string\n | number\n | null", id="null once"
    ),
    pytest.param(
        object_with({"anyOf": [{"anyOf": [STRING, NUMBER]}, {"const": 1}]}),
        "{\na?:\n | \n    | string\n    | number\n | 1\n,\n}",
        id="union in union",
    ),
    pytest.param(
        {**object_with(STRING), "anyOf": [{"required": ["a"]}, {"properties": {"b": NUMBER}}, False]},
        "\n | {\n   a: string,\n   }\n | {\n   a?: string,\n   b?: number,\n   }\n | never",
        id="union beside properties",
    ),
    pytest.param(
        {"type": "object", "additionalProperties": False, "anyOf": [object_with(STRING), {}]},
        "\n | {\n   a?: string,\n   }\n | {\n   }",
        id="union beside a type",
    ),
    pytest.param(
        {
            "required": ["a"],
            "patternProperties": {"x": STRING},
            "additionalProperties": NUMBER,
            "oneOf": [object_with({})],
        },
        "\n | {\n   a: any,\n   [key: string]: string,\n   [key: string]: number,\n   }",
        id="union beside all keywords of objects",
    ),
    pytest.param(
        {"items": STRING, "prefixItems": [NUMBER], "anyOf": [{"minItems": 1}, {"enum": [[]]}]},
        "\n | [number, ...string[]]\n | []",
        id="union beside items",
    ),
    pytest.param({"enum": [1], "anyOf": [{}, {"title": "x"}]}, "\n | 1\n | 1", id="union beside enum"),
    pytest.param({"const": 1, "anyOf": [{}, {"title": "x"}]}, "\n | 1\n | 1", id="union beside const"),
    pytest.param(
        object_with(
            {"title": "T", "description": "D", "examples": [1], "anyOf": [{"title": "t", **NUMBER}, NULL]}
        ),
        "{\n// T\n//\n// D\n// Examples:\n// - 1\na?: number | null,\n}",
        id="annotations beside optional",
    ),
    pytest.param({"anyOf": [], "oneOf": "x", "type": "string"}, "string", id="empty unions"),
    pytest.param(
        {"allOf": [object_with(STRING, required=["a"]), {"required": ["b"]}], "properties": {"b": NUMBER}},
        "{\na: string,\nb: number,\n}",
        id="allOf",
    ),
    pytest.param(
        {"allOf": [object_with({"description": "D", **STRING}), object_with({"const": "x"})]},
        '{\n// D\na?: "x",\n}',
        id="allOf about one property",
    ),
    pytest.param({"allOf": [STRING, True, None, NUMBER]}, "number", id="contradiction: the last wins"),
    pytest.param({"allOf": {}}, "any", id="allOf that is not a list"),
]

TREE = object_with({"type": "array", "items": {"$ref": "#/$defs/Tree"}})
REFERENCES = [
    pytest.param(
        object_with(
            {"$ref": "#/$defs/City", "default": "x"}, **{"$defs": {"City": {"description": "D", **STRING}}}
        ),
        '{\n// D\na?: string, // default: "x"\n}',
        id="annotations beside a reference",
    ),
    pytest.param(
        {"$ref": "#/definitions/a~1b%20~0/1", "definitions": {"a/b ~": [1, STRING]}}, "string", id="pointer"
    ),
    pytest.param(
        {"$ref": "#/$defs/Tree", "$defs": {"Tree": TREE}}, "{\na?: Tree[],\n}", id="recursion through items"
    ),
    pytest.param({"$ref": "#"}, "any", id="reference to itself"),
    pytest.param(
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}},
        "A",
        id="circle",
    ),
    pytest.param(
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}, STRING]}}},
        "string",
        id="circle through allOf",
    ),
    pytest.param(
        object_with({"$ref": "#/$defs/A"}, required=["b"], **{"$defs": {"A": STRING}})
        | {"properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}}},
        "{\na?: string,\nb: string,\n}",
        id="twice is no recursion",
    ),
    pytest.param({"$ref": "#/$defs/Nowhere"}, "Nowhere", id="reference without a target"),
    pytest.param({"$ref": "#/$defs/0/x", "$defs": [STRING]}, "x", id="into a string"),
    pytest.param(
        object_with({"$ref": "https://example.org/city.json"}), "{\na?: any,\n}", id="another document"
    ),
    pytest.param(object_with({"$ref": "#city"}), "{\na?: any,\n}", id="anchor"),
    pytest.param(
        object_with({"$ref": "#"}), "{\na?: {\n    a?: any,\n    },\n}", id="the document in itself"
    ),
    pytest.param(
        {"$ref": "#/$defs/A", "allOf": [NUMBER], "$defs": {"A": STRING}},
        "number",
        id="allOf beside a reference",
    ),
    pytest.param({"$ref": "#/$defs/A", "$defs": {"A": {}}}, "any", id="target allows anything"),
    pytest.param({"$ref": 7, "type": "string"}, "string", id="reference that is not a string"),
]


@pytest.mark.parametrize(("schema", "expected"), [*UNIONS, *REFERENCES])
def test_resolved_schemas(schema: Any, expected: str) -> None:
    assert typescript(schema) == expected


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def test_depth_is_limited() -> None:
    assert typescript(nested(31)) == "string" + 31 * "[]"
    assert typescript(nested(50_000)) == "any" + 32 * "[]"


def test_number_of_schemas_is_limited() -> None:
    doubling = {f"D{level}": {"prefixItems": 2 * [{"$ref": f"#/$defs/D{level + 1}"}]} for level in range(30)}
    assert len(typescript({"$ref": "#/$defs/D0", "$defs": doubling})) < 100_000
