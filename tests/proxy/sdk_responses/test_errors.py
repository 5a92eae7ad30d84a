"Errors, as the SDK raises them, and its retries."

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.scripted_engine import pieces
from support.sdk_responses import (
    BOTH,
    DOWN,
    HELLO,
    Endless,
    text_of,
)

from llm_gpt_oss.errors import BadAnswer, StreamCut
from proxy.key_hash import hash_key

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["create", "stream"])


def error_case(fields: dict[str, Any], status: int, code: str | None, param: str | None, *ids: Any) -> Any:
    return pytest.param(fields, status, code, param, id="-".join(map(str, ids or fields)))


ERROR_CLASSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
}


@STREAM
@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        error_case({"model": "gpt-6"}, 404, "model_not_found", "model"),
        error_case({"temperature": 3}, 400, "decimal_above_max_value", "temperature"),
        error_case(
            {"previous_response_id": "resp_1"}, 400, "previous_response_not_found", "previous_response_id"
        ),
        error_case({"conversation": "conv_1"}, 404, None, "conversation"),
        error_case(
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            400,
            "mutually_exclusive_parameters",
            "previous_response_id",
        ),
        error_case({"input": []}, 400, "invalid_value", "input"),
        error_case({"input": [{"type": "item_reference", "id": "msg_1"}]}, 404, None, "input", "reference"),
        error_case({"background": True, "store": False}, 400, "invalid_value", "background"),
        error_case({"prompt": {"id": "pmpt_1"}}, 400, "unsupported_parameter", "prompt"),
        error_case(
            {"tool_choice": {"type": "web_search_preview"}}, 400, "invalid_value", "tool_choice", "hosted"
        ),
        error_case({"include": ["everything"]}, 400, "invalid_value", "include[0]"),
    ],
)
@BOTH
def test_errors(
    scripted: Callable[..., Any],
    stream: bool,
    fields: dict[str, Any],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    with scripted("unused") as responses:
        send = responses.events if stream else responses.create
        with pytest.raises(ERROR_CLASSES[status]) as caught:
            send(**{"input": "Hi", **fields})
    assert (caught.value.status_code, caught.value.code, caught.value.param) == (status, code, param)
    assert caught.value.request_id


@BOTH
def test_unknown_ids(scripted: Callable[..., Any]) -> None:
    with scripted() as responses:
        for call in (
            lambda client: client.responses.retrieve("resp_1"),
            lambda client: client.responses.delete("resp_1"),
            lambda client: client.responses.cancel("resp_1"),
            lambda client: client.responses.input_items.list("resp_1"),
        ):
            with pytest.raises(openai.NotFoundError, match="'resp_1' not found"):
                responses.sdk.call(call)
        with pytest.raises(openai.NotFoundError):
            responses.replay("resp_1")


@BOTH
def test_wrong_api_key(scripted: Callable[..., Any]) -> None:
    with (
        scripted(key_hash=hash_key("sesame")) as responses,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        responses.create("Hi")
    assert caught.value.code == "invalid_api_key"


@BOTH
def test_foreign_origin(scripted: Callable[..., Any]) -> None:
    with scripted() as responses, pytest.raises(openai.PermissionDeniedError):
        responses.create("Hi", extra_headers={"Origin": "https://evil.example"})


@BOTH
def test_conversation_is_locked(scripted: Callable[..., Any]) -> None:
    with scripted(engine=Endless()) as responses:
        conversation = responses.sdk.call(lambda client: client.conversations.create())
        queued = responses.create("Hi", conversation=conversation.id, background=True)
        with pytest.raises(openai.ConflictError) as caught:
            responses.create("Hi", conversation=conversation.id)
        assert caught.value.code == "conversation_locked"
        responses.sdk.call(lambda client: client.responses.cancel(queued.id))


@STREAM
@BOTH
def test_retries(scripted: Callable[..., Any], sdk_waits: list[float], stream: bool) -> None:
    with scripted(DOWN, DOWN, HELLO, max_retries=2) as responses:
        response = responses.stream("Hi")[1] if stream else responses.create("Hi")
        assert response.output_text == "Hello!"
    assert sdk_waits == [5, 5]


@STREAM
@BOTH
def test_no_retry_of_permanent_errors(
    scripted: Callable[..., Any], sdk_waits: list[float], stream: bool
) -> None:
    with (
        scripted(StreamCut("The stream was cut."), max_retries=2) as responses,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        (responses.events if stream else responses.create)("Hi")
    assert (caught.value.status_code, sdk_waits) == (502, [])


@BOTH
def test_error_in_stream(scripted: Callable[..., Any]) -> None:
    broken = [*pieces("<|channel|>final<|message|>Hello"), BadAnswer("Nothing more came.", raw="")]
    with scripted(broken, broken) as responses:
        events = responses.events("Hi")
        last = events[-1]
        assert (last.type, last.response.status) == ("response.failed", "failed")
        assert (last.response.error.code, last.response.error.message) == (
            "server_error",
            "Nothing more came. Change the wording of the prompt.",
        )
        assert text_of(last.response) == "Hello"
        assert responses.retrieve(last.response.id) == last.response
        assert responses.replay(last.response.id) == events
        _, final = responses.stream("Hi")
        assert final is None
