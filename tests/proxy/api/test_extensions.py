"""Fields of other servers and libraries, as their clients send them to each endpoint.

The values come from the documentation of those servers. Each row has the same meaning on all endpoints.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.anything import JSON

from proxy.api.chat_completions.fields import FIELDS as CHAT_FIELDS
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.completions.request import CompletionRequest
from proxy.api.embeddings import EmbeddingRequest
from proxy.api.extensions import EMPTY, NO_EFFECT, REFUSED
from proxy.api.responses.request import ResponsesRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import ReceivedBody, parse_body

CHAT: dict[str, Any] = {"model": "gpt-oss", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
COMPLETION: dict[str, Any] = {"model": "gpt-oss", "prompt": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def chat(fields: dict[str, Any]) -> ReceivedBody[ChatRequest]:
    return parse_body(json.dumps({**CHAT, **fields}).encode(), ChatRequest)


def response(fields: dict[str, Any]) -> ReceivedBody[ResponsesRequest]:
    return parse_body(json.dumps({**RESPONSE, **fields}).encode(), ResponsesRequest)


def completion(fields: dict[str, Any]) -> ReceivedBody[CompletionRequest]:
    return parse_body(json.dumps({**COMPLETION, **fields}).encode(), CompletionRequest)


def options(fields: dict[str, Any]) -> dict[str, Any]:
    "The options that a request has on all endpoints, without the defaults of completions."
    received = chat(fields)
    requested = dict(received.model.generation_request().options)
    assert dict(response(fields).model.generation_request().options) == requested
    (generation,) = completion(fields).model.generation_requests()
    defaults = {"max_tokens": 16, "tool_choice": "none"}
    assert generation.options == {**defaults, **requested}
    assert received.ignored == response(fields).ignored == completion(fields).ignored == ()
    return requested


NONE = {"reasoning_effort": "none"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"chat_template_kwargs": {"enable_thinking": False}}, NONE, id="Qwen on vLLM"),
        pytest.param({"chat_template_kwargs": {"enable_thinking": True}}, {}, id="Qwen, on"),
        pytest.param({"chat_template_kwargs": {"thinking": False}}, NONE, id="Granite on vLLM"),
        pytest.param(
            {"chat_template_kwargs": {"reasoning_effort": "high"}},
            {"reasoning_effort": "high"},
            id="gpt-oss on llama.cpp",
        ),
        pytest.param({"enable_thinking": False}, NONE, id="Qwen's own API"),
        pytest.param(
            {"enable_thinking": False, "chat_template_kwargs": {"enable_thinking": False}}, NONE, id="both"
        ),
        pytest.param({"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}, id="OpenRouter"),
        pytest.param({"reasoning": {"enabled": False}}, NONE, id="OpenRouter, off"),
        pytest.param({"reasoning": {"enabled": True}}, {}, id="OpenRouter, on"),
        pytest.param({"think": False}, NONE, id="Ollama"),
        pytest.param({"think": True}, {}, id="Ollama, on"),
        pytest.param({"think": "low"}, {"reasoning_effort": "low"}, id="Ollama, low"),
        pytest.param({"thinking": {"type": "disabled"}}, NONE, id="Anthropic"),
        pytest.param({"thinking": {"type": "enabled"}}, {}, id="Anthropic, on"),
        pytest.param({"disable_reasoning": True}, NONE, id="Cerebras"),
        pytest.param({"disable_reasoning": False}, {}, id="Cerebras, on"),
        pytest.param({"repeat_penalty": 1.1}, {"repeat_penalty": 1.1}, id="llama.cpp"),
        pytest.param({"num_ctx": 8192}, {"num_ctx": 8192}, id="num_ctx"),
        pytest.param({"max_new_tokens": 5}, {"max_tokens": 5}, id="transformers"),
        pytest.param({"n_predict": 5}, {"max_tokens": 5}, id="llama.cpp, limit"),
        pytest.param({"n_predict": -1}, {}, id="llama.cpp, no limit"),
        pytest.param({"num_predict": -2}, {}, id="Ollama, no limit"),
        pytest.param({"random_seed": 5}, {"seed": 5}, id="Mistral"),
        pytest.param({"stop_sequences": ["a"]}, {"stop": ["a"]}, id="Anthropic, stop"),
        pytest.param({"max_completion_tokens": 5}, {"max_tokens": 5}, id="chat's word"),
        pytest.param(
            {"options": {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 1}},
            {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 1},
            id="Ollama's sampling",
        ),
        pytest.param(
            {
                "options": {
                    "num_predict": 5,
                    "num_ctx": 8192,
                    "repeat_penalty": 1.1,
                    "presence_penalty": 0.5,
                    "frequency_penalty": 0.5,
                    "stop": ["a"],
                    "num_gpu": 1,
                }
            },
            {
                "max_tokens": 5,
                "num_ctx": 8192,
                "repeat_penalty": 1.1,
                "presence_penalty": 0.5,
                "frequency_penalty": 0.5,
                "stop": ["a"],
            },
            id="Ollama's other options",
        ),
        pytest.param(
            {"options": {"temperature": 1}, "temperature": 1.0}, {"temperature": 1}, id="the same twice"
        ),
        pytest.param({"options": {}}, {}, id="empty options"),
        pytest.param({"top_k": 40.0, "seed": 5.0}, {"top_k": 40, "seed": 5}, id="floats"),
        pytest.param({"stop": [*"abcdefgh"]}, {"stop": [*"abcdefgh"]}, id="many stop strings"),
        pytest.param({"stop": ""}, {}, id="an empty stop string"),
        pytest.param({"top_k": -1}, {"top_k": 0}, id="no top_k"),
    ],
)  # fmt: skip
def test_sampling_and_effort(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(fields) == expected


def test_a_field_that_another_one_overrules_is_named() -> None:
    fields = {"options": {"temperature": 1, "seed": 5}, "temperature": 0}
    for received in (chat(fields), response(fields), completion(fields)):
        assert (received.json["temperature"], received.json["seed"]) == (0, 5)
        assert received.ignored == ("options.temperature",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"enable_thinking": "no"}, "enable_thinking"),
        ({"disable_reasoning": "no"}, "disable_reasoning"),
        ({"think": "a lot"}, "think"),
        ({"think": 1}, "think"),
        ({"thinking": {"type": "some"}}, "thinking.type"),
        ({"chat_template_kwargs": {"enable_thinking": 0}}, "chat_template_kwargs.enable_thinking"),
        ({"chat_template_kwargs": {"reasoning_effort": "x"}}, "chat_template_kwargs.reasoning_effort"),
        ({"repeat_penalty": 0}, "repeat_penalty"),
        ({"options": {"num_ctx": 5}}, "options.num_ctx"),
        ({"options": {"temperature": "hot"}}, "options.temperature"),
        ({"options": {"num_predict": "5"}}, "options.num_predict"),
        ({"num_predict": True}, "num_predict"),
        ({"max_new_tokens": 1.5}, "max_new_tokens"),
        ({"top_k": "40"}, "top_k"),
        ({"seed": 1.5}, "seed"),
    ],
    ids=json.dumps,
)
def test_errors_name_the_field_that_was_sent(fields: dict[str, Any], param: str) -> None:
    for read in (chat, response, completion):
        with pytest.raises(ApiError) as caught:
            read(fields)
        assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 1000}}, 1000, id="Anthropic"),
        pytest.param({"thinking_budget": 0}, 0, id="none"),
        pytest.param({"thinking_budget": -1}, None, id="no limit"),
        pytest.param({"thinking_budget": 10.0}, 10, id="float"),
        pytest.param({"reasoning": {"max_tokens": 5}, "thinking_budget": 6}, 5, id="own wins"),
    ],
)
def test_reasoning_tokens(fields: dict[str, Any], expected: int | None) -> None:
    for requested in (chat(fields).model.generation_request(), response(fields).model.generation_request()):
        assert requested.options.get("reasoning_tokens") == expected


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        pytest.param({"format": "json"}, {"type": "object"}, id="Ollama"),
        pytest.param({"format": ""}, None, id="Ollama, no format"),
        pytest.param({"format": SCHEMA}, SCHEMA, id="Ollama, schema"),
        pytest.param({"json_schema": SCHEMA}, SCHEMA, id="llama.cpp"),
        pytest.param({"response_format": {"type": "json_object", "schema": SCHEMA}}, SCHEMA, id="Together"),
        pytest.param(
            {"response_format": {"type": "json_object", "value": SCHEMA}}, SCHEMA, id="Hugging Face"
        ),
        pytest.param({"response_format": {"type": "json_schema", "schema": SCHEMA}}, SCHEMA, id="flat"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            {**SCHEMA, "title": "x"},
            id="chat",
        ),
        pytest.param(
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}},
            {**SCHEMA, "title": "x"},
            id="responses",
        ),
        pytest.param({"text": {"format": {"type": "text"}}, "format": "json"}, None, id="own wins"),
    ],
)
def test_formats(fields: dict[str, Any], schema: Any) -> None:
    assert chat(fields).model.generation_request().schema == schema
    assert response(fields).model.generation_request().schema == schema


@pytest.mark.parametrize(
    ("value", "reason"), [("yaml", "it should be json, or a JSON schema"), (5, "it should be a JSON schema")]
)
def test_other_formats(value: Any, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        chat({"format": value})
    assert (caught.value.param, caught.value.message) == ("format", f"Invalid value for 'format': {reason}.")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        pytest.param({"reasoning_format": "hidden"}, (), id="hidden"),
        pytest.param({"reasoning_format": "parsed"}, ("reasoning",), id="parsed"),
        pytest.param(
            {"reasoning_format": "hidden", "include_reasoning": True}, ("reasoning",), id="own wins"
        ),
    ],
)
def test_reasoning_format(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert chat(fields).model.reasoning_names("reasoning") == names


def test_usage_of_a_stream() -> None:
    assert chat({"usage": {"include": True}}).model.include_usage
    assert completion({"usage": {"include": True}}).model.include_usage


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    for read in (chat, response, completion):
        with pytest.raises(ApiError) as caught:
            read({name: "something"})
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)
        assert REFUSED[name].note in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best_of", 2),
        ("conversation", "conv_1"),
        ("echo", True),
        ("previous_response_id", "resp_1"),
        ("suffix", "end"),
    ],
)
def test_refused_in_chat(name: str, value: Any) -> None:
    with pytest.raises(ApiError) as caught:
        chat({name: value})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)


@pytest.mark.parametrize(
    ("neutral", "value"),
    [
        ({"best_of": 1}, 2),
        ({"echo": False}, True),
        ({"logprobs": False}, True),
        ({"modalities": ["text"]}, ["text", "audio"]),
        ({"n": 1}, 2),
        ({"suffix": ""}, "end"),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else "",
)
def test_refused_in_responses(neutral: dict[str, Any], value: Any) -> None:
    assert response(neutral).ignored == ()
    (name,) = neutral
    with pytest.raises(ApiError) as caught:
        response({name: value})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)


@pytest.mark.parametrize(
    ("neutral", "value"),
    [
        ({"format": ""}, "json"),
        ({"functions": []}, [{"name": "add"}]),
        ({"instructions": ""}, "Be brief."),
        ({"json_schema": {}}, SCHEMA),
        ({"messages": []}, CHAT["messages"]),
        ({"response_format": {"type": "text"}}, {"type": "json_object"}),
        ({"system": ""}, "Be brief."),
        ({"tools": []}, [{"type": "function", "function": {"name": "add"}}]),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) and len(each) == 1 else "",
)
def test_refused_in_completions(neutral: dict[str, Any], value: Any) -> None:
    assert completion(neutral).ignored == ()
    (name,) = neutral
    with pytest.raises(ApiError) as caught:
        completion({name: value})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)


@pytest.mark.parametrize("value", EMPTY, ids=json.dumps)
def test_empty_values_of_refused_fields(value: Any) -> None:
    for name, field in REFUSED.items():
        if value in field.neutral:
            assert chat({name: value}).ignored == ()


VALUES = JSON.filter(lambda value: "Infinity" not in json.dumps(value))


@given(st.sampled_from([name for name in NO_EFFECT if "." not in name]), VALUES)
def test_no_effect(name: str, value: Any) -> None:
    assert chat({name: value}).model.generation_request() == chat({}).model.generation_request()
    assert (
        chat({name: value}).ignored
        == response({name: value}).ignored
        == completion({name: value}).ignored
        == ()
    )


NAMES = st.text(min_size=1, max_size=8).filter(
    lambda name: name not in CHAT_FIELDS and name not in {key.partition(".")[0] for key in CHAT_FIELDS}
)


@given(st.dictionaries(NAMES, st.dictionaries(st.text(max_size=4), VALUES), min_size=1, max_size=3))
def test_unknown_fields_are_named(fields: dict[str, Any]) -> None:
    received = chat(fields)
    assert received.ignored == (*fields,)
    assert received.model.generation_request() == chat({}).model.generation_request()
    with pytest.raises(ApiError) as caught:
        parse_body(json.dumps({**CHAT, **fields}).encode(), ChatRequest, strict=True)
    assert (caught.value.code, caught.value.param) == ("unknown_parameter", received.ignored[0])


def test_fields_of_objects() -> None:
    function = {"name": "f", "colour": 1, "cache_control": {}}
    fields = {
        "tools": [{"type": "function", "function": function, "cache_control": {}, "shape": 1}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "draft": 7}},
        "stream_options": {"include_usage": True, "continuous_usage_stats": True, "x": 1},
        "reasoning": {"effort": "low", "summary": "auto", "x": 1},
        "chat_template_kwargs": {"enable_thinking": True, "x": 1},
        "options": {"temperature": 0, "num_gpu": 1, "x": 1},
    }
    assert {*chat(fields).ignored} == {
        "tools[0].shape",
        "tools[0].function.colour",
        "response_format.json_schema.draft",
        "stream_options.x",
        "reasoning.x",
        "chat_template_kwargs.x",
        "options.x",
    }


def test_embeddings() -> None:
    body = {"model": "m", "prompt": "a", "dimensions": 5.0, "session_id": "x", "truncate": True}
    received = parse_body(json.dumps(body).encode(), EmbeddingRequest)
    assert (received.model.input, received.model.dimensions) == ("a", 5)
    assert received.ignored == ("truncate",)


@pytest.mark.parametrize("tools", [None, []])
def test_a_required_call_without_tools(tools: Any) -> None:
    for received in (
        chat({"tool_choice": "required", "tools": tools}),
        response({"tool_choice": "any", "tools": tools}),
    ):
        assert received.ignored == ("tool_choice",)
        assert "tool_choice" not in received.model.generation_request().options


@pytest.mark.parametrize("value", [0, -1, -1.0])
def test_no_token_limit(value: Any) -> None:
    assert "max_tokens" not in chat({"max_tokens": value}).model.generation_request().options
    received = response({"max_output_tokens": value})
    assert "max_tokens" not in received.model.generation_request().options
    # The response repeats it.
    assert received.json["max_output_tokens"] is None


def test_what_a_response_repeats_has_openais_form() -> None:
    received = response(
        {"max_tokens": 10.0, "max_tool_calls": 2.0, "tool_choice": "any", "reasoning": {"effort": ""}}
    )
    assert (received.json["max_output_tokens"], received.json["max_tool_calls"]) == (10, 2)
    assert type(received.json["max_output_tokens"]) is type(received.json["max_tool_calls"]) is int
