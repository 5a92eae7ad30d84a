"""JSON schemas for tests, and the TypeScript that openai/harmony prints for some of them."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.harmony.typescript import typescript

STRING, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}


def object_with(schema: Any, **keywords: Any) -> dict[str, Any]:
    "The schema of an object with the property `a`, and with these other keywords."
    return {"type": "object", "properties": {"a": schema}, **keywords}


def printed(schema: Any) -> str:
    "The declarations for a schema and its type, as text."
    type_, declarations, _ = typescript(schema)
    return "\n".join([*declarations.values(), type_])


# What openai/harmony prints for these schemas, byte for byte.
REFERENCE = [
    pytest.param(STRING, "string", id="string"),
    pytest.param({"type": "integer"}, "number", id="integer"),
    pytest.param({"type": "boolean"}, "boolean", id="boolean"),
    pytest.param({"type": "vector"}, "any", id="unknown type"),
    pytest.param({}, "any", id="no type"),
    pytest.param({"type": "array"}, "Array<any>", id="array of anything"),
    pytest.param({"type": "array", "items": {}}, "any[]", id="array of any"),
    pytest.param({"type": "array", "items": {"type": "array", "items": NUMBER}}, "number[][]", id="matrix"),
    pytest.param({"type": ["integer", "string", "null"]}, "number | string | null", id="types"),
    pytest.param({"type": "string", "enum": ["a", "b c"]}, '"a" | "b c"', id="enum"),
    pytest.param({"type": "object", "properties": {}}, "{\n}", id="empty object"),
    pytest.param(
        {"type": "object", "properties": {"b": STRING, "a": NUMBER, "$c": {}}, "required": ["a"]},
        "{\nb?: string,\na: number,\n$c?: any,\n}",
        id="order and required",
    ),
    pytest.param(
        object_with({"type": ["number", "string"], "default": -1}),
        "{\na?: number | string, // default: -1\n}",
        id="the browser tool's id",
    ),
    pytest.param(
        object_with(
            {
                "title": "T",
                "description": "D",
                "examples": ["x"],
                "type": "array",
                "default": [1, {"b": None}],
            }
        ),
        '{\n// T\n//\n// D\n// Examples:\n// - "x"\na?: Array<any>, // default: [1,{"b":null}]\n}',
        id="comments",
    ),
    pytest.param(
        object_with({"oneOf": [object_with(NUMBER), {"type": "string", "nullable": True, "default": "x"}]}),
        '{\na?:\n | {\n   a?: number,\n   }\n | string | null // default: "x"\n,\n}',
        id="union of an object",
    ),
    pytest.param(
        object_with(
            {"oneOf": [STRING], "title": "T", "description": "D", "examples": ["x"], "default": None}
        ),
        '{\n// T\n//\n// Examples:\n// - "x"\n// D\n// default: null\na?:\n | string\n,\n}',
        id="union of one",
    ),
    pytest.param(
        {"oneOf": [{"description": "D", **STRING}, NUMBER]},
        "\n | string // D\n | number",
        id="union alone",
    ),
]
