"The engines of the proxy's models, each opened once, by its first completion."

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from llm_gpt_oss.catalog.models_file import EngineBinding, ModelEntry
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.settings import Settings
from proxy.inference import engines
from proxy.inference.engines import Engines

MODELS = [ModelEntry("a", ()), ModelEntry("b", (), EngineBinding("mine", {"url": "x"}))]


class RecordingProvider:
    "An engine provider that is also the engine it opens."

    name = "mine"

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.open = self.closed = 0

    def aopen(self, model: Any, key: str | None) -> RecordingProvider:
        self.opened.append((model.tag, model.engine, dict(model.engine_options), key))
        return self

    async def __aenter__(self) -> RecordingProvider:
        await asyncio.sleep(0.01)
        self.open += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        yield Piece(completion.prompt)
        yield Done("stop")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> RecordingProvider:
    recording = RecordingProvider()
    monkeypatch.setattr(engines, "get_provider", {"mine": recording, "ollama": recording}.__getitem__)
    return recording


async def complete_once(all_engines: Engines, tag: str) -> list[Piece | Done]:
    return [item async for item in all_engines.engine_for(tag).complete(Completion(tag, "Hi"))]


async def test_each_model_has_an_engine(provider: RecordingProvider) -> None:
    all_engines = Engines(Settings.from_env({}), MODELS)
    for tag in ("a", "b", "b", "nobody added"):
        assert await complete_once(all_engines, tag) == [Piece("Hi"), Done("stop")]
    assert provider.opened == [
        ("a", "ollama", {}, None),
        ("b", "mine", {"url": "x"}, None),
        ("nobody added", "ollama", {}, None),
    ]
    await all_engines.aclose()
    assert (provider.open, provider.closed) == (3, 3)


async def test_an_engine_is_opened_once(provider: RecordingProvider) -> None:
    all_engines = Engines(Settings.from_env({}), MODELS)
    assert (
        await asyncio.gather(*(complete_once(all_engines, "b") for _ in range(3)))
        == [[Piece("Hi"), Done("stop")]] * 3
    )
    assert provider.open == 1


async def test_an_unused_engine_is_not_opened(provider: RecordingProvider) -> None:
    all_engines = Engines(Settings.from_env({}), MODELS)
    all_engines.engine_for("b")
    await all_engines.aclose()
    assert (provider.open, provider.closed) == (0, 0)


async def test_opening_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    all_engines = Engines(Settings.from_env({"LLM_GPT_OSS_ENGINE": "nowhere"}), MODELS)
    for _ in range(2):
        with pytest.raises(GptOssError, match="There is no engine called 'nowhere'"):
            all_engines.engine_for("a")
