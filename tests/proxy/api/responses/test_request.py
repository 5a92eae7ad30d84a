"Every field of a Responses request."

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from openai.types.responses import ResponseIncludable
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from support.sdk_types import allowed_values
from typing_extensions import get_type_hints

from llm_gpt_oss.options import GptOssOptions
from proxy.api.responses.fields import FIELDS
from proxy.api.responses.request import FIELD_NAMES, Includable, RequestContext, ResponsesRequest
from proxy.generation import GenerationRequest, ThreadPosition
from proxy.http.errors import ApiError, to_api_error
from proxy.http.request_body import parse_body
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.messages import LoggedItem
from proxy.items.wire import UNSUPPORTED_ITEMS

HI: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
USER = Message("user", [TextPart("Hi")])
ADD = {"type": "function", "name": "add"}
PATCH = {"type": "custom", "name": "patch"}
CALLED = Message("assistant", [ReasoningPart("hm"), ToolCallPart("add", {"a": 1}, "call_1")])
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"


def request(**fields: Any) -> ResponsesRequest:
    return parse_body(json.dumps({**HI, **fields}).encode(), ResponsesRequest).model


def make_generation(context: RequestContext | None = None, **fields: Any) -> GenerationRequest:
    parsed = request(**fields)
    parsed.check()
    return parsed.generation_request(context) if context else parsed.generation_request()


def options(**fields: Any) -> dict[str, Any]:
    return dict(make_generation(**fields).options)


def error_of(context: RequestContext | None = None, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        make_generation(context, **fields)
    return caught.value


# Every field


def test_every_field_of_the_sdk_is_covered() -> None:
    "A field that a new SDK adds fails here until someone decides what to do with it."
    assert ResponseCreateParamsStreaming.__annotations__.keys() - FIELDS.keys() == set()


def test_every_field_that_is_read_is_covered() -> None:
    read = {name for name in FIELDS if DECIDED[name] == "honoured" and "." not in name} | WITHOUT_EFFECT
    assert ResponsesRequest.model_fields.keys() == read


HONOURED: dict[str, tuple[Any, dict[str, Any]]] = {
    "frequency_penalty": (0.5, {"frequency_penalty": 0.5}),
    "include": (["message.output_text.logprobs"], {"logprobs": True}),
    "keep_alive": ("10m", {"keep_alive": "10m"}),
    "max_output_tokens": (10, {"max_tokens": 10}),
    "min_p": (0.1, {"min_p": 0.1}),
    "num_ctx": (8192, {"num_ctx": 8192}),
    "parallel_tool_calls": (False, {"parallel_tool_calls": False}),
    "presence_penalty": (-0.5, {"presence_penalty": -0.5}),
    "reasoning": ({"effort": "low", "max_tokens": 5}, {"reasoning_effort": "low", "reasoning_tokens": 5}),
    "repetition_penalty": (1.1, {"repeat_penalty": 1.1}),
    "seed": (7, {"seed": 7}),
    "stop": ("END", {"stop": ["END"]}),
    "temperature": (0, {"temperature": 0}),
    "top_k": (40, {"top_k": 40}),
    "top_logprobs": (3, {"logprobs": True, "top_logprobs": 3}),
    "top_p": (0.9, {"top_p": 0.9}),
    "truncation": ("auto", {"truncate": True}),
}
# Those that are no option of the plugin have tests of their own below.
ELSEWHERE = {
    "background",
    "conversation",
    "input",
    "instructions",
    "metadata",
    "model",
    "previous_response_id",
    "store",
    "stream",
    "text",
    "text.format",
    "tool_choice",
    "tools",
}
DECIDED = {name: field.decision for name, field in FIELDS.items()}
SDK_HINTS = get_type_hints(ResponseCreateParamsStreaming)
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
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert FIELDS[name].note in error.message


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in HI and "." not in name])
def test_null_equals_leaving_out(name: str) -> None:
    assert make_generation(**{name: None}) == make_generation()


# One by one


def test_minimal_request() -> None:
    assert make_generation() == GenerationRequest(
        "/v1/responses",
        "gpt-oss",
        (USER,),
        store=True,
        fields=FIELD_NAMES,
        replayable=True,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"max_output_tokens": 10**12}, {"max_tokens": 2**31 - 1}, id="more than any engine counts"
        ),
        pytest.param({"seed": -2}, {"seed": 2**31 - 2}, id="a negative seed is a seed"),
        pytest.param({"seed": -1}, {}, id="a random seed"),
        pytest.param({"stop": ["a", ""]}, {"stop": ["a"]}, id="an empty stop string"),
        pytest.param({"top_k": -1}, {"top_k": 0}, id="all, in vLLM's words"),
        pytest.param({"top_logprobs": 0}, {}, id="no rivals"),
        pytest.param(
            {"include": ["message.output_text.logprobs"], "top_logprobs": 0},
            {"logprobs": True},
            id="without rivals",
        ),
        pytest.param({"include": []}, {}, id="nothing included"),
        pytest.param({"include": ["web_search_call.results"]}, {}, id="what hosted tools would include"),
        pytest.param({"truncation": "disabled"}, {}, id="no truncation"),
        pytest.param({"reasoning": {}}, {}, id="empty reasoning"),
        pytest.param({"reasoning": {"max_tokens": 0}}, {"reasoning_tokens": 0}, id="no room to think"),
        pytest.param(
            {"reasoning": {"effort": None, "summary": "auto", "context": "all_turns", "mode": "standard"}},
            {},
            id="all of OpenAI's reasoning",
        ),
        pytest.param({"tools": [ADD], "tool_choice": "none"}, {"tool_choice": "none"}, id="no tools, please"),
    ],
)
def test_options(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(**fields) == expected


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_every_effort(effort: str) -> None:
    assert options(reasoning={"effort": effort}) == {"reasoning_effort": effort}


def test_every_includable_of_the_sdk() -> None:
    assert {*get_args(Includable)} == {*get_args(ResponseIncludable)}


def test_instructions_come_before_the_history() -> None:
    history = [Message("user", [TextPart("1+1?")]), Message("assistant", [TextPart("2")])]
    generation = make_generation(RequestContext(history), instructions="Be kind.", text={"verbosity": "low"})
    instructions = [Message("system", [TextPart(text)]) for text in ("Answer briefly.", "Be kind.")]
    assert generation.messages == (*instructions, *history, USER)
    assert (generation.added, generation.known) == (2, 2)


@pytest.mark.parametrize("fields", [{"instructions": ""}, {"text": {"verbosity": "medium"}}, {"text": {}}])
def test_values_that_add_no_instruction(fields: dict[str, Any]) -> None:
    assert make_generation(**fields) == make_generation()


@pytest.mark.parametrize(
    ("format", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "name": "dog", "schema": {"type": "object"}},
            {"title": "dog", "type": "object"},
        ),
    ],
)
def test_formats(format: dict[str, Any], schema: dict[str, Any] | None) -> None:
    assert make_generation(text={"format": format}).schema == schema


def test_tools() -> None:
    inside = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [PATCH]}
    generation = make_generation(
        tools=[ADD, inside, {"type": "web_search"}], tool_choice={"type": "custom", "name": "patch"}
    )
    assert [tool.name for tool in generation.tools] == ["add", "crm.patch"]
    assert (generation.custom_tools, generation.options) == ({"crm.patch"}, {"tool_choice": "crm.patch"})


def test_allowed_tools() -> None:
    generation = make_generation(
        tools=[ADD, PATCH], tool_choice={"type": "allowed_tools", "mode": "required", "tools": [ADD]}
    )
    assert [tool.name for tool in generation.tools] == ["add"]
    assert generation.options == {"tool_choice": "required"}


def test_required_with_hosted_tools_only() -> None:
    tools = [{"type": "mcp", "server_label": "x"}]
    assert error_of(tools=tools, tool_choice="required").param == "tool_choice"


def test_flags_and_metadata() -> None:
    assert make_generation(stream=True) == replace(make_generation(), stream=True)
    assert make_generation(store=True, background=True) == make_generation()
    assert make_generation(store=False, background=False) == replace(
        make_generation(), store=False, replayable=False
    )
    assert make_generation(metadata={"app": "test"}) == replace(make_generation(), metadata={"app": "test"})


def test_background_requires_store() -> None:
    error = error_of(background=True, store=False)
    assert (error.status, error.param) == (400, "background")


# Where it goes on


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_conversation_id(conversation: Any) -> None:
    parsed = request(conversation=conversation)
    assert (parsed.conversation_id, parsed.previous_response_id) == ("conv_1", None)


def test_previous_response_id() -> None:
    parsed = request(previous_response_id="resp_1")
    assert (parsed.conversation_id, parsed.previous_response_id) == (None, "resp_1")


def test_conversation_and_previous_response_exclude_each_other() -> None:
    error = error_of(conversation="conv_1", previous_response_id="resp_1")
    assert (error.status, error.code) == (400, "mutually_exclusive_parameters")


def test_tool_output_for_a_call_in_the_history() -> None:
    position = ThreadPosition("00k3zq8w5m7xv9e2r4t6y8b0cd", "b2:0")
    generation = make_generation(
        RequestContext([USER, CALLED], position), input=[RESULT, {"role": "user", "content": "And?"}]
    )
    assert generation.messages == (
        USER,
        CALLED,
        Message("tool", [ToolResultPart("add", "2", "call_1")]),
        Message("user", [TextPart("And?")]),
    )
    assert (generation.continues, generation.known, generation.message_of_entry) == (position, 2, (2, 3))


def test_item_references() -> None:
    reasoning_id, call = f"rs_{TURN}_0", f"ctc_{TURN}_1"
    parsed = request(input=[{"id": reasoning_id}, {"type": "item_reference", "id": call}, RESULT])
    assert parsed.item_references() == {reasoning_id, call}
    referenced = {
        reasoning_id: LoggedItem(Message("assistant", CALLED.parts[:1])),
        call: LoggedItem(Message("assistant", CALLED.parts[1:]), is_custom_call=True),
    }
    generation = parsed.generation_request(RequestContext(referenced=referenced))
    assert generation.messages == (CALLED, Message("tool", [ToolResultPart("add", "2", "call_1")]))
    assert generation.message_of_entry == (0, 0, 1)
    assert generation.custom_calls == {("call_1", "add")}


def test_text_input_has_no_references() -> None:
    assert request().item_references() == request(input=None).item_references() == set()


def test_calls_of_custom_tools() -> None:
    call = {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** x"}
    generation = make_generation(
        input=[call, {**RESULT, "type": "custom_tool_call_output", "call_id": "call_2"}]
    )
    assert generation.custom_calls == {("call_2", "patch")}
    # What was called need not be on offer any more.
    assert generation.custom_tools == frozenset()


@pytest.mark.parametrize("value", [None, []])
def test_no_input_with_a_history(value: Any) -> None:
    generation = make_generation(RequestContext([USER]), input=value)
    assert (generation.messages, generation.known, generation.message_of_entry) == ((USER,), 1, ())


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(None, "missing_required_parameter", id="none"),
        pytest.param([], "invalid_value", id="empty"),
        pytest.param([{"type": "web_search_call", "id": "ws_1"}], "invalid_value", id="nothing to read"),
        pytest.param([{"role": "assistant", "content": ""}], "invalid_value", id="nothing said"),
    ],
)
def test_no_input_without_a_history(value: Any, code: str) -> None:
    error = error_of(input=value, instructions="Be kind.")
    assert (error.status, error.code, error.param) == (400, code, "input")


def test_model_is_required() -> None:
    assert error_of(model=None).param == "model"


# What is no request


@pytest.mark.parametrize(
    "fields",
    [
        {"background": "yes"},
        {"conversation": 5},
        {"conversation": {}},
        {"frequency_penalty": 2.1},
        {"include": ["reasoning"]},
        {"include": "reasoning.encrypted_content"},
        {"input": 5},
        {"input": {"role": "user", "content": "Hi"}},
        {"input": ["Hi"]},
        {"input": [{"type": "telepathy"}]},
        {"instructions": [{"role": "user", "content": "Hi"}]},
        {"keep_alive": "soon"},
        {"max_output_tokens": -3},
        {"max_tool_calls": "5"},
        {"metadata": {"a": 1}},
        {"metadata": {str(number): "a" for number in range(17)}},
        {"min_p": 1.1},
        {"model": None},
        {"parallel_tool_calls": "no"},
        {"presence_penalty": -3},
        {"previous_response_id": 5},
        {"prompt_cache_key": 5},
        {"reasoning": "high"},
        {"reasoning": {"effort": "most"}},
        {"reasoning": {"summary": "long"}},
        {"repetition_penalty": 0},
        {"seed": "1"},
        {"stop": ["a"] * 257},
        {"store": "yes"},
        {"stream": "yes"},
        {"temperature": 2.1},
        {"text": "json"},
        {"text": {"format": "json_object"}},
        {"text": {"verbosity": "none"}},
        {"tool_choice": "some"},
        {"tools": {}},
        {"top_k": -2},
        {"top_logprobs": 21},
        {"top_p": -0.1},
        {"truncation": "middle"},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
def test_invalid_values(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        request(**fields)
    assert caught.value.param
    assert caught.value.param.partition(".")[0].partition("[")[0] in fields


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": [{"type": "message"}]}, "missing_required_parameter", "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "invalid_type", "input[0].content"),
        ({"input": [HI, {"type": "shell_call"}]}, "missing_required_parameter", "input[0].type"),
        ({"input": [{"type": "shell_call"}]}, "invalid_value", "input[0]"),
        ({"input": 5}, "invalid_type", "input"),
        ({"include": ["reasoning"]}, "invalid_value", "include[0]"),
        ({"tools": [{"type": "telepathy"}]}, "invalid_value", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        ({"tools": [{**ADD, "name": "a.b"}]}, "invalid_value", "tools[0].name"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.name"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"reasoning": {"effort": "most"}}, "invalid_value", "reasoning.effort"),
        ({"conversation": {}}, "missing_required_parameter", "conversation.id"),
    ],
)
def test_errors_name_the_parameter(fields: dict[str, Any], code: str, param: str) -> None:
    error = error_of(**fields)
    assert (error.code, error.param) == (code, param)


# Whatever is taken can be asked


WHOLE = st.sampled_from([-(2**31), -1, 2**31, 2**70]) | st.integers(-(2**70), 2**70)
DECIMAL = st.floats(-3, 3) | st.integers(-3, 3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "frequency_penalty": DECIMAL,
    "include": st.lists(st.sampled_from(get_args(Includable)), max_size=3),
    "keep_alive": WHOLE | DECIMAL | st.sampled_from(["10m", "1h30m", "-1", "soon", ""]),
    "max_output_tokens": WHOLE,
    "min_p": DECIMAL,
    "presence_penalty": DECIMAL,
    "reasoning": st.fixed_dictionaries(
        {}, optional={"effort": st.sampled_from(["low", "x"]), "max_tokens": WHOLE}
    ),
    "repetition_penalty": st.floats(-1, 12),
    "seed": WHOLE,
    "stop": st.text() | st.lists(st.text(), max_size=5),
    "temperature": DECIMAL,
    "tool_choice": st.sampled_from(["none", "auto", "required", ADD, PATCH]),
    "tools": st.lists(st.sampled_from([ADD, PATCH]), max_size=2),
    "top_k": WHOLE,
    "top_logprobs": st.integers(-1, 21),
    "top_p": DECIMAL,
    "truncation": st.sampled_from(["auto", "disabled"]),
}


# A few at a time: of many, one is nearly always refused, and the others are not looked at.
FEW = st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})
)


@settings(max_examples=200)
@given(FEW)
@example({"reasoning": {"max_tokens": 2**70}, "max_output_tokens": 2**70})
def test_options_are_valid_for_the_plugin(fields: dict[str, Any]) -> None:
    try:
        generation = make_generation(**fields)
    except ApiError:
        return
    assert GptOssOptions(**generation.options).model_fields_set == {*generation.options}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
# Words and keys that get a request further into the code than arbitrary ones.
WORDS = st.sampled_from(
    ["user", "assistant", "developer", "message", "reasoning", "input_text", "output_text", "refusal", "add",
     "function", "custom", "namespace", "function_call", "function_call_output", "custom_tool_call",
     "custom_tool_call_output", "item_reference", "compaction", "reasoning_text", "summary_text", "{}",
     "allowed_tools", "web_search", "web_search_call", "json_schema", "json_object", "auto", "required",
     "call_1", "commentary", f"rs_{TURN}_0", to_encrypted_content("hm"), *UNSUPPORTED_ITEMS]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "role", "content", "text", "id", "call_id", "name", "namespace", "arguments", "input", "output",
     "summary", "encrypted_content", "phase", "refusal", "tools", "mode", "format", "schema", "parameters",
     "$ref", "effort", "max_tokens", "verbosity"]
)  # fmt: skip
NEARLY: st.SearchStrategy[Any] = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def generation_or_error(body_json: Any, context: RequestContext) -> GenerationRequest | ApiError:
    "The request as a route makes it, or its error."
    try:
        parsed = parse_body(json.dumps(body_json).encode(), ResponsesRequest).model
        parsed.check()
        return parsed.generation_request(context)
    except Exception as exception:
        error = to_api_error(exception)
    assert 400 <= error.status < 500
    assert len(json.dumps(error.body)) < 2000
    return error


CONTEXTS = st.sampled_from(
    [
        RequestContext(),
        RequestContext([USER, CALLED]),
        RequestContext(referenced={f"rs_{TURN}_0": LoggedItem(Message("assistant", CALLED.parts[:1]))}),
    ]
)


@given(JSON | st.dictionaries(KEYS, NEARLY, max_size=4), CONTEXTS)
def test_any_json_is_refused(body_json: Any, context: RequestContext) -> None:
    assert isinstance(generation_or_error(body_json, context), ApiError)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), NEARLY, max_size=4), CONTEXTS)
def test_any_fields_are_accepted_or_refused(fields: dict[str, Any], context: RequestContext) -> None:
    generation = generation_or_error({**HI, **fields}, context)
    assert isinstance(generation, ApiError) or generation.messages


PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "refusal", "input_image"]) | WORDS},
    optional={"text": NEARLY},
)
ITEM = st.fixed_dictionaries(
    {"type": WORDS},
    optional={
        "role": st.sampled_from(["user", "assistant"]) | NEARLY,
        "content": st.text() | st.lists(PARTS, max_size=2) | NEARLY,
        "id": WORDS,
        "call_id": WORDS,
        "name": WORDS,
        "namespace": NEARLY,
        "arguments": st.text() | WORDS,
        "input": st.text(),
        "output": st.text() | st.lists(PARTS, max_size=2),
        "encrypted_content": WORDS,
        "summary": st.lists(PARTS, max_size=1),
        "phase": WORDS,
    },
)


@given(st.lists(ITEM | st.dictionaries(KEYS, NEARLY, max_size=5), max_size=4), CONTEXTS)
def test_any_items_are_accepted_or_refused(items: list[Any], context: RequestContext) -> None:
    generation = generation_or_error({**HI, "input": items}, context)
    if isinstance(generation, GenerationRequest):
        assert len(generation.message_of_entry) == len(items)
        assert [*generation.message_of_entry] == sorted(generation.message_of_entry)
        assert {*generation.message_of_entry} <= {*range(generation.known, len(generation.messages) + 1)}


TOOL = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["function", "custom", "namespace"]) | WORDS,
        "name": st.sampled_from(["add", "patch"]) | WORDS | st.text(max_size=4),
    },
    optional={
        "parameters": st.just({}) | NEARLY,
        "tools": st.lists(st.sampled_from([ADD, PATCH]) | NEARLY, max_size=2),
        "description": st.just("") | NEARLY,
    },
)


@given(
    st.lists(st.sampled_from([ADD, PATCH]) | TOOL, max_size=3),
    st.sampled_from(["auto", "required"]) | TOOL | NEARLY,
)
def test_any_tools_are_accepted_or_refused(tools: list[Any], choice: Any) -> None:
    generation = generation_or_error({**HI, "tools": tools, "tool_choice": choice}, RequestContext())
    if isinstance(generation, GenerationRequest):
        names = [tool.name for tool in generation.tools]
        assert len(names) == len({*names})
        assert generation.custom_tools <= {*names}
