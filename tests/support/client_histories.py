"Histories in the shapes of OpenAI's two APIs, with each field that clients leave out when it is empty."

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proxy.items.encrypted_content import to_encrypted_content

Strategy = SearchStrategy[Any]

TEXT = st.text(max_size=5) | st.sampled_from(["", "Hi", "<|end|>", "\u2028", "\x00"])
EMPTY_TEXT: Strategy = st.none() | TEXT
CALL_IDS: Strategy = st.sampled_from(["call_1", "call_2", "", None])
NAMES = st.sampled_from(["add", "crm.find", "with space", ""])
ARGUMENTS: Strategy = st.sampled_from(["{}", '{"a": 1}', "", "{", "[1]", None, {}, {"a": [1.5, None]}])


def either(*strategies: Strategy) -> Strategy:
    "Each with the same probability, however many alternatives one of them has itself."
    return st.sampled_from(strategies).flatmap(lambda strategy: strategy)


def shape(required: dict[str, Strategy], **optional: Strategy) -> Strategy:
    return st.fixed_dictionaries(required, optional=optional)


def part(*types: str, **optional: Strategy) -> Strategy:
    return shape({"type": st.sampled_from(types)}, **optional)


PART = either(
    part("text", "input_text", "output_text", text=EMPTY_TEXT),
    part("refusal", refusal=EMPTY_TEXT),
    part("thinking", thinking=EMPTY_TEXT | st.lists(part("text", text=EMPTY_TEXT), max_size=2)),
    part("reasoning", "reasoning_text", "redacted_thinking", text=EMPTY_TEXT, data=TEXT),
    part("image_url", "input_image", image_url=st.sampled_from([None, "data:", {"url": "data:"}])),
    part("input_audio", input_audio=st.just({"data": "", "format": "wav"})),
    part("file", "input_file", filename=EMPTY_TEXT, file=shape({}, filename=EMPTY_TEXT)),
    part("computer_screenshot", "video_url", "document"),
)
CONTENT = either(EMPTY_TEXT, st.lists(PART, max_size=3))

TOOL_CALL = either(
    shape(
        {"function": shape({"name": NAMES}, arguments=ARGUMENTS)},
        id=CALL_IDS,
        type=st.sampled_from(["function", "", None]),
    ),
    shape({"type": st.just("custom"), "custom": shape({"name": NAMES}, input=EMPTY_TEXT)}, id=CALL_IDS),
)
REASONING_DETAIL = part(
    "reasoning.text", "reasoning.encrypted", text=EMPTY_TEXT, summary=EMPTY_TEXT, data=EMPTY_TEXT
)
MESSAGE = either(
    shape(
        {"role": st.sampled_from(["user", "User", "system", "developer"]), "content": CONTENT},
        name=EMPTY_TEXT,
    ),
    shape({"role": st.sampled_from(["user", "system", "developer", "assistant", "tool"])}),
    shape(
        {"role": st.just("assistant")},
        content=CONTENT,
        name=EMPTY_TEXT,
        refusal=EMPTY_TEXT,
        reasoning=EMPTY_TEXT,
        reasoning_content=EMPTY_TEXT,
        reasoning_details=st.none() | st.lists(REASONING_DETAIL, max_size=2),
        tool_calls=either(st.none(), st.lists(TOOL_CALL, max_size=2)),
        function_call=st.none() | shape({"name": NAMES}, arguments=ARGUMENTS),
        audio=st.sampled_from([None, {"id": "audio_1"}, {"id": "audio_1", "transcript": "Hi"}]),
    ),
    shape(
        {"role": st.sampled_from(["tool", "function"]), "content": CONTENT}, tool_call_id=CALL_IDS, name=NAMES
    ),
)

ENCRYPTED = st.sampled_from(
    [None, "", "gAAAAABo", to_encrypted_content("hm"), to_encrypted_content("hm")[:-2]]
)
NAMESPACE = st.sampled_from([None, "", "crm"])
IDS: Strategy = st.sampled_from([None, "", "rs_1", f"rs_{'0' * 26}_0"])
ITEM = either(
    shape(
        {
            "role": st.sampled_from(["user", "USER", "system", "developer", "assistant"]),
            "content": CONTENT,
        },
        type=st.sampled_from(["message", "", None]),
        phase=st.sampled_from([None, "commentary", "final_answer"]),
        id=IDS,
        status=st.none(),
    ),
    shape({"role": st.sampled_from(["user", "system", "developer", "assistant"])}),
    shape(
        {"type": st.just("reasoning")},
        id=IDS,
        content=st.none() | st.lists(part("reasoning_text", text=EMPTY_TEXT), max_size=2),
        summary=st.none() | st.lists(part("summary_text", text=EMPTY_TEXT), max_size=2),
        encrypted_content=ENCRYPTED,
    ),
    shape(
        {"type": st.just("function_call"), "name": NAMES},
        call_id=CALL_IDS,
        arguments=ARGUMENTS,
        namespace=NAMESPACE,
    ),
    shape(
        {"type": st.just("custom_tool_call"), "name": NAMES},
        call_id=CALL_IDS,
        input=EMPTY_TEXT,
        namespace=NAMESPACE,
    ),
    shape(
        {"type": st.sampled_from(["function_call_output", "custom_tool_call_output"]), "output": CONTENT},
        call_id=CALL_IDS,
        name=NAMES,
        namespace=NAMESPACE,
    ),
    part("function_call_output", "web_search_call", "mcp_list_tools", id=IDS),
)
