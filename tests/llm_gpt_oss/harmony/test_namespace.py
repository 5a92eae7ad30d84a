"""The types that several tools declare in one namespace."""

from __future__ import annotations

from typing import Any

import pytest
from support.harmony_conversations import conversation
from support.tool_schemas import NUMBER, STRING, object_with

from llm_gpt_oss.harmony import schema
from llm_gpt_oss.harmony.conversation import Developer, Tool
from llm_gpt_oss.harmony.namespace import Namespace
from llm_gpt_oss.harmony.prompt import render

CITY, PLACE = {"$ref": "#/$defs/City"}, {"$ref": "#/$defs/Place"}


def twice(schema: Any, **definitions: Any) -> dict[str, Any]:
    return {"prefixItems": [schema, schema], "$defs": definitions}


def test_equal_declarations_are_shared() -> None:
    namespace = Namespace([])
    assert namespace.add(twice(CITY, City=STRING)) == (["type City = string;"], "[City, City]")
    assert namespace.add({"items": twice(CITY, City=STRING), "$defs": {"City": STRING}}) == (
        [],
        "[City, City][]",
    )


def test_different_declarations_get_different_names() -> None:
    namespace = Namespace([])
    namespace.add(twice(CITY, City=STRING))
    assert namespace.add(twice(CITY, City=NUMBER)) == (["type City_2 = number;"], "[City_2, City_2]")
    assert namespace.add(twice(CITY, City={})) == (["type City_3 = any;"], "[City_3, City_3]")
    assert namespace.add(twice(CITY, City=STRING)) == ([], "[City, City]")


def test_declaration_that_refers_to_a_different_one_is_different() -> None:
    place = {"prefixItems": [CITY, CITY]}
    namespace = Namespace([])
    namespace.add(twice(PLACE, Place=place, City=STRING))
    assert namespace.add(twice(PLACE, Place=place, City=NUMBER)) == (
        ["type Place_2 = [City_2, City_2];", "type City_2 = number;"],
        "[Place_2, Place_2]",
    )


def test_names_of_the_tools_are_taken() -> None:
    namespace = Namespace(["City", "City_2"])
    assert namespace.add(twice(CITY, City=STRING)) == (["type City_3 = string;"], "[City_3, City_3]")


NODE = object_with({"type": "array", "items": {"$ref": "#/$defs/Node"}})
PROMPT = """\
<|start|>developer<|message|># Tools

## functions

namespace functions {

type first = () => any;

type Node = {
a?: Node[],
};

// Adds a node.
type second = (_: {
a?: Node,
}) => any;

type third = (_: Node) => any;

type Root = {
a?: Root,
};

type Node_2 = (_: Root) => any;

} // namespace functions<|end|>"""


def test_declarations_stand_before_the_tool_that_uses_them() -> None:
    tools = (
        Tool("first"),
        Tool("second", "Adds a node.", {**object_with({"$ref": "#/$defs/Node"}), "$defs": {"Node": NODE}}),
        Tool("third", None, {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}),
        Tool("Node_2", None, object_with({"$ref": "#"})),
    )
    assert render(conversation(developer=Developer(tools=tools))) == PROMPT


def test_names_of_many_tools_are_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def numbered(name: str, number: int) -> str:
        tried.append(name)
        return name if number == 1 else f"{name}_{number}"

    monkeypatch.setattr(schema, "_numbered", numbered)
    namespace = Namespace([])
    for value in range(200):
        namespace.add(twice(CITY, City={"const": value}))
    assert namespace.add(twice(CITY, City=STRING)) == (["type City_201 = string;"], "[City_201, City_201]")
    assert len(tried) < 5 * 201
