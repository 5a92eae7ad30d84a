from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support import tiny
from support.engine_prompts import complete, done, model, text
from support.gguf_files import gguf_header
from support.ollama_store import add_model

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Done, Piece, Sampling
from llm_gpt_oss.engines.embedded import engine as embedded
from llm_gpt_oss.engines.embedded import loaded_models as embedded_pool
from llm_gpt_oss.engines.embedded import provider as embedded_provider
from llm_gpt_oss.engines.embedded.engine import AsyncEmbeddedEngine, EmbeddedEngine, ModelSource
from llm_gpt_oss.engines.embedded.process import ModelProcess
from llm_gpt_oss.engines.embedded.provider import EmbeddedProvider
from llm_gpt_oss.engines.local.model_pool import ModelPool
from llm_gpt_oss.errors import EngineError, GptOssError, NotGptOss
from llm_gpt_oss.settings import Settings

PROVIDER = EmbeddedProvider()
TINY = model("embedded", gguf=str(tiny.FILE), context=tiny.CONTEXT, threads=1, gpu_layers=0)
PROMPT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
GREEDY = Sampling(temperature=0)
LIBRARY = "registry.ollama.ai/library/"


def request(**options: Any) -> Completion:
    return Completion("tiny", PROMPT, sampling=GREEDY, **options)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelPool]:
    models = ModelPool(ModelProcess)
    for module in (embedded, embedded_pool):
        monkeypatch.setattr(module, "pool", lambda: models)
    yield models
    models.close()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("the condition was not met in time")


@tiny.needs_xllamacpp
def test_first_completion_reports_the_load_time(pool: ModelPool, awaited: bool) -> None:
    completions = [request(max_tokens=5), request(max_tokens=5)]
    items = complete(PROVIDER, TINY, *completions, awaited=awaited)
    first, second = [item for item in items if isinstance(item, Done)]
    assert (first.reason, first.completion_tokens, second.completion_tokens) == ("length", 5, 5)
    assert first.load_ms
    assert second.load_ms is None
    assert text(items) == text(items[: len(items) // 2]) * 2


@tiny.needs_xllamacpp
def test_another_context_loads_the_model_again(pool: ModelPool, awaited: bool) -> None:
    complete(
        PROVIDER, TINY, request(max_tokens=1), request(max_tokens=1, context_length=512), awaited=awaited
    )
    options = pool.find_loaded(str(tiny.FILE))
    assert options is not None
    assert options.context == 512, "the first one was unloaded"


@tiny.needs_xllamacpp
def test_keep_alive_of_a_completion(pool: ModelPool, awaited: bool) -> None:
    complete(PROVIDER, TINY, request(max_tokens=1, keep_alive=0), awaited=awaited)
    asyncio.run(wait_until(lambda: pool.find_loaded(str(tiny.FILE)) is None))
    assert pool.find_loaded(str(tiny.FILE)) is None


@tiny.needs_xllamacpp
def test_several_completions_at_once(pool: ModelPool) -> None:
    async def complete(engine: AsyncEmbeddedEngine) -> list[Piece | Done]:
        return [item async for item in engine.complete(request(max_tokens=40))]

    async def complete_four() -> list[list[Piece | Done]]:
        engine = AsyncEmbeddedEngine(TINY)
        return await asyncio.gather(*(complete(engine) for _ in range(4)))

    answers = asyncio.run(complete_four())
    assert [done(items).completion_tokens for items in answers] == [40] * 4
    assert len({text(items) for items in answers}) == 1


@tiny.needs_xllamacpp
def test_cancelled_caller_leaves_the_loaded_model_idle(pool: ModelPool) -> None:
    async def cancel() -> None:
        engine = AsyncEmbeddedEngine(TINY)

        async def first_item() -> None:
            async with aclosing(engine.complete(request())) as items:
                await anext(items)

        task = asyncio.create_task(first_item())
        await wait_until(lambda: bool(pool._entries))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until(lambda: all(entry.idle for entry in pool._entries.values()))

    asyncio.run(asyncio.wait_for(cancel(), 20))


def test_load_that_fails_after_its_caller_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def fail(*_: Any) -> Any:
        go.wait(5)
        raise EngineError("bang")

    monkeypatch.setattr(embedded, "find_spec", lambda name: True)

    async def cancel() -> None:
        pool = ModelPool(fail)
        task = asyncio.ensure_future(anext(AsyncEmbeddedEngine(TINY, pool).complete(request())))
        await wait_until(lambda: bool(pool._entries))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await wait_until(lambda: not any(entry.users for entry in pool._entries.values()))

    asyncio.run(asyncio.wait_for(cancel(), 20))


def test_error_without_xllamacpp(monkeypatch: pytest.MonkeyPatch, awaited: bool) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="llm install xllamacpp"):
        complete(PROVIDER, TINY, request(), awaited=awaited)


def test_file_without_a_trained_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: True)
    (tmp_path / "x").write_bytes(gguf_header({"general.architecture": "gpt-oss"}))
    source = ModelSource(model("embedded", gguf=str(tmp_path / "x")))
    assert source.load_options(request()).context == 16384
    assert source.load_options(request(context_length=10**6)).context == 10**6


def test_context_is_limited_to_the_trained_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: True)
    source = ModelSource(model("embedded", gguf=str(tiny.FILE), context=600))
    assert source.load_options(request()).context == 600
    assert source.load_options(request(context_length=10**6)).context == 131072


def ollama_model(folder: Path, tag: str = "gpt-oss:20b") -> BoundModel:
    "A model without a file of its own, on a machine where Ollama has this folder."
    return BoundModel(
        tag, Settings.from_env({"OLLAMA_MODELS": str(folder), "LLM_GPT_OSS_ENGINE": "embedded"})
    )


def test_file_that_ollama_has_downloaded(tmp_path: Path) -> None:
    blob = add_model(tmp_path, LIBRARY + "gpt-oss:20b", tiny.FILE.read_bytes())
    assert ModelSource(ollama_model(tmp_path)).path == blob
    with pytest.raises(GptOssError, match="models add gpt-oss:120b --gguf FILE"):
        PROVIDER.check(ollama_model(tmp_path, "gpt-oss:120b"))


def test_summary_lists_models_that_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ollama_model(tmp_path).settings
    monkeypatch.setattr(embedded_provider, "_version", lambda: "xllamacpp 1")
    assert PROVIDER.summary(settings, []) == "xllamacpp 1; no model for it"
    assert PROVIDER.summary(settings, [TINY]) == f"xllamacpp 1; tiny from {tiny.FILE}"
    add_model(tmp_path, LIBRARY + "gpt-oss:20b", tiny.FILE.read_bytes())
    assert PROVIDER.summary(settings, []) == (
        "xllamacpp 1; gpt-oss:20b, which Ollama has downloaded (LLM_GPT_OSS_ENGINE=embedded runs it)"
    )
    add_model(tmp_path, LIBRARY + "gpt-oss:20b", gguf_header({"general.architecture": "gptoss"}))
    assert "xllamacpp 1; not gpt-oss:20b: " in PROVIDER.summary(settings, [])
    assert "in Ollama's own layout" in PROVIDER.summary(settings, [])


def test_model_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: ModelPool) -> None:
    monkeypatch.setattr(embedded_provider, "_version", lambda: "xllamacpp 1")
    status = PROVIDER.model_status(TINY, None)
    assert (status.address, status.version, status.installed, status.loaded, status.problem) == (
        str(tiny.FILE),
        "xllamacpp 1",
        True,
        False,
        None,
    )
    assert (status.context_length, status.trained_context, status.embedding_length) == (4096, 131072, 256)
    (tmp_path / "x").write_bytes(gguf_header({"general.architecture": "llama"}))
    status = PROVIDER.model_status(model("embedded", gguf=str(tmp_path / "x")), None)
    assert "only gpt-oss reads harmony" in str(status.problem)
    monkeypatch.setattr(embedded_provider, "_version", lambda: None)
    assert "xllamacpp is not installed. Type" in str(PROVIDER.model_status(TINY, None).problem)
    assert PROVIDER.summary(TINY.settings, []).startswith("xllamacpp is not installed; ")


def test_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert embedded_provider._version() is None
    (tmp_path / "xllamacpp-9.dist-info").mkdir()
    (tmp_path / "xllamacpp-9.dist-info" / "METADATA").write_text("Name: xllamacpp\nVersion: 9\n")
    assert embedded_provider._version() == "xllamacpp 9"


def test_other_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gguf_header({"general.architecture": "llama"}))
    with pytest.raises(NotGptOss):
        list(
            EmbeddedEngine(model("embedded", gguf=str(tmp_path / "x")), ModelPool(ModelProcess)).complete(
                request()
            )
        )
