"The endpoint. Its answers are validated with the SDK's types."

from __future__ import annotations

import json
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai.types import Completion
from support.proxied_engine import TURN, Proxied, counting_ids, proxied
from support.scripted_engine import AsyncScriptedEngine, Part, cut, spoken, stopped

from llm_gpt_oss.completion import Done
from llm_gpt_oss.errors import ContextOverflow, ModelMissing, StreamCut

BODY = {"model": "gpt-oss", "prompt": "Say hello"}


def lines(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = answer.text.removesuffix("\n\n").split("\n\n")
    return [
        data if data == "[DONE]" else json.loads(data) for data in (f.removeprefix("data: ") for f in frames)
    ]


def valid(chunk: dict[str, Any]) -> Completion:
    "The SDK's type requires a finish reason, but the API sends null until there is one."
    choices = [{**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in chunk["choices"]]
    return Completion.model_validate({**chunk, "choices": choices})


async def post(
    *parts: Part, **fields: Any
) -> tuple[httpx.Response, AsyncScriptedEngine, list[dict[str, Any]]]:
    engine = AsyncScriptedEngine(*parts)
    async with proxied(engine, new_id=counting_ids()) as proxy:
        answer = await proxy.post("/v1/completions", {**BODY, **fields})
        return answer, engine, proxy.turns()


async def test_answer() -> None:
    answer, engine, turns = await post("Hello there")
    whole = Completion.model_validate(answer.json())
    assert answer.json() == {
        "id": f"cmpl-{TURN}0000000000000001",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-oss",
        "system_fingerprint": None,
        "choices": [{"text": "Hello there", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": whole.usage and whole.usage.completion_tokens,
            "total_tokens": whole.usage and 100 + whole.usage.completion_tokens,
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert engine.asked[0].max_tokens == 16
    assert engine.asked[0].prompt.endswith("<|channel|>final<|message|>")
    assert [(turn["endpoint"], turn["status"]) for turn in turns] == [("/v1/completions", 200)]
    assert json.loads(turns[0]["request"]) == BODY


async def test_several_prompts_and_choices() -> None:
    answer, engine, turns = await post("1", "2", "3", cut("4"), prompt=["a", "b"], n=2)
    whole = Completion.model_validate(answer.json())
    received = [(choice.index, choice.text, choice.finish_reason) for choice in whole.choices]
    assert received == [(0, "1", "stop"), (1, "2", "stop"), (2, "3", "stop"), (3, "4", "length")]
    assert ["a" if "<|message|>a<|end|>" in c.prompt else "b" for c in engine.asked] == ["a", "a", "b", "b"]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 200
    assert len(turns) == 4


async def test_echo() -> None:
    answer, _, _ = await post(" hello", echo=True)
    assert answer.json()["choices"][0]["text"] == "Say hello hello"


async def test_logprobs() -> None:
    answer, engine, _ = await post([*spoken("ab", "c"), Done("stop", 1, 3)], logprobs=0)
    (choice,) = Completion.model_validate(answer.json()).choices
    assert choice.logprobs is not None
    assert choice.logprobs.tokens == ["a", "b", "c"]
    assert choice.logprobs.text_offset == [0, 1, 2]
    assert engine.asked[0].top_logprobs == 0


async def test_tool_call() -> None:
    called = stopped("<|end|><|start|>assistant to=functions.x<|channel|>commentary<|message|>{}<|call|>")
    answer, _, _ = await post(called, "Hello")
    assert answer.json()["choices"][0]["finish_reason"] == "stop"


async def test_stream() -> None:
    answer, _, turns = await post("Hello there", stream=True)
    *chunks, done = lines(answer)
    assert done == "[DONE]"
    assert "".join(valid(chunk).choices[0].text for chunk in chunks) == "Hello there"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert not any("usage" in chunk for chunk in chunks)
    assert turns[0]["status"] == 200


async def test_stream_with_usage() -> None:
    answer, _, _ = await post("Hello", stream=True, stream_options={"include_usage": True})
    *chunks, last, _ = lines(answer)
    assert [chunk["usage"] for chunk in chunks] == [None, None]
    assert last["choices"] == []
    assert valid(last).usage == Completion.model_validate(last).usage
    assert last["usage"]["prompt_tokens"] == 100


async def test_stream_of_several_choices_with_echo() -> None:
    answer, _, _ = await post("1", "2", stream=True, prompt=["a", "b"], echo=True)
    texts = {0: "", 1: ""}
    for chunk in lines(answer)[:-1]:
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == {0: "a1", 1: "b2"}


async def test_stream_that_fails() -> None:
    answer, _, turns = await post(["Hello", StreamCut("The line is cut.")], stream=True)
    *_, chunk, error = lines(answer)
    assert chunk["choices"][0]["text"] == "Hello"
    assert error["error"]["message"] == "The line is cut."
    assert turns[0]["error"] == "The line is cut."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("part", "status", "param"),
    [
        pytest.param(ContextOverflow("Too long."), 400, "prompt", id="too long"),
        pytest.param(ModelMissing("Not there."), 404, None, id="no model"),
    ],
)
async def test_engine_errors(part: Part, status: int, param: str | None, stream: bool) -> None:
    answer, _, _ = await post(part, stream=stream)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        pytest.param({"model": "gpt-4"}, 404, "model", id="unknown model"),
        pytest.param({"prompt": [1, 2]}, 400, "prompt", id="tokens"),
        pytest.param({"prompt": None}, 400, "prompt", id="null"),
        pytest.param({"n": 0}, 400, "n", id="n"),
        pytest.param({"best_of": 3}, 400, "best_of", id="best_of"),
    ],
)
async def test_rejected_requests(fields: dict[str, Any], status: int, param: str, stream: bool) -> None:
    answer, engine, turns = await post(**fields, stream=stream)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert engine.asked == []
    assert turns == []


def sdk(proxy: Proxied) -> openai.AsyncOpenAI:
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(proxy.app), headers={"Host": "localhost"})
    return openai.AsyncOpenAI(
        api_key="any", base_url="http://testserver/v1", http_client=client, max_retries=0
    )


async def test_the_sdk() -> None:
    async with proxied(AsyncScriptedEngine("Hello there", "Hello there")) as proxy, sdk(proxy) as client:
        whole = await client.completions.create(model="gpt-oss", prompt="Hi", stop=["x"], user="me")
        stream = await client.completions.create(model="gpt-oss", prompt="Hi", stream=True)
        texts = [chunk.choices[0].text async for chunk in stream]
    assert whole.choices[0].text == "".join(texts) == "Hello there"


async def test_the_sdk_raises_rejections() -> None:
    async with proxied(AsyncScriptedEngine()) as proxy, sdk(proxy) as client:
        with pytest.raises(openai.BadRequestError, match="token ids") as raised:
            await client.completions.create(model="gpt-oss", prompt=[1, 2, 3])
    assert raised.value.param == "prompt"
