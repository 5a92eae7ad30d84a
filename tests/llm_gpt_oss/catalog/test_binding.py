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
    ("tag", "place", "wanted", "engine", "facts"),
    [
        pytest.param("gpt-oss:20b", UNBOUND, None, "ollama", {}, id="nobody says"),
        pytest.param("gpt-oss:20b", UNBOUND, "embedded", "embedded", {}, id="wanted for all"),
        pytest.param("mine", FILE, None, "embedded", {"gguf": "/x.gguf"}, id="bound"),
        pytest.param("mine", FILE, "ollama", "embedded", {"gguf": "/x.gguf"}, id="only there"),
        pytest.param("gpt-oss:20b", FILE, "ollama", "ollama", {}, id="Ollama may have it too"),
        pytest.param("gpt-oss:20b", FILE, "embedded", "embedded", {"gguf": "/x.gguf"}, id="both say so"),
    ],
)
def test_the_engine(tag: str, place: EngineBinding, wanted: str | None, engine: str, facts: Any) -> None:
    model = BoundModel(tag, Settings.from_env({}).with_engine(wanted), place)
    assert (model.engine, dict(model.engine_options)) == (engine, facts)


def test_the_environment_says_what_is_wanted() -> None:
    assert BoundModel("a", Settings.from_env({"LLM_GPT_OSS_ENGINE": " embedded "})).engine == "embedded"


def test_ollamas_key_goes_to_ollama_alone(monkeypatch: pytest.MonkeyPatch) -> None:
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
