"""The same prompts on every engine: the same events, the same rows in the log.

What is expected (`expected.json`) is what Ollama said when its cassettes were recorded; recording them again
writes it again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from cases import CASES, Told, asks, told

from llm_gpt_oss.models import AsyncGptOss, GptOss

EXPECTED = Path(__file__).with_name("expected.json")


@pytest.fixture(scope="session")
def expected() -> dict[str, Told]:
    return json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}


@pytest.mark.parametrize("name", CASES)
def test_the_same_everywhere(
    name: str, engine: str, model: GptOss, expected: dict[str, Told], record_mode: str
) -> None:
    found = told(model, CASES[name])
    if engine == "ollama" and record_mode == "rewrite":
        expected[name] = found
        EXPECTED.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    wanted = expected[name]
    if (name, engine) == ("a stop string", "vllm"):
        # What might become one the others hold back, and then let go of in one piece.
        found, wanted = _joined(found), _joined(wanted)
    assert found == wanted


def _joined(told: Told) -> Told:
    "With the text of each run of events of one type in one."
    turns = []
    for turn in told["turns"]:
        runs = groupby(turn["events"], key=lambda event: event[0])
        turns.append({**turn, "events": [[kind, "".join(text for _, text in run)] for kind, run in runs]})
    return {**told, "turns": turns}


# What a server decides when it is started cannot be asked of it with a prompt.
BY_PROMPT = {
    "ollama": True,
    "embedded": True,
    "llama-server": False,
    "completions": False,
    "vllm": False,
    "transformers": True,
}


def test_the_context_that_a_prompt_asks_for(engine: str, model: GptOss) -> None:
    long = asks("word " * 700, num_ctx=512, max_tokens=1)
    assert (told(model, long)["error"] == "ContextOverflow") is BY_PROMPT[engine]


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
        pytest.skip(
            "no cassette can show that: tests/proxy/test_serving.py does, for all that is asked over HTTP"
        )
    for event in model.prompt("Write 5 paragraphs about rivers", temperature=0).stream_events():
        if event.type == "text":
            break
    began = time.perf_counter()
    model.prompt("Say hello", temperature=0, reasoning_effort="none").text()
    # One that went on would have to end first, or to share the processor with this one.
    assert time.perf_counter() - began < 1


async def _text(model: AsyncGptOss, prompt: str, options: dict[str, object]) -> str:
    return await model.prompt(prompt, **options).text()
