"The endpoint. Its answers are validated with the SDK's types."

from __future__ import annotations

import base64
import struct
from typing import Any, get_type_hints

import httpx
import httpx2
import openai
import pytest
from openai.types import CreateEmbeddingResponse, EmbeddingCreateParams
from support.proxied_engine import proxied
from support.scripted_server import Refusing, Reply, Scripted, answer

from proxy.api.embeddings import EmbeddingRequest

VECTORS = {"embeddings": [[0.5, -1.0], [0.25, 0.0]], "prompt_eval_count": 7}
BODY = {"model": "embed-tiny", "input": ["one", "two"]}


async def post(*replies: Reply, aliases: Any = None, **fields: Any) -> tuple[httpx.Response, list[Any]]:
    with pytest.MonkeyPatch.context() as patch, Scripted(*replies) as server:
        patch.setenv("OLLAMA_HOST", server.host)
        async with proxied(aliases=aliases or {}) as proxy:
            response = await proxy.post("/v1/embeddings", {**BODY, **fields})
            assert proxy.turns() == []
        return response, [request.body for request in server.requests]


def test_all_fields_of_the_sdk() -> None:
    assert get_type_hints(EmbeddingCreateParams).keys() == EmbeddingRequest.model_fields.keys()


async def test_vectors() -> None:
    response, asked = await post(answer(VECTORS), user="me", encoding_format="float")
    assert asked == [{"model": "embed-tiny", "input": ["one", "two"], "truncate": False}]
    CreateEmbeddingResponse.model_validate(response.json())
    assert response.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [0.25, 0.0]},
        ],
        "model": "embed-tiny",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


async def test_one_text() -> None:
    response, asked = await post(answer({"embeddings": [[1.0]]}), input="one")
    assert asked[0]["input"] == ["one"]
    assert response.json()["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


async def test_base64() -> None:
    response, _ = await post(answer(VECTORS), encoding_format="base64")
    data = base64.b64decode(response.json()["data"][0]["embedding"])
    assert struct.unpack("<2f", data) == (0.5, -1.0)


async def test_dimensions() -> None:
    response, asked = await post(answer(VECTORS), dimensions=2)
    assert response.status_code == 200
    assert asked[0]["dimensions"] == 2


async def test_alias() -> None:
    response, asked = await post(
        answer(VECTORS), model="text-embedding-3-small", aliases={"text-embedding-3-small": "embed-tiny"}
    )
    assert asked[0]["model"] == "embed-tiny"
    assert response.json()["model"] == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        pytest.param("openai/Text-Embedding-3-Small", "embed-tiny", id="in another spelling"),
        pytest.param("text-embedding-ada-002", "embed-other", id="with a star"),
        pytest.param("nomic-embed-text", "nomic-embed-text", id="of Ollama"),
    ],
)
async def test_aliases(model: str, tag: str) -> None:
    aliases = {"text-embedding-3-small": "embed-tiny", "text-*": "embed-other", "*": "gpt-oss:20b"}
    response, asked = await post(answer(VECTORS), model=model, aliases=aliases)
    assert (asked[0]["model"], response.json()["model"]) == (tag, model)


@pytest.mark.parametrize("model", ["gpt-oss", "gpt-oss:20b", "openai/gpt-oss:20b", "gpt-4o"])
async def test_models_that_write_text_are_not_loaded(model: str) -> None:
    response, asked = await post(answer(VECTORS), model=model, aliases={"gpt-4o": "gpt-oss:20b"})
    assert asked == []
    assert (response.status_code, response.json()["error"]) == (
        400,
        {
            "message": f"The model '{model}' cannot make embeddings. "
            "Use an embedding model of Ollama, such as nomic-embed-text.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_supported",
        },
    )


async def test_message_about_a_model_that_ollama_does_not_have() -> None:
    response, _ = await post(
        answer({"error": 'model "x" not found, try pulling it first'}, 404), model="text-embedding-3-large"
    )
    assert response.json()["error"]["message"] == (
        "Ollama has no model 'text-embedding-3-large'. Use an embedding model of Ollama, such as "
        "nomic-embed-text. "
        "Type `ollama pull nomic-embed-text`. Start the server with "
        "--alias 'text-embedding-3-large=nomic-embed-text' to give it this name."
    )


async def test_message_about_a_text_that_is_too_long() -> None:
    response, _ = await post(answer({"error": "the input length exceeds the context length"}, 400))
    assert response.json()["error"]["message"] == (
        "'input' has a text that is longer than the model's context. Send shorter texts."
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"input": ""}, "input", id="empty"),
        pytest.param({"input": ["one", ""]}, "input", id="one of them empty"),
        pytest.param({"input": []}, "input", id="none"),
        pytest.param({"input": [1, 2]}, "input", id="tokens"),
        pytest.param({"input": [[1], [2]]}, "input", id="lists of tokens"),
        pytest.param({"input": None}, "input", id="null"),
        pytest.param({"dimensions": 0}, "dimensions", id="no dimensions"),
        pytest.param({"encoding_format": "hex"}, "encoding_format", id="format"),
    ],
)
async def test_rejected_requests(fields: dict[str, Any], param: str) -> None:
    response, asked = await post(answer(VECTORS), **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert asked == []


async def test_too_many_dimensions() -> None:
    response, _ = await post(answer(VECTORS), dimensions=3)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "dimensions")
    assert "makes 2" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("message", "ollama_status", "status", "code", "param"),
    [
        pytest.param(
            'model "x" not found, try pulling it first', 404, 404, "model_not_found", "model", id="tag"
        ),
        pytest.param(
            "this model does not support embeddings",
            501,
            400,
            "model_not_supported",
            "model",
            id="no vectors",
        ),
        pytest.param(
            "the input length exceeds the context length",
            400,
            400,
            "context_length_exceeded",
            "input",
            id="long",
        ),
        pytest.param("out of memory", 500, 502, "out_of_memory", None, id="memory"),
    ],
)
async def test_errors_of_ollama(
    message: str, ollama_status: int, status: int, code: str, param: str | None
) -> None:
    response, _ = await post(answer({"error": message}, ollama_status))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param)


async def test_ollama_is_not_running(monkeypatch: pytest.MonkeyPatch) -> None:
    with Refusing() as host:
        monkeypatch.setenv("OLLAMA_HOST", host)
        async with proxied() as proxy:
            response = await proxy.post("/v1/embeddings", BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_unreachable")
    assert "retry-after" in response.headers


async def test_embeddings_do_not_wait_in_the_queue() -> None:
    with pytest.MonkeyPatch.context() as patch, Scripted(answer(VECTORS)) as server:
        patch.setenv("OLLAMA_HOST", server.host)
        async with proxied(max_concurrency=1, queue_size=0) as proxy, proxy.app.state.proxy.queue.slot():
            assert (await proxy.post("/v1/embeddings", BODY)).status_code == 200


@pytest.mark.vcr
async def test_ollama() -> None:
    "A real Ollama. The SDK requests base64 and returns floats."
    async with proxied() as proxy:
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(proxy.app), headers={"Host": "localhost"})
        async with openai.AsyncOpenAI(
            api_key="any", base_url="http://testserver/v1", http_client=client, max_retries=0
        ) as sdk:
            whole = await sdk.embeddings.create(model="embed-tiny", input=["one", "two"])
            short = await sdk.embeddings.create(model="embed-tiny", input="one", dimensions=4)
            with pytest.raises(openai.NotFoundError):
                await sdk.embeddings.create(model="no-such-model", input="one")
            with pytest.raises(openai.BadRequestError, match="cannot make embeddings"):
                await sdk.embeddings.create(model="gpt-oss-tiny", input="one")
            with pytest.raises(openai.BadRequestError, match="longer than the model's context"):
                await sdk.embeddings.create(model="embed-tiny", input="hello " * 1000)
            with pytest.raises(openai.BadRequestError, match="makes 64"):
                await sdk.embeddings.create(model="embed-tiny", input="one", dimensions=65)
    assert [len(each.embedding) for each in whole.data] == [64, 64]
    assert len(short.data[0].embedding) == 4
    assert whole.usage.prompt_tokens > 0
