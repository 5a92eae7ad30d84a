"Events as llm assembles them, in real responses of a model on a scripted engine."

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from click.testing import CliRunner
from llm.cli import cli
from llm.logs import LogStore
from llm.parts import Message, ReasoningPart, StreamEvent, TextPart, ToolCallPart
from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob
from support.scripted_engine import Part, ScriptedEngine, stopped
from support.turn_requests import FINAL, PREAMBLE, START, THOUGHT, build_request, call_opener

from llm_gpt_oss.completion import Done, Logprob, Piece
from llm_gpt_oss.errors import StreamCut
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from llm_gpt_oss.turn.events import AnswerEvent, EventWriter
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.tool_names import ToolNames
from llm_gpt_oss.turn.transcript import Text

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
NEXT = f"<|end|>{START}"
OF_PREAMBLE = {"gpt_oss": {"channel": "commentary"}}
OF_SEPARATOR = {"gpt_oss": {"channel": "none"}}


def get_weather(city: str) -> str:
    return f"Warm in {city}"


def run_prompt(*script: Part, **options: Any) -> llm.Response:
    response = GptOss("gpt-oss:20b", Settings(), ScriptedEngine(*script)).prompt("Warm?", **options)
    response.text()
    return response


def parts(response: llm.Response) -> list[Any]:
    [message] = response.messages()
    assert message.role == "assistant"
    return list(message.parts)


def test_reasoning_and_answer() -> None:
    response = run_prompt(f"{THINKS}{FINAL}Yes it is.")
    assert parts(response) == [ReasoningPart("Hm."), TextPart("Yes it is.")]
    assert response.text() == "Yes it is."


def test_a_blank_line_separates_two_visible_messages() -> None:
    response = run_prompt(f"{THINKS}{FINAL}One.{NEXT}{THOUGHT}Hm?{NEXT}{FINAL}Two. Yes.")
    assert parts(response) == [
        ReasoningPart("Hm."),
        TextPart("One."),
        ReasoningPart("Hm?"),
        TextPart("\n\n", provider_metadata=OF_SEPARATOR),
        TextPart("Two. Yes."),
    ]
    assert response.text() == "One.\n\nTwo. Yes."


def test_the_next_prompt_has_no_blank_line() -> None:
    engine = ScriptedEngine(f"{FINAL}One.{NEXT}{FINAL}Two.", f"{FINAL}Three.")
    conversation = GptOss("gpt-oss:20b", Settings(), engine).conversation()
    conversation.prompt("Warm?").text()
    conversation.prompt("And?").text()
    assert engine.asked[1].prompt.endswith(
        f"{START}{FINAL}One.{NEXT}{FINAL}Two.<|end|><|start|>user<|message|>And?<|end|>{START}"
    )


def test_a_preamble_is_text_with_its_channel() -> None:
    response = run_prompt(f'{PREAMBLE}Look up.{NEXT}{call_opener()}{{"city":"Oslo"}}', tools=[get_weather])
    [call] = response.tool_calls()
    assert parts(response) == [
        TextPart("Look up.", provider_metadata=OF_PREAMBLE),
        ToolCallPart("get_weather", {"city": "Oslo"}, call.tool_call_id),
    ]
    assert response.text() == "Look up."


def test_calls_have_ids_and_arguments() -> None:
    text = f'{call_opener()}{{"city":"Oslo"}}{NEXT}{call_opener()}{{"city": "Bergen"}}'
    response = run_prompt(text, tools=[get_weather])
    calls = response.tool_calls()
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", {"city": "Oslo"}),
        ("get_weather", {"city": "Bergen"}),
    ]
    assert len({call.tool_call_id for call in calls}) == 2
    assert all(str(call.tool_call_id).startswith("call_") for call in calls)
    # The log keeps the model's text if it differs from the canonical JSON, here by a space.
    assert [part.provider_metadata for part in parts(response)] == [
        None,
        {"gpt_oss": {"arguments": '{"city": "Bergen"}'}},
    ]
    assert [part.tool_call_id for part in parts(response)] == [call.tool_call_id for call in calls]


def test_repaired_arguments_leave_no_trace_in_the_message() -> None:
    response = run_prompt(f'{call_opener()}{{"city": "Oslo"}}]', tools=[get_weather])
    [part] = parts(response)
    assert (part.arguments, part.provider_metadata) == ({"city": "Oslo"}, None)
    assert response.response_json["outcome"]["notes"] == [
        {
            "kind": "repaired",
            "text": "The arguments of get_weather were repaired: text around the object",
            "raw": '{"city": "Oslo"}]',
        }
    ]


def test_a_call_has_the_original_name_of_the_tool() -> None:
    tool = llm.Tool.function(get_weather, name="get weather!")
    [call] = run_prompt(f'{call_opener("get_weather_")}{{"city":"Oslo"}}', tools=[tool]).tool_calls()
    assert call.name == "get weather!"


# Log probabilities


def with_logprob(*tokens: str) -> Piece:
    alternatives = tuple(Logprob(token, -2.0, tuple(token.encode())) for token in ("a", "é"))
    return Piece("".join(tokens), tuple(Logprob(token, -0.5, None, alternatives) for token in tokens))


RATED = [
    *map(with_logprob, ("<|channel|>", "analysis", "<|message|>", "Hm", "<|end|>", "<|start|>", "assistant")),
    *map(with_logprob, ("<|channel|>", "final", "<|message|>")),
    with_logprob("Yes"),
    with_logprob(" it", " is"),
    Done("stop", 9, 14),
]


def test_log_probabilities_of_the_answer() -> None:
    response = run_prompt(RATED, top_logprobs=2)
    answers = [event for event in response.stream_events() if isinstance(event, AnswerEvent)]
    assert [[token.token for token in event.logprobs] for event in answers] == [["Yes"], [" it", " is"]]
    logged = response.response_json["logprobs"]
    assert [token["token"] for token in logged] == ["Yes", " it", " is"]
    assert logged[0] == {
        "token": "Yes",
        "logprob": -0.5,
        "bytes": None,
        "top_logprobs": [
            {"token": "a", "logprob": -2.0, "bytes": [97], "top_logprobs": []},
            {"token": "é", "logprob": -2.0, "bytes": [195, 169], "top_logprobs": []},
        ],
    }
    for token in logged:
        ChatCompletionTokenLogprob.model_validate(token)


def test_no_log_probabilities_unless_requested() -> None:
    assert "logprobs" not in run_prompt(f"{FINAL}Yes.").response_json


# What the turn was


class Clock:
    "Half a second later at every look."

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 500.25
        return self.now


def record_texts(*texts: Text) -> llm.Response:
    writer = EventWriter(TurnMachine(build_request()), ToolNames([]), lambda: "call_1", Clock())
    for text in texts:
        list(writer.feed(text))
    response = llm.Response(llm.Prompt("Hi", GptOss("m", Settings())), GptOss("m", Settings()), stream=True)
    writer.record(response)
    return response


def test_time_to_the_first_token() -> None:
    details = record_texts(Text(0, "analysis", "Hm"), Text(1, "final", "Yes")).token_details
    assert details is not None
    assert details["time_to_first_token_ms"] == 500
    details = record_texts().token_details
    assert details is not None
    assert "time_to_first_token_ms" not in details


def test_usage() -> None:
    counts = {"load_ms": 10.4, "prompt_ms": 20.0, "completion_ms": 400.0, "completion_tokens": 12}
    response = run_prompt(stopped(f"{THINKS}{FINAL}Yes.", **counts))
    usage = response.usage()
    assert (usage.input, usage.output) == (100, 12)
    assert usage.details is not None
    assert usage.details.pop("time_to_first_token_ms") >= 0
    assert usage.details == {
        "load_ms": 10,
        "prompt_ms": 20,
        "completion_ms": 400,
        "reasoning_tokens": 1,
        "tokens_per_second": 30.0,
    }


def test_the_resolved_model() -> None:
    assert run_prompt(f"{FINAL}Yes.").resolved_model == "gpt-oss:20b"


@pytest.mark.parametrize(
    ("script", "options", "outcome", "completions"),
    [
        ([f"{FINAL}Yes."], {}, {"finish_reason": "stop", "notes": []}, 1),
        (
            [f'{call_opener()}{{"city":"Oslo"}}'],
            {"tools": [get_weather]},
            {"finish_reason": "tool_calls", "notes": []},
            1,
        ),
        (
            [THOUGHT, f"{FINAL}Yes."],
            {},
            {
                "finish_reason": "stop",
                "notes": [
                    {
                        "kind": "answer_opened",
                        "text": "The model stopped without an answer, so the answer was started for it.",
                    }
                ],
            },
            2,
        ),
    ],
)
def test_the_outcome(script: list[Part], options: Any, outcome: object, completions: int) -> None:
    expected = {"outcome": outcome, "completions": completions, "engine": "ollama"}
    assert run_prompt(*script, **options).response_json == expected


@pytest.fixture
def store(log: Callable[..., Path]) -> Iterator[LogStore]:
    with sqlite_utils.Database(log()) as database:
        yield LogStore(database)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"{THINKS}{FINAL}Yes.", '{"finish_reason": "stop", "notes": []}'),
        (f'{call_opener()}{{"city":"Oslo"}}', '{"finish_reason": "tool_calls", "notes": []}'),
        (f'{call_opener()}{{"city":"Oslo"}}]', '"kind": "repaired"'),
    ],
)
def test_the_log_has_the_messages_of_the_turn(store: LogStore, text: str, outcome: str) -> None:
    response = run_prompt(text, tools=[get_weather])
    store.log(response)
    [row] = store.db.query("select id, resolved_model, output_tokens, response_json from turns")
    assert row["resolved_model"] == "gpt-oss:20b"
    assert row["output_tokens"] == response.output_tokens
    assert outcome in row["response_json"]  # as it is: plain SQL finds it
    assert store.turn_response_json(row["id"]) == response.response_json
    tip = next(store.db.query("select tip_message_hash from turns"))["tip_message_hash"]
    assert store.load_chain(tip)[-1] == Message("assistant", parts(response))
    assert store.verify() == []


def test_the_log_shows_the_reasoning(store: LogStore) -> None:
    store.log(run_prompt(f"{THOUGHT}Wondering about it.{NEXT}{FINAL}Yes."))
    shown = CliRunner().invoke(cli, ["logs", "-n", "1"])
    assert (shown.exit_code, "Wondering about it." in shown.output) == (0, True)


def test_an_interrupted_turn_is_recorded_so_far() -> None:
    model = GptOss("gpt-oss:20b", Settings(), ScriptedEngine([f"{THINKS}{FINAL}Ye", StreamCut("cut")]))
    response = model.prompt("Warm?")
    with pytest.raises(StreamCut):
        response.text()
    outcome = {"finish_reason": None, "notes": []}
    assert response.response_json == {"outcome": outcome, "completions": 0, "engine": "ollama"}
    assert (response.input_tokens, response.output_tokens) == (None, 11)
    assert response.token_details is not None
    assert response.token_details["reasoning_tokens"] == 1


def test_each_event_has_its_part() -> None:
    response = run_prompt(f"{THINKS}{FINAL}One.{NEXT}{FINAL}Two.")
    events: list[StreamEvent] = list(response.stream_events())
    assert [(event.type, event.chunk, event.part_index) for event in events] == [
        ("reasoning", "Hm.", 0),
        ("text", "One.", 2),
        ("text", "\n\n", 3),
        ("text", "Two.", 4),
    ]
