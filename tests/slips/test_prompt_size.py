"A schema never makes the prompt large, however its definitions refer to each other."

from __future__ import annotations

import json
from typing import Any

import pytest
from support.slips.play import play_machine
from support.slips.row import FINAL, Request, Row, Want


def linked(count: int, keyword: str) -> dict[str, Any]:
    "Return a schema of definitions that each refer to all."
    names = [f"Part{number}" for number in range(count)]
    items = {"type": "array", "items": {keyword: [{"$ref": f"#/$defs/{name}"} for name in names]}}
    parts = {
        name: {
            "type": "object",
            "properties": {"kind": {"const": name}, "title": {"type": "string"}, "parts": items},
        }
        for name in names
    }
    return {"type": "object", "properties": {"parts": items}, "required": ["parts"], "$defs": parts}


def chained(count: int) -> dict[str, Any]:
    "Return a schema of definitions that each refer to the next one twice."
    last: dict[str, Any] = {"type": "string", "description": "A name that is not short."}
    definitions = {f"Step{count}": last}
    for number in range(count):
        following = {"$ref": f"#/$defs/Step{number + 1}"}
        definitions[f"Step{number}"] = {
            "type": "object",
            "properties": {"left": following, "right": following},
        }
    return {"type": "object", "properties": {"first": {"$ref": "#/$defs/Step0"}}, "$defs": definitions}


@pytest.mark.parametrize("use", ["tool", "schema"])
@pytest.mark.parametrize(
    "schema",
    [linked(3, "anyOf"), linked(5, "anyOf"), linked(5, "oneOf"), linked(9, "anyOf"), chained(12)],
    ids=["3 linked", "5 linked", "5 linked by oneOf", "9 linked", "a chain of 12"],
)
def test_the_prompt_is_at_most_three_times_the_schema(schema: dict[str, Any], use: str) -> None:
    def prompt(request: Request) -> str:
        texts = [f"{FINAL}x<|return|>", '{"parts": []}', '{"parts": []}']
        return play_machine(Row("size", texts, Want(), request), stream=True).prompt

    empty = {"type": "object", "properties": {"parts": {}}, "required": ["parts"]}
    with_it, without = (
        prompt(Request({"append": each}) if use == "tool" else Request(schema=each))
        for each in (schema, empty)
    )
    assert len(with_it) - len(without) <= 3 * len(json.dumps(schema))
