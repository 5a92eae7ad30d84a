"The Response object, checked with OpenAI's type and Open Responses' keys."

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from openai.types.responses import Response
from support.openai_types import unknown_keys
from support.response_bodies import BODIES, MINIMAL
from support.sdk_types import JSON_VALUES

from proxy.api.responses import response_object
from proxy.api.responses.request import ResponsesRequest
from proxy.generation import TokenUsage
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

USAGE = TokenUsage(10, 5, 3)
FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}}
TEXT = {"type": "text"}
# What only OpenAI's own machines have.
FOREIGN = {
    "access_programs",
    "image",
    "input_transformations",
    "moderation",
    "prompt_cache_diagnostics",
    "prompt_cache_options",
    "tool_usage",
}
# Required by Open Responses' ResponseResource; those of OpenAI's type besides.
OPEN_RESPONSES = {"presence_penalty", "frequency_penalty", "store"}


def new_response(**body: Any) -> dict[str, Any]:
    return response_object.new_response(body, id="resp_1", created_at=1_700_000_000, model="gpt-oss")


def test_defaults() -> None:
    expected = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-oss",
        "output": [],
        "usage": None,
        "background": False,
        "conversation": None,
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": TEXT, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
    response = new_response()
    assert response.keys() == expected.keys()
    for key, value in expected.items():
        assert response[key] == value, key


def test_keys_of_both_standards() -> None:
    theirs = set(Response.model_fields) - FOREIGN - {"user"}
    assert set(new_response()) == theirs | OPEN_RESPONSES


CUSTOM = {"type": "custom", "name": "patch"}
SCHEMA = {"type": "json_schema", "name": "person", "schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("request_body", "changes"),
    [
        pytest.param({"instructions": "Be brief."}, {"instructions": "Be brief."}, id="as it was sent"),
        pytest.param({"temperature": 0}, {"temperature": 0}, id="zero is not nothing"),
        pytest.param({"temperature": None, "tools": None}, {"temperature": 1.0, "tools": []}, id="null"),
        pytest.param({"service_tier": "flex"}, {"service_tier": "default"}, id="there is one tier"),
        pytest.param({"conversation": "conv_1"}, {"conversation": {"id": "conv_1"}}, id="conversation"),
        pytest.param({"conversation": {"id": "conv_1"}}, {"conversation": {"id": "conv_1"}}, id="its object"),
        pytest.param({"user": "me"}, {"user": "me"}, id="user"),
        pytest.param(
            {"reasoning": {"effort": "high"}}, {"reasoning": {"effort": "high", "summary": None}}, id="effort"
        ),
        pytest.param(
            {"reasoning": {"generate_summary": "auto"}},
            {"reasoning": {"effort": None, "summary": "auto"}},
            id="summary by its old name",
        ),
        pytest.param(
            {"text": {"verbosity": "low"}}, {"text": {"format": TEXT, "verbosity": "low"}}, id="verbosity"
        ),
        pytest.param(
            {"text": {"format": SCHEMA}},
            {
                "text": {
                    "format": {**SCHEMA, "description": None, "strict": False},
                    "verbosity": "medium",
                }
            },
            id="schema",
        ),
        pytest.param(
            {"tools": [FUNCTION]}, {"tools": [{**FUNCTION, "description": None, "strict": True}]}, id="tool"
        ),
        pytest.param(
            {"tools": [CUSTOM]}, {"tools": [{**CUSTOM, "description": None, "format": TEXT}]}, id="custom"
        ),
        pytest.param(
            {"tools": [{"type": "namespace", "name": "crm", "description": "CRM", "tools": [CUSTOM]}]},
            {
                "tools": [
                    {
                        "type": "namespace",
                        "name": "crm",
                        "description": "CRM",
                        "tools": [{**CUSTOM, "description": None, "format": TEXT}],
                    }
                ]
            },
            id="namespace",
        ),
        pytest.param(
            {"tools": [{"type": "web_search"}, FUNCTION, {"type": "mcp", "server_label": 5}]},
            {"tools": [{**FUNCTION, "description": None, "strict": True}]},
            id="hosted tools, which the model is not offered",
        ),
    ],
)
def test_echoed_fields(request_body: dict[str, Any], changes: dict[str, Any]) -> None:
    response = new_response(**request_body)
    assert response == {**new_response(), **changes}
    assert is_openais(response)


def is_openais(response: dict[str, Any]) -> bool:
    typed = Response.model_validate(response, strict=True)
    return set(unknown_keys(typed)) == {f"Response.{key}" for key in OPEN_RESPONSES}


ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": []}
SAID = {"code": "server_error", "message": "No."}


@pytest.mark.parametrize(
    ("response", "changes"),
    [
        pytest.param(response_object.as_queued(new_response()), {"status": "queued"}, id="queued"),
        pytest.param(
            response_object.as_in_progress(response_object.as_queued(new_response())), {}, id="in progress"
        ),
        pytest.param(
            response_object.as_completed(new_response(), [ITEM], USAGE, 1_700_000_009),
            {
                "status": "completed",
                "output": [ITEM],
                "usage": response_object.usage_json(USAGE),
                "completed_at": 1_700_000_009,
            },
            id="completed",
        ),
        pytest.param(
            response_object.as_incomplete(new_response(), [ITEM], USAGE, "max_output_tokens"),
            {
                "status": "incomplete",
                "output": [ITEM],
                "usage": response_object.usage_json(USAGE),
                "incomplete_details": {"reason": "max_output_tokens"},
            },
            id="incomplete",
        ),
        pytest.param(
            response_object.as_failed(new_response(), [ITEM], ApiError(502, "No.")),
            {"status": "failed", "output": [ITEM], "error": SAID},
            id="failed",
        ),
        pytest.param(
            response_object.as_cancelled(new_response(), [ITEM]),
            {"status": "cancelled", "output": [ITEM]},
            id="cancelled",
        ),
    ],
)
def test_every_status(response: dict[str, Any], changes: dict[str, Any]) -> None:
    assert response == {**new_response(), **changes}
    assert is_openais(response)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "rate_limit_exceeded"),
        (400, "invalid_prompt"),
        (404, "invalid_prompt"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_error_codes(status: int, code: str) -> None:
    response = response_object.as_failed(new_response(), [], ApiError(status, "No.", code="any"))
    assert response["error"] == {"code": code, "message": "No."}
    assert is_openais(response)


def test_error_code_of_a_context_overflow() -> None:
    code = "context_length_exceeded"
    response = response_object.as_failed(new_response(), [], ApiError(400, "Too long.", code=code))
    assert response["error"] == {"code": code, "message": "Too long."}


def test_usage() -> None:
    assert response_object.usage_json(USAGE) == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 15,
    }


def test_the_request_is_not_changed() -> None:
    body = {"tools": [{**FUNCTION}], "text": {"format": {**SCHEMA}}, "metadata": {"a": "b"}}
    response_object.as_failed(
        response_object.new_response(body, id="resp_1", created_at=0, model="m"), [], ApiError(500, "No.")
    )
    assert body == {"tools": [FUNCTION], "text": {"format": SCHEMA}, "metadata": {"a": "b"}}


def response_to(body: dict[str, Any]) -> dict[str, Any] | None:
    "The response, which repeats values of the request; None if the request is refused."
    try:
        received = parse_body(json.dumps(body).encode(), ResponsesRequest)
        received.model.check()
        received.model.generation_request()
    except ApiError:
        return None
    return new_response(**received.json)


@pytest.mark.parametrize("value", JSON_VALUES, ids=json.dumps)
@pytest.mark.parametrize("name", [*response_object.ECHO_DEFAULTS, "tool_choice", "user"])
def test_echoed_values_match_the_sdk(name: str, value: Any) -> None:
    response = response_to({**MINIMAL, name: value})
    assert response is None or is_openais(response)


@given(BODIES)
def test_any_accepted_request_matches_the_sdk(body: dict[str, Any]) -> None:
    response = response_to(body)
    assert response is None or is_openais(response)
