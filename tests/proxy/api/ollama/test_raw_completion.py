"Raw completions of models that run on another engine than Ollama, and of aliases."

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, HeldEngine
from support.scripted_server import Scripted, answer, stream

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.completion import Completion, Done, Logprob, Piece, Sampling
from llm_gpt_oss.engines.ollama.answers import ModelDetails
from llm_gpt_oss.engines.ollama.reader import GenerateReader
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, EngineUnreachable, StreamCut
from llm_gpt_oss.harmony.markers import MARKERS

RAW = {"model": "mine", "prompt": "<|start|>user", "raw": True}
GENERATE = "/api/generate"
TOKEN = Logprob("Hi", -0.5, (72, 105), (Logprob("Ho", -1.5),))


@pytest.fixture(autouse=True)
def mine() -> None:
    "A model that is bound to another engine."
    models_file.add("mine", ["m"], EngineBinding("embedded", {"gguf": "mine.gguf"}))


def lines(text: str) -> list[dict[str, Any]]:
    "The lines of an answer, without the time."
    parsed = [json.loads(line) for line in text.splitlines()]
    return [{name: value for name, value in line.items() if name != "created_at"} for line in parsed]


async def post(proxy: Proxied, **fields: Any) -> Any:
    return await proxy.post(GENERATE, {**RAW, **fields})


async def test_a_stream() -> None:
    done = Done("stop", prompt_tokens=3, completion_tokens=2, load_ms=1.5, prompt_ms=2, completion_ms=4)
    engine = AsyncScriptedEngine([Piece("Hi", (TOKEN,)), Piece("<|end|>", (Logprob("", -1.0),)), done])
    async with proxied(engine) as proxy:
        response = await post(proxy, model="m", logprobs=True, top_logprobs=1)
    assert response.headers["content-type"] == "application/x-ndjson"
    token = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -1.5}],
    }
    assert lines(response.text) == [
        {"model": "m", "response": "Hi", "done": False, "logprobs": [token]},
        {
            "model": "m",
            "response": "<|end|>",
            "done": False,
            "logprobs": [{"token": "<|end|>", "logprob": -1.0}],
        },
        {
            "model": "m",
            "response": "",
            "done": True,
            "done_reason": "stop",
            "load_duration": 1_500_000,
            "prompt_eval_count": 3,
            "prompt_eval_duration": 2_000_000,
            "eval_count": 2,
            "eval_duration": 4_000_000,
        },
    ]
    [completion] = engine.asked
    assert completion == Completion("mine", RAW["prompt"], top_logprobs=1)


@pytest.mark.parametrize(
    ("piece", "markers"),
    [
        pytest.param(Piece("<|channel|> opens", (Logprob("<|channel|> opens", -1.0),)), [], id="one token"),
        pytest.param(Piece("a <|end|><|end|>", tokens=9), [], id="no tokens"),
        pytest.param(Piece("<|channel|>", (Logprob("<|channel|>", -1.0),)), ["<|channel|>"], id="a marker"),
    ],
)
async def test_a_client_tells_markers_from_text_that_spells_them_out(
    piece: Piece, markers: list[str]
) -> None:
    async with proxied(AsyncScriptedEngine([piece, Done("stop")])) as proxy:
        response = await post(proxy, logprobs=True, options={"stop": ["<|channel|>final"]})
    reader = GenerateReader(Completion("mine", RAW["prompt"], stop=("<|channel|>final",)))
    pieces = [item for line in lines(response.text) for item in reader.feed(line)]
    texts = [each.text for each in pieces if isinstance(each, Piece)]
    assert [text for text in texts if text in MARKERS] == markers
    assert "".join(texts) == piece.text


async def test_an_answer_that_is_not_streamed() -> None:
    engine = AsyncScriptedEngine([Piece("Hi", (TOKEN,)), Piece(" you"), Done("length")])
    async with proxied(engine) as proxy:
        response = await post(proxy, stream=False)
    assert response.headers["content-type"] == "application/json"
    [line] = lines(response.text)
    assert (line["response"], line["done_reason"], len(line["logprobs"])) == ("Hi you", "length", 1)


OPTIONS = {"temperature": 0, "seed": 7, "num_predict": 5, "num_ctx": 512, "mirostat": 1}


@pytest.mark.parametrize(
    ("fields", "completion"),
    [
        pytest.param(
            {"options": {**OPTIONS, "stop": ["a"]}, "keep_alive": "1m"},
            Completion(
                "mine",
                RAW["prompt"],
                stop=("a",),
                max_tokens=5,
                context_length=512,
                keep_alive="1m",
                sampling=Sampling(temperature=0, seed=7),
            ),
            id="options",
        ),
        pytest.param(
            {"options": {"stop": "a", "num_predict": -1}},
            Completion("mine", RAW["prompt"], stop=("a",)),
            id="one stop string, no limit",
        ),
        pytest.param(
            {"format": {"type": "object"}},
            Completion("mine", RAW["prompt"], format={"type": "object"}),
            id="schema",
        ),
        pytest.param({"format": ""}, Completion("mine", RAW["prompt"]), id="no format"),
        pytest.param({"top_logprobs": 3}, Completion("mine", RAW["prompt"]), id="no logprobs"),
    ],
)
async def test_what_the_engine_completes(fields: dict[str, Any], completion: Completion) -> None:
    engine = AsyncScriptedEngine("Hi")
    async with proxied(engine, allow_load_options=True) as proxy:
        assert (await post(proxy, **fields)).status_code == 200
    assert engine.asked == [completion]


async def test_the_context_length_of_the_server() -> None:
    engine = AsyncScriptedEngine("Hi", "Hi", "Hi")
    async with proxied(engine, num_ctx=1024) as proxy:
        await post(proxy)
        await post(proxy, options={"num_ctx": 512})
    async with proxied(engine, num_ctx=1024, allow_load_options=True) as proxy:
        await post(proxy, options={"num_ctx": 512})
    assert [completion.context_length for completion in engine.asked] == [1024, 1024, 512]


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        pytest.param(
            ContextOverflow("Too long.", prompt_tokens=9, context_length=4, remedy="Shorten it."),
            400,
            {"error": "Too long. Shorten it.", "n_prompt_tokens": 9, "n_ctx": 4},
            id="overflow",
        ),
        pytest.param(EngineUnreachable("No answer."), 503, {"error": "No answer."}, id="unreachable"),
    ],
)
async def test_errors_before_the_text(error: Exception, status: int, body: dict[str, Any]) -> None:
    async with proxied(AsyncScriptedEngine(error)) as proxy:
        response = await post(proxy)
        [turn] = proxy.turns()
    assert response.json() == body
    assert response.status_code == turn["status"] == status


async def test_an_error_after_the_text_is_a_line() -> None:
    async with proxied(AsyncScriptedEngine(["Hi", StreamCut("It broke.")])) as proxy:
        response = await post(proxy)
    assert response.status_code == 200
    assert lines(response.text)[-1] == {"error": "It broke."}


async def test_an_empty_stream_is_one_without_lines() -> None:
    async with proxied(AsyncScriptedEngine(EmptyStream("Nothing."))) as proxy:
        response = await post(proxy)
    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "yaml"},
        {"prompt": 5},
        {"top_logprobs": 21},
        {"options": {"temperature": "hot"}},
        {"options": {"stop": 5}},
    ],
)
async def test_invalid_fields(fields: dict[str, Any]) -> None:
    engine = AsyncScriptedEngine()
    async with proxied(engine) as proxy:
        response = await post(proxy, **fields)
    assert response.status_code == 400
    assert next(iter(fields)) in response.json()["error"]
    assert engine.asked == []


async def test_completions_wait_in_the_queue() -> None:
    engine = HeldEngine("Hi")
    async with proxied(engine, max_concurrency=1, queue_size=0) as proxy:
        running = asyncio.ensure_future(post(proxy))
        await asyncio.wait_for(engine.silent.wait(), 10)
        refused = await post(proxy)
        engine.go.set()
        assert (await running).status_code == 200
    assert refused.status_code == 503
    assert "waiting already" in refused.json()["error"]


async def test_a_client_that_leaves_ends_the_work() -> None:
    engine = HeldEngine("Hi")
    async with proxied(engine) as proxy:
        running = asyncio.ensure_future(post(proxy))
        await asyncio.wait_for(engine.silent.wait(), 10)
        running.cancel()
        await asyncio.wait([running], timeout=10)
    assert (engine.asked, engine.open) == (1, 0)


async def test_the_family_of_a_model_on_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    "The plugin checks it, unless the tag is an official one."
    with Scripted(answer({"details": {"family": "bert"}})) as ollama:
        monkeypatch.setenv("OLLAMA_HOST", ollama.host)
        async with proxied() as proxy:
            mine = (await proxy.post("/api/show", {"model": "m"})).json()
            other = (await proxy.post("/api/show", {"model": "gpt-oss:20b"})).json()
            invalid = await proxy.post("/api/show", [])
    assert ModelDetails.from_json(mine).family == "gptoss"
    assert other == invalid.json() == {"details": {"family": "bert"}}
    assert [request.body for request in ollama.requests] == [{"model": "gpt-oss:20b"}, []]


class TestOllama:
    "Requests that go to Ollama all the same."

    @pytest.mark.parametrize(
        ("fields", "model"),
        [
            pytest.param({"model": "gpt-oss"}, "gpt-oss:20b", id="alias"),
            pytest.param({"model": "gpt-oss:20b"}, "gpt-oss:20b", id="tag"),
            pytest.param({"model": "other"}, "other", id="unknown name"),
            pytest.param({"model": "gpt-oss", "raw": False}, "gpt-oss", id="not raw"),
            pytest.param({"model": "mine", "raw": False}, "mine", id="not raw, on another engine"),
            pytest.param({"model": "mine", "prompt": ""}, "mine", id="nothing to complete"),
        ],
    )
    async def test_the_model_that_ollama_gets(
        self, fields: dict[str, Any], model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Scripted(stream({"response": "Hi", "done": True})) as ollama:
            monkeypatch.setenv("OLLAMA_HOST", ollama.host)
            async with proxied() as proxy:
                assert (await post(proxy, **fields)).status_code == 200
        load_options = {"shift": False} if model.startswith("gpt-oss") else {}
        assert ollama.requests[0].body == {**RAW, **fields, "model": model, **load_options}

    async def test_what_only_ollama_can_read_is_forwarded_and_logged(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = {"model": "gpt-oss:20b", "prompt": "<|start|>user<|message|>Hi<|end|><|start|>assistant"}
        with Scripted(stream({"response": "Hi", "done": True})) as ollama:
            monkeypatch.setenv("OLLAMA_HOST", ollama.host)
            async with proxied() as proxy:
                assert (await post(proxy, **fields, top_logprobs=50)).status_code == 200
                [turn] = proxy.turns()
        assert json.loads(turn["request"])["prompt"] == fields["prompt"]

    async def test_a_model_whose_engine_cannot_be_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        models_file.add("mine", [], EngineBinding("no-such-engine", {}))
        with Scripted(answer({})) as ollama:
            monkeypatch.setenv("OLLAMA_HOST", ollama.host)
            async with proxied() as proxy:
                response = await post(proxy)
        assert response.status_code == 500
        assert "There is no engine called 'no-such-engine'" in response.json()["error"]
        assert ollama.requests == []
