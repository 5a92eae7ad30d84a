from __future__ import annotations

from typing import Any

import llm
import pytest
from llm.models import ModelWithAliases
from llm.parts import Message, TextPart
from support.requests import CHAT, MINIMAL, Greeting, asking

from llm_gpt_oss.catalog.models_file import model_entries
from proxy.generation import GenerationRequest
from proxy.http.errors import ApiError
from proxy.inference.model_names import ModelNames, ResolvedModel, adapt_to_model


class EchoModel(llm.AsyncModel):
    "A model of another plugin that repeats its prompt and options."

    model_id = "others"
    can_stream = True

    class Options(llm.Options):
        temperature: float | None = None
        max_tokens: int | None = None

    async def execute(self, prompt: Any, **_: Any) -> Any:
        yield f"{prompt.messages[-1].parts[0].text} {prompt.options.model_dump(exclude_none=True)}"


class SyncModel(llm.Model):
    model_id = "others"

    def execute(self, *_: Any) -> Any:
        raise NotImplementedError


OTHERS = [
    ModelWithAliases(SyncModel(), EchoModel(), ["gpt-4o", "gpt-oss"]),
    ModelWithAliases(type("Late", (SyncModel,), {"model_id": "sync-only"})(), None, ["late"]),
]


@pytest.fixture
def names() -> ModelNames:
    aliases = {
        "gpt-4o-mini": "gpt-oss-20b",
        "mine": "gpt-4o",
        "raw": "a/b:c",
        "quick": "openai/GPT-OSS-20b-low",
        "claude-opus-*": "gpt-oss:120b-high",
        "claude-*": "gpt-oss",
        "claude-here": "raw",
    }
    return ModelNames(model_entries("tiny", {}), aliases, OTHERS)


def test_names(names: ModelNames) -> None:
    assert [*names] == [
        "gpt-oss:20b", "gpt-oss-20b", "gpt-oss:120b", "gpt-oss-120b", "tiny", "gpt-oss",
        "others", "gpt-4o", "gpt-4o-mini", "mine", "raw", "quick", "claude-here",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "tag", "effort"),
    [
        ("gpt-oss:20b", "gpt-oss:20b", None),
        ("gpt-oss", "tiny", None),
        ("gpt-4o-mini", "gpt-oss:20b", None),
        ("gpt-4o-mini-high", "gpt-oss:20b", "high"),
        ("gpt-oss:20b-none", "gpt-oss:20b", "none"),
        ("raw", "a/b:c", None),
        ("GPT-OSS", "tiny", None),
        ("Gpt-Oss:120B", "gpt-oss:120b", None),
        ("gpt-oss:latest", "tiny", None),
        ("tiny:latest", "tiny", None),
        ("openai/gpt-oss-20b", "gpt-oss:20b", None),
        ("openai/gpt-oss:20b", "gpt-oss:20b", None),
        ("OpenAI/GPT-OSS-120B", "gpt-oss:120b", None),
        ("openai/gpt-oss-20b-High", "gpt-oss:20b", "high"),
        ("gpt-oss-low:latest", "tiny", "low"),
        ("RAW", "a/b:c", None),
        ("quick", "gpt-oss:20b", "low"),
        ("Quick-high", "gpt-oss:20b", "high"),
        ("claude-opus-5", "gpt-oss:120b", "high"),
        ("Claude-sonnet-5[1m]", "tiny", None),
        ("claude-here", "raw", None),
        ("claude-here-low", "raw", "low"),
    ],
)
def test_resolve(names: ModelNames, name: str, tag: str, effort: str | None) -> None:
    assert names.resolve(name) == ResolvedModel(tag, effort)


def test_resolve_another_plugins_model(names: ModelNames) -> None:
    for name in ("others", "gpt-4o", "mine"):
        assert isinstance(names.resolve(name).other, EchoModel)
    assert names.resolve("mine-low").effort == "low"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        pytest.param("Mine", "Mine", id="as written"),
        pytest.param("mine", "mine", id="another one as written"),
        pytest.param("MINE", "Mine", id="the first in another case"),
        pytest.param("openai/mine", "openai/mine", id="with a namespace of its own"),
        pytest.param("GPT-OSS", "mine", id="an alias that replaces a name"),
    ],
)
def test_the_exact_name_takes_precedence(name: str, tag: str) -> None:
    tags = dict.fromkeys(("Mine", "mine", "openai/mine"), ())
    names = ModelNames(model_entries(None, tags), {"gpt-oss": "mine"})
    assert names.resolve(name).tag == tag


@pytest.mark.parametrize(
    "name",
    ["", "gpt-5", "sync-only", "late", "gpt-oss:20b-", "gpt-oss:20b-hard", "-high", "openai/", ":latest"],
)
def test_unknown_name(names: ModelNames, name: str) -> None:
    with pytest.raises(ApiError) as error:
        names.resolve(name)
    assert (error.value.status, error.value.code, error.value.param) == (404, "model_not_found", "model")
    assert "Available models: gpt-oss:20b," in error.value.message
    assert f"--alias '{name}=MODEL'" in error.value.message


def generation_request(**fields: Any) -> GenerationRequest:
    return GenerationRequest(CHAT, "others", (Message("user", [TextPart("Hi")]),), **fields)


def test_unknown_options_are_left_out() -> None:
    given = generation_request(options={"temperature": 0.5, "logprobs": True})
    fitting = adapt_to_model(given, EchoModel(), {"num_ctx": 4096, "temperature": 1, "max_tokens": 5})
    assert fitting.options == {"temperature": 0.5, "max_tokens": 5}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": (llm.Tool("f", None, {}),)}, "tools"),
        ({"schema": {"type": "object"}}, "schema"),
        ({"schema": {"type": "object"}, "fields": {"schema": "text.format.schema"}}, "text.format.schema"),
    ],
)
def test_unsupported_features(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as error:
        adapt_to_model(generation_request(**fields), EchoModel(), {})
    assert (error.value.status, error.value.code, error.value.param) == (400, "unsupported_parameter", param)


def test_invalid_option() -> None:
    with pytest.raises(ApiError) as error:
        adapt_to_model(generation_request(options={"max_tokens": "many"}), EchoModel(), {})
    assert (error.value.status, error.value.param) == (400, "max_tokens")


async def test_all_models_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "get_models_with_aliases", lambda: OTHERS)
    async with asking(all_models=True, num_ctx=4096) as client:
        listed = (await client.get("/v1/models")).json()["data"]
        answer = await client.post(
            CHAT, json={**MINIMAL, "model": "others", "temperature": 1, "logprobs": True}
        )
    assert {"others", "gpt-4o", "gpt-oss:20b"} <= {model["id"] for model in listed}
    assert answer.json()["choices"][0]["message"]["content"] == "Hi {'temperature': 1.0}"
    async with asking() as client:
        assert (await client.post(CHAT, json={**MINIMAL, "model": "others"})).status_code == 404


class TruncatedModel(EchoModel):
    "Its `response_json` is like that of llm's models for OpenAI's API."

    async def execute(self, prompt: Any, stream: bool, response: llm.AsyncResponse, **_: Any) -> Any:
        yield "Hi"
        response.response_json = {"content": "Hi", "finish_reason": "length"}


async def test_truncated_answer_of_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        llm, "get_models_with_aliases", lambda: [ModelWithAliases(SyncModel(), TruncatedModel(), [])]
    )
    async with asking(all_models=True) as client:
        answer = await client.post(CHAT, json={**MINIMAL, "model": "others"})
    assert answer.json()["choices"][0]["finish_reason"] == "length"


async def test_default_context_length_and_effort_of_a_name() -> None:
    engine = Greeting()
    async with asking(engine, num_ctx=4096) as client:
        await client.post(CHAT, json={**MINIMAL, "model": "gpt-oss:20b-high"})
        await client.post(CHAT, json={**MINIMAL, "model": "gpt-oss:20b-high", "reasoning_effort": "low"})
    assert [completion.context_length for completion in engine.asked] == [4096, 4096]
    assert ["Reasoning: high" in completion.prompt for completion in engine.asked] == [True, False]
    async with asking(engine := Greeting()) as client:
        await client.post(CHAT, json=MINIMAL)
    assert engine.asked[0].context_length is None


@pytest.mark.parametrize(
    ("model", "fields", "effort"),
    [
        pytest.param("gpt-oss", {}, "low", id="of the endpoint"),
        pytest.param("mine", {}, "high", id="of the model's name"),
        pytest.param("mine", {"output_config": {"effort": "medium"}}, "medium", id="of the request"),
    ],
)
async def test_default_effort_of_an_endpoint(model: str, fields: dict[str, Any], effort: str) -> None:
    engine = Greeting()
    async with asking(engine, aliases={"mine": "gpt-oss-high"}) as client:
        await client.post("/v1/messages", json={**MINIMAL, "model": model, **fields})
    assert f"Reasoning: {effort}" in engine.asked[0].prompt


async def test_option_that_only_the_model_can_validate() -> None:
    async with asking() as client:
        answer = await client.post(CHAT, json={**MINIMAL, "keep_alive": "soon"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "keep_alive"
    assert "needs a unit" in answer.json()["error"]["message"]
