"Items to messages: in whichever form a client sends its history back, the messages are the turn's."

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import TypeAdapter

from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR
from proxy.generation import CustomCall
from proxy.http.errors import ApiError
from proxy.items import output
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.ids import item_id
from proxy.items.messages import History, LoggedItem, check_newest_message, item_references, to_messages
from proxy.items.summary import summary_message
from proxy.items.wire import AnyItem

ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[AnyItem])
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"
GAP = TextPart("\n\n", provider_metadata=SEPARATOR)
ADD = ToolCallPart("add", {"a": 1}, "call_1")
IMAGE = "[image: this model cannot see it]"
ATTACHED = {"gpt_oss": {"attachments": 1}}
HI = {"role": "user", "content": "Hi"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a":1}'}
WROTE = {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** x"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
THOUGHT = {"type": "reasoning", "id": f"rs_{TURN}_0", "summary": []}


def parse(*raw_items: dict[str, Any]) -> list[Any]:
    return ITEMS.validate_json(json.dumps(raw_items))


def convert(
    *raw_items: dict[str, Any], referenced: Mapping[str, LoggedItem] = {}, history: Any = ()
) -> History:
    return to_messages(parse(*raw_items), referenced, history)


def parts(*raw_items: dict[str, Any], referenced: Mapping[str, LoggedItem] = {}) -> list[Part]:
    (message,) = convert(*raw_items, referenced=referenced).messages
    return message.parts


def assistant_item(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": text, **more}


def part(text: str, item_type: str = "input_text") -> dict[str, Any]:
    return {"type": item_type, "text": text}


def error_of(*raw_items: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        convert(*raw_items)
    assert caught.value.param == "input"
    return caught.value


# Messages


@pytest.mark.parametrize("role", ["user", "system", "developer"])
@pytest.mark.parametrize(
    ("content", "texts"),
    [
        pytest.param("Hi", ["Hi"], id="string"),
        pytest.param("", [""], id="empty"),
        pytest.param([], [], id="nothing"),
        pytest.param([part("Hi"), part("there")], ["Hi", "there"], id="parts"),
        pytest.param([part("Hi", "text")], ["Hi"], id="of a conversation"),
        pytest.param([part("Hi", "output_text")], ["Hi"], id="of an answer"),
        pytest.param([{"type": "thinking", "thinking": "Hm"}], ["Hm"], id="reasoning"),
    ],
)
def test_messages(role: str, content: Any, texts: list[str]) -> None:
    assert convert({"role": role, "content": content}).messages == [
        Message(role, [TextPart(t) for t in texts])
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Hi", "Hi", id="string"),
        pytest.param([part("Hi", "output_text")], "Hi", id="part"),
        pytest.param([part("Hi", "output_text"), part("there", "output_text")], "Hi\nthere", id="parts"),
        pytest.param([{"type": "refusal", "refusal": "No."}], "No.", id="refusal"),
        pytest.param([part("Hi", "text")], "Hi", id="text"),
    ],
)
def test_assistant_texts(content: Any, text: str) -> None:
    assert parts(assistant_item(content)) == [TextPart(text)]


def test_reasoning_in_the_content() -> None:
    item = assistant_item([part("Hm", "reasoning_text"), part("Hi", "output_text")])
    assert parts(item) == [ReasoningPart("Hm"), TextPart("Hi")]


def test_phases() -> None:
    first, second = (
        assistant_item("Let me see.", phase="commentary"),
        assistant_item("2", phase="final_answer"),
    )
    assert parts(first, second) == [TextPart("Let me see.", provider_metadata=PREAMBLE), GAP, TextPart("2")]


def test_empty_assistant_texts_are_dropped() -> None:
    assert convert(HI, assistant_item(""), HI) == History(
        [Message("user", [TextPart("Hi")])] * 2, (0, 1, 1), frozenset()
    )


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_attachments(role: str) -> None:
    content = [part("Look:"), {"type": "input_image", "image_url": "data:"}]
    assert convert({"role": role, "content": content}).messages == [
        Message(role, [TextPart("Look:"), TextPart(IMAGE, provider_metadata=ATTACHED)])
    ]


def test_attachments_of_the_assistant() -> None:
    content = [part("Look:", "output_text"), {"type": "input_image"}]
    marks = {"channel": "commentary", "attachments": 1}
    assert parts(assistant_item(content, phase="commentary")) == [
        TextPart(f"Look:\n{IMAGE}", provider_metadata={"gpt_oss": marks})
    ]


def test_attachments_of_outputs() -> None:
    output = [part("Look:"), {"type": "input_image"}, {"type": "computer_screenshot"}]
    assert convert(CALLED, {**RESULT, "output": output}).messages[1].parts == [
        ToolResultPart(
            "add",
            f"Look:\n{IMAGE}\n{IMAGE}",
            "call_1",
            provider_metadata={"gpt_oss": {"attachments": 2}},
        )
    ]


PICTURE = {"role": "user", "content": [part("Look:"), {"type": "input_image"}]}
SEARCHED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}


@pytest.mark.parametrize(
    ("items", "param"),
    [
        pytest.param([PICTURE], "input[0].content[1]", id="alone"),
        pytest.param([HI, PICTURE], "input[1].content[1]", id="last"),
        pytest.param(
            [assistant_item("a"), PICTURE, {"role": "developer", "content": ""}],
            "input[1].content[1]",
            id="before instructions",
        ),
        pytest.param([PICTURE, HI], None, id="before another message"),
        pytest.param([PICTURE, assistant_item("a")], None, id="answered"),
        pytest.param([PICTURE, CALLED, RESULT], None, id="tools were called for it"),
        pytest.param([PICTURE, {**THOUGHT}], None, id="thought about"),
        pytest.param([PICTURE, SEARCHED], None, id="searched for"),
        pytest.param([PICTURE, {"id": f"msg_{TURN}_1"}], None, id="answered by reference"),
        pytest.param([CALLED, RESULT, PICTURE], None, id="returned by a tool"),
        pytest.param([CALLED, {**RESULT, "output": PICTURE["content"]}], None, id="in an output"),
        pytest.param([{**PICTURE, "role": "system"}], None, id="of the system"),
        pytest.param([HI], None, id="text"),
    ],
)
def test_attachments_of_the_newest_user_message(items: list[dict[str, Any]], param: str | None) -> None:
    if param is None:
        check_newest_message(parse(*items))
        return
    with pytest.raises(ApiError) as caught:
        check_newest_message(parse(*items))
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "unsupported_content_type", param)
    assert "'input_image'" in error.message


# Calls and their outputs


def test_assistant_items_become_one_message() -> None:
    history = convert(
        HI,
        {**THOUGHT, "content": [part("hm", "reasoning_text")]},
        assistant_item("So:"),
        CALLED,
        WROTE,
        RESULT,
        assistant_item("2"),
    )
    assert history.messages == [
        Message("user", [TextPart("Hi")]),
        Message(
            "assistant",
            [ReasoningPart("hm"), TextPart("So:"), ADD, ToolCallPart("patch", {"input": "*** x"}, "call_2")],
        ),
        Message("tool", [ToolResultPart("add", "2", "call_1")]),
        Message("assistant", [TextPart("2")]),
    ]
    assert history.message_of_item == (0, 1, 1, 1, 1, 2, 3)
    assert history.custom_calls == {CustomCall("call_2", "patch")}


def test_an_id_that_is_used_twice_has_calls_of_both_kinds() -> None:
    history = convert({**CALLED, "call_id": "call_2"}, WROTE, RESULT, {**WROTE, "call_id": "call_1"})
    assert history.custom_calls == {CustomCall("call_2_2", "patch"), CustomCall("call_1", "patch")}


def test_two_texts_are_separated_by_a_blank_line() -> None:
    assert parts(assistant_item("a"), CALLED, assistant_item("b"), assistant_item("c")) == [
        TextPart("a"), ADD, GAP, TextPart("b"), GAP, TextPart("c")
    ]  # fmt: skip


def test_user_messages_are_not_merged() -> None:
    assert [message.parts for message in convert(HI, HI).messages] == [[TextPart("Hi")]] * 2


def test_each_output_is_a_message() -> None:
    repeated = {**WROTE, "call_id": "call_1"}
    history = convert(CALLED, WROTE, {**RESULT, "call_id": "call_2"}, RESULT, repeated, RESULT)
    results = [part for message in history.messages if message.role == "tool" for part in message.parts]
    assert [result.name for result in results if isinstance(result, ToolResultPart)] == [
        "patch",
        "add",
        "patch",
    ]


def test_namespaces() -> None:
    call = {**CALLED, "namespace": "crm.v2"}
    custom = {**WROTE, "namespace": "files"}
    assert [getattr(part, "name", None) for part in parts(call, custom)] == ["crm.v2.add", "files.patch"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param("2", "2", id="string"),
        pytest.param("", "", id="empty"),
        pytest.param([part("2"), part("3")], "2\n3", id="parts"),
        pytest.param([], "", id="nothing"),
    ],
)
@pytest.mark.parametrize("item_type", ["function_call_output", "custom_tool_call_output"])
def test_outputs(item_type: str, output: Any, text: str) -> None:
    history = convert(CALLED, {**RESULT, "type": item_type, "output": output})
    assert history.messages[1] == Message("tool", [ToolResultPart("add", text, "call_1")])


def test_output_of_a_call_in_the_history() -> None:
    history = [Message("user", [TextPart("Hi")]), Message("assistant", [ADD])]
    assert convert(RESULT, history=history) == History(
        [Message("tool", [ToolResultPart("add", "2", "call_1")])], (0,), frozenset()
    )


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        pytest.param(
            {"call_id": "other", "name": "add"}, ToolResultPart("add", "2", "other"), id="unknown call"
        ),
        pytest.param({"call_id": None, "name": "add"}, ToolResultPart("add", "2", ""), id="no call"),
        pytest.param(
            {"call_id": None, "name": "add", "namespace": "crm"},
            ToolResultPart("crm.add", "2", ""),
            id="namespace",
        ),
    ],
)
def test_outputs_that_name_their_tool(fields: dict[str, Any], result: ToolResultPart) -> None:
    assert parts({**RESULT, **fields}) == [result]


@pytest.mark.parametrize(
    ("fields", "call_id"),
    [({}, "call_1"), ({"call_id": None}, ""), ({"call_id": ""}, ""), ({"namespace": "crm"}, "call_1")],
    ids=["unknown", "null", "empty", "a namespace alone"],
)
def test_outputs_without_a_call(fields: dict[str, Any], call_id: str) -> None:
    assert convert(HI, {**RESULT, **fields}).messages[1].parts == [ToolResultPart("", "2", call_id)]


@pytest.mark.parametrize("empty", [{}, {"call_id": None}, {"call_id": ""}], ids=["missing", "null", "empty"])
def test_calls_without_an_id(empty: dict[str, Any]) -> None:
    add, write = ({key: value for key, value in call.items() if key != "call_id"} for call in (CALLED, WROTE))
    output = {"type": "function_call_output", **empty, "output": "2"}
    history = convert({**add, **empty}, {**write, **empty}, output, {**output, "output": "3"})
    calls, first, second = [message.parts for message in history.messages]
    assert [(part.name, part.tool_call_id) for part in calls if isinstance(part, ToolCallPart)] == [
        ("add", ""),
        ("patch", "_2"),
    ]
    assert [*first, *second] == [ToolResultPart("add", "2", ""), ToolResultPart("patch", "3", "_2")]


def test_arguments_that_are_an_object() -> None:
    assert parts({**CALLED, "arguments": {"a": 1}}) == [ADD]


# Each field that client libraries leave out when it is empty.
EMPTY_FIELDS: list[Any] = [
    pytest.param({"role": "user", "content": "Hi"}, "content", {"content": []}, id="user"),
    pytest.param({"role": "system", "content": "Hi"}, "content", {"content": []}, id="system"),
    pytest.param({"role": "developer", "content": "Hi"}, "content", {"content": []}, id="developer"),
    pytest.param(assistant_item("Hi"), "content", {"content": ""}, id="assistant"),
    pytest.param({"role": "user", "content": [part("Hi")]}, "content.0.text", {"content": ""}, id="text"),
    pytest.param(
        assistant_item([{"type": "refusal", "refusal": "No."}]),
        "content.0.refusal",
        {"content": ""},
        id="refusal",
    ),
    pytest.param(assistant_item("Hi", phase="final_answer"), "phase", {}, id="phase"),
    pytest.param(CALLED, "arguments", {"arguments": ""}, id="arguments"),
    pytest.param(CALLED, "namespace", {}, id="namespace"),
    pytest.param(WROTE, "input", {"input": ""}, id="input of a custom tool"),
    pytest.param(RESULT, "output", {"output": ""}, id="output"),
    pytest.param({**RESULT, "type": "custom_tool_call_output"}, "output", {"output": ""}, id="custom output"),
    pytest.param({**THOUGHT, "summary": [part("Hm", "summary_text")]}, "summary", {}, id="summary"),
    pytest.param(
        {**THOUGHT, "summary": [part("Hm", "summary_text")]}, "summary.0.text", {"summary": []}, id="its text"
    ),
    pytest.param({**THOUGHT, "content": [part("Hm", "reasoning_text")]}, "content", {}, id="reasoning"),
    pytest.param(
        {**THOUGHT, "content": [part("Hm", "reasoning_text")]},
        "content.0.text",
        {"content": []},
        id="text of reasoning",
    ),
    pytest.param({**THOUGHT, "encrypted_content": ""}, "encrypted_content", {}, id="encrypted content"),
    pytest.param(THOUGHT, "id", {}, id="id of reasoning"),
    pytest.param({**CALLED, "id": "fc_1"}, "id", {}, id="id"),
    pytest.param({**CALLED, "status": "completed"}, "status", {}, id="status"),
]


@pytest.mark.parametrize("empty", ["missing", "null"])
@pytest.mark.parametrize(("item", "path", "same"), EMPTY_FIELDS)
def test_missing_is_null(item: dict[str, Any], path: str, same: dict[str, Any], empty: str) -> None:
    changed = json.loads(json.dumps(item))
    *steps, last = path.split(".")
    holder = changed
    for step in steps:
        holder = holder[int(step)] if step.isdigit() else holder[step]
    holder.pop(last, None)
    if empty == "null":
        holder[last] = None
    expected = {**item, **same} if same else {key: value for key, value in item.items() if key != last}
    assert texts_of(convert(changed)) == texts_of(convert(expected))


def texts_of(history: History) -> list[tuple[str, str]]:
    "The visible text of each message, whether in parts or not."
    return [
        (message.role, "".join(str(getattr(part, "text", part)) for part in message.parts))
        for message in history.messages
    ]


def test_skipped_items() -> None:
    assert convert(HI, assistant_item("a"), SEARCHED, CALLED, SEARCHED) == History(
        [Message("user", [TextPart("Hi")]), Message("assistant", [TextPart("a"), ADD])],
        (0, 1, 1, 1, 1),
        frozenset(),
    )


# Reasoning

KNOWN = {THOUGHT["id"]: LoggedItem(Message("assistant", [ReasoningPart("hm")]))}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"content": [part("hm", "reasoning_text")]}, id="content"),
        pytest.param({"content": [part("hm", "text")]}, id="content of another type"),
        pytest.param({"encrypted_content": to_encrypted_content("hm")}, id="encrypted"),
        pytest.param(
            {"content": [], "encrypted_content": to_encrypted_content("hm")}, id="empty content, encrypted"
        ),
        pytest.param(
            {"content": [part("hm", "reasoning_text")], "encrypted_content": "?"}, id="content wins"
        ),
        pytest.param(
            {"encrypted_content": to_encrypted_content("hm"), "summary": [part("?", "summary_text")]},
            id="both",
        ),
        pytest.param({}, id="id"),
        pytest.param({"content": None, "encrypted_content": None}, id="nulls"),
        pytest.param({"summary": [part("?", "summary_text")]}, id="id rather than summary"),
        pytest.param({"id": "rs_1", "summary": [part("hm", "summary_text")]}, id="summary"),
    ],
)
def test_reasoning(fields: dict[str, Any]) -> None:
    assert parts({**THOUGHT, **fields}, referenced=KNOWN) == [ReasoningPart("hm")]


@pytest.mark.parametrize("id", [None, "rs_1", f"rs_{TURN}_1"])
def test_reasoning_without_content(id: str | None) -> None:
    assert convert({**THOUGHT, "id": id}, referenced=KNOWN).messages == []


def test_reasoning_with_the_id_of_another_item() -> None:
    text = LoggedItem(Message("assistant", [TextPart("Hi")]))
    assert convert(THOUGHT, referenced={THOUGHT["id"]: text}).messages == []


@pytest.mark.parametrize("token", ["gAAAAABo", "The user greets me.", to_encrypted_content("hm" * 50)[:-9]])
def test_encrypted_content_that_cannot_be_read(token: str) -> None:
    thought = {**THOUGHT, "encrypted_content": token}
    assert parts(thought) == [ReasoningPart("", redacted=True)]
    assert parts(thought, referenced=KNOWN) == [ReasoningPart("hm")]
    assert parts({**thought, "summary": [part("hm", "summary_text")]}) == [ReasoningPart("hm")]
    assert item_references(parse(thought)) == {THOUGHT["id"]}


# References


def reference(id: str) -> dict[str, Any]:
    return {"type": "item_reference", "id": id}


def test_item_references() -> None:
    ours = [f"msg_{TURN}_1", f"rs_{TURN}_0"]
    unchanged = {**THOUGHT, "id": f"rs_{TURN}_2", "content": [part("hm", "reasoning_text")]}
    encrypted_only = {**THOUGHT, "id": f"rs_{TURN}_3", "encrypted_content": to_encrypted_content("hm")}
    foreign = {**THOUGHT, "id": "rs_1"}
    nameless = {**THOUGHT, "id": None}
    raw_items = parse(
        reference(ours[0]),
        reference("msg_1"),
        THOUGHT,
        unchanged,
        encrypted_only,
        foreign,
        nameless,
        HI,
        CALLED,
    )
    assert item_references(raw_items) == {*ours}


def test_references() -> None:
    ids = [
        item_id(item_type, TURN, n) for n, item_type in enumerate(("message", "reasoning", "function_call"))
    ]
    known = [
        Message("user", [TextPart("Hi")]),
        Message("assistant", [ReasoningPart("hm")]),
        Message("assistant", [ADD]),
    ]
    history = convert(
        *map(reference, ids), RESULT, referenced=dict(zip(ids, map(LoggedItem, known), strict=True))
    )
    assert history.messages == [
        Message("user", [TextPart("Hi")]),
        Message("assistant", [ReasoningPart("hm"), ADD]),
        Message("tool", [ToolResultPart("add", "2", "call_1")]),
    ]


def test_referenced_messages_are_not_changed() -> None:
    known = Message("assistant", [ReasoningPart("hm")])
    convert(THOUGHT, assistant_item("Hi"), referenced={THOUGHT["id"]: LoggedItem(known)})
    assert known == Message("assistant", [ReasoningPart("hm")])


@pytest.mark.parametrize("id", ["msg_1", f"msg_{TURN}_9", "", "x" * 10_000])
def test_unknown_reference(id: str) -> None:
    error = error_of(reference(id))
    assert (error.status, error.code) == (404, None)
    assert error.message == f"Item with id '{id[:100]}' not found."


# Compaction


def test_compaction() -> None:
    compacted = {"type": "compaction", "encrypted_content": to_encrypted_content("Sheep were counted.")}
    hi = Message("user", [TextPart("Hi")])
    assert convert(HI, compacted, HI).messages == [hi, summary_message("Sheep were counted."), hi]


def test_compaction_of_another_server() -> None:
    assert error_of({"type": "compaction", "encrypted_content": "?"}).code == "invalid_encrypted_content"


# Any history in any shape

WORDS = st.text(alphabet='ab \n.{"é', min_size=1, max_size=8)
NAMES = st.sampled_from(["add", "crm.find", "crm.v2.find"])
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS | st.none(), max_size=2)


@st.composite
def answers(draw: st.DrawFn, turn: int) -> Message:
    "Answers that a turn may have, with the plugin's blank lines between texts."
    answer_parts: list[Part] = []
    for n in range(draw(st.integers(1, 4))):
        id = f"call_{turn}_{n}"
        item_type = draw(st.sampled_from(["reasoning", "preamble", "text", "call", "custom"]))
        if item_type in ("preamble", "text") and any(isinstance(entry, TextPart) for entry in answer_parts):
            answer_parts.append(GAP)
        match item_type:
            case "reasoning":
                answer_parts.append(ReasoningPart(draw(WORDS)))
            case "preamble":
                answer_parts.append(TextPart(draw(WORDS), provider_metadata=PREAMBLE))
            case "text":
                answer_parts.append(TextPart(draw(WORDS)))
            case "call":
                answer_parts.append(ToolCallPart(draw(NAMES), draw(ARGUMENTS), id))
            case "custom":
                answer_parts.append(ToolCallPart(draw(NAMES), {"input": draw(WORDS)}, f"custom_{id}"))
    return Message("assistant", answer_parts)


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    items: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        role = draw(st.sampled_from(["user", "system", "developer", "summary"]))
        items.append(
            summary_message(draw(WORDS))
            if role == "summary"
            else Message(role, [TextPart(text) for text in draw(st.lists(WORDS | st.just(""), max_size=2))])
        )
        items.append(draw(answers(turn)))
        calls = [part for part in items[-1].parts if isinstance(part, ToolCallPart)]
        for call in calls:
            items.append(
                Message("tool", [ToolResultPart(call.name, draw(WORDS | st.just("")), call.tool_call_id)])
            )
    return items


def customs(history: list[Message]) -> set[CustomCall]:
    calls = [part for message in history for part in message.parts if isinstance(part, ToolCallPart)]
    called = [CustomCall(call.tool_call_id or "", call.name) for call in calls]
    return {call for call in called if call.call_id.startswith("custom_")}


def unchanged(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item


def as_reference(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"id": item["id"]}


def encrypted_only(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "Some clients keep only the `encrypted_content` of reasoning."
    bare = {**item, "summary": [], "content": None} if item["type"] == "reasoning" else item
    yield {key: value for key, value in bare.items() if key != "id"}


def without_encrypted(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {key: value for key, value in item.items() if key not in ("id", "status", "encrypted_content")} | (
        {"encrypted_content": item["encrypted_content"]} if item["type"] == "compaction" else {}
    )


def by_id(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "llm sends reasoning back without its text."
    remaining = {key: item[key] for key in ("type", "id")}
    yield {**remaining, "summary": []} if item["type"] == "reasoning" else item


def easy(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "Messages in their shortest form."
    if item["type"] == "message" and len(item["content"]) == 1:
        remaining = {key: item[key] for key in ("role", "phase") if key in item}
        yield {**remaining, "content": item["content"][0]["text"]}
    else:
        yield item


def with_another_servers(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item
    yield {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "x", "tools": []}


SHAPES = [unchanged, as_reference, encrypted_only, without_encrypted, by_id, easy, with_another_servers]
Shape = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


@given(histories(), st.data())
def test_any_history_in_any_form_gives_the_same_messages(history: list[Message], data: st.DataObject) -> None:
    custom = customs(history)
    raw_items: list[dict[str, Any]] = []
    referenced: dict[str, LoggedItem] = {}
    became: list[int] = []
    for n, message in enumerate(history):
        items = output.message_items(
            message, f"{n:032x}", custom_calls=custom, display="both", include_encrypted=True
        )
        spoken = [part for part in message.parts if part != GAP]
        for item, part in zip(
            items, spoken if message.role in ("assistant", "tool") else [None], strict=True
        ):
            referenced[item["id"]] = LoggedItem(
                Message(message.role, [part]) if part else message, item["type"] == "custom_tool_call"
            )
            shape: Shape = data.draw(st.sampled_from(SHAPES), label=item["id"])
            forms = list(shape(item))
            raw_items += forms
            became += [n] * len(forms)
    items = parse(*raw_items)
    references = {id: referenced[id] for id in item_references(items)}
    history_read = to_messages(items, references)
    assert history_read.messages == history
    assert history_read.custom_calls == custom
    assert [*history_read.message_of_item] == sorted(history_read.message_of_item)
    for at, n, item in zip(history_read.message_of_item, became, raw_items, strict=True):
        assert item.get("type") == "mcp_list_tools" or at == n


@given(histories())
def test_items_convert_back_to_the_same_messages(history: list[Message]) -> None:
    custom = customs(history)
    raw_items = [
        item for message in history for item in output.message_items(message, TURN, custom_calls=custom)
    ]
    history_read = to_messages(parse(*raw_items), {})
    assert (history_read.messages, history_read.custom_calls) == (history, custom)
