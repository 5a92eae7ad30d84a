"Bodies for `/v1/responses` that are valid, or nearly so: they get further into the code than arbitrary ones."

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proxy.api.responses.request import ResponsesRequest
from proxy.items.encrypted_content import to_encrypted_content
from support.anything import JSON

MINIMAL: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
WORDS = st.sampled_from(
    ["message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
     "custom_tool_call_output", "item_reference", "compaction", "web_search_call", "computer_call",
     "input_text", "output_text", "reasoning_text", "summary_text", "refusal", "input_image", "function",
     "custom", "namespace", "allowed_tools", "mcp", "json_schema", "json_object", "text", "grammar", "lark",
     "user", "assistant", "system", "developer", "tool", "auto", "required", "none", "commentary", "f",
     "call_1", "resp_1", "conv_1", "msg_1", f"msg_{'0' * 26}_0", f"rs_{'0' * 32}_1",
     to_encrypted_content("hm"), "reasoning.encrypted_content"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "role", "content", "text", "id", "name", "namespace", "call_id", "arguments", "input", "output",
     "summary", "encrypted_content", "phase", "status", "tools", "parameters", "schema", "format", "mode",
     "properties", "$ref", "anyOf", "effort", "verbosity", "definition", "syntax", "strict", "description",
     "allowed_callers", "async", "defer_loading", "output_schema"]
)  # fmt: skip
NEARLY: SearchStrategy[Any] = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def nearly(*valid: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    "One of these as it is, or with any value for one key, or without one key."
    good = st.sampled_from(valid)
    changed = st.builds(lambda item, key, value: {**item, key: value}, good, KEYS, NEARLY)
    lacking = st.builds(
        lambda item, missing: {key: item[key] for key in item if key != missing},
        good,
        st.sampled_from(REQUIRED_KEYS),
    )
    return good | good | good | changed | lacking


REQUIRED_KEYS = [
    "type",
    "role",
    "content",
    "id",
    "name",
    "call_id",
    "arguments",
    "input",
    "output",
    "tools",
    "schema",
]
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "x"}
REASONING = {"type": "reasoning", "id": f"rs_{'0' * 26}_0", "summary": []}
SUMMARY = [{"type": "summary_text", "text": "hm"}]
TEXT = st.text(max_size=5)
ITEM = nearly(
    {"role": "user", "content": "Hi"},
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Hi"}]},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
        "id": "msg_1",
    },
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}], "phase": "commentary"},
    REASONING,
    {**REASONING, "summary": SUMMARY},
    {**REASONING, "encrypted_content": to_encrypted_content("hm")},
    {**REASONING, "content": [{"type": "reasoning_text", "text": "hm"}]},
    CALL,
    {**CALL, "arguments": '{"a":1}', "namespace": "n"},
    {**CALL, "arguments": '{"a":' * 300},
    {**CALL, "arguments": "[1e999]"},
    CUSTOM,
    {**OUTPUT, "name": "f"},
    {**OUTPUT, "type": "custom_tool_call_output", "call_id": None, "name": "g"},
    {**OUTPUT, "name": "f", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "item_reference", "id": f"msg_{'0' * 32}_0"},
    {"type": "compaction", "encrypted_content": to_encrypted_content("hm")},
    {"type": "web_search_call", "id": "ws_1"},
)
TOOL = nearly(
    FUNCTION,
    {**FUNCTION, "name": "none"},
    {**FUNCTION, "name": "h", "parameters": {"properties": {"a": {"$ref": "#"}}}},
    {"type": "custom", "name": "g"},
    {"type": "custom", "name": "i", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
    {"type": "namespace", "name": "n", "tools": [FUNCTION, {"type": "custom", "name": "g"}]},
    {"type": "web_search"},
    {"type": "mcp", "server_label": "m"},
)
CHOICE = st.sampled_from(["auto", "none", "required"]) | nearly(
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "g"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
)
FORMAT = nearly(
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "name": "s", "schema": {"type": "object"}},
    {"type": "json_schema", "name": "s", "schema": {"$ref": "#/nowhere"}, "strict": True},
)
KNOWN: dict[str, SearchStrategy[Any]] = {
    "input": TEXT | st.lists(ITEM, max_size=4),
    "tools": st.lists(TOOL, max_size=2),
    "tool_choice": CHOICE,
    "text": st.builds(lambda form: {"format": form, "verbosity": "low"}, FORMAT),
    "reasoning": nearly({"effort": "low", "summary": "auto"}, {"effort": "none"}),
    "include": st.lists(WORDS, max_size=2),
    "instructions": TEXT,
    "metadata": st.dictionaries(TEXT, TEXT, max_size=2),
    "previous_response_id": TEXT | st.sampled_from(["resp_1", f"resp_{'0' * 26}", "\x00"]),
    "conversation": TEXT | nearly({"id": "conv_1"}, {"id": ""}),
    "store": st.booleans(),
    "background": st.just(False),
    "stream": st.booleans(),
    "max_output_tokens": st.integers(1),
    "top_logprobs": st.integers(0, 20),
    "truncation": st.sampled_from(["auto", "disabled"]),
}
NAMES = sorted({name.partition(".")[0] for name in ResponsesRequest.FIELDS})
BODIES = st.builds(
    lambda known, others: {**MINIMAL, **others, **known},
    st.fixed_dictionaries({}, optional=KNOWN),
    st.just({}) | st.dictionaries(st.sampled_from(NAMES), NEARLY, max_size=1),
)
