"""Fixtures that run a test on each engine, with the tiny model.

Ollama and vLLM answer from cassettes. `llama-server` and `completions` use the HTTP server of the embedded
engine, `proxy` a proxy with the embedded engine, and Transformers a folder that is converted from the same
file. Engines that are not installed are skipped with a reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import llm
import pytest
from support import hugging_face, tiny
from support.proxy_thread import proxy_thread

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.models import AsyncGptOss, GptOss
from llm_gpt_oss.settings import ServerAddress
from proxy.app import create_app
from proxy.settings import Settings

NAME = "gpt-oss-tiny"
# "vllm" and "completions" are the engine completions, with vLLM and with the server of llama.cpp.
ENGINES = ("ollama", "embedded", "llama-server", "completions", "vllm", "proxy", "transformers")
EMBEDDED = {"gguf": str(tiny.FILE), "context": tiny.CONTEXT, "threads": 1, "gpu_layers": 0}
PROXIED = "gpt-oss-tiny-there"
RECORDED = {"ollama": (pytest.mark.vcr, pytest.mark.tiny), "vllm": (pytest.mark.vcr, pytest.mark.vllm)}


@pytest.fixture(scope="session")
def server() -> Iterator[ServerAddress]:
    with tiny.door() as address:
        yield address


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hugging_face.write_model(tmp_path_factory.mktemp("hf"))


@pytest.fixture
def proxy_url(tmp_path: Path) -> Iterator[str]:
    models_file.add(PROXIED, [], EngineBinding("embedded", EMBEDDED))
    with proxy_thread(create_app(Settings(database=tmp_path / "server.db", allow_load_options=True))) as url:
        yield url


@pytest.fixture(params=[pytest.param(name, marks=RECORDED.get(name, ())) for name in ENGINES])
def engine(request: pytest.FixtureRequest) -> str:
    "The engine that runs `gpt-oss-tiny` in this test."
    name: str = request.param
    if name == "transformers":
        if hugging_face.MISSING_PACKAGES:
            pytest.skip(hugging_face.SKIP_REASON)
        folder = request.getfixturevalue("folder")
        models_file.add(NAME, [], EngineBinding(name, {"weights": str(folder), "context": tiny.CONTEXT}))
    elif name == "vllm":
        models_file.add(
            NAME, [], EngineBinding("completions", {"url": os.environ.get("VLLM_HOST", "http://vllm")})
        )
    elif name != "ollama":
        if find_spec("xllamacpp") is None:
            pytest.skip("needs the engine embedded: pip install xllamacpp")
        options = {
            "embedded": lambda: EMBEDDED,
            "proxy": lambda: {"url": request.getfixturevalue("proxy_url"), "model": PROXIED},
            "llama-server": lambda: _server_options(request.getfixturevalue("server")),
            "completions": lambda: {
                **_server_options(request.getfixturevalue("server")),
                "dialect": "llama.cpp",
            },
        }
        models_file.add(NAME, [], EngineBinding(name, options[name]()))
    else:
        models_file.add(NAME)
    return name


def _server_options(server: ServerAddress) -> dict[str, object]:
    return {"url": server.url, "headers": [f"{name}: {value}" for name, value in server.headers]}


@pytest.fixture
def model(engine: str, monkeypatch: pytest.MonkeyPatch) -> GptOss:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")
    model = llm.get_model(NAME)
    assert isinstance(model, GptOss)
    return model


@pytest.fixture
def async_model(model: GptOss) -> Callable[[], AsyncGptOss]:
    def get() -> AsyncGptOss:
        async_model = llm.get_async_model(NAME)
        assert isinstance(async_model, AsyncGptOss)
        return async_model

    return get
