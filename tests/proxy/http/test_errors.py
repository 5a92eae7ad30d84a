"The error that a client gets for each failure, and the exception that OpenAI's SDK raises for it."

from __future__ import annotations

from typing import Any

import httpx
import llm
import openai
import pytest
from support.requests import CHAT, MINIMAL, Greeting, asking, transport

from llm_gpt_oss.errors import (
    BadAnswer,
    BadRequest,
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    NotGptOss,
    OutOfMemory,
    StreamCut,
    Unauthorized,
    UnusableSchema,
)
from proxy.http.errors import ApiError, to_api_error

REFUSED, FAILED = openai.BadRequestError, openai.InternalServerError
NO_RETRY = {"x-should-retry": "false"}
FAILURES: list[tuple[Exception, int, str | None, type[openai.APIStatusError], dict[str, str]]] = [
    (ContextOverflow("Long."), 400, "context_length_exceeded", REFUSED, {}),
    (UnusableSchema("Odd."), 400, "invalid_json_schema", REFUSED, {}),
    (BadRequest("No.", param="stop"), 400, "invalid_value", REFUSED, {}),
    (ModelMissing("None."), 404, "model_not_found", openai.NotFoundError, {}),
    (NotGptOss("Other."), 400, "model_not_supported", REFUSED, {}),
    (EngineUnreachable("Down."), 503, "engine_unreachable", FAILED, {"retry-after": "5"}),
    (EngineBusy("Full."), 503, "engine_busy", FAILED, {"retry-after": "2"}),
    (Unauthorized("Key."), 502, "engine_unauthorized", FAILED, NO_RETRY),
    (OutOfMemory("Full."), 502, "out_of_memory", FAILED, NO_RETRY),
    (EngineError("Bad."), 502, "engine_error", FAILED, NO_RETRY),
    (StreamCut("Cut."), 502, "engine_error", FAILED, NO_RETRY),
    (EmptyStream("Empty."), 502, "engine_error", FAILED, NO_RETRY),
    (BadAnswer("Odd.", raw="<"), 502, "bad_answer", FAILED, {"retry-after": "0"}),
    (GptOssError("Set it."), 500, None, FAILED, NO_RETRY),
    (llm.ModelError("Theirs."), 502, "model_error", FAILED, NO_RETRY),
    (RecursionError("deep"), 400, None, REFUSED, {}),
    (ZeroDivisionError("inner"), 500, None, FAILED, NO_RETRY),
    (ApiError(429, "Slow.", code="slow_down"), 429, "slow_down", openai.RateLimitError, {}),
    (ApiError(403, "No."), 403, None, openai.PermissionDeniedError, {}),
    (ApiError(422, "No."), 422, None, openai.UnprocessableEntityError, {}),
    (ApiError(409, "No."), 409, None, openai.ConflictError, {}),
]  # fmt: skip


def client(error: Exception) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key="any",
        base_url="http://localhost/v1",
        http_client=httpx.AsyncClient(transport=transport(Greeting(error))),
        max_retries=0,
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "code", "raised", "headers"),
    FAILURES,
    ids=[type(row[0]).__name__ for row in FAILURES],
)
async def test_errors_of_the_sdk(
    error: Exception,
    status: int,
    code: str | None,
    raised: type[openai.APIStatusError],
    headers: dict[str, str],
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llm_gpt_oss.turn.machine.BUSY_WAITS", ())
    async with client(error) as sdk:
        with pytest.raises(raised) as received:
            await sdk.chat.completions.create(**MINIMAL, stream=stream)
    assert (received.value.status_code, received.value.code) == (status, code)
    assert isinstance(received.value.body, dict)
    assert received.value.body.keys() == {"message", "type", "param", "code"}
    assert received.value.param == getattr(error, "param", None)
    assert {name: received.value.response.headers.get(name) for name in headers} == headers
    assert received.value.request_id is not None
    assert "inner" not in received.value.message


async def test_invalid_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "no address")
    from proxy.app import create_app
    from proxy.settings import Settings

    app = create_app(Settings(log_policy="off"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        assert (await http.get("/v1/models")).status_code == 200
        for _ in range(2):
            answer = await http.post(CHAT, json=MINIMAL)
            assert answer.status_code == 500
            assert answer.headers["x-should-retry"] == "false"
            assert "OLLAMA_HOST cannot be used" in answer.json()["error"]["message"]


def test_the_remedy_is_in_the_words_of_the_api() -> None:
    error = ContextOverflow("Too long.", remedy="Type less.")
    assert to_api_error(error).message.startswith("Too long. Send fewer or shorter messages")
    assert to_api_error(EngineUnreachable("Down.", remedy="Start it.")).message == "Down. Start it."
    assert to_api_error(EngineUnreachable("Down.")).message == "Down."


def test_every_error_class_has_a_shape() -> None:
    def subclasses(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*map(subclasses, kind.__subclasses__()))

    assert {type(row[0]) for row in FAILURES} >= {
        kind for kind in subclasses(GptOssError) if kind.__module__ == "llm_gpt_oss.errors"
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("POST", "/nothing", 404, "unknown_url"),
        ("GET", "/v1/completions", 405, "method_not_supported"),
        ("PUT", "/v1/models", 405, "method_not_supported"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
        ("GET", "/%ff%00%20", 404, "unknown_url"),
    ],
)
async def test_unknown_paths_and_methods(method: str, path: str, status: int, code: str) -> None:
    async with asking() as http:
        answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code
    assert ("allow" in answer.headers) == (status == 405)


async def test_an_unknown_path_is_answered_with_the_base_url() -> None:
    async with asking() as http:
        answer = await http.post("http://localhost:8123/v1/audio/speech")
    assert answer.json()["error"]["message"] == (
        "Invalid URL (POST /v1/audio/speech). The base URL of this server is http://localhost:8123/v1 for "
        "clients of OpenAI's API, and http://localhost:8123 for clients of Ollama's and Anthropic's."
    )


async def test_other_errors_of_the_framework() -> None:
    from fastapi import HTTPException, Request

    from proxy.http.errors import handle_http_exception

    http = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    answer = await handle_http_exception(http, HTTPException(418, "Tea", {"x-pot": "short"}))
    assert (answer.status_code, answer.headers["x-pot"]) == (418, "short")
    assert b'"message":"Tea"' in answer.body
