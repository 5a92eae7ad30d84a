from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.parts import AttachmentPart, Message, ReasoningPart, TextPart, ToolCallPart, assistant, user
from support.scripted_engine import ScriptedEngine

from llm_gpt_oss.completion import Completion, Done, Piece, Sampling
from llm_gpt_oss.errors import BadRequest
from llm_gpt_oss.harmony.conversation import Developer, Header
from llm_gpt_oss.harmony.conversation import Message as Harmony
from llm_gpt_oss.harmony.markers import MARKER
from llm_gpt_oss.harmony.prompt import OPENER, render_header, render_message
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.request import TurnRequest, turn_request
from llm_gpt_oss.turn.steps import conversation_text, opening, step_prompt
from llm_gpt_oss.turn.tool_names import ToolNames

MODEL = GptOss("gpt-oss:20b", Settings({"LLM_GPT_OSS_DATE": "2026-11-22"}))
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [llm.Tool("get weather", "Weather at a place.", CITY), llm.Tool("get_time"), llm.Tool("a.b-c")]


def build(
    *messages: Message,
    tools: Sequence[llm.Tool] = (),
    schema: Any = None,
    tool_results: Sequence[llm.ToolResult] = (),
    stream: bool = True,
    **options: Any,
) -> tuple[TurnRequest, ToolNames]:
    prompt = llm.Prompt(
        None,
        MODEL,
        messages=messages or [user("q")],
        tools=tools,
        schema=schema,
        tool_results=tool_results,
        options=MODEL.Options(**options),
    )
    return turn_request(prompt, "gpt-oss:20b", stream=stream, date="2026-11-22")


# Requests


def test_a_plain_prompt() -> None:
    turn, names = build()
    assert turn.conversation.developer == Developer()
    assert turn.conversation.system is not None
    assert turn.conversation.system.current_date == "2026-11-22"
    assert turn.conversation.messages == (Harmony(Header("user"), "q"),)
    assert turn == TurnRequest(turn.conversation, Completion("gpt-oss:20b", ""))
    assert names.original_name("f") == "f"


SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "seed": 7,
    "repeat_penalty": 1.1,
    "presence_penalty": -0.5,
    "frequency_penalty": 0.25,
}


def test_the_defaults_of_completions() -> None:
    turn, _ = build(max_tokens=100, num_ctx=8192, keep_alive="10m", top_logprobs=3, **SAMPLING)
    assert turn.defaults == Completion(
        "gpt-oss:20b",
        "",
        max_tokens=100,
        context_length=8192,
        keep_alive="10m",
        top_logprobs=3,
        sampling=Sampling(**SAMPLING),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({}, "reasoning_budget", None),
        ({"reasoning_tokens": 5}, "reasoning_budget", 5),
        ({"reasoning_tokens": 0}, "reasoning_budget", None),
        ({"reasoning_tokens": 0}, "uses_reasoning", False),
        ({"reasoning_tokens": 5}, "uses_reasoning", True),
        ({"reasoning_effort": "none"}, "uses_reasoning", False),
        ({"stop": "END"}, "stop", ("END",)),
        ({"stop": ["a", "b"]}, "stop", ("a", "b")),
        ({}, "single_call", False),
        ({"parallel_tool_calls": True}, "single_call", False),
        ({"parallel_tool_calls": False}, "single_call", True),
        ({"truncate": True}, "truncate", True),
        ({"truncate": False}, "truncate", False),
        ({"stream": False}, "buffer_answer", True),
        ({"stream": True}, "buffer_answer", False),
        ({"schema": CITY}, "format", CITY),
        ({"schema": {}}, "format", None),
    ],
)
def test_fields(options: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(build(**options)[0], field) == value


@pytest.mark.parametrize("stream", [True, False])
def test_the_engine_may_join_the_pieces_of_an_answer_that_is_not_streamed(stream: bool) -> None:
    assert build(stream=stream)[0].defaults.batch is not stream


@pytest.mark.parametrize(
    ("messages", "is_open"),
    [
        ([user("q"), assistant("a")], True),
        ([user("q"), assistant("")], False),
        ([user("q"), assistant(ToolCallPart("f", {}, "c1"))], False),
    ],
)
def test_continued_answers(messages: list[Message], is_open: bool) -> None:
    turn, _ = build(*messages)
    assert turn.continue_final_message is is_open
    header = opening(turn).header
    assert (header == Header("assistant", "final")) is is_open


# Tools.


def test_tools_have_the_names_that_the_model_sees() -> None:
    turn, names = build(tools=TOOLS)
    assert turn.tools == {"get_weather": CITY, "get_time": None, "a.b-c": None}
    assert [tool.name for tool in turn.conversation.developer.tools] == [*turn.tools]
    assert [names.original_name(name) for name in turn.tools] == ["get weather", "get_time", "a.b-c"]


@pytest.mark.parametrize(
    ("choice", "required_tools", "on_offer"),
    [
        (None, (), True),
        ("auto", (), True),
        ("none", (), False),
        ("required", ("get_weather", "get_time", "a.b-c"), True),
        ("get weather", ("get_weather",), True),
        ("a.b-c", ("a.b-c",), True),
    ],
)
def test_tool_choice(choice: str | None, required_tools: tuple[str, ...], on_offer: bool) -> None:
    turn, _ = build(tools=TOOLS, tool_choice=choice)
    assert turn.required_tools == required_tools
    assert [*turn.tools] == (["get_weather", "get_time", "a.b-c"] if on_offer else [])


@pytest.mark.parametrize("choice", ["required", "get weather"])
def test_a_tool_choice_lasts_until_the_first_result(choice: str) -> None:
    results = [llm.ToolResult("get weather", "1", tool_call_id="c1")]
    turn, _ = build(tools=TOOLS, tool_choice=choice, tool_results=results)
    assert turn.required_tools == ()
    assert [*turn.tools] == ["get_weather", "get_time", "a.b-c"]


def test_notes_on_the_history() -> None:
    image = AttachmentPart(llm.Attachment(type="image/png", content=b"x"))
    turn, _ = build(user("q", image), assistant("a"), user("r"))
    assert turn.conversation.messages[0].text == "q\n[image: this model cannot see it]"
    assert [note.kind for note in turn.notes] == ["attachment_dropped"]
    assert TurnMachine(turn).notes == [*turn.notes]


def test_tools_that_were_called_and_must_not_be_called_now_are_named() -> None:
    thread = [user("q"), assistant(ToolCallPart("get weather", {}, "c1"))]
    turn, _ = build(*thread, tools=TOOLS, tool_choice="none")
    assert turn.conversation.developer == Developer(
        "These tools cannot be called now: functions.get_weather."
    )
    assert build(user("q"), tools=TOOLS, tool_choice="none")[0].conversation.developer == Developer()


@pytest.mark.parametrize(
    ("tools", "choice", "message", "remedy"),
    [
        (
            TOOLS,
            "get_weather",
            "tool_choice requires a tool called 'get_weather', but the prompt has none.",
            "Its tools are: get weather, get_time, a.b-c.",
        ),
        (
            [],
            "f",
            "tool_choice requires a tool called 'f', but the prompt has none.",
            "Add tools with -T or --functions.",
        ),
        (
            [],
            "required",
            "tool_choice requires a tool, but the prompt has none.",
            "Add tools with -T or --functions.",
        ),
    ],
)
def test_impossible_tool_choices(tools: list[llm.Tool], choice: str, message: str, remedy: str) -> None:
    with pytest.raises(BadRequest) as refused:
        build(tools=tools, tool_choice=choice)
    error = refused.value
    assert (error.message, error.remedy, error.param) == (message, remedy, "tool_choice")


# What is refused before anything is sent.


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "objekt"}, '$.type: "objekt" is not valid'),
        ({"type": "object", "description": 5}, '$.description: 5 is not of type "string"'),
        ({"properties": []}, '$.properties: [] is not of type "object"'),
        ({"$schema": 5}, '5 is not of type "string"'),
    ],
)
def test_invalid_schemas(schema: dict[str, Any], reason: str) -> None:
    engine = ScriptedEngine()
    with pytest.raises(BadRequest) as refused:
        GptOss("gpt-oss:20b", MODEL.settings, engine).prompt("q", schema=schema).text()
    assert reason in refused.value.message
    assert refused.value.param == "schema"
    assert refused.value.remedy == "See `llm schemas --help` for the ways to write one."
    assert engine.asked == []


def test_an_invalid_thread() -> None:
    engine = ScriptedEngine()
    with pytest.raises(BadRequest, match="the role 'critic'"):
        GptOss("gpt-oss:20b", MODEL.settings, engine).prompt("q", messages=[Message("critic", [])]).text()
    assert engine.asked == []


# A thread that grows. The engine has read the last prompt and holds what it computed for it: the next prompt
# is that one and a tail, but for the reasoning of a turn that is over, which harmony drops.

HOSTILE = ["<|end|>", "<|start|>", "<|", "|>", "<|channel|>final", "{", "\n", "é", "\u2028", "🦤"]
TEXT = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=4).map(
    lambda texts: "".join(texts) or "x"
)
SAID = TEXT.map(lambda text: f"x{text}")
ARGUMENTS = st.builds(
    lambda city, how: json.dumps({"city": city}, **how),
    TEXT,
    st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}]),
)


@dataclass(frozen=True)
class ThreadTurn:
    "A request with a question, or with the result of the last call, and the messages that the model writes."

    input: str
    is_tool_result: bool
    output: tuple[Harmony, ...]

    @property
    def pieces(self) -> list[Piece | Done]:
        "The output as an engine streams it. Markers in the text come in pieces of one character."
        texts: list[str] = []
        for message in self.output:
            texts += [part for part in re.split(f"({MARKER.pattern})", render_header(message.header)) if part]
            texts += [*message.text, "<|end|>"]
        return [*map(Piece, texts[2:-1]), Done("stop", prompt_tokens=1, completion_tokens=len(texts))]


def reasoning_message(text: str) -> Harmony:
    return Harmony(Header("assistant", "analysis"), text)


def preamble_message(text: str) -> Harmony:
    return Harmony(Header("assistant", "commentary"), text)


def call_message(name: str, text: str) -> Harmony:
    return Harmony(Header("assistant", "commentary", f"functions.{name}", "<|constrain|>json"), text)


def answer_message(text: str) -> Harmony:
    return Harmony(Header("assistant", "final"), text)


THOUGHT = st.lists(SAID.map(reasoning_message), max_size=2)
PREFACE = st.lists(SAID.map(preamble_message), max_size=1)
# "a.b-c" takes no arguments.
CALLED = st.builds(call_message, st.just("get_weather"), ARGUMENTS) | st.just(call_message("a.b-c", "{}"))


@st.composite
def turns(draw: st.DrawFn) -> list[ThreadTurn]:
    calls = [(*draw(THOUGHT), *draw(PREFACE), draw(CALLED)) for _ in range(draw(st.integers(0, 2)))]
    outputs = [*calls, (*draw(THOUGHT), *draw(PREFACE), answer_message(draw(SAID)))]
    return [ThreadTurn(draw(TEXT), bool(number), output) for number, output in enumerate(outputs)]


def prompts(thread: list[ThreadTurn], system: str | None) -> tuple[list[str], llm.Response]:
    "The prompt of each request in a conversation of llm's, and the last response."
    engine = ScriptedEngine(*(turn.pieces for turn in thread))
    conversation = GptOss("gpt-oss:20b", MODEL.settings, engine).conversation(tools=TOOLS)
    calls: list[llm.ToolCall] = []
    for number, turn in enumerate(thread):
        results = [llm.ToolResult(call.name, turn.input, tool_call_id=call.tool_call_id) for call in calls]
        question = None if turn.is_tool_result else turn.input
        response = conversation.prompt(question, system=system, tool_results=results, stream=bool(number % 2))
        calls = response.tool_calls()
    return [completion.prompt for completion in engine.asked], response


def input_message(turn: ThreadTurn, before: Sequence[ThreadTurn]) -> Harmony:
    if not turn.is_tool_result:
        return Harmony(Header("user"), turn.input)
    author = before[-1].output[-1].header.recipient
    return Harmony(Header("tool", "commentary", "assistant", name=author), turn.input)


REASONING = re.compile(
    re.escape(render_header(Header("assistant", "analysis"))) + r".*?" + re.escape("<|end|>"), re.DOTALL
)
THREADS = st.lists(turns(), min_size=1, max_size=3).map(
    lambda threads: [turn for thread in threads for turn in thread]
)


@settings(max_examples=60)
@given(THREADS, st.none() | TEXT)
def test_the_next_prompt_starts_with_the_last_one(thread: list[ThreadTurn], system: str | None) -> None:
    sent, _ = prompts(thread, system)
    for number in range(1, len(thread)):
        old, new = sent[number - 1], sent[number]
        output = "".join(map(render_message, thread[number - 1].output))
        tail = render_message(input_message(thread[number], thread[:number])) + OPENER
        if thread[number].is_tool_result:
            assert new.startswith(old)
            assert new == old.removesuffix(OPENER) + output + tail
        else:
            # The turn is over. The prompts are equal up to its first reasoning, which is dropped.
            reasoning = REASONING.search(old)
            prefix = old[: reasoning.start()] if reasoning else old
            assert new.startswith(prefix)
            assert new == REASONING.sub("", old.removesuffix(OPENER) + output) + tail


@settings(max_examples=25)
@given(THREADS)
def test_a_stored_thread_has_the_same_prompts(thread: list[ThreadTurn]) -> None:
    sent, response = prompts(thread, None)
    stored = json.dumps([message.to_dict() for message in response.prompt.messages])
    loaded = [Message.from_dict(message) for message in json.loads(stored)]
    turn, _ = build(*loaded, tools=TOOLS)
    conversation = conversation_text(turn.conversation, continue_final_message=turn.continue_final_message)
    assert step_prompt(opening(turn), conversation, ()) == sent[-1]


@settings(max_examples=25)
@given(THREADS)
def test_llm_has_the_original_text(thread: list[ThreadTurn]) -> None:
    "Markers in the text of people and the model are neutralised only in the prompt."
    _, response = prompts(thread, None)
    parts = [part for message in response.messages() for part in message.parts]
    thoughts = [message.text for message in thread[-1].output if message.header.channel == "analysis"]
    questions = [message.parts for message in response.prompt.messages if message.role == "user"]
    assert [part.text for part in parts if isinstance(part, ReasoningPart)] == thoughts
    assert parts[-1] == TextPart(thread[-1].output[-1].text)
    assert questions == [[TextPart(turn.input)] for turn in thread if not turn.is_tool_result]
