from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from support.requests import CHAT, asking

from proxy.http.response_headers import ResponseHeaders


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", CHAT])
async def test_every_answer_has_the_headers(path: str) -> None:
    async with asking() as client:
        answer = await client.get(path)
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["openai-version"] == "2020-10-01"
    assert answer.headers["openai-processing-ms"].isdecimal()


async def test_the_request_id_of_the_client_is_used() -> None:
    async with asking() as client:
        mine = await client.get("/v1/models", headers={"x-request-id": "my.Id:1-2_3"})
        two = [(await client.get("/v1/models")).headers["x-request-id"] for _ in range(2)]
    assert mine.headers["x-request-id"] == "my.Id:1-2_3"
    assert len({*two}) == 2


@pytest.mark.parametrize("id", ["", "a b", "a" * 129, "é", "<script>"])
async def test_invalid_request_ids_are_replaced(id: str) -> None:
    async with asking() as client:
        answer = await client.get("/v1/models", headers=[(b"x-request-id", id.encode("latin-1"))])
    assert answer.headers["x-request-id"].startswith("req_")


def answer_began(scope: Scope, status: int) -> None:
    "Nobody counts."


class FailingApp:
    "An app that fails before its answer starts, or later."

    def __init__(self, *, late: bool) -> None:
        self._late = late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def parts() -> Any:
            yield b"begun"
            raise ZeroDivisionError("inner matters")

        if self._late:
            await StreamingResponse(parts())(scope, receive, send)
        raise ZeroDivisionError("inner matters")


async def failing_answer(*, late: bool, raises: bool) -> httpx.Response:
    transport = httpx.ASGITransport(
        ResponseHeaders(FailingApp(late=late), answer_began), raise_app_exceptions=raises
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/")


async def test_unexpected_errors_reveal_nothing() -> None:
    answer = await failing_answer(late=False, raises=False)
    assert answer.status_code == 500
    assert answer.json()["error"] == {
        "message": "The server had an internal error while it answered.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("late", [True, False])
async def test_unexpected_errors_are_raised_again(late: bool) -> None:
    with pytest.raises(BaseException) as error:  # noqa: PT011  # a group, or the error itself
        await failing_answer(late=late, raises=True)
    assert "inner matters" in repr(error.value)


async def test_other_scopes_are_passed_on() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await ResponseHeaders(app, answer_began)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
