from __future__ import annotations

import json
from typing import Any

import llm
import pytest

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import UNBOUND, EngineBinding
from llm_gpt_oss.settings import Settings

FILE = EngineBinding("embedded", {"gguf": "/x.gguf"})


@pytest.mark.parametrize(
    ("tag", "binding", "setting", "engine", "engine_options"),
    [
        pytest.param("gpt-oss:20b", UNBOUND, None, "ollama", {}, id="default"),
        pytest.param("gpt-oss:20b", UNBOUND, "embedded", "embedded", {}, id="setting"),
        pytest.param("mine", FILE, None, "embedded", {"gguf": "/x.gguf"}, id="binding"),
        pytest.param(
            "mine", FILE, "ollama", "embedded", {"gguf": "/x.gguf"}, id="binding of an added tag wins"
        ),
        pytest.param("gpt-oss:20b", FILE, "ollama", "ollama", {}, id="setting wins for built-in tags"),
        pytest.param(
            "gpt-oss:20b", FILE, "embedded", "embedded", {"gguf": "/x.gguf"}, id="setting and binding agree"
        ),
    ],
)
def test_engine_of_a_model(
    tag: str, binding: EngineBinding, setting: str | None, engine: str, engine_options: Any
) -> None:
    model = BoundModel(tag, Settings.from_env({}).with_engine(setting), binding)
    assert (model.engine, dict(model.engine_options)) == (engine, engine_options)


def test_environment_variable_selects_the_engine() -> None:
    assert BoundModel("a", Settings.from_env({"LLM_GPT_OSS_ENGINE": " embedded "})).engine == "embedded"


def test_only_ollama_gets_ollamas_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "for Ollama")
    path = llm.user_dir() / "keys.json"  # type: ignore[no-untyped-call]
    path.write_text(json.dumps({"ollama": "stored", "mine": "theirs"}))
    settings = Settings.from_env({})
    assert BoundModel("a", settings).api_key() == "stored"
    assert BoundModel("a", settings, EngineBinding("completions", {})).api_key() is None
    assert BoundModel("a", settings, EngineBinding("completions", {"key": "mine"})).api_key() == "theirs"
    assert (
        BoundModel("a", settings, EngineBinding("completions", {"key": "mine"})).api_key("typed") == "typed"
    )
