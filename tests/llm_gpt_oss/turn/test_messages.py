from __future__ import annotations

import datetime
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import llm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import (
    AttachmentPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    tool_message,
    user,
)

from llm_gpt_oss.errors import BadRequest
from llm_gpt_oss.harmony import conversation as harmony
from llm_gpt_oss.harmony.conversation import Conversation, Developer, Header, ResponseFormat
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.harmony.prompt import render
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from llm_gpt_oss.turn.messages import (
    PREAMBLE,
    SEPARATOR,
    call_message,
    ends_in_open_message,
    harmony_conversation,
    name_metadata,
    tool_parameters,
)
from llm_gpt_oss.turn.tool_names import ToolNames

MODEL = GptOss("gpt-oss:20b", Settings())
WEATHER = llm.Tool("get_weather", "Weather at a place.", {"properties": {"city": {"type": "string"}}})


def to_conversation(
    *messages: Message,
    tools: Sequence[llm.Tool] = (),
    schema: Any = None,
    **options: Any,
) -> Conversation:
    return harmony_conversation(
        messages,
        tools,
        ToolNames(tool.name for tool in tools),
        "2026-11-22",
        effort=MODEL.Options(**options).effort,
        schema=schema,
    )


def to_texts(*messages: Message, **kwargs: Any) -> list[tuple[str, str]]:
    "Each message's header in short, and its text."
    return [
        (header_text(message.header), message.text)
        for message in to_conversation(*messages, **kwargs).messages
    ]


def header_text(header: Header) -> str:
    to = f" to={header.recipient}" if header.recipient else ""
    return f"{header.name or header.role}/{header.channel or '-'}{to}"


def call_part(
    name: str = "f", arguments: Any = None, call_id: str | None = "c1", **kwargs: Any
) -> ToolCallPart:
    return ToolCallPart(name, arguments or {}, call_id, **kwargs)


def result_part(
    name: str = "f", output: Any = "1", call_id: str | None = "c1", **kwargs: Any
) -> ToolResultPart:
    return ToolResultPart(name, output, call_id, **kwargs)


CALL, RESULT = "assistant/commentary to=functions.f", "functions.f/commentary to=assistant"
THOUGHT, PREFACE, ANSWER = "assistant/analysis", "assistant/commentary", "assistant/final"
ATTACHED = AttachmentPart(llm.Attachment(type="image/png", content=b"x"))

# The history.


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([user("q")], [("user/-", "q")], id="a question"),
        pytest.param([user("q", "r")], [("user/-", "q\nr")], id="a question in parts"),
        pytest.param([user("q"), user("r")], [("user/-", "q"), ("user/-", "r")], id="two in a row"),
        pytest.param([user()], [("user/-", "")], id="a question without a part"),
        pytest.param([user("")], [("user/-", "")], id="an empty question"),
        pytest.param(
            [user("q"), assistant("a"), assistant("b")],
            [("user/-", "q"), (ANSWER, "a"), (ANSWER, "b")],
            id="the assistant twice in a row",
        ),
        pytest.param(
            [user("q"), assistant(ReasoningPart("t"), "a"), user("r")],
            [("user/-", "q"), (THOUGHT, "t"), (ANSWER, "a"), ("user/-", "r")],
            id="reasoning and an answer",
        ),
        pytest.param(
            [
                user("q"),
                assistant(ReasoningPart("t"), call_part()),
                tool_message(result_part()),
                assistant(ReasoningPart("u"), call_part(arguments={"a": 1}, call_id="c2")),
                tool_message(result_part(output="2", call_id="c2")),
                assistant(ReasoningPart("v"), "a"),
            ],
            [
                ("user/-", "q"),
                (THOUGHT, "t"),
                (CALL, "{}"),
                (RESULT, "1"),
                (THOUGHT, "u"),
                (CALL, '{"a":1}'),
                (RESULT, "2"),
                (THOUGHT, "v"),
                (ANSWER, "a"),
            ],
            id="reasoning between calls",
        ),
        pytest.param(
            [assistant("one moment", call_part(), call_part("g"))],
            [(PREFACE, "one moment"), (CALL, "{}"), (CALL[:-1] + "g", "{}")],
            id="text before a call of the same message is a preamble",
        ),
        pytest.param(
            [assistant("a", ReasoningPart("t"), call_part(), "b")],
            [(PREFACE, "a"), (THOUGHT, "t"), (CALL, "{}"), (ANSWER, "b")],
            id="text after a call is an answer",
        ),
        pytest.param(
            [assistant("a"), assistant(call_part())],
            [(ANSWER, "a"), (CALL, "{}")],
            id="a call in the next message",
        ),
        pytest.param(
            [
                assistant(
                    TextPart("plan", PREAMBLE),
                    TextPart("\n\n", SEPARATOR),
                    TextPart("a"),
                    TextPart("\n\n", SEPARATOR),
                )
            ],
            [(PREFACE, "plan"), (ANSWER, "a")],
            id="our own preamble and what separates it",
        ),
        pytest.param(
            [assistant(TextPart(""), ReasoningPart(""), ReasoningPart("", redacted=True)), assistant()],
            [],
            id="nothing texts",
        ),
        pytest.param([assistant(" ")], [(ANSWER, " ")], id="a blank"),
        pytest.param([tool_message(result_part())], [(RESULT, "1")], id="a result by name alone"),
        pytest.param(
            [
                assistant(call_part(), call_part("g", call_id="c2")),
                tool_message(result_part("", "2", "c2"), result_part("", "1")),
            ],
            [
                (CALL, "{}"),
                (CALL[:-1] + "g", "{}"),
                ("functions.g/commentary to=assistant", "2"),
                (RESULT, "1"),
            ],
            id="results by id alone",
        ),
        pytest.param(
            [assistant(call_part(call_id=None)), tool_message(result_part("", call_id=None))],
            [(CALL, "{}"), (RESULT, "1")],
            id="a call without an id, and a result with nothing",
        ),
        pytest.param(
            [assistant(call_part("g")), tool_message(result_part("f"))],
            [(CALL[:-1] + "g", "{}"), (RESULT, "1")],
            id="a result's own name goes before its call's",
        ),
        pytest.param(
            [
                assistant(
                    call_part(server_executed=True), result_part("", "found", server_executed=True), "a"
                ),
            ],
            [(CALL, "{}"), (RESULT, "found"), (ANSWER, "a")],
            id="what another model's server ran",
        ),
        pytest.param([tool_message()], [], id="a tool without a result"),
    ],
)
def test_history(messages: list[Message], expected: list[tuple[str, str]]) -> None:
    assert to_texts(*messages) == expected


def test_a_message_of_many_parts() -> None:
    "The channel of a text depends on the calls after it, which are not searched for each text."
    count = 10_000
    parts = [*(call_part() for _ in range(count)), *(TextPart("It is blue.") for _ in range(count))]
    channels = [message.header.channel for message in to_conversation(Message("assistant", parts)).messages]
    assert channels[-2 * count :] == ["commentary"] * count + ["final"] * count


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("", ""),
        ('{"c": 21}', '{"c": 21}'),
        ([{"type": "text", "text": "größer"}], '[{"type": "text", "text": "größer"}]'),
        ({"c": 21}, '{"c": 21}'),
        (None, "null"),
        (21, "21"),
        (datetime.date(2026, 11, 22), '"datetime.date(2026, 11, 22)"'),
    ],
)
def test_tool_results_that_are_not_text(output: Any, text: str) -> None:
    assert to_texts(tool_message(result_part(output=output))) == [(RESULT, text)]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (call_part(arguments={"a": [1, "ö"]}), '{"a":[1,"ö"]}'),
        (call_part(arguments={"a": "\ud83d"}), '{"a":"\\ud83d"}'),
        (
            call_part(arguments={"a": 1}, provider_metadata={"gpt_oss": {"arguments": '{ "a": 1 }'}}),
            '{ "a": 1 }',
        ),
        (call_part(arguments={"a": 1}, provider_metadata={"gpt_oss": {"arguments": None}}), '{"a":1}'),
        (call_part(arguments={"a": 1}, provider_metadata={"gpt_oss": {"arguments": {"a": 1}}}), '{"a":1}'),
        (call_part(arguments={"a": 1}, provider_metadata={"gpt_oss": {}}), '{"a":1}'),
        (call_part(arguments={"a": 1}, provider_metadata={"anthropic": {"signature": "x"}}), '{"a":1}'),
    ],
)
def test_arguments_of_earlier_calls(part: ToolCallPart, text: str) -> None:
    assert to_conversation(assistant(part)).messages == (call_message("f", text),)


def test_metadata_of_other_models_is_ignored() -> None:
    text = TextPart("a", {"openai": {"id": "msg_1"}})
    assert to_texts(assistant(ReasoningPart("t", provider_metadata={"openai": {}}), text)) == [
        (THOUGHT, "t"),
        (ANSWER, "a"),
    ]


# System and developer messages.


@pytest.mark.parametrize(
    ("messages", "instructions"),
    [
        ([user("q")], None),
        ([system("a")], "a"),
        (
            [system("a"), system("b"), Message("developer", [TextPart("c"), TextPart("d")]), user("q")],
            "a\n\nb\n\nc\nd",
        ),
        ([system(""), system(), user("q")], None),
        ([system(""), Message("developer", [TextPart("a")])], "a"),
    ],
)
def test_leading_system_messages_are_the_instructions(
    messages: list[Message], instructions: str | None
) -> None:
    conversation = to_conversation(*messages)
    assert conversation.developer == Developer(instructions)
    assert [message.header.role for message in conversation.messages] == ["user"] * (
        messages[-1].role == "user"
    )


def test_later_system_messages_stay_in_place() -> None:
    middle = [system("a", "b"), Message("developer", [TextPart("c")]), system(""), system()]
    assert to_texts(system("s"), user("q"), *middle, user("r")) == [
        ("user/-", "q"),
        ("developer/-", "# Instructions\n\na\nb"),
        ("developer/-", "# Instructions\n\nc"),
        ("user/-", "r"),
    ]


@pytest.mark.parametrize(("effort_option", "effort"), [(None, "medium"), ("none", "low"), ("max", "high")])
def test_the_system_message(effort_option: str | None, effort: str) -> None:
    conversation = to_conversation(user("q"), reasoning_effort=effort_option)
    assert conversation.system == harmony.System(current_date="2026-11-22", effort=effort)  # type: ignore[arg-type]


# Tools.


def test_tools_keep_their_order() -> None:
    tools = [WEATHER, llm.Tool("get location"), llm.Tool("a.b-c", "Does.")]
    assert to_conversation(user("q"), tools=tools).developer == Developer(
        tools=(
            harmony.Tool("get_weather", "Weather at a place.", WEATHER.input_schema),
            harmony.Tool("get_location"),
            harmony.Tool("a.b-c", "Does."),
        )
    )


def test_mapped_names_are_the_same_everywhere() -> None:
    thread = [
        user("q"),
        assistant(call_part("a b"), call_part("a/b", call_id="c2")),
        tool_message(result_part("a/b"), result_part("")),
    ]
    assert to_texts(*thread, tools=[llm.Tool("a/b"), llm.Tool("a b")]) == [
        ("user/-", "q"),
        ("assistant/commentary to=functions.a_b_2", "{}"),
        ("assistant/commentary to=functions.a_b", "{}"),
        ("functions.a_b/commentary to=assistant", "1"),
        ("functions.a_b_2/commentary to=assistant", "1"),
    ]


@pytest.mark.parametrize(
    ("schema", "has_arguments"),
    [
        ({}, False),
        ({"type": "object"}, True),
        ({"type": "object", "additionalProperties": False}, False),
        ({"type": "object", "properties": {}}, False),
        ({"properties": {}, "required": [], "title": "f", "additionalProperties": False}, False),
        (
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}},
            False,
        ),
        ({"type": "object", "properties": {"a": {}}}, True),
        ({"type": "object", "properties": {}, "additionalProperties": True}, True),
        ({"type": "object", "additionalProperties": {}}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, True),
        ({"type": "object", "required": ["a"]}, True),
        ({"type": "object", "patternProperties": {"^x": {}}}, True),
        ({"type": "array"}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {}}}}}, True),
    ],
)
def test_a_tool_without_arguments_has_no_parameters(schema: dict[str, Any], has_arguments: bool) -> None:
    assert tool_parameters(llm.Tool("f", None, schema)) == (schema if has_arguments else None)


def test_a_function_without_arguments_has_no_parameters() -> None:
    def now() -> str:
        "The time."
        return "noon"

    assert tool_parameters(llm.Tool.function(now)) is None


@pytest.mark.parametrize(
    ("messages", "instructions"),
    [
        pytest.param([user("q")], None, id="nothing"),
        pytest.param([system("s"), user("q")], "s", id="no call"),
        pytest.param([system("s"), user("q"), assistant(call_part("get_weather"))], "s", id="on offer"),
        pytest.param(
            [assistant(call_part("f"))], "These tools cannot be called now: functions.f.", id="not on offer"
        ),
        pytest.param(
            [
                system("s"),
                assistant(call_part("get time"), call_part("f"), call_part("get_weather")),
                assistant(call_part("get time")),
            ],
            "s\n\nThese tools cannot be called now: functions.get_time, functions.f.",
            id="several",
        ),
        pytest.param([tool_message(result_part("f"))], None, id="a result without a call"),
    ],
)
def test_tools_that_the_history_calls_and_that_are_not_on_offer_are_named(
    messages: list[Message], instructions: str | None
) -> None:
    assert to_conversation(*messages, tools=[WEATHER]).developer.instructions == instructions


# Schemas.


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({"type": "object"}, "answer"),
        ({"title": "Dog", "description": "A dog"}, "Dog"),
        ({"title": " Big\n dog "}, "Big dog"),
        ({"title": " "}, "answer"),
        ({"title": 5}, "answer"),
    ],
)
def test_a_schema_is_a_response_format(schema: dict[str, Any], name: str) -> None:
    assert to_conversation(user("q"), schema=schema).developer.formats == (ResponseFormat(name, schema),)


@pytest.mark.parametrize("schema", [None, {}])
def test_no_schema_is_no_response_format(schema: Any) -> None:
    assert to_conversation(user("q"), schema=schema).developer.formats == ()


# What cannot be sent.


@pytest.mark.parametrize("message", [user("look", ATTACHED), user(AttachmentPart()), system(ATTACHED)])
def test_attachments(message: Message) -> None:
    with pytest.raises(BadRequest) as refused:
        to_conversation(user("q"), message)
    error = refused.value
    assert error.message == "A message contains an attachment, but gpt-oss reads text only."
    assert error.remedy == "Leave it out, or pass a text file's content with -f FILE."
    assert error.param == "messages"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (user(ReasoningPart("t")), "A message contains a ReasoningPart"),
        (user(result_part()), "A message contains a ToolResultPart"),
        (system(call_part()), "A message contains a ToolCallPart"),
        (tool_message("text"), "is not a tool result"),
        (tool_message(ReasoningPart("t")), "is not a tool result"),
        (tool_message(call_part()), "is not a tool result"),
        (Message("critic", [TextPart("no")]), "the role 'critic'"),
    ],
)
def test_parts_and_roles_that_harmony_does_not_have(message: Message, error: str) -> None:
    with pytest.raises(BadRequest, match=error) as refused:
        to_conversation(user("q"), message)
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    "messages",
    [
        [tool_message(result_part(""))],
        [tool_message(result_part("")), assistant(call_part())],
        [assistant(call_part(call_id="c2")), tool_message(result_part(""))],
        [tool_message(result_part("", call_id=None))],
    ],
)
def test_a_result_without_a_call(messages: list[Message]) -> None:
    results = [text for header, text in to_texts(*messages) if header.startswith("functions.unknown/")]
    assert results == ["1"]


# Names of authors.


@pytest.mark.parametrize(
    ("name", "header_name"),
    [
        pytest.param("ann", "ann", id="a name"),
        pytest.param(" Ann Lee\n", "Ann_Lee", id="white space"),
        pytest.param("Zoë-1.b:c", "Zoë-1.b:c", id="other characters"),
        pytest.param("x to=functions.f", "x_to=functions.f", id="a recipient"),
        pytest.param("<|channel|>final", "__channel__final", id="a marker"),
        pytest.param("a\u2028\x00b", "a__b", id="characters that cannot be seen"),
        pytest.param("n" * 70, "n" * 64, id="long"),
        pytest.param(" ", None, id="white space alone"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_names(name: str | None, header_name: str | None) -> None:
    metadata = name_metadata(name)
    assert metadata == ({"gpt_oss": {"name": header_name}} if header_name else None)
    conversation = to_conversation(user("q", provider_metadata=metadata))
    assert conversation.messages == (harmony.Message(Header("user", name=header_name), "q"),)


def test_names_in_the_prompt() -> None:
    ann = name_metadata("ann")
    conversation = to_conversation(
        system("Be brief."),
        system("An example.", provider_metadata=ann),
        user("Hi", provider_metadata=ann),
        Message("assistant", [TextPart("Hello")], provider_metadata=ann),
    )
    assert conversation.developer.instructions == "Be brief."
    assert render(conversation).endswith(
        "<|start|>developer:ann<|message|># Instructions\n\nAn example.<|end|>"
        "<|start|>user:ann<|message|>Hi<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello<|end|>"
    )


# An answer to go on with.


@pytest.mark.parametrize(
    ("messages", "is_open"),
    [
        ([], False),
        ([user("q")], False),
        ([user("q"), assistant("a")], True),
        ([user("q"), assistant(ReasoningPart("t"))], True),
        ([user("q"), assistant(TextPart("plan", PREAMBLE))], True),
        ([user("q"), assistant("a", call_part())], False),
        ([user("q"), assistant("a", call_part()), tool_message(result_part())], False),
        ([user("q"), assistant(call_part(), result_part(), "a")], True),
        ([user("q"), assistant("a"), user("r")], False),
        ([user("q"), assistant("a"), system("s")], False),
        # Nothing is rendered of these, so there is nothing to go on with.
        ([user("q"), assistant("")], False),
        ([user("q"), assistant(ReasoningPart("", redacted=True))], False),
        ([user("q"), assistant(TextPart("\n\n", SEPARATOR))], False),
        ([user("q"), assistant()], False),
        ([assistant("")], False),
    ],
)
def test_open_messages(messages: list[Message], is_open: bool) -> None:
    assert ends_in_open_message(to_conversation(*messages).messages) is is_open


# Markers in what people, tools and the model say.

HOSTILE = st.lists(
    st.sampled_from(["<|start|>", "<|end|>", "<|channel|>", "<|call|>", "<|", "|>", "end", "<", "x\n", "*/"]),
    min_size=1,
).map("".join)


def with_text_everywhere(text: str) -> Conversation:
    "A conversation with the text wherever others can write. `x` keeps names and texts from being empty."
    text = f"x{text}"
    schema = {
        "type": "object",
        "title": text,
        "description": text,
        "properties": {
            text: {"enum": [text], "title": text, "description": text, "default": text, "examples": [text]},
            "b": {"anyOf": [{"const": text, "description": text}, {"type": text}, {"$ref": text}]},
            "c": {"type": "array", "items": {"type": "string", "description": text}, "default": [text]},
        },
        "required": [text],
        "additionalProperties": {"description": text},
    }
    return to_conversation(
        system(text),
        Message("developer", [TextPart(text)]),
        user(text),
        system(text),
        assistant(ReasoningPart(text), text, call_part(text, {text: text}, text)),
        tool_message(result_part(text, text, text), result_part(output=[text])),
        assistant(call_part("g", provider_metadata={"gpt_oss": {"arguments": text}}), call_part(f"{text}2")),
        assistant(TextPart(text, {"gpt_oss": {"channel": text}})),
        tools=[llm.Tool(text, text, schema), llm.Tool("f", None, schema)],
        schema=schema,
    )


def test_the_text_is_everywhere() -> None:
    assert render(with_text_everywhere("yz")).count("xyz") > 40


@given(HOSTILE)
def test_no_text_of_people_or_tools_becomes_a_marker(text: str) -> None:
    frame = MARKER.findall(render(with_text_everywhere("")))
    assert MARKER.findall(render(with_text_everywhere(text))) == frame
    assert frame[:2] == ["<|start|>", "<|message|>"]


# Whatever llm can hold is rendered, or refused with the reason.

WORDS = st.sampled_from(["", "a", " ", "<|end|>"])
NAMES = st.sampled_from(["", "f", "a b"])
IDS = st.sampled_from([None, "", "c1", "c2"])
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, WORDS, st.sampled_from([None, PREAMBLE, SEPARATOR])),
    st.builds(ReasoningPart, WORDS, st.booleans()),
    st.builds(ToolCallPart, NAMES, st.just({}), IDS),
    st.builds(ToolResultPart, NAMES, WORDS, IDS),
    st.just(ATTACHED),
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "critic"])
THREADS = st.lists(st.builds(Message, ROLES, st.lists(PARTS, max_size=3)), max_size=5)


@given(THREADS)
def test_any_thread_is_rendered_or_rejected(thread: list[Message]) -> None:
    try:
        conversation = to_conversation(*thread, tools=[llm.Tool("a b")])
    except BadRequest:
        return
    front = [*takewhile(lambda message: message.role in ("system", "developer"), thread)]
    texts = [
        part.text
        for message in thread[len(front) :]
        for part in message.parts
        if message.role == "assistant" and isinstance(part, TextPart | ReasoningPart)
        if part.text and part.provider_metadata != SEPARATOR
    ]
    answers = [m for m in conversation.messages if m.header.role == "assistant" and not m.header.recipient]
    assert [message.text for message in answers] == texts
    assert MARKER.findall(render(conversation))[-1:] in (["<|end|>"], ["<|call|>"])
