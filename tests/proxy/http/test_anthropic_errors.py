"The error that Anthropic's API has for each failure, and the exception that its SDK raises for it."

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest
from support.requests import Greeting, asking

from llm_gpt_oss.errors import ContextOverflow, EngineBusy, EngineError, EngineUnreachable, ModelMissing
from llm_gpt_oss.turn.machine import TurnMachine
from proxy.app import create_app
from proxy.http.anthropic_errors import is_anthropic
from proxy.http.errors import ApiError
from proxy.settings import Settings

MESSAGES = "/v1/messages"
BODY: dict[str, Any] = {"model": "gpt-oss", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
VERSION = {"anthropic-version": "2023-06-01"}

FAILURES: list[Any] = [
    (ApiError(400, "No."), 400, "invalid_request_error", anthropic.BadRequestError),
    (ApiError(422, "No."), 422, "invalid_request_error", anthropic.UnprocessableEntityError),
    (ApiError(401, "No."), 401, "authentication_error", anthropic.AuthenticationError),
    (ApiError(403, "No."), 403, "permission_error", anthropic.PermissionDeniedError),
    (ModelMissing("None."), 404, "not_found_error", anthropic.NotFoundError),
    (ApiError(409, "No."), 409, "conflict_error", anthropic.ConflictError),
    (ApiError(413, "No."), 413, "request_too_large", anthropic.RequestTooLargeError),
    (ApiError(429, "Slow."), 429, "rate_limit_error", anthropic.RateLimitError),
    (EngineBusy("Full."), 529, "overloaded_error", anthropic.OverloadedError),
    (EngineUnreachable("Down."), 529, "overloaded_error", anthropic.OverloadedError),
    (EngineError("Bad."), 502, "api_error", anthropic.InternalServerError),
    (ApiError(504, "Slow."), 504, "timeout_error", anthropic.GatewayTimeoutError),
    (ZeroDivisionError("inner"), 500, "api_error", anthropic.InternalServerError),
]  # fmt: skip


def ids(value: object) -> str | None:
    return f"{type(value).__name__} {getattr(value, 'status', '')}" if isinstance(value, Exception) else None


def raise_at_once(machine: TurnMachine, error: Exception) -> float:
    raise error


@pytest.mark.parametrize(("error", "status", "error_type", "raised"), FAILURES, ids=ids)
async def test_errors_of_the_model(
    error: Exception,
    status: int,
    error_type: str,
    raised: type[anthropic.APIStatusError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A request that finds the engine busy is sent again after some seconds.
    monkeypatch.setattr(TurnMachine, "on_error", raise_at_once)
    app = create_app(Settings(log_policy="off"), engine=Greeting(error))
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False))
    client = anthropic.AsyncAnthropic(
        api_key="any", base_url="http://localhost", http_client=http, max_retries=0
    )
    with pytest.raises(raised) as caught:
        await client.messages.create(**BODY)
    assert caught.value.status_code == status
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]
    body: Any = caught.value.body
    assert body == {
        "type": "error",
        "error": {"type": error_type, "message": body["error"]["message"]},
        "request_id": caught.value.request_id,
    }


async def test_agents_recognize_a_prompt_that_is_too_long() -> None:
    async with asking(Greeting(ContextOverflow("The prompt has 9 tokens."))) as client:
        answer = await client.post(MESSAGES, json=BODY)
    assert answer.json()["error"]["message"].startswith("Prompt is too long. The prompt has 9 tokens.")


FORM = {"type", "error", "request_id"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        pytest.param("POST", MESSAGES, {"content": "{"}, 400, id="no JSON"),
        pytest.param("POST", MESSAGES, {"json": {**BODY, "messages": 1}}, 400, id="invalid field"),
        pytest.param("POST", MESSAGES, {"json": {**BODY, "model": "x"}}, 404, id="unknown model"),
        pytest.param("POST", f"{MESSAGES}/count_tokens", {"json": {}}, 400, id="another endpoint"),
        pytest.param("POST", f"{MESSAGES}/batches", {"json": {}}, 404, id="no such endpoint"),
        pytest.param("GET", MESSAGES, {}, 405, id="method"),
        pytest.param("POST", MESSAGES, {"json": BODY, "headers": {"host": "evil.example"}}, 403, id="host"),
        pytest.param("GET", "/v1/files", {"headers": VERSION}, 404, id="path, by the header"),
        pytest.param("GET", "/v1/chat/completions?limit=x", {"headers": VERSION}, 400, id="query"),
    ],
)
async def test_errors_of_the_request(method: str, path: str, options: Any, status: int) -> None:
    async with asking() as client:
        answer = await client.request(method, path, **options)
    assert (answer.status_code, answer.json().keys()) == (status, FORM)
    assert answer.json()["request_id"] == answer.headers["request-id"]


async def test_a_missing_key() -> None:
    async with asking(address=("192.0.2.1", 8000)) as client:
        answer = await client.post(MESSAGES, json=BODY)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        pytest.param("/v1/messages", [], True, id="endpoint"),
        pytest.param("/v1/messages/count_tokens", [], True, id="below it"),
        pytest.param("/v1/messages2", [], False, id="another path"),
        pytest.param("/v1/models", [], False, id="OpenAI's"),
        pytest.param("/v1/models", [(b"anthropic-version", b"2023-06-01")], True, id="header"),
    ],
)
def test_is_anthropic(path: str, headers: Any, expected: bool) -> None:
    assert is_anthropic({"type": "http", "path": path, "headers": headers}) is expected
