from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.types.responses import Response
from proxied import HeldEngine, Proxied, proxied
from scripted_engine import AsyncScriptedEngine

THINK = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
HELLO = "<|channel|>final<|message|>Hello"
THOUGHT = THINK + HELLO
CALL = (
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.look"
    ' <|constrain|>json<|message|>{"at": "sky"}<|call|>'
)
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
URL = "/v1/responses"


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    frames = [frame for frame in answer.text.split("\n\n") if frame.startswith("event: ")]
    return [json.loads(frame.partition("\ndata: ")[2]) for frame in frames]


async def post(proxy: Proxied, input: Any = "Hi", **fields: Any) -> httpx.Response:
    return await proxy.post(URL, {"model": "gpt-oss", "input": input, **fields})


async def made(proxy: Proxied, input: Any = "Hi", **fields: Any) -> dict[str, Any]:
    answer = await post(proxy, input, **fields)
    assert answer.status_code == 200, answer.text
    Response.model_validate(answer.json())
    return answer.json()


async def test_a_response_is_found_again() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT)) as proxy:
        response = await made(proxy, metadata={"a": "b"})
        assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
        again = await proxy.get(f"{URL}/{response['id']}")
        assert again.json() == response
        assert response["metadata"] == {"a": "b"}


async def test_it_is_streamed_as_it_can_be_streamed_again() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT)) as proxy:
        answer = await post(proxy, stream=True)
        told = events(answer)
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        assert told[0]["type"] == "response.created"
        assert told[-1]["type"] == "response.completed"
        at = f"{URL}/{told[0]['response']['id']}"
        assert events(await proxy.get(at, params={"stream": "true"})) == told
        later = await proxy.get(at, params={"stream": "true", "starting_after": "4"})
        assert events(later) == told[5:]
        assert (await proxy.get(at)).json() == told[-1]["response"]


async def test_what_goes_on_from_a_response() -> None:
    engine = AsyncScriptedEngine(CALL, HELLO)
    async with proxied(engine) as proxy:
        first = await made(proxy, "What is up?", tools=[LOOK], instructions="Be brief.")
        call = first["output"][1]
        assert (call["name"], json.loads(call["arguments"])) == ("look", {"at": "sky"})
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
        second = await made(proxy, [result], tools=[LOOK], previous_response_id=first["id"])
        assert second["previous_response_id"] == first["id"]
        prompt = engine.asked[1].prompt
        assert "Look." in prompt
        assert "Be brief." not in prompt
        inputs = (await proxy.get(f"{URL}/{second['id']}/input_items")).json()
        assert [item["type"] for item in inputs["data"]] == ["function_call_output"]
        turns = proxy.turns()
        assert len({turn["thread_id"] for turn in turns}) == 1
