from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from llm_gpt_oss.engines.hookspecs import EngineProvider, hookimpl
from llm_gpt_oss.engines.registered import get_provider, load_providers
from llm_gpt_oss.errors import GptOssError

OURS = ["ollama", "embedded", "llama-server", "completions", "transformers"]


class Mine:
    name = "mine"


class Plugin:
    def __init__(self, *found: Any) -> None:
        self.found = found

    @hookimpl
    def register_engines(self, register: Callable[[EngineProvider], None]) -> None:
        for each in self.found:
            if isinstance(each, Exception):
                raise each
            register(each)


def test_ours_are_registered_by_the_hook_too() -> None:
    assert list(load_providers()) == OURS
    assert [each.name for each in load_providers().values()] == OURS


def test_a_plugin_adds_one() -> None:
    mine = Mine()
    found = load_providers([Plugin(mine)])
    assert list(found) == [*OURS, "mine"]
    assert get_provider("mine", found) is mine


def test_ours_win_where_names_are_equal() -> None:
    class Ollama(Mine):
        name = "ollama"

    assert (
        type(load_providers([Plugin(Ollama())])["ollama"]).__module__ == "llm_gpt_oss.engines.ollama.provider"
    )


def test_a_plugin_that_fails_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = load_providers([Plugin(Mine()), Plugin(RuntimeError("bang"))])
    assert list(found) == [*OURS, "mine"]
    assert "could not register its engines" in caplog.text


def test_a_name_that_no_engine_has() -> None:
    with pytest.raises(GptOssError, match="Use one of " + ", ".join(OURS)):
        get_provider("olama")


def test_to_list_them_imports_nothing_that_they_run_on() -> None:
    code = """
import json, sys
from llm_gpt_oss.engines.registered import installed_providers
installed_providers()
print(json.dumps([name for name in ("httpx", "xllamacpp", "torch", "fastapi") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
