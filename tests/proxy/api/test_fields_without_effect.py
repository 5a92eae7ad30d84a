"""Fields without effect accept the values that OpenAI's SDK types them with, and no others.

The expected values come from the installed SDK, so that a value which a new SDK adds fails a test here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming as CompletionParams
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.responses import FunctionToolParam
from openai.types.responses.custom_tool_param import CustomToolParam
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_compact_params import ResponseCompactParams
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel
from support.sdk_types import allowed_values, refused_values
from typing_extensions import get_type_hints

from proxy.api.chat_completions.fields import FIELDS as CHAT_FIELDS
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.completions.fields import FIELDS as COMPLETION_FIELDS
from proxy.api.completions.request import CompletionRequest
from proxy.api.embeddings import EmbeddingRequest
from proxy.api.responses.compact import CompactRequest
from proxy.api.responses.fields import FIELDS as RESPONSES_FIELDS
from proxy.api.responses.input_tokens import InputTokensRequest
from proxy.api.responses.request import ResponsesRequest
from proxy.api.responses.tools import CustomTool, FunctionTool
from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.field_table import FieldTable
from proxy.http.request_body import parse_body


class Field(NamedTuple):
    "A field of a request's model, with its type in the SDK."

    model: type[Any]
    required: dict[str, Any]
    name: str
    hint: Any

    def parse(self, value: Any) -> BaseModel:
        body = json.dumps({**self.required, self.name: value}).encode()
        model: BaseModel = parse_body(body, self.model).model
        return model


def fields(
    model: type[Any], params: Any, required: dict[str, Any], names: Iterable[str]
) -> list[tuple[str, Field]]:
    hints = get_type_hints(params)
    return [(f"{model.__name__}.{name}", Field(model, required, name, hints[name])) for name in names]


def without_effect(table: FieldTable, model: type[Body]) -> list[str]:
    "Those of OpenAI: the types of others are not checked."
    return [name for name in model.model_fields if table[name].decision == "no effect"]


CHAT = {"model": "gpt-oss", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE = {"model": "gpt-oss", "input": "Hi"}
COMPACT_NAMES = [
    "image",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
]
TOOL_NAMES = ["allowed_callers", "async", "defer_loading"]
FIELDS = dict(
    [
        *fields(ChatRequest, ChatParams, CHAT, without_effect(CHAT_FIELDS, ChatRequest)),
        *fields(
            ResponsesRequest,
            ResponseCreateParamsNonStreaming,
            RESPONSE,
            without_effect(RESPONSES_FIELDS, ResponsesRequest),
        ),
        *fields(CompactRequest, ResponseCompactParams, RESPONSE, COMPACT_NAMES),
        *fields(InputTokensRequest, InputTokenCountParams, RESPONSE, ["personality"]),
        *fields(
            CompletionRequest,
            CompletionParams,
            {"model": "gpt-oss", "prompt": "Once"},
            without_effect(COMPLETION_FIELDS, CompletionRequest),
        ),
        *fields(EmbeddingRequest, EmbeddingCreateParams, RESPONSE, ["user"]),
        *fields(
            FunctionTool,
            FunctionToolParam,
            {"type": "function", "name": "add"},
            [*TOOL_NAMES, "output_schema"],
        ),
        *fields(CustomTool, CustomToolParam, {"type": "custom", "name": "patch"}, TOOL_NAMES),
    ]
)


# A key of content parts, in which keys that are not read are ignored.
IGNORED = "prompt_cache_breakpoint"


def cases(values: Any) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{name}-{json.dumps(value)}")
        for name, field in FIELDS.items()
        for value in values(field.hint)
        if IGNORED not in json.dumps(value)
    ]


def test_every_field_of_a_compact_request_is_read() -> None:
    "A field that a new SDK adds fails here until someone decides what to do with it."
    assert get_type_hints(ResponseCompactParams).keys() == CompactRequest.model_fields.keys() - {
        "max_output_tokens"
    }


@pytest.mark.parametrize(("field", "value"), cases(allowed_values))
def test_what_the_sdk_allows_is_accepted(field: Field, value: Any) -> None:
    assert field.parse(value).model_dump(by_alias=True, exclude_unset=True)[field.name] == value


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_null_is_accepted(field: Field) -> None:
    assert field.parse(None).model_dump(by_alias=True, exclude_unset=True)[field.name] is None


@pytest.mark.parametrize(("field", "value"), cases(refused_values))
def test_what_the_sdk_does_not_allow_is_refused(field: Field, value: Any) -> None:
    with pytest.raises(ApiError) as caught:
        field.parse(value)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert caught.value.param
    assert caught.value.param.partition(".")[0].partition("[")[0] == field.name


def test_a_safety_identifier_has_at_most_128_characters() -> None:
    "The SDK says so in words."
    field = FIELDS["ChatRequest.safety_identifier"]
    field.parse("x" * 128)
    with pytest.raises(ApiError) as caught:
        field.parse("x" * 129)
    assert (caught.value.code, caught.value.param) == ("string_above_max_length", "safety_identifier")
