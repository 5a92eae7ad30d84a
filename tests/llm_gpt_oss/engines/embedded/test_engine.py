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
from support.engine_prompts import done, model, said, text
from support.gguf_files import head
from support.ollama_store import put

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.completion import Completion, Done, Piece, Sampling
from llm_gpt_oss.engines.embedded import engine as embedded
from llm_gpt_oss.engines.embedded import loaded_models as process_pool
from llm_gpt_oss.engines.embedded import provider as embedded_kind
from llm_gpt_oss.engines.embedded.engine import AsyncEmbeddedEngine, EmbeddedEngine, ModelSource
from llm_gpt_oss.engines.embedded.process import ModelProcess
from llm_gpt_oss.engines.embedded.provider import EmbeddedProvider
from llm_gpt_oss.engines.local.model_pool import ModelPool, keep_alive_seconds
from llm_gpt_oss.errors import EngineError, GptOssError, NotGptOss
from llm_gpt_oss.settings import Settings

KIND = EmbeddedProvider()
TINY = model("embedded", gguf=str(tiny.FILE), context=tiny.CONTEXT, threads=1, gpu_layers=0)
PROMPT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
GREEDY = Sampling(temperature=0)
LIBRARY = "registry.ollama.ai/library/"


def asked(**more: Any) -> Completion:
    return Completion("tiny", PROMPT, sampling=GREEDY, **more)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelPool]:
    ours = ModelPool(ModelProcess)
    for module in (embedded, process_pool):
        monkeypatch.setattr(module, "pool", lambda: ours)
    yield ours
    ours.close()


@pytest.fixture(params=[False, True], ids=["waited for", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("that never came")


@tiny.needs_xllamacpp
def test_it_is_loaded_for_the_first_one(pool: ModelPool, awaited: bool) -> None:
    completions = [asked(max_tokens=5), asked(max_tokens=5)]
    items = said(KIND, TINY, *completions, awaited=awaited)
    first, second = [item for item in items if isinstance(item, Done)]
    assert (first.reason, first.completion_tokens, second.completion_tokens) == ("length", 5, 5)
    assert first.load_ms
    assert second.load_ms is None
    assert text(items) == text(items[: len(items) // 2]) * 2


@tiny.needs_xllamacpp
def test_another_context_is_another_load(pool: ModelPool, awaited: bool) -> None:
    said(KIND, TINY, asked(max_tokens=1), asked(max_tokens=1, context_length=512), awaited=awaited)
    load = pool.find_loaded(str(tiny.FILE))
    assert load is not None
    assert load.context == 512, "the first one made room"


@tiny.needs_xllamacpp
def test_what_it_keeps_can_be_told(pool: ModelPool, awaited: bool) -> None:
    said(KIND, TINY, asked(max_tokens=1, keep_alive=0), awaited=awaited)
    for _ in range(500):
        if pool.find_loaded(str(tiny.FILE)) is None:
            return
        threading.Event().wait(0.01)
    pytest.fail("it is still loaded")


@tiny.needs_xllamacpp
def test_several_answers_at_once(pool: ModelPool) -> None:
    async def one(engine: AsyncEmbeddedEngine) -> list[Piece | Done]:
        return [item async for item in engine.complete(asked(max_tokens=40))]

    async def all_of_them() -> list[list[Piece | Done]]:
        engine = AsyncEmbeddedEngine(TINY)
        return await asyncio.gather(*(one(engine) for _ in range(4)))

    answers = asyncio.run(all_of_them())
    assert [done(items).completion_tokens for items in answers] == [40] * 4
    assert len({text(items) for items in answers}) == 1


@tiny.needs_xllamacpp
def test_who_leaves_while_it_loads_leaves_it_to_the_next(pool: ModelPool) -> None:
    async def leaving() -> None:
        engine = AsyncEmbeddedEngine(TINY)

        async def ask() -> None:
            async with aclosing(engine.complete(asked())) as items:
                await anext(items)

        task = asyncio.create_task(ask())
        await until(lambda: bool(pool._entries))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: all(kept.idle for kept in pool._entries.values()))

    asyncio.run(asyncio.wait_for(leaving(), 20))


def test_a_load_that_fails_when_its_client_has_left_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def failing(*_: Any) -> Any:
        go.wait(5)
        raise EngineError("bang")

    monkeypatch.setattr(embedded, "find_spec", lambda name: True)

    async def leaving() -> None:
        pool = ModelPool(failing)
        task = asyncio.ensure_future(anext(AsyncEmbeddedEngine(TINY, pool).complete(asked())))
        await until(lambda: bool(pool._entries))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await until(lambda: not any(kept.users for kept in pool._entries.values()))

    asyncio.run(asyncio.wait_for(leaving(), 20))


def test_without_xllamacpp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, awaited: bool) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="llm install xllamacpp"):
        said(KIND, TINY, asked(), awaited=awaited)


def wanted(**more: Any) -> Completion:
    return Completion("tiny", "p", **more)


@pytest.mark.parametrize(
    ("facts", "asks", "context"),
    [({}, None, 16384), ({"context": 600}, None, 600), ({"context": 600}, 700, 700), ({}, 10**6, 131072)],
)
def test_the_context(facts: Any, asks: int | None, context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: True)
    weights = ModelSource(model("embedded", gguf=str(tiny.FILE), **facts))
    assert weights.load_options(wanted(context_length=asks)).context == context


def test_a_head_that_does_not_say_how_far_it_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: True)
    (tmp_path / "x").write_bytes(head({"general.architecture": "gpt-oss"}))
    assert ModelSource(model("embedded", gguf=str(tmp_path / "x"))).load_options(wanted()).context == 16384


@pytest.mark.parametrize(
    ("written", "expected"),
    [("10m", 600), ("1h30m", 5400), ("-1s", -1), (0, 0), (2.5, 2.5), ("500ms", 0.5)],
)
def test_how_long_it_is_kept(written: Any, expected: float) -> None:
    assert keep_alive_seconds(written) == expected
    assert ModelSource(model("embedded", keep_alive=written)).keep_alive(wanted()) == expected
    assert ModelSource(model("embedded")).keep_alive(wanted(keep_alive=written)) == expected
    assert ModelSource(model("embedded")).keep_alive(wanted()) == 300


def ollamas(folder: Path, tag: str = "gpt-oss:20b") -> BoundModel:
    return BoundModel(
        tag, Settings.from_env({"OLLAMA_MODELS": str(folder), "LLM_GPT_OSS_ENGINE": "embedded"})
    )


def test_what_ollama_has_downloaded_is_found(tmp_path: Path) -> None:
    blob = put(tmp_path, LIBRARY + "gpt-oss:20b", tiny.FILE.read_bytes())
    assert ModelSource(ollamas(tmp_path)).path == blob
    with pytest.raises(GptOssError, match="models add gpt-oss:120b --gguf FILE"):
        KIND.check(ollamas(tmp_path, "gpt-oss:120b"))


def test_what_it_can_load_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ollamas(tmp_path).settings
    monkeypatch.setattr(embedded_kind, "_version", lambda: "xllamacpp 1")
    assert KIND.summary(settings, []) == "xllamacpp 1; no model for it"
    assert KIND.summary(settings, [TINY]) == f"xllamacpp 1; tiny from {tiny.FILE}"
    put(tmp_path, LIBRARY + "gpt-oss:20b", tiny.FILE.read_bytes())
    assert KIND.summary(settings, []) == (
        "xllamacpp 1; gpt-oss:20b, which Ollama has downloaded (LLM_GPT_OSS_ENGINE=embedded runs it)"
    )
    put(tmp_path, LIBRARY + "gpt-oss:20b", head({"general.architecture": "gptoss"}))
    assert "xllamacpp 1; not gpt-oss:20b: " in KIND.summary(settings, [])
    assert "in Ollama's own layout" in KIND.summary(settings, [])


def test_its_condition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: ModelPool) -> None:
    monkeypatch.setattr(embedded_kind, "_version", lambda: "xllamacpp 1")
    found = KIND.model_status(TINY, None)
    assert (found.address, found.version, found.installed, found.loaded, found.problem) == (
        str(tiny.FILE),
        "xllamacpp 1",
        True,
        False,
        None,
    )
    (tmp_path / "x").write_bytes(head({"general.architecture": "llama"}))
    found = KIND.model_status(model("embedded", gguf=str(tmp_path / "x")), None)
    assert "only gpt-oss reads harmony" in str(found.problem)
    monkeypatch.setattr(embedded_kind, "_version", lambda: None)
    assert "xllamacpp is not installed. Type" in str(KIND.model_status(TINY, None).problem)
    assert KIND.summary(TINY.settings, []).startswith("xllamacpp is not installed; ")


def test_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert embedded_kind._version() is None
    (tmp_path / "xllamacpp-9.dist-info").mkdir()
    (tmp_path / "xllamacpp-9.dist-info" / "METADATA").write_text("Name: xllamacpp\nVersion: 9\n")
    assert embedded_kind._version() == "xllamacpp 9"


def test_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(head({"general.architecture": "llama"}))
    with pytest.raises(NotGptOss):
        list(
            EmbeddedEngine(model("embedded", gguf=str(tmp_path / "x")), ModelPool(ModelProcess)).complete(
                asked()
            )
        )
