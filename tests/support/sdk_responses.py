"""OpenAI's `client.responses`, with every answer and every event checked against the SDK's types."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response

from llm_gpt_oss.errors import EngineUnreachable
from support.openai_types import KEYS_BEYOND_THE_SDK, check_events, unknown_keys
from support.scripted_engine import HeldEngine, pieces
from support.sdk import MODEL, SDK, aasking, asking

VCR = pytest.mark.vcr
BOTH = pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])

OSLO = "What is the weather in Oslo?"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": CITY,
    "strict": True,
}
ADD = {
    "type": "function",
    "name": "add",
    "description": "Add two numbers",
    "parameters": NUMBERS,
    "strict": False,
}
ECHO = {"type": "custom", "name": "echo", "description": "Echo a text"}
SPACE = {"type": "namespace", "name": "outside", "description": "What is outside", "tools": [WEATHER]}
ENCRYPTED_CONTENT = "reasoning.encrypted_content"
# The forms in which clients send an answer back.
HISTORY_FORMS = ["the response", "its items", "what is needed", "encrypted", "by reference"]
HELLO = "<|channel|>final<|message|>Hello!"
DOWN = EngineUnreachable("Nobody answers.")


class Endless(HeldEngine):
    "Says hello and never ends."

    def __init__(self) -> None:
        super().__init__(*[piece.text for piece in pieces("<|channel|>final<|message|>Hello")])


class ResponsesClient:
    "One of the SDK's clients."

    def __init__(self, sdk: SDK) -> None:
        self.sdk = sdk

    def create(self, input: Any, **fields: Any) -> Response:
        request = {"model": MODEL, "input": input, **fields}
        return check_response(self.sdk.call(lambda client: client.responses.create(**request)))

    def events(self, input: Any, **fields: Any) -> list[Any]:
        request = {"model": MODEL, "input": input, "stream": True, **fields}
        events = self.sdk.listed(lambda client: client.responses.create(**request))
        check_events([event.to_dict() for event in events])
        assert [event.sequence_number for event in events] == [*range(len(events))]
        return events

    def stream(self, input: Any, **fields: Any) -> tuple[list[Any], Any]:
        request = {"model": MODEL, "input": input, **fields}
        return self.sdk.entered(lambda client: client.responses.stream(**request))

    def parse(self, input: Any, **fields: Any) -> Any:
        request = {"model": MODEL, "input": input, **fields}
        return self.sdk.call(lambda client: client.responses.parse(**request))

    def retrieve(self, id: str, **options: Any) -> Response:
        return check_response(self.sdk.call(lambda client: client.responses.retrieve(id, **options)))

    def replay(self, id: str, **options: Any) -> list[Any]:
        return self.sdk.listed(lambda client: client.responses.retrieve(id, stream=True, **options))

    def input_items(self, id: str, **options: Any) -> list[Any]:
        return self.sdk.listed(lambda client: client.responses.input_items.list(id, order="asc", **options))


def check_response(response: Response) -> Response:
    Response.model_validate(response.to_dict(), strict=True)
    assert set(unknown_keys(response)) <= KEYS_BEYOND_THE_SDK
    return response


def text_of(response: Any) -> str:
    texts = [part.text for item in response.output if item.type == "message" for part in item.content]
    return "".join(texts)


def call_of(response: Any) -> Any:
    (call,) = [item for item in response.output if item.type.endswith("_call")]
    return call


def result_of(call: Any, output: str) -> dict[str, Any]:
    return {"type": f"{call.type}_output", "call_id": call.call_id, "output": output}
