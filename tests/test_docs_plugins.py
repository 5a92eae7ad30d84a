"The example plugins of docs/plugins.md work."

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.engines.providers import load_providers
from llm_gpt_oss.models import AsyncGptOss, GptOss
from llm_gpt_oss.settings import Settings

PAGE = (Path(__file__).parents[1] / "docs/plugins.md").read_text(encoding="utf-8")
ENGINE, SERVER = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
MODEL = BoundModel("greeter", Settings(), EngineBinding("hello"))


def module(code: str) -> ModuleType:
    made = ModuleType("example")
    exec(code, made.__dict__)  # noqa: S102 (the code is our own page's)
    return made


async def test_the_engine_answers() -> None:
    provider = load_providers([module(ENGINE)])["hello"]
    provider.check(MODEL)
    assert provider.summary(MODEL.settings, [MODEL]) == "1 models"
    assert provider.model_status(MODEL, None).problem is None
    with provider.open(MODEL, None) as engine:
        assert GptOss("greeter", MODEL.settings, engine).prompt("Hi").text() == "Hello"
    async with provider.aopen(MODEL, None) as engine:
        assert await AsyncGptOss("greeter", MODEL.settings, engine).prompt("Hi").text() == "Hello"


async def test_the_server_calls_each_hook(capsys: pytest.CaptureFixture[str]) -> None:
    async with proxied(AsyncScriptedEngine(HELLO), plugins=[module(SERVER)]) as proxy:
        assert (await proxy.client.get("/greeting")).json() == "Good day"
        refused = await proxy.chat(user="Hi", reasoning_effort="high")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "reasoning_effort")
        assert (await proxy.chat(user="Hi", headers={"x-team": "red"})).status_code == 200
        assert "Greet the user first." in proxy.engine.asked[0].prompt
        ((turn_id, actor),) = proxy.rows("select turn_id, actor from gpt_oss_requests")
    assert actor == "red"
    assert f"{turn_id} gpt-oss:20b 200 None" in capsys.readouterr().out
