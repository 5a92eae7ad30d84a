"Each model's engine in the proxy: opened once, by the first who asks."

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


class Mine:
    "A kind of engine, and the engine that it opens."

    name = "mine"

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.open = self.closed = 0

    def aopen(self, model: Any, key: str | None) -> Mine:
        self.opened.append((model.tag, model.engine, dict(model.engine_options), key))
        return self

    async def __aenter__(self) -> Mine:
        await asyncio.sleep(0.01)
        self.open += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        yield Piece(completion.prompt)
        yield Done("stop")


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Mine:
    kind = Mine()
    monkeypatch.setattr(engines, "get_provider", {"mine": kind, "ollama": kind}.__getitem__)
    return kind


async def ask(kept: Engines, tag: str) -> list[Piece | Done]:
    return [item async for item in kept.engine_for(tag).complete(Completion(tag, "Hi"))]


async def test_a_model_has_its_own_engine(mine: Mine) -> None:
    kept = Engines(Settings.from_env({}), MODELS)
    for tag in ("a", "b", "b", "nobody added"):
        assert await ask(kept, tag) == [Piece("Hi"), Done("stop")]
    assert mine.opened == [
        ("a", "ollama", {}, None),
        ("b", "mine", {"url": "x"}, None),
        ("nobody added", "ollama", {}, None),
    ]
    await kept.aclose()
    assert (mine.open, mine.closed) == (3, 3)


async def test_it_is_opened_once_for_all_who_come_at_once(mine: Mine) -> None:
    kept = Engines(Settings.from_env({}), MODELS)
    assert await asyncio.gather(*(ask(kept, "b") for _ in range(3))) == [[Piece("Hi"), Done("stop")]] * 3
    assert mine.open == 1


async def test_what_was_never_asked_is_never_opened(mine: Mine) -> None:
    kept = Engines(Settings.from_env({}), MODELS)
    kept.engine_for("b")
    await kept.aclose()
    assert (mine.open, mine.closed) == (0, 0)


async def test_what_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Engines(Settings.from_env({"LLM_GPT_OSS_ENGINE": "nowhere"}), MODELS)
    for _ in range(2):
        with pytest.raises(GptOssError, match="There is no engine called 'nowhere'"):
            kept.engine_for("a")
