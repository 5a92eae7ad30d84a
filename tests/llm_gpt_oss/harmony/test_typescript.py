from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tool_schemas import NULL, NUMBER, REFERENCE, STRING, object_with

from llm_gpt_oss.harmony.comments import comment
from llm_gpt_oss.harmony.typescript import typescript

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


@pytest.mark.parametrize(("schema", "expected"), [*REFERENCE, *IMPROVED, *UNIONS, *REFERENCES, *MALFORMED])
def test_typescript(schema: Any, expected: str) -> None:
    assert typescript(schema) == expected


def test_indent() -> None:
    assert typescript(object_with(STRING), "  ") == "{\n  a?: string,\n  }"


def test_comment_lines() -> None:
    assert comment("a\n\nb\n", " ") == " // a\n // \n // b\n"
    assert comment("") == ""


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
    code = STRING_OR_COMMENT.sub("", typescript(schema))
    # Numbers may be NaN and Infinity, which are words. Of the odd names only `$f` needs no quotes.
    assert re.fullmatch(r"[A-Za-z0-9$ \n|(){}\[\]<>,:?.+-]*", code)
    assert set(re.findall(r"[A-Za-z$]+", re.sub(r"\d[\d.]*e[+-]?\d+", "", code))) <= {
        *("string", "number", "boolean", "null", "never", "any", "Array", "key"),
        *("true", "false", "NaN", "Infinity", "a", "$f", "A", "B", "x"),
    }
    brackets: list[str] = []
    for char in re.sub(r"[^(){}\[\]<>]", "", code):
        if char in PAIRS:
            assert brackets.pop() == PAIRS[char]
        else:
            brackets.append(char)
    assert not brackets
