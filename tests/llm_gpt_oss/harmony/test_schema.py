"""Unions, `allOf` and references, and the types that are declared with a name."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from support.tool_schemas import NULL, NUMBER, STRING, object_with, printed

from llm_gpt_oss.harmony.schema import Document

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
        "{\na?:\n | (\n    | string\n    | number)\n | 1\n,\n}",
        id="union in union",
    ),
    pytest.param(
        {**object_with(STRING), "anyOf": [{"required": ["a"]}, {"properties": {"b": NUMBER}}, False]},
        "{\na?: string,\n} & (\n | {\n   a: any,\n   }\n | {\n   b?: number,\n   }\n | never)",
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
        "{\na: any,\n[key: string]: string,\n[key: string]: number,\n} & (\n | {\n   a?: any,\n   })",
        id="union beside all keywords of objects",
    ),
    pytest.param(
        {"items": STRING, "prefixItems": [NUMBER], "anyOf": [{"minItems": 1}, {"enum": [[]]}]},
        "[number, ...string[]] & (\n | Array<any>\n | [])",
        id="union beside items",
    ),
    pytest.param(
        {"enum": [1, 2], "anyOf": [NUMBER, {"description": "D"}], "nullable": True},
        "(1 | 2) & (\n | number\n | any // D\n) | null",
        id="nullable union beside enum",
    ),
    pytest.param({"const": 1, "anyOf": [NUMBER]}, "1 & (\n | number)", id="union beside const"),
    pytest.param(
        object_with({**object_with(STRING), "description": "D", "oneOf": [{"required": ["a"]}]}),
        "{\n// D\na?: {\n    a?: string,\n    } & (\n     | {\n       a: any,\n       }),\n}",
        id="union beside properties of a property",
    ),
    pytest.param(
        {
            "items": {
                **object_with(STRING),
                "oneOf": [{"required": ["a"]}, {"items": STRING, "type": "array"}],
            }
        },
        "({\na?: string,\n} & (\n | {\n   a: any,\n   }\n | string[]))[]",
        id="array of a union beside properties",
    ),
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
        {"$ref": "#/$defs/Tree", "$defs": {"Tree": TREE}},
        "type Tree = {\na?: Tree[],\n};\nTree",
        id="recursion through items",
    ),
    pytest.param({"$ref": "#"}, "type Root = any;\nRoot", id="reference to itself"),
    pytest.param(
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}},
        "type A = any;\nA",
        id="circle",
    ),
    pytest.param(
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}, STRING]}}},
        "type A = string;\nA",
        id="circle through allOf",
    ),
    pytest.param(
        {"properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}}, "$defs": {"A": STRING}},
        "type A = string;\n{\na?: A,\nb?: A,\n}",
        id="used twice",
    ),
    pytest.param({"$ref": "#/$defs/Nowhere"}, "any", id="reference without a target"),
    pytest.param({"$ref": "#/$defs/0/x", "$defs": [STRING]}, "any", id="into a string"),
    pytest.param(
        object_with({"$ref": "https://example.org/city.json"}), "{\na?: any,\n}", id="another document"
    ),
    pytest.param(object_with({"$ref": "#city"}), "{\na?: any,\n}", id="anchor"),
    pytest.param(
        object_with({"$ref": "#"}), "type Root = {\na?: Root,\n};\nRoot", id="the document in itself"
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
    assert printed(schema) == expected


NODE, OTHER = {"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Other"}


def with_named(schema: Any) -> dict[str, Any]:
    "A schema with the property `p`, where `Node` and `Other` are used more than once."
    properties = {"a": NODE, "b": NODE, "c": OTHER, "d": OTHER, "p": schema}
    return {"properties": properties, "$defs": {"Node": NUMBER, "Other": STRING}}


BESIDE_NAMES = [
    pytest.param(
        {**NODE, "description": "D", "default": 1}, "// D\np?: Node, // default: 1\n", id="annotations"
    ),
    pytest.param({"items": NODE}, "p?: Node[],\n", id="items"),
    pytest.param({"items": {"anyOf": [NODE, NULL]}}, "p?: (Node | null)[],\n", id="optional items"),
    pytest.param(
        {"anyOf": [NODE, NULL], "default": None}, "p?: Node | null, // default: null\n", id="optional"
    ),
    pytest.param({**NODE, "nullable": True}, "p?: Node | null,\n", id="nullable"),
    pytest.param({"oneOf": [NODE, OTHER]}, "p?:\n | Node\n | Other\n,\n", id="union"),
    pytest.param({"allOf": [NODE, OTHER, NODE]}, "p?: Node & Other,\n", id="allOf"),
    pytest.param({"items": {"allOf": [NODE, OTHER]}}, "p?: (Node & Other)[],\n", id="array of allOf"),
    pytest.param({**NODE, "type": "object"}, "p?: Node,\n", id="type"),
    pytest.param(
        {**NODE, "required": ["x"], "nullable": True},
        "p?: Node & {\n    x: any,\n    } | null,\n",
        id="keywords of objects",
    ),
    pytest.param({**NODE, "const": 0}, "p?: Node & 0,\n", id="const"),
    pytest.param({**NODE, "enum": [1, 2]}, "p?: Node & (1 | 2),\n", id="enum"),
    pytest.param(
        {**NODE, "oneOf": [NUMBER, STRING]},
        "p?: Node & (\n     | number\n     | string),\n",
        id="union beside a name",
    ),
    pytest.param({**NODE, "anyOf": [OTHER, NULL]}, "p?: Node & Other | null,\n", id="optional beside a name"),
    pytest.param({"prefixItems": [NODE, OTHER]}, "p?: [Node, Other],\n", id="tuple"),
    pytest.param({"additionalProperties": NODE}, "p?: {[key: string]: Node},\n", id="map"),
]


@pytest.mark.parametrize(("schema", "expected"), BESIDE_NAMES)
def test_schemas_with_named_types(schema: Any, expected: str) -> None:
    names = "a?: Node,\nb?: Node,\nc?: Other,\nd?: Other,\n"
    assert (
        printed(with_named(schema)) == f"type Node = number;\ntype Other = string;\n{{\n{names}{expected}}}"
    )


DECLARED = [
    pytest.param(
        {"title": "Node", "description": "D", "default": 1, "examples": [2], **NUMBER},
        "// D\n// Examples:\n// - 2\n// default: 1\ntype Node = number;\n",
        id="annotations, and a title that is the name",
    ),
    pytest.param({"title": "T", **STRING}, "// T\n//\ntype Node = string;\n", id="title"),
    pytest.param(
        object_with({"description": "E", **STRING}, description="D"),
        "// D\ntype Node = {\n// E\na?: string,\n};\n",
        id="object",
    ),
    pytest.param(
        {"oneOf": [STRING, {"description": "D", **NUMBER}]},
        "type Node =\n | string\n | number // D\n;\n",
        id="union",
    ),
    pytest.param(
        object_with({"anyOf": [NODE, NULL]}), "type Node = {\na?: Node | null,\n};\n", id="recursion"
    ),
    pytest.param(
        object_with({"items": {"$ref": "#/$defs/Node/properties/a"}, "type": "array"}),
        "type Node = {\na?: a,\n};\ntype a = a[];\n",
        id="recursion in a part of a definition",
    ),
    pytest.param({"prefixItems": [OTHER]}, "type Node = [string];\n", id="definition that is used once"),
]


@pytest.mark.parametrize(("definition", "expected"), DECLARED)
def test_declarations(definition: Any, expected: str) -> None:
    schema = {"prefixItems": [NODE, NODE], "$defs": {"Node": definition, "Other": STRING}}
    assert printed(schema) == f"{expected}[Node, Node]"


NAMES = [
    pytest.param("#/$defs/a~1b%20é", {"$defs": {"a/b é": STRING}}, "a_b_é", id="no identifier"),
    pytest.param("#/$defs/1", {"$defs": [NULL, STRING]}, "_1", id="number"),
    pytest.param("#/$defs/", {"$defs": {"": STRING}}, "_", id="empty"),
    pytest.param("#/$defs/$x", {"$defs": {"$x": STRING}}, "$x", id="dollar"),
    pytest.param("#/$defs/string", {"$defs": {"string": STRING}}, "string_2", id="name of a type"),
    pytest.param("#/$defs/class", {"$defs": {"class": STRING}}, "class_2", id="reserved word"),
    pytest.param("#/definitions/<|end|>", {"definitions": {"<|end|>": STRING}}, "__end__", id="marker"),
]


@pytest.mark.parametrize(("reference", "definitions", "name"), NAMES)
def test_names(reference: str, definitions: Any, name: str) -> None:
    schema = {"prefixItems": [{"$ref": reference}, {"$ref": reference}], **definitions}
    assert printed(schema) == f"type {name} = string;\n[{name}, {name}]"


def test_names_are_unique() -> None:
    references = [{"$ref": f"#/{place}"} for place in ("$defs/a-b", "definitions/a b", "x/a_b_2", "x/a.b")]
    definitions = {"$defs": {"a-b": STRING}, "definitions": {"a b": NUMBER}, "x": {"a_b_2": NULL, "a.b": {}}}
    assert printed({"prefixItems": 2 * references, **definitions}).splitlines() == [
        "type a_b = string;",
        "type a_b_2 = number;",
        "type a_b_2_2 = null;",
        "type a_b_3 = any;",
        "[a_b, a_b_2, a_b_2_2, a_b_3, a_b, a_b_2, a_b_2_2, a_b_3]",
    ]


def test_part_that_a_reference_leads_to() -> None:
    point = {"prefixItems": [NUMBER, NUMBER], "description": "D"}
    schema = {"properties": {"start": point, "end": {"$ref": "#/properties/start"}}}
    assert printed(schema) == "// D\ntype start = [number, number];\n{\nstart?: start,\nend?: start,\n}"


def test_two_references_to_one_part() -> None:
    schema = {"prefixItems": [{"$ref": "#/$defs/A"}, {"$ref": "#/%24defs/A"}], "$defs": {"A": STRING}}
    assert printed(schema) == "type A = string;\n[A, A]"


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def test_depth_is_limited() -> None:
    assert printed(nested(31)) == "string" + 31 * "[]"
    assert printed(nested(50_000)) == "any" + 32 * "[]"


@pytest.mark.parametrize("keyword", ["const", "enum", "default", "examples", "additionalProperties", "allOf"])
def test_any_depth_is_printed(keyword: str) -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = {keyword: [deep] if keyword in ("enum", "allOf", "examples") else deep}
    assert len(printed(object_with(deep))) < 3_000


def test_values_that_are_not_json() -> None:
    schema: Any = {1: 2, "properties": {3: {"default": date(2026, 1, 2), "enum": (4, date(2026, 1, 2))}}}
    assert printed(schema) == '{\n"3"?: 4 | "2026-01-02", // default: 2026-01-02\n}'


def test_deep_definitions_become_declarations() -> None:
    chain = {f"D{level}": object_with({"$ref": f"#/$defs/D{level + 1}"}) for level in range(100)}
    text = printed({"$ref": "#/$defs/D0", "$defs": {**chain, "D100": {"const": "end"}}})
    assert text.count("type D") == 6
    assert '"end"' in text


def test_schema_is_not_changed() -> None:
    schema = with_named({"allOf": [NODE, object_with(STRING), object_with(OTHER, required=["a"])]})
    before = json.dumps(schema)
    printed(schema)
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#/anyOf/0", {"const": "a"}),
        ("#/anyOf/1", {"const": "b"}),
        ("#/anyOf/2", None),
        ("#/anyOf/01", None),
        ("#/anyOf/-1", None),
        ("#/anyOf/\u00b2", None),
        pytest.param("#/anyOf/" + "9" * 5000, None, id="a long number"),
    ],
)
def test_references_into_a_list(reference: str, target: Any) -> None:
    assert Document({"anyOf": [{"const": "a"}, {"const": "b"}]}).target(reference) == target
