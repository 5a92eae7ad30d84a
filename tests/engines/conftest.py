"""The engines that can be had here, each with the tiny model.

Ollama and vLLM are asked by cassette, as elsewhere in these tests; llama.cpp's server and the completion
server are the embedded engine's own HTTP door; Transformers reads a folder made of the same file. One that
cannot be had is skipped, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import llm
import pytest
from support import hugging_face, tiny

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.models import AsyncGptOss, GptOss
from llm_gpt_oss.settings import ServerAddress

NAME = "gpt-oss-tiny"
# vLLM and llama.cpp's server in its other dialect are both of the engine completions.
ENGINES = ("ollama", "embedded", "llama-server", "completions", "vllm", "transformers")
RECORDED = {"ollama": (pytest.mark.vcr, pytest.mark.tiny), "vllm": (pytest.mark.vcr, pytest.mark.vllm)}


@pytest.fixture(scope="session")
def server() -> Iterator[ServerAddress]:
    with tiny.door() as address:
        yield address


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hugging_face.write_model(tmp_path_factory.mktemp("hf"))


@pytest.fixture(params=[pytest.param(name, marks=RECORDED.get(name, ())) for name in ENGINES])
def engine(request: pytest.FixtureRequest) -> str:
    "The engine that `gpt-oss-tiny` is a model of, in this test."
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
        places = {
            "embedded": lambda: {
                "gguf": str(tiny.FILE),
                "context": tiny.CONTEXT,
                "threads": 1,
                "gpu_layers": 0,
            },
            "llama-server": lambda: _addressed(request.getfixturevalue("server")),
            "completions": lambda: {**_addressed(request.getfixturevalue("server")), "dialect": "llama.cpp"},
        }
        models_file.add(NAME, [], EngineBinding(name, places[name]()))
    else:
        models_file.add(NAME)
    return name


def _addressed(server: ServerAddress) -> dict[str, object]:
    return {"url": server.url, "headers": [f"{name}: {value}" for name, value in server.headers]}


@pytest.fixture
def model(engine: str, monkeypatch: pytest.MonkeyPatch) -> GptOss:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")
    found = llm.get_model(NAME)
    assert isinstance(found, GptOss)
    return found


@pytest.fixture
def async_model(model: GptOss) -> Callable[[], AsyncGptOss]:
    def get() -> AsyncGptOss:
        found = llm.get_async_model(NAME)
        assert isinstance(found, AsyncGptOss)
        return found

    return get
