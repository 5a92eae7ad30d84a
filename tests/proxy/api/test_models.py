from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import llm
import openai.types as sdk
import pytest
from llm.models import ModelWithAliases
from support.proxied_engine import proxied

from proxy.api.models import RELEASED
from proxy.inference.model_names import ModelNames

ALIASES = {"gpt-4o": "gpt-oss:20b", "small": "someone/gpt-oss:1b"}


async def test_each_model_is_followed_by_its_aliases() -> None:
    async with proxied(model="gpt-oss-tiny", aliases=ALIASES) as proxy:
        answer = (await proxy.get("/v1/models")).json()
    assert answer["object"] == "list"
    assert [sdk.Model.model_validate(model).id for model in answer["data"]] == [
        "gpt-oss:20b",
        "gpt-oss-20b",
        "gpt-4o",
        "gpt-oss:120b",
        "gpt-oss-120b",
        "gpt-oss-tiny",
        "gpt-oss",
        "small",
    ]


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        pytest.param("gpt-oss:20b", "openai", id="tag"),
        pytest.param("gpt-4o", "openai", id="alias"),
        pytest.param("gpt-oss:20b-high", "openai", id="with an effort"),
        pytest.param("someone/gpt-oss:1b", "someone", id="somebody's"),
        pytest.param("small", "someone", id="alias of somebody's"),
        pytest.param("hf.co/other/gpt-oss", "other", id="from another host"),
    ],
)
async def test_retrieve(name: str, owner: str) -> None:
    aliases = {
        **ALIASES,
        "someone/gpt-oss:1b": "someone/gpt-oss:1b",
        "hf.co/other/gpt-oss": "hf.co/other/gpt-oss",
    }
    async with proxied(aliases=aliases) as proxy:
        answer = await proxy.get(f"/v1/models/{name}")
    assert answer.json() == {"id": name, "object": "model", "created": RELEASED, "owned_by": owner}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["gpt-4", "someone/other:1b", ""])
async def test_unknown_model(name: str, method: str) -> None:
    async with proxied() as proxy:
        answer = await proxy.client.request(method, f"/v1/models/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_models_cannot_be_deleted() -> None:
    async with proxied(aliases=ALIASES) as proxy:
        answer = await proxy.client.delete("/v1/models/gpt-4o")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "forbidden")
    assert "`ollama rm`" in error["message"]


class Other(llm.AsyncModel):
    def __init__(self, model_id: str, needs_key: str | None) -> None:
        self.model_id = model_id
        self.needs_key = needs_key

    async def execute(self, *_: Any) -> AsyncGenerator[str, None]:
        yield ""


@pytest.mark.parametrize(
    ("key", "module", "owner"),
    [
        pytest.param("anthropic", "llm_claude", "anthropic", id="by its key"),
        pytest.param(None, "llm_some_server.models", "llm-some-server", id="by its plugin"),
        pytest.param(None, "llm.default_plugins.openai_models", "llm", id="in llm's own file of models"),
    ],
)
async def test_owner_of_another_plugins_model(
    key: str | None, module: str, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Other, "__module__", module)
    other = Other("claude", key)
    names = ModelNames([], {}, [ModelWithAliases(other, other, set())])  # type: ignore[arg-type]
    async with proxied() as proxy:
        proxy.app.state.proxy = replace(proxy.app.state.proxy, model_names=names)
        answer = await proxy.get("/v1/models/claude")
    assert answer.json()["owned_by"] == owner
