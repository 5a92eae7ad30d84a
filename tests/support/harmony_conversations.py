"""Harmony conversations for tests: short ways to write messages, and the vectors of openai/harmony.

conversation(user("Hi"), analysis("The user greets."), final("Hello"), system=System())
"""

from __future__ import annotations

from dataclasses import replace

from llm_gpt_oss.harmony.conversation import Conversation, Developer, Effort, Header, Message, System, Tool


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


def conversation(
    *messages: Message, system: System | None = None, developer: Developer | None = None
) -> Conversation:
    "A conversation, by default without a system and a developer message."
    return Conversation(system, developer or Developer(), messages)


CAPITAL = "What is the capital of the largest country in the world?"
ROBOT = Developer("Answer the user's questions like a robot.")
SUM = (user("What is 2 + 2?"), analysis("thinking 2+2"), final("4"), user("What is 3 + 5?"))

# As in openai/harmony's test of functions with parameters.
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

SYSTEM = """\
<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
{dates}

Reasoning: {effort}

# Valid channels: {channels}. Channel must be included for every message.<|end|>"""
DATES = "Knowledge cutoff: 2024-06"
CHANNELS = "analysis, commentary, final"
QUESTION = f"<|start|>user<|message|>{CAPITAL}<|end|><|start|>assistant"


def system_text(dates: str = DATES, effort: str = "medium", channels: str = CHANNELS) -> str:
    return SYSTEM.format(dates=dates, effort=effort, channels=channels)


def capital_vectors() -> dict[str, tuple[Conversation, str]]:
    "A question with each effort, with and without instructions."
    robot = "<|start|>developer<|message|># Instructions\n\nAnswer the user's questions like a robot.<|end|>"
    vectors = {}
    efforts: tuple[Effort, ...] = ("low", "medium", "high")
    for effort in efforts:
        system, name = System(effort=effort), f"simple_convo_{effort}_effort"
        rendered = system_text(effort=effort)
        vectors[name] = (
            conversation(user(CAPITAL), system=system, developer=ROBOT),
            rendered + robot + QUESTION,
        )
        vectors[f"{name}_no_instruction"] = (conversation(user(CAPITAL), system=system), rendered + QUESTION)
    return vectors


def pi_vector(system: System, **text: str) -> tuple[Conversation, str]:
    "A question without the commentary channel."
    channels = ("analysis", "final")
    return (
        conversation(user("What is 42 * pi?"), system=replace(system, channels=channels)),
        system_text(channels=", ".join(channels), **text)
        + "<|start|>user<|message|>What is 42 * pi?<|end|><|start|>assistant",
    )


# The test vectors of openai/harmony, by their names: a conversation, and the prompt that is rendered from it.
VECTORS: dict[str, tuple[Conversation, str]] = {
    "simple_convo": (
        conversation(user("What is 2 + 2?"), system=System()),
        system_text() + "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant",
    ),
    **capital_vectors(),
    "reasoning_system_message": pi_vector(System()),
    "reasoning_system_message_no_instruction": pi_vector(System(effort="high"), effort="high"),
    "reasoning_system_message_with_dates": pi_vector(
        System(current_date="2021-01-01", knowledge_cutoff="2021-01"),
        dates="Knowledge cutoff: 2021-01\nCurrent date: 2021-01-01",
    ),
    "no_tools": (
        conversation(system=System(current_date="2025-06-28")),
        system_text(dates=f"{DATES}\nCurrent date: 2025-06-28") + "<|start|>assistant",
    ),
    "render_functions_with_parameters": (
        conversation(
            user("What is the weather like in SF?"),
            system=System(effort="high", current_date="2025-06-28"),
            developer=Developer("Always respond in riddles", TOOLS),
        ),
        FUNCTIONS,
    ),
    "dropping_cot_by_default": (
        conversation(
            user("What is 2 + 2?"),
            analysis("User asks: “What is 2 + 2?” Simple arithmetic. Provide answer."),
            final("2 + 2 equals 4."),
            user("What about 9 / 2?"),
        ),
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 equals 4.<|end|>"
        "<|start|>user<|message|>What about 9 / 2?<|end|><|start|>assistant",
    ),
    # The vector has `assistant to=functions.lookup_weather<|channel|>commentary`. Here the recipient comes
    # after the channel, where the model itself writes it (docs/format.md allows both). So the model's own
    # text, which the engine has cached, is a prefix of the next prompt.
    "does_not_drop_if_ongoing_analysis": (
        conversation(
            user("What is the weather in SF?"),
            analysis("User asks: “What is the weather in SF?” We need to use lookup_weather tool."),
            call("lookup_weather", '{"location": "San Francisco"}'),
            Message(
                Header("tool", name="functions.lookup_weather"), '{"temperature": 20, "description": "sunny"}'
            ),
        ),
        "<|start|>user<|message|>What is the weather in SF?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>"
        "User asks: “What is the weather in SF?” We need to use lookup_weather tool.<|end|>"
        "<|start|>assistant<|channel|>commentary to=functions.lookup_weather <|constrain|>json<|message|>"
        '{"location": "San Francisco"}<|call|>'
        '<|start|>functions.lookup_weather<|message|>{"temperature": 20, "description": "sunny"}<|end|>'
        "<|start|>assistant",
    ),
    "keep_analysis_between_finals": (
        conversation(*SUM, analysis("thinking 3+5"), final("8")),
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>4<|end|>"
        "<|start|>user<|message|>What is 3 + 5?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>thinking 3+5<|end|>"
        "<|start|>assistant<|channel|>final<|message|>8<|end|><|start|>assistant",
    ),
}
