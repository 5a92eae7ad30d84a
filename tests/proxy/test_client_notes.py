"A client learns that its answer does not fit the schema, though nothing can be done about it."

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine

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
