from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any

import llm
import openai.types as sdk
import pytest
from llm.models import ModelWithAliases
from support.commands import INSTALLED, LOADED, SHOWN
from support.proxied_engine import proxied
from support.scripted_server import HOLD, Refusing, Scripted
from support.webserver import WebServer, lines, serving

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from proxy.api.models import RELEASED
from proxy.inference import model_statuses
from proxy.inference.model_names import ModelNames

ALIASES = {"gpt-4o": "gpt-oss:20b", "small": "someone/gpt-oss:1b"}
KNOWN = {
    "context_length": 8192,
    "max_model_len": 8192,
    "meta": {
        "n_ctx": 8192,
        "n_ctx_train": 131072,
        "n_params": 20_914_757_184,
        "n_embd": 2880,
        "size": 13_780_000_000,
    },
}


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "An Ollama that has gpt-oss:20b in memory, and no other model."
    monkeypatch.setattr(model_statuses, "TIMEOUT", 60)  # a busy machine is no bug
    with serving() as web:
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        web.routes = {
            "/api/version": lines({"version": "0.33.0"}),
            "/api/tags": lines({"models": [INSTALLED]}),
            "/api/show": lines(SHOWN),
            "/api/ps": lines({"models": [LOADED]}),
        }
        yield web


@pytest.fixture
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Refusing() as host:
        monkeypatch.setenv("OLLAMA_HOST", host)
        yield


async def listed_models(**settings: Any) -> dict[str, sdk.Model]:
    async with proxied(**settings) as proxy:
        answer = (await proxy.get("/v1/models")).json()
    assert answer["object"] == "list"
    return {model["id"]: sdk.Model.model_validate(model) for model in answer["data"]}


@pytest.mark.usefixtures("no_ollama")
async def test_each_model_is_followed_by_its_aliases() -> None:
    assert list(await listed_models(model="gpt-oss-tiny", aliases=ALIASES)) == [
        "gpt-oss:20b",
        "gpt-oss-20b",
        "gpt-4o",
        "gpt-oss:120b",
        "gpt-oss-120b",
        "gpt-oss-tiny",
        "gpt-oss",
        "small",
    ]


async def test_models_that_ollama_does_not_have_are_left_out(ollama: WebServer) -> None:
    models = await listed_models(aliases=ALIASES)
    assert list(models) == ["gpt-oss:20b", "gpt-oss", "gpt-oss-20b", "gpt-4o"]
    assert [model.to_dict() for model in models.values()] == [
        {"id": name, "object": "model", "created": RELEASED, "owned_by": "openai", **KNOWN} for name in models
    ]


async def test_all_models_are_listed_while_the_engine_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_statuses, "TIMEOUT", 0.05)
    with Scripted((HOLD,)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        models = await listed_models()
    assert {"gpt-oss:20b", "gpt-oss:120b"} <= set(models)


@pytest.mark.parametrize(
    ("num_ctx", "context"),
    [pytest.param(32768, 32768, id="by the setting"), pytest.param(10**6, 131072, id="the model's longest")],
)
async def test_context_length_of_the_server(ollama: WebServer, num_ctx: int, context: int) -> None:
    model = (await listed_models(num_ctx=num_ctx))["gpt-oss"].to_dict()
    assert (model["context_length"], model["max_model_len"]) == (context, context)
    assert model["meta"]["n_ctx"] == context  # type: ignore[index]


@pytest.mark.usefixtures("no_ollama")
async def test_context_length_while_the_engine_is_unreachable() -> None:
    assert (await listed_models(num_ctx=32768))["gpt-oss"].to_dict() == {
        "id": "gpt-oss",
        "object": "model",
        "created": RELEASED,
        "owned_by": "openai",
        "context_length": 32768,
        "max_model_len": 32768,
        "meta": {"n_ctx": 32768},
    }


async def test_models_of_a_server_with_a_fixed_context(ollama: WebServer) -> None:
    card = {"id": "mine", "owned_by": "vllm", "max_model_len": 65536}
    ollama.routes["/v1/models"] = lines({"data": [card]})
    models_file.add("mine", [], EngineBinding("completions", {"url": ollama.url}))
    models_file.add("yours", [], EngineBinding("completions", {"url": ollama.url}))
    models = await listed_models(num_ctx=4096)
    assert "yours" not in models
    assert models["mine"].to_dict()["context_length"] == 65536


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        pytest.param("gpt-oss:20b", "openai", id="tag"),
        pytest.param("gpt-4o", "openai", id="alias"),
        pytest.param("gpt-oss:20b-high", "openai", id="with an effort"),
        pytest.param("openai/GPT-OSS-20b", "openai", id="written differently"),
        pytest.param("someone/gpt-oss:1b", "someone", id="somebody's"),
        pytest.param("small", "someone", id="alias of somebody's"),
        pytest.param("hf.co/other/gpt-oss", "other", id="from another host"),
    ],
)
@pytest.mark.usefixtures("no_ollama")
async def test_retrieve(name: str, owner: str) -> None:
    aliases = {
        **ALIASES,
        "someone/gpt-oss:1b": "someone/gpt-oss:1b",
        "hf.co/other/gpt-oss": "hf.co/other/gpt-oss",
    }
    async with proxied(aliases=aliases) as proxy:
        answer = await proxy.get(f"/v1/models/{name}")
    assert answer.json() == {"id": name, "object": "model", "created": RELEASED, "owned_by": owner}


async def test_retrieve_has_what_the_list_has(ollama: WebServer) -> None:
    async with proxied() as proxy:
        found = (await proxy.get("/v1/models/gpt-oss-20b")).json()
        missing = await proxy.get("/v1/models/gpt-oss:120b")
    assert found.items() >= {"id": "gpt-oss-20b", **KNOWN}.items()
    error = missing.json()["error"]
    assert (missing.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert error["message"] == (
        "The model 'gpt-oss:120b' does not exist here. "
        "Ollama has no model gpt-oss:120b. Type `llm gpt-oss pull gpt-oss:120b`."
    )


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["gpt-4", "someone/other:1b"])
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
