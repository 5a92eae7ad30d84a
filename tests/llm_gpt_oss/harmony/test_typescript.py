from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.harmony.comments import comment
from llm_gpt_oss.harmony.typescript import typescript

STRING, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}


def one(schema: Any, **document: Any) -> dict[str, Any]:
    "An object with one property, `a`."
    return {"type": "object", "properties": {"a": schema}, **document}


# What the reference prints, byte for byte: seen from its own code on these schemas.
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
        one({"type": ["number", "string"], "default": -1}),
        "{\na?: number | string, // default: -1\n}",
        id="the browser tool's id",
    ),
    pytest.param(
        one(
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
        one(one({"description": "D", **STRING}, description="inner"), description="outer"),
        "// outer\n{\n// inner\na?:     // inner\n{\n    // D\n    a?: string,\n    },\n}",
        id="object in object",
    ),
    pytest.param(
        one({"oneOf": [one(NUMBER), {"type": "string", "nullable": True, "default": "x"}]}),
        '{\na?:\n | {\n   a?: number,\n   }\n | string | null // default: "x"\n,\n}',
        id="union of an object",
    ),
    pytest.param(
        one({"oneOf": [STRING], "title": "T", "description": "D", "examples": ["x"], "default": None}),
        '{\n// T\n//\n// Examples:\n// - "x"\n// D\n// default: null\na?:\n | string\n,\n}',
        id="union of one",
    ),
    pytest.param(
        {"oneOf": [{"description": "D", **STRING}, NUMBER]},
        "\n | string // D\n | number",
        id="union alone",
    ),
]

# Where the reference loses or garbles something, and what lies around.
BETTER = [
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
    pytest.param({"enum": ["é", [1, {"b": 2}]]}, '"é" | [1,{"b":2}]', id="enum of more"),
    pytest.param({"enum": ['say "hi"\n']}, '"say \\"hi\\"\\n"', id="quotes in an enum"),
    pytest.param({"type": "array", "items": {"enum": ["a", "b"]}}, '("a" | "b")[]', id="array of enum"),
    pytest.param({"type": ["array", "null"], "items": STRING}, "string[] | null", id="array or null"),
    pytest.param({"items": {"type": ["string", "null"]}}, "(string | null)[]", id="array without type"),
    pytest.param(
        {"type": ["object", "null"], **one(STRING, type=["object", "null"])}, "{\na?: string,\n} | null"
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
    pytest.param(one(STRING, additionalProperties={}), "{\na?: string,\n}", id="any beside properties"),
    pytest.param({"additionalProperties": NUMBER}, "{[key: string]: number}", id="map without type"),
    pytest.param({"patternProperties": {"^x": STRING}}, "{[key: string]: string}", id="pattern without type"),
    pytest.param(
        {"patternProperties": {"^x": STRING}, "additionalProperties": NUMBER, "description": "D"},
        "// D\n{[key: string]: string, [key: string]: number}",
        id="patterns",
    ),
    pytest.param(
        one(one(STRING, additionalProperties=one(NUMBER)), additionalProperties=True),
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
        one({"title": "T\nt", "description": "a\r\nb\u2028c\n", "default": "d\ne", "examples": [1, "f\n"]}),
        '{\n// T\n// t\n//\n// a\n// b\n// c\n// Examples:\n// - 1\n// - "f\\n"\n'
        'a?: any, // default: "d\\ne"\n}',
        id="lines in comments",
    ),
    pytest.param(
        one({"enum": ["x\ny"], "default": "x\ny"}),
        '{\na?: "x\\ny", // default: x y\n}',
        id="lines in an enum's default",
    ),
    pytest.param(
        one({"description": "Days", "type": "array", "items": {"description": "ISO 8601", **STRING}}),
        "{\n// Days\n// ISO 8601\na?: string[],\n}",
        id="description of items",
    ),
    pytest.param(
        one({"type": "array", "items": one(STRING, description="D")}),
        "{\na?:     // D\n{\n    a?: string,\n    }[],\n}",
        id="description of items that are objects",
    ),
    pytest.param(
        one(
            {
                "oneOf": [{"description": "D", **STRING}, {"description": "two\nlines", **NUMBER}],
                "description": "D",
            }
        ),
        "{\n// D\na?:\n | string\n | number // two lines\n,\n}",
        id="the same description twice",
    ),
    pytest.param(
        one({"oneOf": [{"enum": ["x"], "default": "x", "description": "first"}], "description": "D"}),
        '{\n// D\na?:\n | "x" // first default: x\n,\n}',
        id="description of the first variant",
    ),
]

UNIONS = [
    pytest.param(
        one({"anyOf": [STRING, NUMBER], "description": "D"}),
        "{\n// D\na?:\n | string\n | number\n,\n}",
        id="anyOf",
    ),
    pytest.param(
        one({"anyOf": [STRING, NULL], "default": None, "description": "D"}),
        "{\n// D\na?: string | null, // default: null\n}",
        id="optional, as pydantic says it",
    ),
    pytest.param(
        one({"anyOf": [one(STRING), NULL]}),
        "{\na?: {\n    a?: string,\n    } | null,\n}",
        id="optional object",
    ),
    pytest.param(
        one({"oneOf": [STRING, NUMBER], "nullable": True}),
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
        one({"anyOf": [{"anyOf": [STRING, NUMBER]}, {"const": 1}]}),
        "{\na?:\n | \n    | string\n    | number\n | 1\n,\n}",
        id="union in union",
    ),
    pytest.param(
        {**one(STRING), "anyOf": [{"required": ["a"]}, {"properties": {"b": NUMBER}}, False]},
        "\n | {\n   a: string,\n   }\n | {\n   a?: string,\n   b?: number,\n   }\n | never",
        id="union beside properties",
    ),
    pytest.param(
        {"type": "object", "additionalProperties": False, "anyOf": [one(STRING), {}]},
        "\n | {\n   a?: string,\n   }\n | {\n   }",
        id="union beside a type",
    ),
    pytest.param(
        {
            "required": ["a"],
            "patternProperties": {"x": STRING},
            "additionalProperties": NUMBER,
            "oneOf": [one({})],
        },
        "\n | {\n   a: any,\n   [key: string]: string,\n   [key: string]: number,\n   }",
        id="union beside all that objects have",
    ),
    pytest.param(
        {"items": STRING, "prefixItems": [NUMBER], "anyOf": [{"minItems": 1}, {"enum": [[]]}]},
        "\n | [number, ...string[]]\n | []",
        id="union beside items",
    ),
    pytest.param({"enum": [1], "anyOf": [{}, {"title": "x"}]}, "\n | 1\n | 1", id="union beside enum"),
    pytest.param({"const": 1, "anyOf": [{}, {"title": "x"}]}, "\n | 1\n | 1", id="union beside const"),
    pytest.param(
        one({"title": "T", "description": "D", "examples": [1], "anyOf": [{"title": "t", **NUMBER}, NULL]}),
        "{\n// T\n//\n// D\n// Examples:\n// - 1\na?: number | null,\n}",
        id="words beside optional",
    ),
    pytest.param({"anyOf": [], "oneOf": "x", "type": "string"}, "string", id="empty unions"),
    pytest.param(
        {"allOf": [one(STRING, required=["a"]), {"required": ["b"]}], "properties": {"b": NUMBER}},
        "{\na: string,\nb: number,\n}",
        id="allOf",
    ),
    pytest.param(
        {"allOf": [one({"description": "D", **STRING}), one({"const": "x"})]},
        '{\n// D\na?: "x",\n}',
        id="allOf about one property",
    ),
    pytest.param({"allOf": [STRING, True, None, NUMBER]}, "number", id="contradiction: the nearest wins"),
    pytest.param({"allOf": {}}, "any", id="allOf that is no list"),
]

TREE = one({"type": "array", "items": {"$ref": "#/$defs/Tree"}})
REFERENCES = [
    pytest.param(
        one({"$ref": "#/$defs/City", "default": "x"}, **{"$defs": {"City": {"description": "D", **STRING}}}),
        '{\n// D\na?: string, // default: "x"\n}',
        id="words beside a reference",
    ),
    pytest.param(
        {"$ref": "#/definitions/a~1b%20~0/1", "definitions": {"a/b ~": [1, STRING]}}, "string", id="pointer"
    ),
    pytest.param(
        {"$ref": "#/$defs/Tree", "$defs": {"Tree": TREE}}, "{\na?: Tree[],\n}", id="recursion through items"
    ),
    pytest.param({"$ref": "#"}, "any", id="itself"),
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
        one({"$ref": "#/$defs/A"}, required=["b"], **{"$defs": {"A": STRING}})
        | {"properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}}},
        "{\na?: string,\nb: string,\n}",
        id="twice is no recursion",
    ),
    pytest.param({"$ref": "#/$defs/Nowhere"}, "Nowhere", id="nowhere"),
    pytest.param({"$ref": "#/$defs/0/x", "$defs": [STRING]}, "x", id="into a string"),
    pytest.param(one({"$ref": "https://example.org/city.json"}), "{\na?: any,\n}", id="elsewhere"),
    pytest.param(one({"$ref": "#city"}), "{\na?: any,\n}", id="anchor"),
    pytest.param(one({"$ref": "#"}), "{\na?: {\n    a?: any,\n    },\n}", id="the document in itself"),
    pytest.param(
        {"$ref": "#/$defs/A", "allOf": [NUMBER], "$defs": {"A": STRING}},
        "number",
        id="allOf beside a reference",
    ),
    pytest.param({"$ref": "#/$defs/A", "$defs": {"A": {}}}, "any", id="to anything"),
    pytest.param({"$ref": 7, "type": "string"}, "string", id="no reference at all"),
]

SHAPELESS: list[tuple[Any, str]] = [
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
    (one({"description": 1, "title": [], "examples": "x"}), "{\na?: any,\n}"),
]
ODD = [pytest.param(schema, expected, id=repr(schema)) for schema, expected in SHAPELESS]


@pytest.mark.parametrize(("schema", "expected"), [*REFERENCE, *BETTER, *UNIONS, *REFERENCES, *ODD])
def test_typescript(schema: Any, expected: str) -> None:
    assert typescript(schema) == expected


def test_indent() -> None:
    assert typescript(one(STRING), "  ") == "{\n  a?: string,\n  }"


def test_comment_lines() -> None:
    assert comment("a\n\nb\n", " ") == " // a\n // \n // b\n"
    assert comment("") == ""


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def test_depth_has_an_end() -> None:
    assert typescript(nested(31)) == "string" + 31 * "[]"
    assert typescript(nested(50_000)) == "any" + 32 * "[]"


def test_definitions_that_double_have_an_end() -> None:
    doubling = {f"D{level}": {"prefixItems": 2 * [{"$ref": f"#/$defs/D{level + 1}"}]} for level in range(30)}
    assert len(typescript({"$ref": "#/$defs/D0", "$defs": doubling})) < 100_000


# Whatever comes: a type, and nothing outside strings and comments that the schema did not mean.

WORDS = st.text(alphabet='ab"\\\n\r/*|{}[]();\u2028', max_size=8)
NAMES = st.sampled_from(["a", "b-c", "d\ne", "$f", '"', "// g"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
KINDS = st.sampled_from(["string", "number", "integer", "boolean", "null", "object", "array", "vector"])
REFS = st.sampled_from(["#", "#/$defs/A", "#/$defs/B", "#/properties/a", "#/oneOf/0", "#x", "x", "#/$defs/0"])


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some, named = st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": KINDS | st.lists(KINDS, max_size=3),
        "properties": named,
        "patternProperties": named,
        "additionalProperties": inner,
        "required": st.lists(NAMES, max_size=2),
        "items": inner | some,
        "prefixItems": some,
        "oneOf": some,
        "anyOf": some,
        "allOf": some,
        "enum": st.lists(JSON, max_size=3),
        "const": JSON,
        "nullable": st.booleans(),
        "title": WORDS,
        "description": WORDS,
        "examples": st.lists(JSON, max_size=2),
        "default": JSON,
        "$ref": REFS,
        "$defs": st.dictionaries(st.sampled_from(["A", "B"]), inner),
    }
    pairs = [st.tuples(st.just(key), value | JSON) for key, value in keywords.items()]
    return st.lists(st.one_of(pairs), max_size=5).map(dict)


SCHEMAS = st.recursive(JSON | st.fixed_dictionaries({"type": KINDS}), larger, max_leaves=12)

STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n\r]|\\[^\n\r])*"|//[^\n\r]*')
PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}


@given(SCHEMAS)
def test_nothing_escapes_its_string_or_comment(schema: Any) -> None:
    bare = STRING_OR_COMMENT.sub("", typescript(schema))
    # Numbers may be NaN and Infinity, which are words; `$f` is the one odd name that needs no quotes.
    assert re.fullmatch(r"[A-Za-z0-9$ \n|(){}\[\]<>,:?.+-]*", bare)
    assert set(re.findall(r"[A-Za-z$]+", re.sub(r"\d[\d.]*e[+-]?\d+", "", bare))) <= {
        *("string", "number", "boolean", "null", "never", "any", "Array", "key"),
        *("true", "false", "NaN", "Infinity", "a", "$f", "A", "B", "x"),
    }
    is_open: list[str] = []
    for char in re.sub(r"[^(){}\[\]<>]", "", bare):
        if char in PAIRS:
            assert is_open.pop() == PAIRS[char]
        else:
            is_open.append(char)
    assert not is_open
