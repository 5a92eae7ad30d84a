"Answers under a schema, through the real Ollama."

from __future__ import annotations

import json
from typing import Any

import llm
import pydantic
import pytest
from support.turns import Turn, aturn, turn

from llm_gpt_oss.errors import BadRequest

pytestmark = pytest.mark.vcr

ADA = "Extract the person: Ada is 7 years old."


class Person(pydantic.BaseModel):
    name: str
    age: int


NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "people": {"type": "array", "items": {"$ref": "#/$defs/person"}, "minItems": 1, "maxItems": 2},
        "mood": {"enum": ["glad", "sad"]},
    },
    "required": ["people", "mood"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            },
            "required": ["name", "age"],
            "additionalProperties": False,
        }
    },
}


def ask(text: str, **options: Any) -> Turn:
    return turn(llm.get_model("gpt-oss").prompt(text, temperature=0, **options))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("effort", ["none", "low", "medium", "high"])
def test_the_answer_fits_with_every_effort(effort: str, stream: bool) -> None:
    answer = ask(ADA, schema=Person, reasoning_effort=effort, stream=stream)
    assert Person.model_validate_json(answer.text) == Person(name="Ada", age=7)
    assert bool(answer.reasoning) is (effort != "none")
    assert (answer.finish_reason, answer.notes) == ("stop", [])


async def test_async_gives_the_same() -> None:
    response = llm.get_async_model("gpt-oss").prompt(ADA, schema=Person, temperature=0)
    assert await aturn(response) == ask(ADA, schema=Person)


def test_the_ways_to_write_a_schema() -> None:
    one = json.loads(ask(ADA, schema=llm.schema_dsl("name, age int")).text)
    assert one == {"name": "Ada", "age": 7}
    several = json.loads(ask(ADA, schema=llm.schema_dsl("name, age int", multi=True)).text)
    assert several["items"][0] == {"name": "Ada", "age": 7}


def test_a_nested_schema_constrains_the_whole_answer() -> None:
    answer = json.loads(ask("Tell me a joke", schema=NESTED).text)
    assert answer.keys() == {"people", "mood"}
    assert answer["mood"] in ("glad", "sad")
    assert all(person.keys() == {"name", "age"} for person in answer["people"])
    assert 1 <= len(answer["people"]) <= 2


def test_a_reasoning_budget_and_a_schema() -> None:
    answer = ask(ADA, schema=Person, reasoning_tokens=4)
    assert answer.tokens[2] == 4
    assert Person.model_validate_json(answer.text).name == "Ada"


def test_a_schema_in_the_middle_of_a_conversation() -> None:
    conversation = llm.get_model("gpt-oss").conversation()
    conversation.prompt("Remember 48213.").text()
    answer = conversation.prompt(ADA, schema=Person).text()
    assert Person.model_validate_json(answer) == Person(name="Ada", age=7)
    assert "48213" in conversation.prompt("Which number?").text()


def test_a_schema_with_a_tool_on_offer() -> None:
    def weather(city: str) -> str:
        "Weather in a city"
        return "Sunny"

    answer = ask(ADA, schema=Person, tools=[weather])
    assert Person.model_validate_json(answer.text) == Person(name="Ada", age=7)
    assert answer.calls == []


def test_a_cut_answer_has_a_note() -> None:
    answer = ask(ADA, schema=Person, max_tokens=4, reasoning_effort="none")
    assert answer.finish_reason == "length"
    assert answer.kinds == ["length"]


def test_an_invalid_schema_is_not_sent() -> None:
    with pytest.raises(BadRequest, match=r'\$\.type: "nonsense" is not valid') as caught:
        ask(ADA, schema={"type": "nonsense"})
    assert caught.value.param == "schema"
