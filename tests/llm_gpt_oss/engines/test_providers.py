from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from llm_gpt_oss.engines.hookspecs import EngineProvider, hookimpl
from llm_gpt_oss.engines.providers import get_provider, load_providers
from llm_gpt_oss.errors import GptOssError

BUILT_IN = ["ollama", "embedded", "llama-server", "completions", "proxy", "transformers"]


class MyProvider:
    name = "mine"


class Plugin:
    def __init__(self, *providers: Any) -> None:
        self.providers = providers

    @hookimpl
    def register_engines(self, register: Callable[[EngineProvider], None]) -> None:
        for provider in self.providers:
            if isinstance(provider, Exception):
                raise provider
            register(provider)


def test_built_in_engines() -> None:
    assert list(load_providers()) == BUILT_IN
    assert [provider.name for provider in load_providers().values()] == BUILT_IN


def test_plugin_adds_an_engine() -> None:
    provider = MyProvider()
    providers = load_providers([Plugin(provider)])
    assert list(providers) == [*BUILT_IN, "mine"]
    assert get_provider("mine", providers) is provider


def test_built_in_engines_cannot_be_replaced() -> None:
    class Ollama(MyProvider):
        name = "ollama"

    assert (
        type(load_providers([Plugin(Ollama())])["ollama"]).__module__ == "llm_gpt_oss.engines.ollama.provider"
    )


def test_failing_plugin_is_logged_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    providers = load_providers([Plugin(MyProvider()), Plugin(RuntimeError("bang"))])
    assert list(providers) == [*BUILT_IN, "mine"]
    assert "could not register its engines" in caplog.text


def test_unknown_engine() -> None:
    with pytest.raises(GptOssError, match="Use one of " + ", ".join(BUILT_IN)):
        get_provider("olama")


def test_listing_engines_imports_nothing_heavy() -> None:
    code = """
import json, sys
from llm_gpt_oss.engines.providers import installed_providers
installed_providers()
print(json.dumps([name for name in ("httpx", "xllamacpp", "torch", "fastapi") if name in sys.modules]))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(process.stdout) == []
