from __future__ import annotations

from openai.types.responses import CompactedResponse
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, stopped

from proxy.api.responses.compact import SUMMARISE

HELLO = "<|channel|>final<|message|>Hello"
SUMMARY = "<|channel|>final<|message|>They greeted each other."


async def create(proxy: Proxied, **fields: object) -> dict[str, object]:
    answer = await proxy.post("/v1/responses", {"model": "gpt-oss", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_user_messages_and_a_summary() -> None:
    engine = AsyncScriptedEngine(HELLO, stopped(SUMMARY, prompt_tokens=50), HELLO)
    async with proxied(engine) as proxy:
        first = await create(proxy, input="Hi", instructions="Be brief.")
        body = {"model": "gpt-oss", "previous_response_id": first["id"]}
        answer = await proxy.post("/v1/responses/compact", body)
        # The SDK's type of an output item knows no user's message, but its documentation does.
        compacted = CompactedResponse.construct(**answer.json())
        assert compacted.object == "response.compaction"
        assert answer.json()["usage"]["input_tokens"] == 50
        assert SUMMARISE in engine.asked[1].prompt
        messages, summary = answer.json()["output"]
        assert (messages["role"], messages["content"]) == ("user", [{"type": "input_text", "text": "Hi"}])
        assert set(summary) == {"id", "type", "encrypted_content"}

        await create(proxy, input=[messages, summary, {"role": "user", "content": "And now?"}])
        prompt = engine.asked[2].prompt
        assert "They greeted each other." in prompt
        assert SUMMARISE not in prompt
        assert "Hello" not in prompt


async def test_the_summary_is_in_a_thread_of_its_own() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, SUMMARY, HELLO)) as proxy:
        messages = [{"role": "user", "content": "Hi"}]
        first = await create(proxy, input=messages)
        history = [*messages, *first["output"]]  # type: ignore[misc]
        await proxy.post("/v1/responses/compact", {"model": "gpt-oss", "input": history})
        await create(proxy, input=[*history, {"role": "user", "content": "More"}])
        one, two, three = (turn["thread_id"] for turn in proxy.turns())
        assert one == three != two


async def test_messages_of_chat_completions() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It is blue."},
    ]
    engine = AsyncScriptedEngine(SUMMARY)
    async with proxied(engine) as proxy:
        await proxy.post("/v1/responses/compact", {"model": "gpt-oss", "input": messages})
    assert "functions.look" in engine.asked[0].prompt
    assert "It is blue." in engine.asked[0].prompt


async def test_the_model_is_required() -> None:
    async with proxied() as proxy:
        answer = await proxy.post("/v1/responses/compact", {"input": "Hi"})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "model"


async def test_a_summary_is_no_response() -> None:
    async with proxied(AsyncScriptedEngine(SUMMARY)) as proxy:
        answer = await proxy.post("/v1/responses/compact", {"model": "gpt-oss", "input": "Hi"})
        assert (await proxy.get(f"/v1/responses/{answer.json()['id']}")).status_code == 404
