"Answers in a format: JSON, or a pydantic model."

from __future__ import annotations

import json

from pydantic import BaseModel
from support.sdk_responses import (
    BOTH,
    VCR,
    ResponsesClient,
)


class Person(BaseModel):
    name: str
    age: int


ADA = "Extract the person: Ada is 7 years old."


@BOTH
@VCR
def test_parse(responses: ResponsesClient) -> None:
    response = responses.parse(ADA, text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=7)
    events, final = responses.stream(ADA, text_format=Person)
    assert final.output_parsed == Person(name="Ada", age=7)
    (done,) = [event for event in events if event.type == "response.output_text.done"]
    assert done.parsed == final.output_parsed
    text = responses.retrieve(final.id).text
    assert text
    assert text.format
    assert (text.format.type, text.format.to_dict()["strict"]) == ("json_schema", True)


@BOTH
@VCR
def test_json_object(responses: ResponsesClient) -> None:
    question = "Answer as JSON with keys name, age. Ada is 7 years old."
    response = responses.create(question, text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(response.output_text), dict)
