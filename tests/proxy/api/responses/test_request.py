"What becomes of each field of a Responses request."

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from openai.types.responses import ResponseIncludable
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import ValidationError
from support.sdk_types import allowed_values
from typing_extensions import get_type_hints

from llm_gpt_oss.options import GptOssOptions
from proxy.api.responses.fields import FIELDS
from proxy.api.responses.request import Includable, RequestContext, ResponsesRequest
from proxy.generation import GenerationRequest, ThreadPosition
from proxy.http.errors import ApiError, to_api_error
from proxy.http.validation_errors import validation_api_error
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.wire import UNSUPPORTED_ITEMS

HI: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
USER = Message("user", [TextPart("Hi")])
ADD = {"type": "function", "name": "add"}
PATCH = {"type": "custom", "name": "patch"}
CALLED = Message("assistant", [ReasoningPart("hm"), ToolCallPart("add", {"a": 1}, "call_1")])
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"


def request(**fields: Any) -> ResponsesRequest:
    return ResponsesRequest.model_validate_json(json.dumps({**HI, **fields}))


def ask(context: RequestContext | None = None, **fields: Any) -> GenerationRequest:
    read = request(**fields)
    read.check()
    return read.generation_request(context) if context else read.generation_request()


def options(**fields: Any) -> dict[str, Any]:
    return dict(ask(**fields).options)


def refused(context: RequestContext | None = None, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask(context, **fields)
    return caught.value


# Every field


def test_every_field_of_the_sdk_is_decided_on() -> None:
    "A field that a new SDK adds fails here until someone decides."
    assert ResponseCreateParamsStreaming.__annotations__.keys() - FIELDS.keys() == set()


def test_every_field_that_is_decided_on_is_read() -> None:
    assert ResponsesRequest.model_fields.keys() == FIELDS.keys()


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="messages"):
        request(messages=[])


HONOURED: dict[str, tuple[Any, dict[str, Any]]] = {
    "frequency_penalty": (0.5, {"frequency_penalty": 0.5}),
    "include": (["message.output_text.logprobs"], {"logprobs": True}),
    "keep_alive": ("10m", {"keep_alive": "10m"}),
    "max_output_tokens": (10, {"max_tokens": 10}),
    "min_p": (0.1, {"min_p": 0.1}),
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
    "tool_choice",
    "tools",
}
DECIDED = {name: decision for name, (decision, _) in FIELDS.items()}


def test_every_field_has_a_test() -> None:
    assert HONOURED.keys() | ELSEWHERE == {name for name in FIELDS if DECIDED[name] == "honoured"}


@pytest.mark.parametrize("name", HONOURED)
def test_honoured(name: str) -> None:
    value, expected = HONOURED[name]
    assert options(**{name: value}) == expected


@pytest.mark.parametrize("name", [name for name in FIELDS if DECIDED[name] == "no effect"])
def test_no_effect(name: str) -> None:
    hints = {**get_type_hints(ResponseCreateParamsStreaming), "client_metadata": dict[str, object]}
    for value in allowed_values(hints[name]):
        assert ask(**{name: value}) == ask(), value


@pytest.mark.parametrize("name", [name for name in FIELDS if DECIDED[name] == "refused"])
def test_refused(name: str) -> None:
    error = refused(**{name: {"any": "thing"}})
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert FIELDS[name][1] in error.message


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in HI])
def test_null_asks_for_nothing(name: str) -> None:
    assert ask(**{name: None}) == ask()


# One by one


def test_the_plainest_request() -> None:
    assert ask() == GenerationRequest(
        "/v1/responses",
        "gpt-oss",
        (USER,),
        store=True,
        input_field="input",
        schema_field="text.format",
        replayable=True,
        message_of_entry=(0,),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"max_output_tokens": 10**12}, {"max_tokens": 2**31 - 1}, id="more than any engine counts"
        ),
        pytest.param({"seed": -1}, {"seed": 2**31 - 1}, id="a negative seed is a seed"),
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


def test_everything_that_the_sdk_can_include() -> None:
    assert {*get_args(Includable)} == {*get_args(ResponseIncludable)}


def test_instructions_stand_before_the_conversation() -> None:
    earlier = [Message("user", [TextPart("1+1?")]), Message("assistant", [TextPart("2")])]
    asked = ask(RequestContext(earlier), instructions="Be kind.", text={"verbosity": "low"})
    said = [Message("system", [TextPart(text)]) for text in ("Answer briefly.", "Be kind.")]
    assert asked.messages == (*said, *earlier, USER)
    assert (asked.added, asked.known, asked.message_of_entry) == (2, 2, (4,))


@pytest.mark.parametrize("fields", [{"instructions": ""}, {"text": {"verbosity": "medium"}}, {"text": {}}])
def test_nothing_is_put_before_it(fields: dict[str, Any]) -> None:
    assert ask(**fields) == ask()


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
    assert ask(text={"format": format}).schema == schema


def test_tools() -> None:
    inside = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [PATCH]}
    asked = ask(tools=[ADD, inside, {"type": "web_search"}], tool_choice={"type": "custom", "name": "patch"})
    assert [tool.name for tool in asked.tools] == ["add", "crm.patch"]
    assert (asked.custom_tools, asked.options) == ({"crm.patch"}, {"tool_choice": "crm.patch"})


def test_only_what_is_allowed_is_offered() -> None:
    asked = ask(tools=[ADD, PATCH], tool_choice={"type": "allowed_tools", "mode": "required", "tools": [ADD]})
    assert [tool.name for tool in asked.tools] == ["add"]
    assert asked.options == {"tool_choice": "required"}


@pytest.mark.parametrize("tools", [None, [], [{"type": "mcp", "server_label": "x"}]])
def test_required_of_no_tools(tools: Any) -> None:
    assert refused(tools=tools, tool_choice="required").param == "tool_choice"


def test_flags_and_metadata() -> None:
    assert ask(stream=True) == replace(ask(), stream=True)
    assert ask(store=True, background=True) == ask()
    assert ask(store=False, background=False) == replace(ask(), store=False, replayable=False)
    assert ask(metadata={"app": "test"}) == replace(ask(), metadata={"app": "test"})


def test_what_is_not_kept_cannot_run_in_the_background() -> None:
    error = refused(background=True, store=False)
    assert (error.status, error.param) == (400, "background")


# Where it goes on


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_a_conversation(conversation: Any) -> None:
    read = request(conversation=conversation)
    assert (read.conversation_id, read.previous_response_id) == ("conv_1", None)


def test_a_previous_response() -> None:
    read = request(previous_response_id="resp_1")
    assert (read.conversation_id, read.previous_response_id) == (None, "resp_1")


def test_not_both() -> None:
    error = refused(conversation="conv_1", previous_response_id="resp_1")
    assert (error.status, error.code) == (400, "mutually_exclusive_parameters")


def test_a_tool_loop_that_goes_on() -> None:
    place = ThreadPosition("00k3zq8w5m7xv9e2r4t6y8b0cd", "b2:0")
    asked = ask(RequestContext([USER, CALLED], place), input=[RESULT, {"role": "user", "content": "And?"}])
    assert asked.messages == (
        USER,
        CALLED,
        Message("tool", [ToolResultPart("add", "2", "call_1")]),
        Message("user", [TextPart("And?")]),
    )
    assert (asked.continues, asked.known, asked.message_of_entry) == (place, 2, (2, 3))


def test_what_is_referred_to() -> None:
    thought, called = f"rs_{TURN}_0", f"ctc_{TURN}_1"
    read = request(input=[{"id": thought}, {"type": "item_reference", "id": called}, RESULT])
    assert read.item_references() == {thought, called}
    recalled = {
        thought: Message("assistant", CALLED.parts[:1]),
        called: Message("assistant", CALLED.parts[1:]),
    }
    asked = read.generation_request(RequestContext(referenced=recalled))
    assert asked.messages == (CALLED, Message("tool", [ToolResultPart("add", "2", "call_1")]))
    assert asked.message_of_entry == (0, 0, 1)


def test_a_text_refers_to_nothing() -> None:
    assert request().item_references() == request(input=None).item_references() == set()


def test_calls_of_custom_tools() -> None:
    called = {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** x"}
    asked = ask(input=[called, {**RESULT, "type": "custom_tool_call_output", "call_id": "call_2"}])
    assert asked.custom_call_ids == {"call_2"}
    # What was called need not be on offer any more.
    assert asked.custom_tools == frozenset()


@pytest.mark.parametrize("given", [None, []])
def test_no_input_where_there_is_a_conversation(given: Any) -> None:
    asked = ask(RequestContext([USER]), input=given)
    assert (asked.messages, asked.known, asked.message_of_entry) == ((USER,), 1, ())


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param(None, "missing_required_parameter", id="none"),
        pytest.param([], "invalid_value", id="empty"),
        pytest.param([{"type": "web_search_call", "id": "ws_1"}], "invalid_value", id="nothing to read"),
        pytest.param([{"role": "assistant", "content": ""}], "invalid_value", id="nothing said"),
    ],
)
def test_no_input_at_all(given: Any, code: str) -> None:
    error = refused(input=given, instructions="Be kind.")
    assert (error.status, error.code, error.param) == (400, code, "input")


def test_a_model_that_is_not_named() -> None:
    with pytest.raises(ValidationError):
        ResponsesRequest.model_validate_json('{"input": "Hi"}')


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
        {"max_output_tokens": 0},
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
        {"reasoning": {"exclude": True}},
        {"repetition_penalty": 0},
        {"seed": "1"},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"store": "yes"},
        {"stream": "yes"},
        {"temperature": 2.1},
        {"text": "json"},
        {"text": {"format": "json_object"}},
        {"text": {"verbosity": "none"}},
        {"tool_choice": "any"},
        {"tools": {}},
        {"top_k": -2},
        {"top_logprobs": 21},
        {"top_p": -0.1},
        {"truncation": "middle"},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
def test_no_request(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    assert {error["loc"][0] for error in caught.value.errors()} == fields.keys()


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
        ({"tools": [{**ADD, "name": "a b"}]}, "invalid_value", "tools[0].name"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.name"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"messages": []}, "unknown_parameter", "messages"),
        ({"reasoning": {"effort": "most"}}, "invalid_value", "reasoning.effort"),
        ({"conversation": {}}, "missing_required_parameter", "conversation.id"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    told = validation_api_error(caught.value.errors(include_url=False), {**HI, **fields})
    assert (told.code, told.param) == (code, param)


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


@settings(max_examples=400)
@given(FEW)
def test_options_are_options_of_the_plugin(fields: dict[str, Any]) -> None:
    try:
        asked = ask(**fields)
    except (ValidationError, ApiError):
        return
    GptOssOptions(**asked.options)


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


def answered(sent: Any, context: RequestContext) -> GenerationRequest | ApiError:
    "As a route has it."
    body = json.dumps(sent)
    try:
        read = ResponsesRequest.model_validate_json(body)
        read.check()
        return read.generation_request(context)
    except ValidationError as problem:
        told = validation_api_error(problem.errors(include_url=False), json.loads(body))
    except Exception as error:
        told = to_api_error(error)
    assert 400 <= told.status < 500
    assert len(json.dumps(told.body)) < 2000
    return told


CONTEXTS = st.sampled_from(
    [
        RequestContext(),
        RequestContext([USER, CALLED]),
        RequestContext(referenced={f"rs_{TURN}_0": Message("assistant", CALLED.parts[:1])}),
    ]
)


@given(JSON | st.dictionaries(KEYS, NEARLY, max_size=4), CONTEXTS)
def test_anything_is_refused(sent: Any, context: RequestContext) -> None:
    assert isinstance(answered(sent, context), ApiError)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), NEARLY, max_size=4), CONTEXTS)
def test_any_fields_are_an_ask_or_a_refusal(fields: dict[str, Any], context: RequestContext) -> None:
    asked = answered({**HI, **fields}, context)
    assert isinstance(asked, ApiError) or asked.messages


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
def test_any_items_are_an_ask_or_a_refusal(items: list[Any], context: RequestContext) -> None:
    asked = answered({**HI, "input": items}, context)
    if isinstance(asked, GenerationRequest):
        assert len(asked.message_of_entry) == len(items)
        assert [*asked.message_of_entry] == sorted(asked.message_of_entry)
        assert {*asked.message_of_entry} <= {*range(asked.known, len(asked.messages) + 1)}


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
def test_any_tools_are_an_ask_or_a_refusal(tools: list[Any], choice: Any) -> None:
    asked = answered({**HI, "tools": tools, "tool_choice": choice}, RequestContext())
    if isinstance(asked, GenerationRequest):
        names = [tool.name for tool in asked.tools]
        assert len(names) == len({*names})
        assert asked.custom_tools <= {*names}
