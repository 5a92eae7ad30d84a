"An app with a log and a scripted Ollama, its description, and requests that schemathesis makes of that."

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.schemas import BaseSchema
from support.fuzzed_app import FuzzedApp
from support.scripted_engine import pieces
from support.scripted_server import Scripted, answer

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from proxy.app import create_app
from proxy.settings import Settings

THINKING = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello you"
OLLAMA = {"embeddings": [[0.5, 1.0]], "version": "0.33", "models": [], "response": "Hello", "done": True}


class Talkative:
    "An engine that thinks and greets, with log probabilities if they are requested. Its JSON is {}."

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        text = "{}" if completion.format else THINKING
        if not completion.prompt.endswith("<|start|>assistant"):
            text = text.rpartition("<|message|>")[2]
        for piece in pieces(text):
            top = (Logprob("x", -1.0, b"x"),)
            logprobs = (Logprob(piece.text, -0.5, piece.text.encode(), top),)
            yield Piece(piece.text, logprobs if completion.top_logprobs is not None else ())
        yield Done("stop", prompt_tokens=3, completion_tokens=2)


class DescribedApp(FuzzedApp):
    "`ids` has objects that are in the log, by the names of the parameters of paths."

    def __init__(self, database: Path) -> None:
        self._database = database
        super().__init__(self._serve())
        self.description: dict[str, Any] = self.request("GET", "/openapi.json").json()
        self.schema: BaseSchema = schemathesis.openapi.from_dict(self.description)
        self.ids = {
            "name": "gpt-oss",
            "digest": f"sha256-{'0' * 64}",
            "run_id": "ended",
            **self._create_objects(),
        }

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        response: httpx.Response = self.run(self.opened.request(method, url, **options))
        return response

    def send(self, *, cookies: Any, data: bytes | None = None, **request: Any) -> httpx.Response:
        "Send a request that schemathesis made for another HTTP library."
        return self.request(**request, content=data)

    @asynccontextmanager
    async def _serve(self) -> AsyncIterator[httpx.AsyncClient]:
        app: FastAPI = create_app(Settings(host="testserver", database=self._database), engine=Talkative())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
        ):
            yield client

    def _create_objects(self) -> dict[str, str]:
        message = {"role": "user", "content": "Hi"}
        bodies: dict[str, tuple[str, dict[str, Any]]] = {
            "completion_id": (
                "/v1/chat/completions",
                {"model": "gpt-oss", "messages": [message], "store": True, "metadata": {"a": "b"}},
            ),
            "response_id": ("/v1/responses", {"model": "gpt-oss", "input": "Hi"}),
            "conversation_id": ("/v1/conversations", {"items": [message]}),
        }
        ids = {
            name: self.request("POST", path, json=body).json()["id"] for name, (path, body) in bodies.items()
        }
        items = self.request("GET", f"/v1/conversations/{ids['conversation_id']}/items").json()["data"]
        return {**ids, "item_id": items[0]["id"]}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, empty_log: Path) -> Iterator[DescribedApp]:
    folder = tmp_path_factory.mktemp("described")
    shutil.copy(empty_log, folder / "logs.db")
    with pytest.MonkeyPatch.context() as patch, Scripted(answer(OLLAMA)) as ollama:
        patch.setenv("LLM_USER_PATH", str(folder))
        patch.setenv("OLLAMA_HOST", ollama.host)
        app = DescribedApp(folder / "logs.db")
        yield app
        app.close()
