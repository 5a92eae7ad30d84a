from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.commands import INSTALLED, LOADED, SHOWN, TAG
from support.webserver import Answer, WebServer, lines, serving

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.engines.local import gpu, memory
from llm_gpt_oss.engines.local.gpu import UNLIMITED, GpuMemory
from llm_gpt_oss.engines.ollama.default_context import default_context_length
from llm_gpt_oss.engines.ollama.provider import OllamaProvider
from llm_gpt_oss.settings import Settings

GIBIBYTE = 1 << 30
SMALL_GPU = GpuMemory(0, 8 * GIBIBYTE)


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "An Ollama that has gpt-oss:20b on its disk, on a machine with a small GPU."
    monkeypatch.setattr(gpu, "gpu_memory", lambda: SMALL_GPU)
    with serving() as web:
        web.routes = {
            "/api/version": lines({"version": "0.33.0"}),
            "/api/tags": lines({"models": [INSTALLED]}),
            "/api/show": lines(SHOWN),
            "/api/ps": lines({"models": []}),
        }
        yield web


def status_of(ollama: WebServer, tag: str = TAG, **environ: str) -> ModelStatus:
    settings = Settings.from_env({"OLLAMA_HOST": ollama.url, **environ})
    return OllamaProvider().model_status(BoundModel(tag, settings), None)


@pytest.mark.parametrize(
    ("loaded", "parameters", "variable", "context"),
    [
        pytest.param([], "", "", 4096, id="by the memory of the GPU"),
        pytest.param([], "", "20000", 20000, id="by the variable"),
        pytest.param([], "num_ctx  6000", "20000", 6000, id="by the model file"),
        pytest.param([LOADED], "num_ctx  6000", "20000", 8192, id="of the loaded model"),
        pytest.param([{"name": TAG}], "num_ctx  6000", "20000", 6000, id="older server"),
        pytest.param([], "num_ctx  200000", "", 131072, id="more than the model was trained for"),
    ],
)
def test_context_length(
    ollama: WebServer, loaded: list[Any], parameters: str, variable: str, context: int
) -> None:
    ollama.routes["/api/ps"] = lines({"models": loaded})
    ollama.routes["/api/show"] = lines({**SHOWN, "parameters": parameters})
    status = status_of(ollama, OLLAMA_CONTEXT_LENGTH=variable)
    assert (status.context_length, status.trained_context, status.problem) == (context, 131072, None)
    assert (status.parameters, status.embedding_length) == (20_914_757_184, 2880)
    assert (status.context_with(32768), status.context_with(10**6)) == (32768, 131072)


@pytest.mark.parametrize(
    ("least", "most", "context"),
    [
        pytest.param(0, 0, 4096, id="none"),
        pytest.param(22, 22.9, 4096, id="small"),
        pytest.param(24, 24, 32768, id="medium"),
        pytest.param(94, 94, 262144, id="large"),
        pytest.param(0, 24, None, id="small or medium"),
        pytest.param(24, UNLIMITED, None, id="medium or large"),
    ],
)
def test_default_by_the_memory_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, least: float, most: float, context: int | None
) -> None:
    found = GpuMemory(int(least * GIBIBYTE), int(most * GIBIBYTE))
    monkeypatch.setattr(gpu, "gpu_memory", lambda: found)
    assert default_context_length(Settings.from_env({})) == context


def test_another_machine_does_not_tell_its_default() -> None:
    host = {"OLLAMA_HOST": "http://192.0.2.1:11434"}
    assert default_context_length(Settings.from_env(host)) is None
    assert default_context_length(Settings.from_env({**host, "OLLAMA_CONTEXT_LENGTH": "9000"})) == 9000


def test_unknown_default(ollama: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpu_memory", lambda: GpuMemory(0, UNLIMITED))
    status = status_of(ollama)
    assert (status.context_length, status.trained_context) == (None, 131072)
    assert status.context_with(None) is None


@pytest.mark.parametrize(
    "show", [pytest.param(Answer(status=403), id="refused"), pytest.param(lines({"details": {}}), id="bare")]
)
def test_an_official_tag_needs_no_details(ollama: WebServer, show: Answer) -> None:
    ollama.routes["/api/show"] = show
    status = status_of(ollama)
    assert (status.problem, status.context_length, status.trained_context) == (None, 4096, None)


def test_another_tag_needs_details(ollama: WebServer) -> None:
    ollama.routes |= {"/api/tags": lines({"models": [{"name": "tiny"}]}), "/api/show": Answer(status=500)}
    assert status_of(ollama, "tiny").problem
    ollama.routes["/api/show"] = lines({"details": {"family": "bert"}})
    status = status_of(ollama, "tiny")
    assert "only gpt-oss reads harmony" in str(status.problem)
    assert (status.installed, status.missing) == (True, False)


@pytest.mark.parametrize(
    ("free", "gpu_memory", "loaded", "longest"),
    [
        # Twelve layers keep the whole context, with 2 KB a token.
        pytest.param(20e9, 0, [], 131072, id="all of it"),
        pytest.param(14.3e9, 0, [], 16384, id="an eighth"),
        pytest.param(13e9, 0, [], None, id="not even the model"),
        pytest.param(1e9, 24e9, [], 131072, id="on the GPU"),
        pytest.param(1e9, 0, [LOADED], 32768, id="in the memory that it has"),
        pytest.param(None, 0, [], None, id="unknown"),
    ],
)
def test_possible_context(
    ollama: WebServer,
    monkeypatch: pytest.MonkeyPatch,
    free: float | None,
    gpu_memory: float,
    loaded: list[Any],
    longest: int | None,
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    monkeypatch.setattr(gpu, "gpu_memory", lambda: GpuMemory(int(gpu_memory), UNLIMITED))
    ollama.routes["/api/ps"] = lines({"models": loaded})
    assert status_of(ollama).possible_context == longest


def test_missing_model(ollama: WebServer) -> None:
    status = status_of(ollama, "gpt-oss:120b")
    assert status.missing
    assert status.problem == "Ollama has no model gpt-oss:120b. Type `llm gpt-oss pull gpt-oss:120b`."
    assert not ModelStatus("", problem="no answer").missing
