"Every field of a chat request."

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llm.parts import Message, TextPart
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from support.sdk_types import allowed_values
from typing_extensions import get_type_hints

from llm_gpt_oss.options import GptOssOptions
from proxy.api.chat_completions.fields import FIELDS
from proxy.api.chat_completions.request import ChatRequest
from proxy.generation import GenerationRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

HI: dict[str, Any] = {"model": "gpt-oss", "messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"type": "function", "function": {"name": "add"}}
PATCH = {"type": "custom", "custom": {"name": "patch"}}


def request(**fields: Any) -> ChatRequest:
    return parse_body(json.dumps({**HI, **fields}).encode(), ChatRequest).model


def make_generation(**fields: Any) -> GenerationRequest:
    return request(**fields).generation_request()


def options(**fields: Any) -> dict[str, Any]:
    return dict(make_generation(**fields).options)


def error_of(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        make_generation(**fields)
    assert caught.value.status == 400
    return caught.value


# Every field


def test_every_field_of_the_sdk_is_covered() -> None:
    "A field that a new SDK adds fails here until someone decides what to do with it."
    assert CompletionCreateParamsStreaming.__annotations__.keys() - FIELDS.keys() == set()


def test_every_field_that_is_read_is_covered() -> None:
    read = {name for name in FIELDS if DECIDED[name] == "honoured"} | WITHOUT_EFFECT
    assert ChatRequest.model_fields.keys() == read


HONOURED: dict[str, tuple[Any, dict[str, Any]]] = {
    "frequency_penalty": (0.5, {"frequency_penalty": 0.5}),
    "keep_alive": ("10m", {"keep_alive": "10m"}),
    "logprobs": (True, {"logprobs": True}),
    "max_completion_tokens": (10, {"max_tokens": 10}),
    "max_tokens": (10, {"max_tokens": 10}),
    "min_p": (0.1, {"min_p": 0.1}),
    "num_ctx": (8192, {"num_ctx": 8192}),
    "parallel_tool_calls": (False, {"parallel_tool_calls": False}),
    "presence_penalty": (-0.5, {"presence_penalty": -0.5}),
    "reasoning": ({"effort": "low", "max_tokens": 5}, {"reasoning_effort": "low", "reasoning_tokens": 5}),
    "reasoning_effort": ("none", {"reasoning_effort": "none"}),
    "repetition_penalty": (1.1, {"repeat_penalty": 1.1}),
    "seed": (7, {"seed": 7}),
    "stop": ("END", {"stop": ["END"]}),
    "temperature": (0, {"temperature": 0}),
    "top_k": (40, {"top_k": 40}),
    "top_p": (0.9, {"top_p": 0.9}),
    "truncation": ("auto", {"truncate": True}),
}
# Those that are no option of the plugin have tests of their own below.
ELSEWHERE = {
    "functions",
    "include_reasoning",
    "instructions",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "response_format",
    "store",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
    "top_logprobs",
    "verbosity",
}
DECIDED = {name: field.decision for name, field in FIELDS.items()}
SDK_HINTS = get_type_hints(CompletionCreateParamsStreaming)
# OpenAI's. Those of others are never looked at.
WITHOUT_EFFECT = {name for name in SDK_HINTS if DECIDED[name] == "no effect"}


def test_every_field_has_a_test() -> None:
    assert HONOURED.keys() | ELSEWHERE == {name for name in FIELDS if DECIDED[name] == "honoured"}


@pytest.mark.parametrize("name", HONOURED)
def test_honoured(name: str) -> None:
    value, expected = HONOURED[name]
    assert options(**{name: value}) == expected


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_no_effect(name: str) -> None:
    for value in allowed_values(SDK_HINTS[name]):
        assert make_generation(**{name: value}) == make_generation(), value


@pytest.mark.parametrize("name", [name for name in FIELDS if DECIDED[name] == "refused"])
def test_refused(name: str) -> None:
    error = error_of(**{name: {"any": "thing"}})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert FIELDS[name].note in error.message


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in HI and "." not in name])
def test_null_equals_leaving_out(name: str) -> None:
    assert make_generation(**{name: None}) == make_generation()


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, field in FIELDS.items() for value in field.neutral],
)
def test_empty_values_of_refused_fields(name: str, value: Any) -> None:
    assert make_generation(**{name: value}) == make_generation()


def test_empty_web_search_options_are_refused() -> None:
    assert error_of(web_search_options={}).param == "web_search_options"


# One by one


def test_minimal_request() -> None:
    assert make_generation() == GenerationRequest(
        "/v1/chat/completions",
        "gpt-oss",
        (Message("user", [TextPart("Hi")]),),
        fields={
            "max_tokens": "max_tokens",
            "repeat_penalty": "repetition_penalty",
            "schema": "response_format.schema",
            "tools": "tools",
        },
        message_of_entry=(0,),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}, id="the newer name wins"
        ),
        pytest.param(
            {"max_tokens": 10**12}, {"max_tokens": 2**31 - 1}, id="more tokens than any engine counts"
        ),
        pytest.param({"seed": -2}, {"seed": 2**31 - 2}, id="a negative seed is a seed"),
        pytest.param({"seed": -1}, {}, id="a random seed"),
        pytest.param({"seed": 2**63}, {"seed": 0}, id="a long seed"),
        pytest.param({"stop": "[1]"}, {"stop": ["[1]"]}, id="a stop string that is JSON"),
        pytest.param({"stop": ["a", ""]}, {"stop": ["a"]}, id="an empty stop string"),
        pytest.param({"stop": ""}, {}, id="nothing but that"),
        pytest.param({"stop": []}, {}, id="no stop strings"),
        pytest.param({"top_k": -1}, {"top_k": 0}, id="all, in vLLM's words"),
        pytest.param({"keep_alive": -1}, {"keep_alive": -1}, id="forever"),
        pytest.param({"logprobs": False}, {"logprobs": False}, id="no log probabilities"),
        pytest.param(
            {"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}, id="with rivals"
        ),
        pytest.param({"top_logprobs": 0}, {}, id="no rivals"),
        pytest.param({"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}, id="reasoning is off"),
        pytest.param({"reasoning": {"enabled": True}}, {}, id="reasoning is on"),
        pytest.param({"reasoning": {"exclude": True}}, {}, id="reasoning is not shown"),
        pytest.param({"reasoning": {}}, {}, id="empty reasoning"),
        pytest.param({"reasoning": {"max_tokens": 0}}, {"reasoning_tokens": 0}, id="no room to think"),
        pytest.param(
            {"reasoning_effort": "high", "reasoning": {"effort": "low"}},
            {"reasoning_effort": "high"},
            id="OpenAI's name wins",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": "none"}, {"tool_choice": "none"}, id="no tools, please"
        ),
        pytest.param({"modalities": ["text"]}, {}, id="text"),
    ],
)
def test_options(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(**fields) == expected


def test_top_logprobs_requires_logprobs() -> None:
    assert error_of(top_logprobs=3).param == "top_logprobs"


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_every_effort(effort: str) -> None:
    assert (
        options(reasoning_effort=effort)
        == options(reasoning={"effort": effort})
        == {"reasoning_effort": effort}
    )


@pytest.mark.parametrize(
    ("verbosity", "texts"),
    [("low", ["Answer briefly."]), ("medium", []), ("high", ["Answer at length and in detail."])],
)
def test_verbosity(verbosity: str, texts: list[str]) -> None:
    *instructions, user = make_generation(verbosity=verbosity).messages
    assert instructions == [Message("system", [TextPart(text)]) for text in texts]
    assert user.role == "user"


def test_tools() -> None:
    generation = make_generation(
        tools=[TOOL, PATCH], tool_choice={"type": "custom", "custom": {"name": "patch"}}
    )
    assert [tool.name for tool in generation.tools] == ["add", "patch"]
    assert (generation.custom_tools, generation.options) == ({"patch"}, {"tool_choice": "patch"})


def test_functions() -> None:
    parsed = request(functions=[TOOL["function"]], function_call={"name": "add"})
    generation = parsed.generation_request()
    assert generation.tools == make_generation(tools=[TOOL]).tools
    assert generation.options == {"tool_choice": "add", "parallel_tool_calls": False}
    assert parsed.uses_functions


@pytest.mark.parametrize("mode", ["none", "auto"])
def test_function_call_modes(mode: str) -> None:
    assert options(functions=[TOOL["function"]], function_call=mode)["tool_choice"] == mode


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"functions": [TOOL["function"]], "tool_choice": "required"}, "required", id="functions"
        ),
        pytest.param(
            {"functions": [TOOL["function"]], "function_call": "any"}, "required", id="any function"
        ),
        pytest.param({"functions": [TOOL["function"]], "function_call": ""}, None, id="empty"),
        pytest.param({"tools": [TOOL], "function_call": {"name": "add"}}, "add", id="tools"),
        pytest.param({"tools": [TOOL], "function_call": "none"}, "none", id="tools, no call"),
    ],
)
def test_either_form_of_the_choice_fits_either_form_of_the_tools(
    fields: dict[str, Any], expected: str | None
) -> None:
    assert options(**fields).get("tool_choice") == expected


@pytest.mark.parametrize("field", ["tool_choice", "function_call"])
def test_a_choice_of_a_missing_tool(field: str) -> None:
    with pytest.raises(ApiError, match="names 'add', which is not among the tools"):
        make_generation(**{field: {"type": "function", "name": "add"}})


def test_tools_win_over_functions() -> None:
    parsed = request(tools=[PATCH], functions=[TOOL["function"]], function_call="none")
    assert [tool.name for tool in parsed.generation_request().tools] == ["patch"]
    assert (parsed.generation_request().options, parsed.uses_functions) == ({"tool_choice": "none"}, False)


def test_repeated_tools() -> None:
    assert make_generation(tools=[TOOL, PATCH, TOOL]).tools == make_generation(tools=[TOOL, PATCH]).tools
    changed = {"type": "function", "function": {"name": "add", "description": "Adds"}}
    assert error_of(tools=[TOOL, changed]).param == "tools"


def test_names_with_spaces() -> None:
    tool = {"type": "function", "function": {"name": "add two. numbers"}}
    assert [each.name for each in make_generation(tools=[tool]).tools] == ["add two. numbers"]


def test_allowed_tools() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}}
    generation = make_generation(tools=[TOOL, PATCH], tool_choice=choice)
    assert [tool.name for tool in generation.tools] == ["add"]
    assert generation.options == {"tool_choice": "required"}


@pytest.mark.parametrize("fields", [{"stream": True}, {"stream": False}, {"store": True}, {"store": False}])
def test_flags(fields: dict[str, bool]) -> None:
    generation = make_generation(**fields)
    assert (generation.stream, generation.store) == (fields.get("stream", False), fields.get("store", False))


def test_metadata() -> None:
    assert make_generation(metadata={"app": "test"}).metadata == {"app": "test"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("reasoning", "reasoning_content")),
        ({"include_reasoning": True}, ("reasoning", "reasoning_content")),
        ({"include_reasoning": False}, ()),
        ({"reasoning": {"exclude": False}}, ("reasoning", "reasoning_content")),
        ({"reasoning": {"exclude": True}}, ()),
    ],
)
def test_reasoning_names(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert request(**fields).reasoning_names("both") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False),
        ({}, False),
        ({"include_usage": False}, False),
        ({"include_usage": True}, True),
        ({"include_obfuscation": True}, False),
    ],
)
def test_include_usage(value: Any, expected: bool) -> None:
    assert request(stream_options=value).include_usage is expected


@pytest.mark.parametrize(
    ("fields", "seeds"),
    [
        ({}, [None]),
        ({"n": 2}, [None, None]),
        ({"seed": 5}, [5]),
        ({"n": 3, "seed": 5}, [5, 6, 7]),
        ({"n": 3, "seed": -3}, [2**31 - 3, 2**31 - 2, 2**31 - 1]),
    ],
)
def test_each_choice_has_its_own_seed(fields: dict[str, Any], seeds: list[int | None]) -> None:
    parsed = request(**fields)
    assert [
        choice.options.get("seed") for choice in parsed.choice_requests(parsed.generation_request())
    ] == seeds


# The form of the answer


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        pytest.param({"type": "text"}, None, id="text"),
        pytest.param({"type": "json_object"}, {"type": "object"}, id="json_object"),
        pytest.param(
            {"type": "json_schema", "json_schema": {"name": "dog"}}, {"title": "dog"}, id="name only"
        ),
        pytest.param(
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "dog",
                    "description": "A dog",
                    "strict": True,
                    "schema": {"title": "Dog", "type": "object", "properties": {"age": {"type": "integer"}}},
                },
            },
            {
                "title": "dog",
                "type": "object",
                "properties": {"age": {"type": "integer"}},
                "description": "A dog",
            },
            id="all",
        ),
    ],
)
def test_response_format(value: dict[str, Any], schema: dict[str, Any] | None) -> None:
    assert make_generation(response_format=value).schema == schema


def test_invalid_schema() -> None:
    value = {"name": "dog", "schema": {"type": "dog"}}
    error = error_of(response_format={"type": "json_schema", "json_schema": value})
    assert (error.code, error.param) == ("invalid_json_schema", "response_format.json_schema.schema")
    assert "'dog'" in error.message


# What is no request


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency_penalty": 2.1},
        {"keep_alive": "soon"},
        {"logprobs": 5},
        {"max_completion_tokens": -3},
        {"max_tokens": "10"},
        {"max_tokens": 1.5},
        {"messages": "Hi"},
        {"messages": []},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "x" * 513}},
        {"metadata": {"x" * 65: "a"}},
        {"metadata": {str(number): "a" for number in range(17)}},
        {"min_p": 1.1},
        {"modalities": ["text", "audio"]},
        {"model": None},
        {"n": 0},
        {"n": 17},
        {"parallel_tool_calls": "no"},
        {"presence_penalty": -3},
        {"reasoning": "high"},
        {"reasoning": {"effort": "most"}},
        {"reasoning_effort": "most"},
        {"repetition_penalty": 0},
        {"repetition_penalty": 10.1},
        {"response_format": "json_object"},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": 5}}},
        {"response_format": {"type": "xml"}},
        {"seed": "1"},
        {"stop": ["a"] * 257},
        {"stop": 1},
        {"stream": "yes"},
        {"stream_options": {"include_usage": 1}},
        {"temperature": "hot"},
        {"temperature": 2.1},
        {"tool_choice": "some"},
        {"tools": {}},
        {"top_k": -2},
        {"top_logprobs": 21},
        {"top_p": -0.1},
        {"verbosity": "none"},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
def test_invalid_values(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        request(**fields)
    assert caught.value.param
    assert caught.value.param.partition(".")[0].partition("[")[0] in fields


def test_metadata_limits() -> None:
    pairs = {f"{number:064}": "x" * 512 for number in range(16)}
    assert make_generation(metadata=pairs).metadata == pairs


# Whatever is taken can be asked


WHOLE = st.sampled_from([-(2**31), -1, 2**31, 2**70]) | st.integers(-(2**70), 2**70)
DECIMAL = st.floats(-3, 3) | st.integers(-3, 3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "frequency_penalty": DECIMAL,
    "keep_alive": WHOLE | DECIMAL | st.sampled_from(["10m", "1h30m", "-1", "soon", ""]),
    "logprobs": st.booleans(),
    "max_completion_tokens": WHOLE,
    "max_tokens": WHOLE,
    "min_p": DECIMAL,
    "n": st.integers(-1, 20),
    "presence_penalty": DECIMAL,
    "reasoning": st.fixed_dictionaries(
        {}, optional={"effort": st.sampled_from(["low", "x"]), "max_tokens": WHOLE}
    ),
    "repetition_penalty": st.floats(-1, 12),
    "seed": WHOLE,
    "stop": st.text() | st.lists(st.text(), max_size=5),
    "temperature": DECIMAL,
    "tool_choice": st.sampled_from(["none", "auto", "required", TOOL, PATCH]),
    "tools": st.lists(st.sampled_from([TOOL, PATCH]), max_size=2),
    "top_k": WHOLE,
    "top_logprobs": st.integers(-1, 21),
    "top_p": DECIMAL,
}


# A few at a time: of many, one is nearly always refused, and the others are not looked at.
FEW = st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})
)


@settings(max_examples=200)
@given(FEW)
@example({"reasoning": {"max_tokens": 2**70}, "max_tokens": 2**70})
def test_options_are_valid_for_the_plugin(fields: dict[str, Any]) -> None:
    try:
        parsed = request(**fields)
        generation = parsed.generation_request()
    except ApiError:
        return
    for choice in parsed.choice_requests(generation):
        assert GptOssOptions(**choice.options).model_fields_set == {*choice.options}


JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "refusal", "file"]) | JSON}, optional={"text": JSON}
)
CALL = st.fixed_dictionaries(
    {
        "id": JSON,
        "function": st.fixed_dictionaries({"name": JSON | st.just("f"), "arguments": JSON | st.just("{}")}),
    },
    optional={"type": st.sampled_from(["function", "custom"]) | JSON, "custom": JSON},
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"]) | JSON},
    optional={
        "content": JSON | st.text() | st.lists(PART, max_size=2),
        "tool_calls": st.lists(CALL, max_size=2) | JSON,
        "tool_call_id": st.text() | JSON,
        "name": st.text() | JSON,
        "reasoning": JSON,
        "function_call": JSON,
    },
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON), st.lists(MESSAGE, max_size=4) | JSON)
def test_any_request_is_accepted_or_refused(fields: dict[str, Any], messages: Any) -> None:
    try:
        generation = make_generation(**{**fields, "messages": messages})
    except ApiError:
        return
    assert generation.messages
