"The proxy with the embedded engine: tools, a schema, reasoning, and readiness."

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from support import tiny

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.engines.embedded.loaded_models import pool
from proxy.app import create_app
from proxy.settings import Settings

pytestmark = tiny.needs_xllamacpp

BINDING = EngineBinding(
    "embedded", {"gguf": str(tiny.FILE), "context": tiny.CONTEXT, "threads": 1, "gpu_layers": 0}
)
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": WEATHER}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "dog", "schema": {"type": "object", "properties": {}}},
}


@asynccontextmanager
async def served(path: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(database=path / "logs.db", **settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "mine", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


async def test_tool_schema_and_reasoning(tmp_path: Path) -> None:
    models_file.add("mine", [], BINDING)
    async with served(tmp_path, model="mine") as client:
        path = "/v1/chat/completions"
        called = await client.post(path, json=body("What is the weather in Oslo?", tools=[TOOL]))
        [call] = called.json()["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "weather"
        assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
        dog = await client.post(path, json=body("Invent a dog", response_format=SCHEMA))
        message = dog.json()["choices"][0]["message"]
        assert message["content"].startswith("{")
        assert message["reasoning"]
        ready = await client.get("/health?ready=1")
        assert (ready.status_code, ready.json()["loaded"]) == (200, True)
    assert pool().find_loaded(str(tiny.FILE)) is not None, "the model stays in memory"


async def test_model_without_a_file_is_not_ready(tmp_path: Path) -> None:
    models_file.add("mine", [], EngineBinding("embedded", {"gguf": str(tmp_path / "gone.gguf")}))
    async with served(tmp_path, model="mine") as client:
        ready = await client.get("/health?ready=1")
        assert (ready.status_code, ready.json()["engine"]) == (503, "no model")
        answer = await client.post("/v1/chat/completions", json=body("Hi"))
        assert "gone.gguf cannot be read" in answer.json()["error"]["message"]


async def test_engine_of_all_models(tmp_path: Path) -> None:
    async with served(tmp_path, engine="llama-server") as client:
        assert (await client.get("/health")).json()["engine"] == "unreachable"
        answer = await client.post("/v1/chat/completions", json={**body("Hi"), "model": "gpt-oss"})
        assert "models add gpt-oss:20b --llama-server URL" in answer.json()["error"]["message"]
