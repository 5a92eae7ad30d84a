from __future__ import annotations

from support.proxied_engine import proxied
from support.scripted_engine import AsyncScriptedEngine, stopped

HELLO = "<|channel|>final<|message|>Hello"
URL = "/v1/responses/input_tokens"


async def test_the_prompt_that_a_response_would_send_is_counted() -> None:
    engine = AsyncScriptedEngine(stopped("a", prompt_tokens=42), HELLO)
    async with proxied(engine) as proxy:
        fields = {"model": "gpt-oss", "input": "Hi", "instructions": "Be brief."}
        counted = await proxy.post(URL, {**fields, "personality": "friendly"})
        assert counted.json() == {"object": "response.input_tokens", "input_tokens": 42}
        await proxy.post("/v1/responses", fields)
        counting, asking = engine.asked
        assert counting.prompt == asking.prompt
        assert counting.max_tokens == 1
        assert len(proxy.turns()) == 1


async def test_the_default_model() -> None:
    engine = AsyncScriptedEngine("a")
    async with proxied(engine, model="gpt-oss:120b") as proxy:
        assert (await proxy.post(URL, {"input": "Hi"})).status_code == 200
        assert engine.asked[0].model == "gpt-oss:120b"


async def test_the_previous_response_is_counted() -> None:
    engine = AsyncScriptedEngine(
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant" + HELLO, "a", HELLO
    )
    async with proxied(engine) as proxy:
        first = (await proxy.post("/v1/responses", {"model": "gpt-oss", "input": "Hi"})).json()
        fields = {"model": "gpt-oss", "input": "More", "previous_response_id": first["id"]}
        await proxy.post(URL, fields)
        await proxy.post("/v1/responses", fields)
        assert engine.asked[1].prompt == engine.asked[2].prompt


async def test_engine_that_cannot_count() -> None:
    async with proxied(AsyncScriptedEngine(stopped("a", prompt_tokens=None))) as proxy:
        answer = await proxy.post(URL, {"input": "Hi"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine_error")
