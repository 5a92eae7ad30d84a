from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.settings import Settings
from proxy.inference import model_statuses
from proxy.inference.model_statuses import MAX_AGE, READ_TIMEOUT, ModelStatuses

STATUS = ModelStatus("here", version="1", installed=True)


@dataclass
class Provider:
    "An engine that reports when `go` is set. With an `error`, it raises that."

    error: Exception | None = None
    go: threading.Event = field(default_factory=threading.Event)
    checked: list[BoundModel] = field(default_factory=list)

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        self.checked.append(model)
        self.go.wait(60)  # so that a failing test ends
        if self.error:
            raise self.error
        return STATUS


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def statuses_with(
    monkeypatch: pytest.MonkeyPatch, provider: Provider, clock: Any, *, answers: bool = True
) -> ModelStatuses:
    monkeypatch.setattr(model_statuses, "get_provider", lambda name: provider)
    if answers:
        provider.go.set()
        monkeypatch.setattr(model_statuses, "TIMEOUT", 60)  # a busy machine is no bug
    return ModelStatuses(lambda tag: BoundModel(tag, Settings()), clock)


async def test_clients_share_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, clock = Provider(), Clock()
    statuses = statuses_with(monkeypatch, provider, clock)
    assert await asyncio.gather(statuses.status("a"), statuses.status("a")) == [STATUS, STATUS]
    clock.now = MAX_AGE - 0.1
    assert await statuses.status("a") == STATUS
    assert [model.tag for model in provider.checked] == ["a"]
    assert await statuses.status("b") == STATUS
    clock.now = MAX_AGE
    assert await statuses.status("a") == STATUS
    assert [model.tag for model in provider.checked] == ["a", "b", "a"]
    assert provider.checked[0].settings.read_timeout == READ_TIMEOUT


async def test_an_engine_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, clock = Provider(), Clock()
    statuses = statuses_with(monkeypatch, provider, clock, answers=False)
    monkeypatch.setattr(model_statuses, "TIMEOUT", 0.05)
    assert await statuses.status("a") is None
    clock.now = 100
    # The check still runs, so nobody waits for it again.
    assert await statuses.status("a") is None
    provider.go.set()
    await statuses._checks["a"].task
    assert len(provider.checked) == 1
    monkeypatch.setattr(model_statuses, "TIMEOUT", 60)
    assert await statuses.status("a") == STATUS


async def test_cancelled_clients_leave_the_check_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    statuses = statuses_with(monkeypatch, provider, Clock(), answers=False)
    monkeypatch.setattr(model_statuses, "TIMEOUT", 60)
    client, other = (asyncio.ensure_future(statuses.status("a")) for _ in range(2))
    await asyncio.sleep(0)
    client.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client
    provider.go.set()
    assert await other == STATUS


async def test_unusable_settings_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = statuses_with(monkeypatch, Provider(GptOssError("no such host")), Clock())
    assert await statuses.status("a") == ModelStatus("", problem="no such host")


async def test_a_failing_engine_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = statuses_with(monkeypatch, Provider(ValueError("a bug")), Clock())
    assert await statuses.status("a") is None
    assert "The engine of a could not report the status" in caplog.text
    assert "a bug" in caplog.text
