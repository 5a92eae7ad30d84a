"""The same prompts on every engine give the same events and the same rows in the log.

`expected.json` has the results of Ollama from when its cassettes were recorded. Recording updates it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from cases import CASES, CaseResult, asks, run_case

from llm_gpt_oss.models import AsyncGptOss, GptOss

LLAMA_CPP = ("embedded", "llama-server", "completions", "proxy")
EXPECTED = Path(__file__).with_name("expected.json")


@pytest.fixture(scope="session")
def expected() -> dict[str, CaseResult]:
    return json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}


@pytest.mark.parametrize("name", CASES)
def test_the_same_everywhere(
    name: str, engine: str, model: GptOss, expected: dict[str, CaseResult], record_mode: str
) -> None:
    actual = run_case(model, CASES[name])
    if engine == "ollama" and record_mode == "rewrite":
        expected[name] = actual
        EXPECTED.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    reference = expected[name]
    # An engine may join the pieces of an answer that is not streamed. llama.cpp holds back the start of a
    # stop string, and does not report the text of its tokens.
    if name.endswith("not streamed") or (name == "a stop string" and engine in LLAMA_CPP):
        actual, reference = _joined(actual), _joined(reference)
    assert actual == reference


def _joined(result: CaseResult) -> CaseResult:
    "The result with consecutive events of one type joined."
    turns = []
    for turn in result["turns"]:
        runs = groupby(turn["events"], key=lambda event: event[0])
        turns.append({**turn, "events": [[type_, "".join(text for _, text in run)] for type_, run in runs]})
    return {**result, "turns": turns}


# Whether a prompt can set the context length. Servers are started with it.
BY_PROMPT = {
    "ollama": True,
    "embedded": True,
    "llama-server": False,
    "completions": False,
    "vllm": False,
    "proxy": True,
    "transformers": True,
}


def test_the_context_that_a_prompt_asks_for(engine: str, model: GptOss) -> None:
    long = asks("word " * 700, num_ctx=512, max_tokens=1)
    assert (run_case(model, long)["error"] == "ContextOverflow") is BY_PROMPT[engine]


def test_awaited_it_says_the_same(engine: str, async_model: Callable[[], AsyncGptOss]) -> None:
    async def answered() -> tuple[str, str]:
        options = {"temperature": 0, "reasoning_effort": "none"}
        model = async_model()
        first, second = await asyncio.gather(
            _text(model, "What is the capital of France?", options),
            _text(model, "What is the capital of Peru?", options),
        )
        return first, second

    assert asyncio.run(answered()) == ("The capital of France is Paris.", "The capital of Peru is Lima.")


def test_who_stops_reading_stops_the_work(engine: str, model: GptOss) -> None:
    if engine in ("ollama", "vllm"):
        pytest.skip("a cassette cannot show it; tests/proxy/test_serving.py tests it for HTTP")
    for event in model.prompt("misbehave: loop", temperature=0).stream_events():
        if event.type == "text":
            break
    began = time.perf_counter()
    model.prompt("Say hello", temperature=0, reasoning_effort="none").text()
    # The loop fills the context in half a minute. If it continued, it would have to end first.
    assert time.perf_counter() - began < 10


async def _text(model: AsyncGptOss, prompt: str, options: dict[str, object]) -> str:
    return await model.prompt(prompt, **options).text()
