"A client learns that its answer does not fit the schema, though nothing can be done about it."

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message, RawMessageDeltaEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.generation import GenerationRequest
from proxy.hookspecs import hookimpl

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
MISFIT = "The answer does not fit its schema: "
CHAT = {
    "model": "gpt-oss",
    "messages": [{"role": "user", "content": "Hi"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA}},
}
RESPONSE = {
    "model": "gpt-oss",
    "input": "Hi",
    "text": {"format": {"type": "json_schema", "name": "pet", "schema": SCHEMA}},
}
MESSAGE = {
    "model": "gpt-oss",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_chat_completions(stream: bool) -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT, "{}", "{}")) as proxy:
        answer = await proxy.post("/v1/chat/completions", {**CHAT, "stream": stream})
    last = events(answer.text)[-1] if stream else answer.json()
    (ChatCompletionChunk if stream else ChatCompletion).model_validate(last)
    [note] = last["choices"][0]["notes"]
    assert note.startswith(MISFIT)


async def test_an_answer_that_fits_has_no_notes() -> None:
    async with proxied(AsyncScriptedEngine(*[THOUGHT, '{"age": 3}'] * 2)) as proxy:
        chat = (await proxy.post("/v1/chat/completions", CHAT)).json()
        response = (await proxy.post("/v1/responses", RESPONSE)).json()
    assert "notes" not in chat["choices"][0]
    assert "notes" not in response


async def test_responses_live_and_retrieved() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT, "{}", "{}")) as proxy:
        response = (await proxy.post("/v1/responses", RESPONSE)).json()
        later = (await proxy.get(f"/v1/responses/{response['id']}")).json()
    Response.model_validate(response)
    [note] = response["notes"]
    assert note.startswith(MISFIT)
    assert (response["status"], later["notes"]) == ("completed", [note])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_messages(stream: bool) -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT, "{}", "{}")) as proxy:
        answer = await proxy.post("/v1/messages", {**MESSAGE, "stream": stream})
    if stream:
        [last] = [event for event in events(answer.text) if event["type"] == "message_delta"]
        RawMessageDeltaEvent.model_validate(last)
        message = last["delta"]
    else:
        message = answer.json()
        Message.model_validate(message)
    [note] = message["notes"]
    assert note.startswith(MISFIT)


class AddsSchema:
    "Text completions take no schema, but a plugin can add one."

    @hookimpl
    def prepare_request(self, generation: GenerationRequest) -> GenerationRequest:
        return replace(generation, schema=SCHEMA)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_completions(stream: bool) -> None:
    body = {"model": "gpt-oss", "prompt": "Hi", "stream": stream}
    async with proxied(AsyncScriptedEngine(THOUGHT, "{}", "{}"), plugins=[AddsSchema()]) as proxy:
        answer = await proxy.post("/v1/completions", body)
    last = events(answer.text)[-1] if stream else answer.json()
    Completion.model_validate(last)
    [note] = last["choices"][0]["notes"]
    assert note.startswith(MISFIT)


async def test_messages_and_completions_without_notes() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT, '{"age": 3}')) as proxy:
        message = (await proxy.post("/v1/messages", MESSAGE)).json()
    async with proxied(AsyncScriptedEngine("<|channel|>final<|message|>Hello")) as proxy:
        completion = (await proxy.post("/v1/completions", {"model": "gpt-oss", "prompt": "Hi"})).json()
    assert (message["content"][0]["text"], completion["choices"][0]["text"]) == ('{"age": 3}', "Hello")
    assert "notes" not in message
    assert "notes" not in completion["choices"][0]
