"Items to messages: whatever way a client sends its history back, it is the one that the turn had."

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
from proxy.http.errors import ApiError
from proxy.items import output
from proxy.items.encrypted_content import to_encrypted_content
from proxy.items.ids import item_id
from proxy.items.messages import History, item_references, to_messages
from proxy.items.summary import summary_message
from proxy.items.wire import AnyItem

ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[AnyItem])
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"
GAP = TextPart("\n\n", provider_metadata=SEPARATOR)
ADD = ToolCallPart("add", {"a": 1}, "call_1")
HI = {"role": "user", "content": "Hi"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a":1}'}
WROTE = {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** x"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
THOUGHT = {"type": "reasoning", "id": f"rs_{TURN}_0", "summary": []}


def parsed(*sent: dict[str, Any]) -> list[Any]:
    return ITEMS.validate_json(json.dumps(sent))


def read(*sent: dict[str, Any], recalled: Mapping[str, Message] = {}, earlier: Any = ()) -> History:
    return to_messages(parsed(*sent), recalled, earlier)


def parts(*sent: dict[str, Any], recalled: Mapping[str, Message] = {}) -> list[Part]:
    (message,) = read(*sent, recalled=recalled).messages
    return message.parts


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": text, **more}


def part(text: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": kind, "text": text}


def refused(*sent: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(*sent)
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
    ],
)
def test_messages(role: str, content: Any, texts: list[str]) -> None:
    assert read({"role": role, "content": content}).messages == [Message(role, [TextPart(t) for t in texts])]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Hi", "Hi", id="string"),
        pytest.param([part("Hi", "output_text")], "Hi", id="part"),
        pytest.param([part("Hi", "output_text"), part("there", "output_text")], "Hi\nthere", id="parts"),
        pytest.param([{"type": "refusal", "refusal": "No."}], "No.", id="refusal"),
    ],
)
def test_an_assistants_text(content: Any, text: str) -> None:
    assert parts(said(content)) == [TextPart(text)]


def test_phases() -> None:
    first, second = said("Let me see.", phase="commentary"), said("2", phase="final_answer")
    assert parts(first, second) == [TextPart("Let me see.", provider_metadata=PREAMBLE), GAP, TextPart("2")]


def test_an_assistant_that_says_nothing_is_no_message() -> None:
    assert read(HI, said(""), HI) == History([Message("user", [TextPart("Hi")])] * 2, (0, 1, 1), frozenset())


@pytest.mark.parametrize("kind", ["input_image", "input_file", "input_audio", "computer_screenshot"])
@pytest.mark.parametrize("place", ["message", "output"])
def test_what_is_no_text_is_refused_by_name(kind: str, place: str) -> None:
    content = [part("Look:"), {"type": kind, "image_url": "data:"}]
    error = refused(
        *(
            [{"role": "user", "content": content}]
            if place == "message"
            else [CALLED, {**RESULT, "output": content}]
        )
    )
    assert (error.status, error.code) == (400, "unsupported_content_type")
    assert f"'{kind}'" in error.message


# Calls and their outputs


def test_an_assistants_items_are_one_message() -> None:
    history = read(
        HI,
        {**THOUGHT, "content": [part("hm", "reasoning_text")]},
        said("So:"),
        CALLED,
        WROTE,
        RESULT,
        said("2"),
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
    assert history.custom_call_ids == {"call_2"}


def test_between_two_texts_is_a_blank_line_wherever_the_second_stands() -> None:
    assert parts(said("a"), CALLED, said("b"), said("c")) == [
        TextPart("a"), ADD, GAP, TextPart("b"), GAP, TextPart("c")
    ]  # fmt: skip


def test_what_a_user_says_twice_has_none() -> None:
    assert [message.parts for message in read(HI, HI).messages] == [[TextPart("Hi")]] * 2


def test_each_output_is_a_message() -> None:
    again = {**WROTE, "call_id": "call_1"}
    history = read(CALLED, WROTE, {**RESULT, "call_id": "call_2"}, RESULT, again, RESULT)
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
@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output"])
def test_outputs(kind: str, output: Any, text: str) -> None:
    history = read(CALLED, {**RESULT, "type": kind, "output": output})
    assert history.messages[1] == Message("tool", [ToolResultPart("add", text, "call_1")])


def test_the_output_of_an_earlier_call() -> None:
    earlier = [Message("user", [TextPart("Hi")]), Message("assistant", [ADD])]
    assert read(RESULT, earlier=earlier) == History(
        [Message("tool", [ToolResultPart("add", "2", "call_1")])], (0,), frozenset()
    )


@pytest.mark.parametrize(
    ("sent", "result"),
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
def test_outputs_that_name_their_tool(sent: dict[str, Any], result: ToolResultPart) -> None:
    assert parts({**RESULT, **sent}) == [result]


@pytest.mark.parametrize("sent", [{}, {"call_id": None}, {"namespace": "crm"}])
def test_the_output_of_a_call_that_is_nowhere(sent: dict[str, Any]) -> None:
    error = refused(HI, {**RESULT, **sent})
    assert (error.status, error.code) == (400, None)


def test_what_there_is_no_meaning_for_is_skipped() -> None:
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    assert read(HI, said("a"), searched, CALLED, searched) == History(
        [Message("user", [TextPart("Hi")]), Message("assistant", [TextPart("a"), ADD])],
        (0, 1, 1, 1, 1),
        frozenset(),
    )


# Reasoning

KNOWN = {THOUGHT["id"]: Message("assistant", [ReasoningPart("hm")])}


@pytest.mark.parametrize(
    "sent",
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
def test_reasoning(sent: dict[str, Any]) -> None:
    assert parts({**THOUGHT, **sent}, recalled=KNOWN) == [ReasoningPart("hm")]


@pytest.mark.parametrize("id", [None, "rs_1", f"rs_{TURN}_1"])
def test_reasoning_of_which_nothing_is_known(id: str | None) -> None:
    assert read({**THOUGHT, "id": id}, recalled=KNOWN).messages == []


def test_an_id_that_is_no_reasonings() -> None:
    assert read(THOUGHT, recalled={THOUGHT["id"]: Message("assistant", [TextPart("Hi")])}).messages == []


def test_encrypted_content_of_another_server() -> None:
    assert refused({**THOUGHT, "encrypted_content": "gAAAAABo"}).code == "invalid_encrypted_content"


# References


def reference(id: str) -> dict[str, Any]:
    return {"type": "item_reference", "id": id}


def test_what_is_looked_up() -> None:
    ours = [f"msg_{TURN}_1", f"rs_{TURN}_0"]
    whole = {**THOUGHT, "id": f"rs_{TURN}_2", "content": [part("hm", "reasoning_text")]}
    sealed = {**THOUGHT, "id": f"rs_{TURN}_3", "encrypted_content": to_encrypted_content("hm")}
    foreign = {**THOUGHT, "id": "rs_1"}
    nameless = {**THOUGHT, "id": None}
    sent = parsed(
        reference(ours[0]), reference("msg_1"), THOUGHT, whole, sealed, foreign, nameless, HI, CALLED
    )
    assert item_references(sent) == {*ours}


def test_references() -> None:
    ids = [item_id(kind, TURN, n) for n, kind in enumerate(("message", "reasoning", "function_call"))]
    known = [
        Message("user", [TextPart("Hi")]),
        Message("assistant", [ReasoningPart("hm")]),
        Message("assistant", [ADD]),
    ]
    history = read(*map(reference, ids), RESULT, recalled=dict(zip(ids, known, strict=True)))
    assert history.messages == [
        Message("user", [TextPart("Hi")]),
        Message("assistant", [ReasoningPart("hm"), ADD]),
        Message("tool", [ToolResultPart("add", "2", "call_1")]),
    ]


def test_what_is_recalled_stays_as_it_is() -> None:
    known = Message("assistant", [ReasoningPart("hm")])
    read(THOUGHT, said("Hi"), recalled={THOUGHT["id"]: known})
    assert known == Message("assistant", [ReasoningPart("hm")])


@pytest.mark.parametrize("id", ["msg_1", f"msg_{TURN}_9", "", "x" * 10_000])
def test_a_reference_to_nothing(id: str) -> None:
    error = refused(reference(id))
    assert (error.status, error.code) == (404, None)
    assert error.message == f"Item with id '{id[:100]}' not found."


# Compaction


def test_a_compaction() -> None:
    compacted = {"type": "compaction", "encrypted_content": to_encrypted_content("Sheep were counted.")}
    hi = Message("user", [TextPart("Hi")])
    assert read(HI, compacted, HI).messages == [hi, summary_message("Sheep were counted."), hi]


def test_a_compaction_of_another_server() -> None:
    assert refused({"type": "compaction", "encrypted_content": "?"}).code == "invalid_encrypted_content"


# Any history in any shape

WORDS = st.text(alphabet='ab \n.{"é', min_size=1, max_size=8)
NAMES = st.sampled_from(["add", "crm.find", "crm.v2.find"])
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS | st.none(), max_size=2)


@st.composite
def answers(draw: st.DrawFn, turn: int) -> Message:
    "What a turn may put out, and the plugin's blank lines in it."
    said: list[Part] = []
    for n in range(draw(st.integers(1, 4))):
        id = f"call_{turn}_{n}"
        kind = draw(st.sampled_from(["reasoning", "preamble", "text", "call", "custom"]))
        if kind in ("preamble", "text") and any(isinstance(each, TextPart) for each in said):
            said.append(GAP)
        match kind:
            case "reasoning":
                said.append(ReasoningPart(draw(WORDS)))
            case "preamble":
                said.append(TextPart(draw(WORDS), provider_metadata=PREAMBLE))
            case "text":
                said.append(TextPart(draw(WORDS)))
            case "call":
                said.append(ToolCallPart(draw(NAMES), draw(ARGUMENTS), id))
            case "custom":
                said.append(ToolCallPart(draw(NAMES), {"input": draw(WORDS)}, f"custom_{id}"))
    return Message("assistant", said)


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    made: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        role = draw(st.sampled_from(["user", "system", "developer", "summary"]))
        made.append(
            summary_message(draw(WORDS))
            if role == "summary"
            else Message(role, [TextPart(text) for text in draw(st.lists(WORDS | st.just(""), max_size=2))])
        )
        made.append(draw(answers(turn)))
        calls = [part for part in made[-1].parts if isinstance(part, ToolCallPart)]
        for call in calls:
            made.append(
                Message("tool", [ToolResultPart(call.name, draw(WORDS | st.just("")), call.tool_call_id)])
            )
    return made


def customs(history: list[Message]) -> set[str]:
    calls = [part for message in history for part in message.parts if isinstance(part, ToolCallPart)]
    return {call.tool_call_id or "" for call in calls if (call.tool_call_id or "").startswith("custom_")}


def whole(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item


def as_reference(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"id": item["id"]}


def sealed(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "As clients do that keep reasoning only in its sealed form."
    bare = {**item, "summary": [], "content": None} if item["type"] == "reasoning" else item
    yield {key: value for key, value in bare.items() if key != "id"}


def unsealed(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {key: value for key, value in item.items() if key not in ("id", "status", "encrypted_content")} | (
        {"encrypted_content": item["encrypted_content"]} if item["type"] == "compaction" else {}
    )


def by_id(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "As llm does: reasoning without any of its text."
    kept = {key: item[key] for key in ("type", "id")}
    yield {**kept, "summary": []} if item["type"] == "reasoning" else item


def easy(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    "Messages as short as they can be sent."
    if item["type"] == "message" and len(item["content"]) == 1:
        kept = {key: item[key] for key in ("role", "phase") if key in item}
        yield {**kept, "content": item["content"][0]["text"]}
    else:
        yield item


def with_another_servers(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item
    yield {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "x", "tools": []}


SHAPES = [whole, as_reference, sealed, unsealed, by_id, easy, with_another_servers]
Shape = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


@given(histories(), st.data())
def test_any_history_in_any_shape_is_the_same(history: list[Message], data: st.DataObject) -> None:
    custom = customs(history)
    sent: list[dict[str, Any]] = []
    recalled: dict[str, Message] = {}
    became: list[int] = []
    for n, message in enumerate(history):
        made = output.message_items(
            message, f"{n:032x}", custom_call_ids=custom, display="both", include_encrypted=True
        )
        spoken = [part for part in message.parts if part != GAP]
        for item, part in zip(made, spoken if message.role in ("assistant", "tool") else [None], strict=True):
            recalled[item["id"]] = Message(message.role, [part]) if part else message
            shape: Shape = data.draw(st.sampled_from(SHAPES), label=item["id"])
            shaped = list(shape(item))
            sent += shaped
            became += [n] * len(shaped)
    items = parsed(*sent)
    found = {id: recalled[id] for id in item_references(items)}
    read = to_messages(items, found)
    assert read.messages == history
    assert read.custom_call_ids <= custom
    assert [*read.message_of_item] == sorted(read.message_of_item)
    for at, n, item in zip(read.message_of_item, became, sent, strict=True):
        assert item.get("type") == "mcp_list_tools" or at == n


@given(histories())
def test_what_goes_out_comes_in_again(history: list[Message]) -> None:
    custom = customs(history)
    sent = [
        item for message in history for item in output.message_items(message, TURN, custom_call_ids=custom)
    ]
    read = to_messages(parsed(*sent), {})
    assert (read.messages, read.custom_call_ids) == (history, custom)
