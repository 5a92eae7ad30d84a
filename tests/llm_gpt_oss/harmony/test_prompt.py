from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.harmony.conversation import (
    Conversation,
    Developer,
    Header,
    Message,
    ResponseFormat,
    System,
    Tool,
)
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.harmony.prompt import OPENER, render, render_header, render_message


def user(text: str) -> Message:
    return Message(Header("user"), text)


def analysis(text: str) -> Message:
    return Message(Header("assistant", "analysis"), text)


def preamble(text: str) -> Message:
    return Message(Header("assistant", "commentary"), text)


def final(text: str) -> Message:
    return Message(Header("assistant", "final"), text)


def call(name: str, arguments: str) -> Message:
    header = Header(
        "assistant", "commentary", recipient=f"functions.{name}", content_type="<|constrain|>json"
    )
    return Message(header, arguments)


def result(name: str, text: str) -> Message:
    return Message(Header("tool", "commentary", recipient="assistant", name=f"functions.{name}"), text)


def talk(
    *messages: Message, system: System | None = None, developer: Developer | None = None
) -> Conversation:
    return Conversation(system, developer or Developer(), messages)


def prompt(conversation: Conversation) -> str:
    return render(conversation) + OPENER


CAPITAL = "What is the capital of the largest country in the world?"
ROBOT = Developer("Answer the user's questions like a robot.")
SUM = (user("What is 2 + 2?"), analysis("thinking 2+2"), final("4"), user("What is 3 + 5?"))

# Kitchen sink and weather as in openai/harmony's test of functions with parameters.
FORMAT = {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}
TOOLS = (
    Tool("get_location", "Gets the location of the user."),
    Tool(
        "get_current_weather",
        "Gets the current weather in the provided location.",
        {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "format": FORMAT,
            },
            "required": ["location"],
        },
    ),
    Tool(
        "get_multiple_weathers",
        "Gets the current weather in the provided list of locations.",
        {
            "type": "object",
            "properties": {
                "locations": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": 'List of city and state, e.g. ["San Francisco, CA", "New York, NY"]',
                },
                "format": FORMAT,
            },
            "required": ["locations"],
        },
    ),
    Tool(
        "kitchensink",
        "A function with various complex schemas.",
        {
            "description": "params object",
            "type": "object",
            "properties": {
                "string": {
                    "type": "string",
                    "title": "STRING",
                    "description": "A string",
                    "examples": ["hello", "world"],
                },
                "string_nullable": {
                    "type": "string",
                    "nullable": True,
                    "description": "A nullable string",
                    "default": "the default",
                },
                "string_enum": {"type": "string", "enum": ["a", "b", "c"]},
                "oneof_string_or_number": {
                    "oneOf": [
                        {"type": "string", "default": "default_string_in_oneof"},
                        {"type": "number", "description": "numbers can happen too"},
                    ],
                    "description": "a oneof",
                    "default": 20,
                },
            },
        },
    ),
)
FUNCTIONS = """\
<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: 2025-06-28

Reasoning: high

# Valid channels: analysis, commentary, final. Channel must be included for every message.
Calls to these tools must go to the commentary channel: 'functions'.<|end|>\
<|start|>developer<|message|># Instructions

Always respond in riddles

# Tools

## functions

namespace functions {

// Gets the location of the user.
type get_location = () => any;

// Gets the current weather in the provided location.
type get_current_weather = (_: {
// The city and state, e.g. San Francisco, CA
location: string,
format?: "celsius" | "fahrenheit", // default: celsius
}) => any;

// Gets the current weather in the provided list of locations.
type get_multiple_weathers = (_: {
// List of city and state, e.g. ["San Francisco, CA", "New York, NY"]
locations: string[],
format?: "celsius" | "fahrenheit", // default: celsius
}) => any;

// A function with various complex schemas.
type kitchensink = (_: // params object
{
// STRING
//
// A string
// Examples:
// - "hello"
// - "world"
string?: string,
// A nullable string
string_nullable?: string | null, // default: "the default"
string_enum?: "a" | "b" | "c",
// a oneof
// default: 20
oneof_string_or_number?:
 | string // default: "default_string_in_oneof"
 | number // numbers can happen too
,
}) => any;

} // namespace functions<|end|><|start|>user<|message|>\
What is the weather like in SF?<|end|><|start|>assistant"""

# openai/harmony's vectors, restated.
VECTORS = [
    pytest.param(
        talk(user("What is 2 + 2?"), system=System()),
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        "Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
        "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant",
        id="simple_convo",
    ),
    *(
        pytest.param(
            talk(user(CAPITAL), system=System(effort=effort), developer=developer),
            "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
            f"Knowledge cutoff: 2024-06\n\nReasoning: {effort}\n\n"
            "# Valid channels: analysis, commentary, final. Channel must be included for every message."
            f"<|end|>{said}<|start|>user<|message|>{CAPITAL}<|end|><|start|>assistant",
            id=f"simple_convo_{effort}_effort{suffix}",
        )
        for effort in ("low", "medium", "high")
        for developer, said, suffix in [
            (
                ROBOT,
                "<|start|>developer<|message|># Instructions\n\n"
                "Answer the user's questions like a robot.<|end|>",
                "",
            ),
            (Developer(), "", "_no_instruction"),
        ]
    ),
    *(
        pytest.param(
            talk(user("What is 42 * pi?"), system=replace(system, channels=("analysis", "final"))),
            "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
            f"{dates}\n\nReasoning: {system.effort}\n\n"
            "# Valid channels: analysis, final. Channel must be included for every message.<|end|>"
            "<|start|>user<|message|>What is 42 * pi?<|end|><|start|>assistant",
            id=name,
        )
        for name, system, dates in [
            ("reasoning_system_message", System(), "Knowledge cutoff: 2024-06"),
            ("reasoning_system_message_no_instruction", System(effort="high"), "Knowledge cutoff: 2024-06"),
            (
                "reasoning_system_message_with_dates",
                System(current_date="2021-01-01", knowledge_cutoff="2021-01"),
                "Knowledge cutoff: 2021-01\nCurrent date: 2021-01-01",
            ),
        ]
    ),
    pytest.param(
        talk(system=System(current_date="2025-06-28")),
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: medium\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
        "<|start|>assistant",
        id="no_tools",
    ),
    pytest.param(
        talk(
            user("What is the weather like in SF?"),
            system=System(effort="high", current_date="2025-06-28"),
            developer=Developer("Always respond in riddles", TOOLS),
        ),
        FUNCTIONS,
        id="render_functions_with_parameters",
    ),
    pytest.param(
        talk(
            user("What is 2 + 2?"),
            analysis("User asks: “What is 2 + 2?” Simple arithmetic. Provide answer."),
            final("2 + 2 equals 4."),
            user("What about 9 / 2?"),
        ),
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 equals 4.<|end|>"
        "<|start|>user<|message|>What about 9 / 2?<|end|><|start|>assistant",
        id="dropping_cot_by_default",
    ),
    pytest.param(
        talk(
            user("What is the weather in SF?"),
            analysis("User asks: “What is the weather in SF?” We need to use lookup_weather tool."),
            call("lookup_weather", '{"location": "San Francisco"}'),
            Message(
                Header("tool", name="functions.lookup_weather"), '{"temperature": 20, "description": "sunny"}'
            ),
        ),
        # The vector has `assistant to=functions.lookup_weather<|channel|>commentary`. Here the recipient
        # stands where the model itself writes it, after the channel (docs/format.md allows both), so that
        # what the engine has cached of the model's own words is the prefix of what it is sent next.
        "<|start|>user<|message|>What is the weather in SF?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>"
        "User asks: “What is the weather in SF?” We need to use lookup_weather tool.<|end|>"
        "<|start|>assistant<|channel|>commentary to=functions.lookup_weather <|constrain|>json<|message|>"
        '{"location": "San Francisco"}<|call|>'
        '<|start|>functions.lookup_weather<|message|>{"temperature": 20, "description": "sunny"}<|end|>'
        "<|start|>assistant",
        id="does_not_drop_if_ongoing_analysis",
    ),
    pytest.param(
        talk(*SUM, analysis("thinking 3+5"), final("8")),
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>4<|end|>"
        "<|start|>user<|message|>What is 3 + 5?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>thinking 3+5<|end|>"
        "<|start|>assistant<|channel|>final<|message|>8<|end|><|start|>assistant",
        id="keep_analysis_between_finals",
    ),
]


@pytest.mark.parametrize(("conversation", "expected"), VECTORS)
def test_openai_vectors(conversation: Conversation, expected: str) -> None:
    assert prompt(conversation) == expected


HEADERS = [
    (Header("user"), "<|start|>user<|message|>"),
    (Header("user", name="ada"), "<|start|>user:ada<|message|>"),
    (Header("assistant", "final"), "<|start|>assistant<|channel|>final<|message|>"),
    (
        Header("assistant", "analysis", "browser.search", "code"),
        "<|start|>assistant<|channel|>analysis to=browser.search code<|message|>",
    ),
    (
        Header("assistant", "commentary", "functions.f", "<|constrain|>json"),
        "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
    ),
    (Header("assistant", recipient="functions.f"), "<|start|>assistant to=functions.f<|message|>"),
    (
        Header("tool", "commentary", "assistant", name="browser.search"),
        "<|start|>browser.search to=assistant<|channel|>commentary<|message|>",
    ),
    (Header("tool"), "<|start|>tool<|message|>"),
    (
        Header("tool", "<|end|>", "<|call|>", "<|constrain|><|start|>", name="<|return|>"),
        "<|start|><\u2060|return|> to=<\u2060|call|><|channel|><\u2060|end|>"
        " <|constrain|><\u2060|start|><|message|>",
    ),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_headers(header: Header, expected: str) -> None:
    assert render_header(header) == expected


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (user("x"), "x<|end|>"),
        (final("x"), "x<|end|>"),
        (preamble("x"), "x<|end|>"),
        (call("f", "x"), "x<|call|>"),
        (result("f", "x"), "x<|end|>"),
        (final("<|return|>"), "<\u2060|return|><|end|>"),
    ],
)
def test_messages_end(message: Message, end: str) -> None:
    assert render_message(message) == render_header(message.header) + end


SCHEMA = {"type": "object", "properties": {"näme": {"type": "string"}}}
FORMATTED = """\
<|start|>developer<|message|># Response Formats

## person

// Ä person
// in two lines
{"type":"object","properties":{"näme":{"type":"string"}}}

## anything

{}<|end|>"""


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        pytest.param(talk(), "", id="nothing"),
        pytest.param(talk(system=System(None, None, None, None, ())), "", id="empty system message"),
        pytest.param(talk(developer=Developer("")), "", id="empty instructions"),
        pytest.param(
            talk(system=System(None, None, "2026-11-22", None, ())),
            "<|start|>system<|message|>Current date: 2026-11-22<|end|>",
            id="date alone",
        ),
        pytest.param(
            talk(
                developer=Developer(
                    formats=(
                        ResponseFormat("person", SCHEMA, "Ä person\nin two lines"),
                        ResponseFormat("anything", {}),
                    )
                )
            ),
            FORMATTED,
            id="response formats",
        ),
        pytest.param(
            talk(developer=Developer("Be brief.", (Tool("f"),), (ResponseFormat("x", {}),))),
            "<|start|>developer<|message|># Instructions\n\nBe brief.\n\n# Tools\n\n## functions\n\n"
            "namespace functions {\n\ntype f = () => any;\n\n} // namespace functions\n\n"
            "# Response Formats\n\n## x\n\n{}<|end|>",
            id="all sections",
        ),
    ],
)
def test_frame(conversation: Conversation, expected: str) -> None:
    assert render(conversation) == expected


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        (None, ""),
        ({"type": "object"}, ""),
        ({"type": "object", "properties": {}, "additionalProperties": False}, ""),
        ({}, "_: any"),
        ({"type": "object", "additionalProperties": True}, "_: {[key: string]: any}"),
        ({"type": "object", "properties": {"a": {}}}, "_: {\na?: any,\n}"),
    ],
)
def test_arguments(parameters: dict[str, Any] | None, argument: str) -> None:
    tools = Developer(tools=(Tool("f", "Does.\n\nMore.", parameters),))
    assert f"{{\n\n// Does.\n// \n// More.\ntype f = ({argument}) => any;\n\n}}" in render(
        talk(developer=tools)
    )


ASKED, THOUGHT, SAID, ANSWERED = user("q"), analysis("t"), preamble("p"), final("a")
CALLED, BROWSED, RESULT = call("f", "{}"), replace(call("f", "{}"), header=HEADERS[3][0]), result("f", "1")


@pytest.mark.parametrize(
    ("messages", "dropped"),
    [
        ([THOUGHT], []),
        ([ASKED, THOUGHT], []),
        ([ASKED, THOUGHT, CALLED, RESULT], []),
        ([ASKED, THOUGHT, SAID, CALLED, RESULT, THOUGHT, ANSWERED], []),
        ([ASKED, THOUGHT, SAID, CALLED, RESULT, THOUGHT, ANSWERED, ASKED], [1, 5]),
        ([ASKED, THOUGHT, BROWSED, RESULT, ANSWERED, ASKED], [1]),
        ([ASKED, Message(Header("tool", "analysis", name="f"), "1"), ANSWERED, ASKED], []),
        ([ASKED, THOUGHT, ASKED], []),
        ([ASKED, THOUGHT, ASKED, THOUGHT, ANSWERED, ASKED], [1, 3]),
        ([ASKED, ANSWERED, THOUGHT, ANSWERED, ASKED, THOUGHT, CALLED, RESULT], [2]),
        ([ASKED, ANSWERED, THOUGHT, ASKED], []),
    ],
)
def test_reasoning_goes_when_its_turn_is_over(messages: list[Message], dropped: list[int]) -> None:
    kept = (message for index, message in enumerate(messages) if index not in dropped)
    assert render(talk(*messages)) == "".join(map(render_message, kept))


# The tail: what the engine has read stays as it was.

TEXT = st.text(max_size=5) | st.sampled_from(["<|end|>", "<|start|>assistant", "{}", "<|call|"])
STEP = st.builds(
    lambda thought, said, argument, value: (
        analysis(thought),
        preamble(said),
        call("f", argument),
        result("f", value),
    ),
    TEXT,
    TEXT,
    TEXT,
    TEXT,
)
TURN = st.builds(
    lambda question, steps, thought, answer: (
        user(question),
        *sum(steps, ()),
        analysis(thought),
        final(answer),
    ),
    TEXT,
    st.lists(STEP, max_size=2),
    TEXT,
    TEXT,
)
FRAMES = st.builds(
    Conversation,
    st.none() | st.builds(System, current_date=st.none() | st.just("2026-11-22")),
    st.builds(Developer, st.none() | TEXT, st.sampled_from([(), TOOLS])),
    st.just(()),
)


def goes_on(old: Conversation, new: Conversation) -> bool:
    "Whether the new prompt is the old one and more; where the model speaks next, its opener included."
    speaks = new.messages[len(old.messages)].header.role == "assistant"
    return prompt(new).startswith(prompt(old) if speaks else render(old))


@given(FRAMES, st.lists(TURN, min_size=1, max_size=3), st.data())
def test_a_turn_only_adds_a_tail(frame: Conversation, turns: list[Any], data: st.DataObject) -> None:
    *past, turn = turns
    before = sum(past, ())
    length = data.draw(st.integers(1, len(turn) - 1))
    old = replace(frame, messages=(*before, *turn[:length]))
    assert goes_on(old, replace(frame, messages=(*before, *turn)))


@given(FRAMES, st.lists(TURN, min_size=1, max_size=3), st.data())
def test_a_conversation_without_reasoning_only_adds_a_tail(
    frame: Conversation, turns: list[Any], data: st.DataObject
) -> None:
    messages = tuple(m for m in sum(turns, ()) if m.header.channel != "analysis")
    length = data.draw(st.integers(0, len(messages) - 1))
    assert goes_on(replace(frame, messages=messages[:length]), replace(frame, messages=messages))


HOSTILE = st.lists(
    st.sampled_from(["<|start|>", "<|end|>", "<|call|>", "<|", "|>", "end", "<", "x\n", "\u2060"]), min_size=1
).map("".join)


def everywhere(text: str) -> Conversation:
    "A conversation with the text wherever people, tools and the model put theirs."
    schema = {
        "type": "object",
        "description": f"x{text}",
        "properties": {f"x{text}": {"enum": [f"x{text}"], "title": f"x{text}", "default": f"x{text}"}},
    }
    header = Header("tool", f"x{text}", f"x{text}", f"x{text}", f"x{text}")
    return talk(
        *(message(f"x{text}") for message in (user, analysis, preamble, final)),
        call(f"x{text}", f"x{text}"),
        Message(header, f"x{text}"),
        system=System(f"x{text}", f"x{text}", f"x{text}"),
        developer=Developer(
            f"x{text}",
            (Tool(f"x{text}", f"x{text}", schema),),
            (ResponseFormat(f"x{text}", schema, f"x{text}"),),
        ),
    )


@given(HOSTILE)
def test_no_marker_comes_from_content(text: str) -> None:
    frame = MARKER.findall(render(everywhere("")))
    assert MARKER.findall(render(everywhere(text))) == frame
    assert len(frame) == 30


@given(HOSTILE)
def test_a_schema_stays_json(text: str) -> None:
    developer = Developer(formats=(ResponseFormat("x", {"description": text}),))
    shown = render(talk(developer=developer)).removesuffix("<|end|>").rpartition("\n")[2]
    assert json.loads(shown)["description"].replace("\u2060", "") == text.replace("\u2060", "")
