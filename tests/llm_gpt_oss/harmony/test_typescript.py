from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tool_schemas import NULL, NUMBER, REFERENCE, STRING, object_with, printed

from llm_gpt_oss.harmony.comments import comment

# Schemas of which openai/harmony loses or garbles a part, and similar ones.
IMPROVED = [
    pytest.param(True, "any", id="true"),
    pytest.param(False, "never", id="false"),
    pytest.param(NULL, "null", id="null"),
    pytest.param({"type": "string", "nullable": True}, "string | null", id="nullable at the top"),
    pytest.param({"type": ["string", "null"], "nullable": True}, "string | null", id="nullable twice"),
    pytest.param({"const": "a"}, '"a"', id="const"),
    pytest.param({"const": None, "type": "null"}, "null", id="const null"),
    pytest.param({"enum": [1, "1", None, True, 1.5]}, '1 | "1" | null | true | 1.5', id="enum of anything"),
    pytest.param({"type": "integer", "enum": [1, 2]}, "1 | 2", id="enum of integers"),
    pytest.param({"type": ["string", "null"], "enum": ["a", None]}, '"a" | null', id="enum and types"),
    pytest.param({"enum": ["a"], "nullable": True}, '"a" | null', id="nullable enum"),
    pytest.param({"enum": [], "type": "string"}, "string", id="empty enum"),
    pytest.param({"enum": ["é", [1, {"b": 2}]]}, '"é" | [1,{"b":2}]', id="enum of arrays and objects"),
    pytest.param({"enum": ['say "hi"\n']}, '"say \\"hi\\"\\n"', id="quotes in an enum"),
    pytest.param({"type": "array", "items": {"enum": ["a", "b"]}}, '("a" | "b")[]', id="array of enum"),
    pytest.param({"type": ["array", "null"], "items": STRING}, "string[] | null", id="array or null"),
    pytest.param({"items": {"type": ["string", "null"]}}, "(string | null)[]", id="array without type"),
    pytest.param(
        {"type": ["object", "null"], **object_with(STRING, type=["object", "null"])},
        "{\na?: string,\n} | null",
        id="object or null",
    ),
    pytest.param({"properties": {"a": True}}, "{\na?: any,\n}", id="object without type"),
    pytest.param({"type": ["string", 7, ["x"]]}, "string | any", id="odd types"),
    pytest.param(
        {"type": "array", "items": {"oneOf": [STRING, {"description": "D", **NUMBER}]}},
        "(\n | string\n | number // D\n)[]",
        id="array of union",
    ),
    pytest.param({"prefixItems": [STRING, NUMBER]}, "[string, number]", id="tuple"),
    pytest.param(
        {"type": "array", "prefixItems": [STRING], "items": {"type": ["number", "null"]}},
        "[string, ...(number | null)[]]",
        id="open tuple",
    ),
    pytest.param({"type": "array", "items": [STRING, True]}, "[string, any]", id="old tuple"),
    pytest.param({"type": "array", "items": True}, "any[]", id="items true"),
    pytest.param({"type": "object", "additionalProperties": NUMBER}, "{[key: string]: number}", id="map"),
    pytest.param({"type": "object", "additionalProperties": {}}, "{[key: string]: any}", id="map of any"),
    pytest.param({"type": "object", "additionalProperties": False}, "{\n}", id="closed object"),
    pytest.param(
        object_with(STRING, additionalProperties={}), "{\na?: string,\n}", id="any beside properties"
    ),
    pytest.param({"additionalProperties": NUMBER}, "{[key: string]: number}", id="map without type"),
    pytest.param({"patternProperties": {"^x": STRING}}, "{[key: string]: string}", id="pattern without type"),
    pytest.param(
        {"patternProperties": {"^x": STRING}, "additionalProperties": NUMBER, "description": "D"},
        "// D\n{[key: string]: string, [key: string]: number}",
        id="patterns",
    ),
    pytest.param(
        object_with(object_with(STRING, additionalProperties=object_with(NUMBER)), additionalProperties=True),
        "{\na?: {\n    a?: string,\n    [key: string]: {\n        a?: number,\n        },\n    },\n}",
        id="map beside properties",
    ),
    pytest.param({"type": "object", "required": ["a"]}, "{\na: any,\n}", id="required alone"),
    pytest.param(
        {"type": "object", "properties": {"a-b": STRING, "1": STRING, 'c"\n': STRING, "é": STRING}},
        '{\n"a-b"?: string,\n"1"?: string,\n"c\\"\\n"?: string,\né?: string,\n}',
        id="odd names",
    ),
    pytest.param(
        object_with(
            {"title": "T\nt", "description": "a\r\nb\u2028c\n", "default": "d\ne", "examples": [1, "f\n"]}
        ),
        '{\n// T\n// t\n//\n// a\n// b\n// c\n// Examples:\n// - 1\n// - "f\\n"\n'
        'a?: any, // default: "d\\ne"\n}',
        id="lines in comments",
    ),
    pytest.param(
        object_with({"examples": ["a\u2028b"]}),
        '{\n// Examples:\n// - "a\n// b"\na?: any,\n}',
        id="line separator in an example",
    ),
    pytest.param(
        object_with({"enum": ["x\ny"], "default": "x\ny"}),
        '{\na?: "x\\ny", // default: x y\n}',
        id="lines in an enum's default",
    ),
    pytest.param(
        object_with({"description": "Days", "type": "array", "items": {"description": "ISO 8601", **STRING}}),
        "{\n// Days\n// ISO 8601\na?: string[],\n}",
        id="description of items",
    ),
    pytest.param(
        object_with({"type": "array", "items": object_with(STRING, description="D")}),
        "{\na?:     // D\n{\n    a?: string,\n    }[],\n}",
        id="description of items that are objects",
    ),
    pytest.param(
        object_with({"description": "D", "type": "array", "items": {"description": "D", **STRING}}),
        "{\n// D\na?: string[],\n}",
        id="the same description of items",
    ),
    pytest.param(
        object_with({"type": "array", "items": {"description": "D", "properties": {"a": STRING}}}),
        "{\na?:     // D\n{\n    a?: string,\n    }[],\n}",
        id="description of items that are objects without a type",
    ),
    pytest.param(
        object_with(object_with({"description": "D", **STRING}, description="inner"), description="outer"),
        "// outer\n{\n// inner\na?: {\n    // D\n    a?: string,\n    },\n}",
        id="description of an object in an object",
    ),
    pytest.param(
        {
            "oneOf": [
                object_with(STRING, description="D"),
                {"enum": [1], "type": "object", "description": "E"},
            ]
        },
        "\n |    // D\n{\n   a?: string,\n   }\n | 1 // E\n",
        id="description of an object in a union",
    ),
    pytest.param(
        object_with({"oneOf": [object_with(STRING, description="D")], "description": "D"}),
        "{\n// D\na?:\n | {\n   a?: string,\n   }\n,\n}",
        id="the same description of an object in a union",
    ),
    pytest.param(
        object_with(
            {
                "oneOf": [{"description": "D", **STRING}, {"description": "two\nlines", **NUMBER}],
                "description": "D",
            }
        ),
        "{\n// D\na?:\n | string\n | number // two lines\n,\n}",
        id="the same description twice",
    ),
    pytest.param(
        object_with({"oneOf": [{"enum": ["x"], "default": "x", "description": "first"}], "description": "D"}),
        '{\n// D\na?:\n | "x" // first default: x\n,\n}',
        id="description of the first variant",
    ),
]

MALFORMED_SCHEMAS: list[tuple[Any, str]] = [
    (None, "any"),
    ([], "any"),
    ("string", "any"),
    ({"type": None}, "any"),
    ({"type": []}, "any"),
    ({"type": {}}, "any"),
    ({"enum": "ab"}, "any"),
    ({"type": "object", "properties": [], "required": "a", "additionalProperties": 1}, "{\n}"),
    ({"type": "object", "properties": {"a": None}, "required": [None, {}]}, "{\na?: any,\n}"),
    ({"type": "array", "items": "x", "prefixItems": {}}, "Array<any>"),
    (object_with({"description": 1, "title": [], "examples": "x"}), "{\na?: any,\n}"),
]
MALFORMED = [pytest.param(schema, expected, id=repr(schema)) for schema, expected in MALFORMED_SCHEMAS]


@pytest.mark.parametrize(("schema", "expected"), [*REFERENCE, *IMPROVED, *MALFORMED])
def test_typescript(schema: Any, expected: str) -> None:
    assert printed(schema) == expected


def test_comment_lines() -> None:
    assert comment("a\n\nb\n", " ") == " // a\n // \n // b\n"
    assert comment("") == ""


# Any schema gives a type, and texts of the schema stay inside strings and comments.

WORDS = st.text(alphabet='ab"\\\n\r/*|{}[]();\u2028', max_size=8)
NAMES = st.sampled_from(["a", "b-c", "d\ne", "$f", '"', "// g"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
TYPE_NAMES = st.sampled_from(["string", "number", "integer", "boolean", "null", "object", "array", "vector"])
REFERENCE_TEXTS = st.sampled_from(
    ["#", "#/$defs/A", "#/$defs/B", "#/properties/a", "#/oneOf/0", "#x", "x", "#/$defs/0"]
)


def schemas_around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several, named = st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPE_NAMES | st.lists(TYPE_NAMES, max_size=3),
        "properties": named,
        "patternProperties": named,
        "additionalProperties": inner,
        "required": st.lists(NAMES, max_size=2),
        "items": inner | several,
        "prefixItems": several,
        "oneOf": several,
        "anyOf": several,
        "allOf": several,
        "enum": st.lists(JSON, max_size=3),
        "const": JSON,
        "nullable": st.booleans(),
        "title": WORDS,
        "description": WORDS,
        "examples": st.lists(JSON, max_size=2),
        "default": JSON,
        "$ref": REFERENCE_TEXTS,
        "$defs": st.dictionaries(st.sampled_from(["A", "B"]), inner),
    }
    pairs = [st.tuples(st.just(key), value | JSON) for key, value in keywords.items()]
    return st.lists(st.one_of(pairs), max_size=5).map(dict)


SCHEMAS = st.recursive(JSON | st.fixed_dictionaries({"type": TYPE_NAMES}), schemas_around, max_leaves=12)

STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n\r]|\\[^\n\r])*"|//[^\n\r]*')
PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}


@given(SCHEMAS)
def test_nothing_escapes_its_string_or_comment(schema: Any) -> None:
    code = STRING_OR_COMMENT.sub("", printed(schema))
    # Numbers may be NaN and Infinity, which are words. Of the odd names only `$f` needs no quotes.
    assert re.fullmatch(r"[A-Za-z0-9$_ \n|&(){}\[\]<>,:;=?.+-]*", code)
    assert set(re.findall(r"[A-Za-z$]+", re.sub(r"\d[\d.]*e[+-]?\d+", "", code))) <= {
        *("string", "number", "boolean", "null", "never", "any", "Array", "key"),
        *("true", "false", "NaN", "Infinity", "a", "$f", "A", "B", "type", "Root"),
    }
    brackets: list[str] = []
    for char in re.sub(r"[^(){}\[\]<>]", "", code):
        if char in PAIRS:
            assert brackets.pop() == PAIRS[char]
        else:
            brackets.append(char)
    assert not brackets
