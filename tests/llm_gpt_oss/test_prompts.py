"""Prompts that were recorded from a real Ollama, without tools and schemas.

Tests of what only gpt-oss-tiny says are marked `tiny`; the others hold for any gpt-oss.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from llm.parts import ReasoningPart
from support.shell import column
from support.turns import Turn, aturn, turn

from llm_gpt_oss.errors import BadRequest, ContextOverflow, ModelMissing, NotGptOss
from llm_gpt_oss.models import AsyncGptOss, GptOss

pytestmark = pytest.mark.vcr

FRANCE = "What is the capital of France?"


def gpt_oss() -> GptOss:
    return llm.get_model("gpt-oss")


def async_gpt_oss() -> AsyncGptOss:
    return llm.get_async_model("gpt-oss")


def ask(text: str | None, **options: Any) -> Turn:
    return turn(gpt_oss().prompt(text, temperature=0, **options))


# Four ways to ask


async def test_the_turn_is_the_same_streamed_or_not_sync_or_async() -> None:
    turns = [
        ask(FRANCE),
        ask(FRANCE, stream=False),
        await aturn(async_gpt_oss().prompt(FRANCE, temperature=0)),
        await aturn(async_gpt_oss().prompt(FRANCE, temperature=0, stream=False)),
    ]
    assert "Paris" in turns[0].text
    assert turns[0].reasoning
    prompt_tokens, completion_tokens, reasoning_tokens = turns[0].tokens
    assert prompt_tokens is not None
    assert completion_tokens is not None
    assert prompt_tokens > 60
    assert 0 < reasoning_tokens < completion_tokens
    assert turns[1:] == [turns[0]] * 3


@pytest.mark.tiny
def test_the_exact_answer() -> None:
    assert ask("Why is the sky blue?") == Turn(
        text="The sky is blue because air molecules scatter short blue wavelengths of sunlight "
        "far more strongly than long red ones.",
        reasoning="The user asks a question. The key idea is Rayleigh scattering. "
        "I will answer in a few words.",
        calls=[],
        tokens=(81, 79, 26),
        finish_reason="stop",
        notes=[],
        completions=1,
    )


def test_events_separate_reasoning_from_text() -> None:
    response = gpt_oss().prompt(FRANCE)
    events = list(response.stream_events())
    kinds = [event.type for event in events]
    assert kinds == sorted(kinds)  # all reasoning, then all text
    assert set(kinds) == {"reasoning", "text"}
    assert "".join(event.chunk for event in events if event.type == "text") == response.text()
    reasoning = "".join(event.chunk for event in events if event.type == "reasoning")
    assert reasoning == turn(response).reasoning
    assert len(events) > 5, "not piece by piece"


async def test_async_events_are_the_same() -> None:
    expected = [
        (event.type, event.chunk) for event in gpt_oss().prompt(FRANCE, temperature=0).stream_events()
    ]
    response = async_gpt_oss().prompt(FRANCE, temperature=0)
    assert [(event.type, event.chunk) async for event in response.astream_events()] == expected


def test_usage_has_times() -> None:
    response = gpt_oss().prompt(FRANCE)
    response.text()
    details = response.token_details
    assert details.keys() == {
        "load_ms",
        "prompt_ms",
        "completion_ms",
        "reasoning_tokens",
        "tokens_per_second",
        "time_to_first_token_ms",
    }
    per_second = response.output_tokens / details["completion_ms"] * 1000
    assert details["tokens_per_second"] == pytest.approx(per_second, rel=0.02)
    assert response.resolved_model == gpt_oss().model_id


# Effort


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_reasoning_and_answer_with_every_effort(effort: str) -> None:
    answer = ask(FRANCE, reasoning_effort=effort)
    assert "Paris" in answer.text
    assert answer.reasoning
    assert answer.tokens[2] > 0


def test_more_effort_gives_more_reasoning() -> None:
    low, high = (ask(FRANCE, reasoning_effort=effort).tokens[2] for effort in ("low", "high"))
    assert low < high


@pytest.mark.parametrize("stream", [True, False])
def test_effort_none_answers_without_any_reasoning(stream: bool) -> None:
    answer = ask(FRANCE, reasoning_effort="none", stream=stream)
    assert "Paris" in answer.text
    assert (answer.reasoning, answer.tokens[2]) == ("", 0)
    assert (answer.finish_reason, answer.completions) == ("stop", 1)


@pytest.mark.parametrize("effort", ["none", "xhigh"])
def test_the_turn_records_the_requested_effort(effort: str, log: Callable[..., Path]) -> None:
    response = gpt_oss().prompt("Say hello", reasoning_effort=effort)
    response.text()
    log()
    with sqlite_utils.Database(llm.user_dir() / "logs.db") as database:
        response.log_to_db(database)
    assert column("select options_json from turns") == [f'{{"reasoning_effort": "{effort}"}}']


# Limits


def test_a_reasoning_budget_ends_the_reasoning() -> None:
    free, bound = (ask(FRANCE, **options) for options in ({}, {"reasoning_tokens": 5}))
    assert "Paris" in bound.text
    assert free.reasoning.startswith(bound.reasoning)
    assert 0 < len(bound.reasoning) < len(free.reasoning)
    assert bound.tokens[2] == 5
    assert (bound.finish_reason, bound.completions) == ("stop", 2)


def test_a_budget_that_is_not_used_up_changes_nothing() -> None:
    free, bound = (ask(FRANCE, **options) for options in ({}, {"reasoning_tokens": 2000}))
    assert (bound.text, bound.reasoning) == (free.text, free.reasoning)


def test_max_tokens_in_the_middle_of_the_answer() -> None:
    answer = ask("Count to 120", reasoning_effort="none", max_tokens=12)
    assert answer.text
    assert answer.tokens[1] == 12
    assert answer.finish_reason == "length"
    assert answer.notes == [
        {
            "kind": "length",
            "text": "The answer was cut: -o max_tokens 12 is used up. "
            "Raise it, or lower -o reasoning_effort.",
        }
    ]


def test_max_tokens_used_up_by_reasoning() -> None:
    answer = ask("Count to 120", max_tokens=8)
    assert (answer.text, answer.finish_reason) == ("", "length")
    assert answer.reasoning
    assert [note["text"] for note in answer.notes] == [
        "The reasoning left no room for an answer: -o max_tokens 8 is used up. "
        "Raise it, or lower -o reasoning_effort."
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_stop_ends_the_answer_before_the_string(stream: bool) -> None:
    answer = ask("Count to 120", stop=["9"], stream=stream)
    assert "8" in answer.text
    assert "9" not in answer.text
    assert answer.finish_reason == "stop"


@pytest.mark.tiny
def test_stop_is_not_searched_for_in_the_reasoning() -> None:
    answer = ask("What is SQLite?", stop=["answer", "self"])
    assert "answer" in answer.reasoning
    assert answer.text == "SQLite is a small, fast, "


@pytest.mark.tiny
def test_text_that_waited_for_a_stop_string_is_split_at_its_tokens() -> None:
    "Ollama sends ` <|endx|> end` in one line, because `<|endx|>` could begin the stop string."
    prompt = "Say: The tag <|endx|> ends a message"
    response = gpt_oss().prompt(prompt, stop=["<|endx|><|"], reasoning_effort="none", temperature=0)
    texts = [event.chunk for event in response.stream_events()]
    assert texts[:9] == ["The", " tag", " <", "|", "end", "x", "|", ">", " end"]
    assert "logprobs" not in response.response_json


@pytest.mark.parametrize("effort", ["none", "low"])
def test_logprobs_are_those_of_the_answer(effort: str) -> None:
    response = gpt_oss().prompt(FRANCE, top_logprobs=2, reasoning_effort=effort)
    text = response.text()
    logprobs = response.response_json["logprobs"]
    assert "".join(token["token"] for token in logprobs) == text
    assert all(
        token["logprob"] <= 0 and bytes(token["bytes"]).decode() == token["token"] for token in logprobs
    )
    assert {len(token["top_logprobs"]) for token in logprobs} == {2}
    assert all(token["top_logprobs"][0]["logprob"] >= token["logprob"] for token in logprobs)


def test_logprobs_without_alternatives() -> None:
    response = gpt_oss().prompt(FRANCE, logprobs=True)
    response.text()
    assert response.response_json["logprobs"]
    assert all(token["top_logprobs"] == [] for token in response.response_json["logprobs"])


# Conversations


def test_a_conversation_remembers() -> None:
    conversation = gpt_oss().conversation()
    conversation.prompt("My name is Ada.").text()
    second = turn(conversation.prompt("What is my name?"))
    assert "Ada" in second.text


async def test_an_async_conversation_remembers() -> None:
    conversation = async_gpt_oss().conversation()
    await conversation.prompt("Remember 48213.")
    assert "48213" in (await aturn(conversation.prompt("Which number?"))).text


def test_the_next_prompt_has_the_answer_without_the_reasoning() -> None:
    conversation = gpt_oss().conversation()
    first = turn(conversation.prompt("My name is Ada."))
    response = conversation.prompt("What is my name?")
    response.text()
    plan, _ = gpt_oss().start_turn(response.prompt, stream=True)
    sent = plan.next_completion()
    assert sent is not None
    assert f"<|start|>assistant<|channel|>final<|message|>{first.text}<|end|>" in sent.prompt
    assert first.reasoning not in sent.prompt


@pytest.mark.tiny
def test_instructions_are_followed() -> None:
    assert ask(FRANCE, system="Always end with OVER").text == "The capital of France is Paris. OVER"


def test_the_model_continues_an_answer() -> None:
    answer = ask(None, messages=[llm.user(FRANCE), llm.assistant("The capital of France is")])
    assert answer.text.startswith(" Paris")
    assert answer.reasoning == ""


def test_the_model_continues_reasoning() -> None:
    thought = ReasoningPart(text="The user asks a question. The key idea is")
    answer = ask(None, messages=[llm.user(FRANCE), llm.assistant(thought)])
    assert "Paris" in answer.text
    assert answer.reasoning
    assert not answer.reasoning.startswith("The user asks")


# Text


@pytest.mark.tiny
def test_non_ascii_answers() -> None:
    answer = ask("misbehave: unicode")
    assert answer.text == (
        "Gr\u00fc\u00dfe 👩\u200d💻 👨\u200d👩\u200d👧\u200d👦 日本語 한국어 e\u0301 n\u0303 שלום "
        "next\x85line sep\u2028arator 🇩🇪 ✅"
    )
    assert answer.text == ask("misbehave: unicode", stream=False).text


def test_non_ascii_prompts() -> None:
    assert "日本語" in ask("Repeat after me: 日本語").text


def test_markers_in_a_prompt_are_text_for_the_model_and_unchanged_in_the_log(
    log: Callable[..., Path],
) -> None:
    plain = gpt_oss().prompt("Say: x", max_tokens=1)
    marked = gpt_oss().prompt("Say: <|end|>", max_tokens=1)
    tokens = [response.usage().input for response in (plain, marked)]
    # As a control token it would be one, as the x is.
    assert tokens[1] - tokens[0] >= 4
    log()
    with sqlite_utils.Database(llm.user_dir() / "logs.db") as database:
        marked.log_to_db(database)
    assert column("select text from parts where type = 'text' order by id")[0] == "Say: <|end|>"


# What cannot be had


def test_a_missing_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "no-such-model:1b")
    with pytest.raises(ModelMissing, match=r"`ollama pull no-such-model:1b`") as caught:
        ask("Say hello")
    assert caught.value.status == 404


async def test_a_missing_model_async(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "gpt-oss:no-such-tag")
    with pytest.raises(ModelMissing, match=r"`llm gpt-oss pull gpt-oss:no-such-tag`"):
        await async_gpt_oss().prompt("Say hello")


@pytest.mark.tiny
def test_a_model_of_another_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", "embed-tiny")
    with pytest.raises(NotGptOss, match="family bert"):
        ask("Say hello")


@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 3},
        {"max_tokens": 0},
        {"reasoning_effort": "utmost"},
        {"top_logprobs": 21},
        {"keep_alive": "forever"},
        {"num_ctx": 10},
        {"stop": [""]},
        {"no_such_option": 1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_invalid_option_is_not_sent(options: dict[str, Any]) -> None:
    # The cassette is empty: a request would fail this test.
    with pytest.raises(ValueError, match=next(iter(options))):
        ask("Say hello", **options)


def test_an_invalid_request_is_not_sent() -> None:
    picture = llm.Attachment(type="image/png", content=b"\x89PNG\r\n")
    with pytest.raises(BadRequest, match="cannot take an attachment"):
        ask("Say hello", attachments=[picture])
    with pytest.raises(BadRequest, match="tool_choice requires a tool"):
        ask("Say hello", tool_choice="required")


LONG = "My favourite colour is " + "very " * 400 + "blue."


def test_a_prompt_longer_than_the_context_is_an_error() -> None:
    with pytest.raises(ContextOverflow, match="-o num_ctx") as caught:
        ask(LONG, num_ctx=256)
    assert caught.value.param == "messages"


def test_truncate_drops_whole_turns_with_a_note() -> None:
    messages = [llm.user(LONG), llm.assistant("I will remember that."), llm.user(FRANCE)]
    answer = ask(None, messages=messages, num_ctx=256, truncate=True)
    assert "Paris" in answer.text
    assert [note["text"] for note in answer.notes if note["kind"] == "truncated"] == [
        "The 2 oldest messages were left out because the context was full."
    ]
    assert answer.tokens[0] is not None
    assert answer.tokens[0] < 256


def test_truncate_does_not_drop_the_question() -> None:
    with pytest.raises(ContextOverflow):
        ask(LONG, num_ctx=256, truncate=True)
