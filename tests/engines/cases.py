"""What every engine is asked: the same prompts, tools, schemas, efforts, stops and budgets.

Each case asks a model and says what came of it, as a value that can be written down and compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import llm
import sqlite_utils
from llm.logs import LogStore
from support.empty_log import copy_empty_log

from llm_gpt_oss.models import GptOss

CaseResult = dict[str, Any]
Case = Callable[[GptOss], Iterable[llm.Response]]

GREEDY = {"temperature": 0, "max_tokens": 400}
DOG = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def weather(city: str) -> str:
    "Weather in a city"
    return f"Sunny in {city}"


def add(a: int, b: int) -> int:
    "Add two numbers"
    return a + b


def asks(text: str, **given: Any) -> Case:
    "One prompt. What llm knows goes by its name, all the rest is an option."
    known = {name: given.pop(name) for name in ("schema", "system", "stream") if name in given}

    def case(model: GptOss) -> Iterable[llm.Response]:
        yield model.prompt(text, **known, **{**GREEDY, **given})

    return case


def chains(text: str, *tools: Any, **options: Any) -> Case:
    "A prompt with tools, and what follows from their results."

    def case(model: GptOss) -> Iterable[llm.Response]:
        yield from model.chain(text, tools=tools, options={**GREEDY, **options}).responses()

    return case


def converses(*texts: str) -> Case:
    def case(model: GptOss) -> Iterable[llm.Response]:
        conversation = model.conversation()
        for text in texts:
            response = conversation.prompt(text, **GREEDY)
            response.text()
            yield response

    return case


CASES: dict[str, Case] = {
    "a plain prompt": asks("What is the capital of France?"),
    "not streamed": asks("What is the capital of France?", stream=False),
    **{
        f"effort {effort}": asks("What is SQLite?", reasoning_effort=effort)
        for effort in ("none", "low", "medium", "high")
    },
    "instructions": asks("What is the capital of Peru?", system="Answer in upper case."),
    "a conversation": converses("Remember 48213.", "Which number?"),
    "text beyond ASCII": asks("misbehave: unicode"),
    "markers spelled out": asks("misbehave: marker-text"),
    "a tool and its result": chains("What is the weather in Oslo?", weather),
    "no arguments that fit": chains("misbehave: bad-json What is the weather in Oslo?", weather),
    "arguments cut off": chains("misbehave: cut-json What is the weather in Oslo?", weather),
    "a tool that must be called": chains("Call add with a=1337 and b=42", add, weather, tool_choice="add"),
    "any tool": chains("Call add with a=1337 and b=42", add, weather, tool_choice="required"),
    "no tool": chains("What is the weather in Oslo?", weather, tool_choice="none"),
    "a schema": asks("Invent a dog", schema=DOG),
    "a schema, not streamed": asks("Invent a dog", schema=DOG, stream=False),
    "a schema without reasoning": asks("Invent a dog", schema=DOG, reasoning_effort="none"),
    "a schema, and a model that does not think": asks("misbehave: no-thinking Invent a dog", schema=DOG),
    "a stop string": asks("Count to 120", stop=["14"], reasoning_effort="low"),
    "a limit": asks("Count to 120", max_tokens=60),
    "a budget for reasoning": asks("Why is the sky blue?", reasoning_tokens=5),
    "log probabilities": asks("What is the capital of Spain?", logprobs=True, reasoning_effort="none"),
    "rivals": asks("What is the capital of Spain?", top_logprobs=2, reasoning_effort="none"),
    "an answer with nothing in it": asks("misbehave: empty"),
    "a seed": asks("Tell me a joke", seed=7),
    "penalties": asks("Tell me a joke", repeat_penalty=1.1, presence_penalty=0.1, frequency_penalty=0.1),
    "a prompt that is too long": asks("word " * 9000),
}


def run_case(model: GptOss, case: Case) -> CaseResult:
    "What came of it: the events of each turn, its row in the log, and the error that ended it, if one did."
    database = sqlite_utils.Database(memory=True)
    copy_empty_log(database.conn)
    turns: list[CaseResult] = []
    error = None
    try:
        for response in case(model):
            turns.append({"events": _events(response)})
            turns[-1] |= _row(database, response)
    except llm.ModelError as problem:
        error = type(problem).__name__
    finally:
        database.close()
    return {"turns": turns, "error": error}


def _events(response: llm.Response) -> list[list[str]]:
    return [[event.type, event.chunk] for event in response.stream_events()]


def _row(database: sqlite_utils.Database, response: llm.Response) -> CaseResult:
    LogStore(database).log(response)
    [row] = database.query("select * from turns order by id desc limit 1")
    stored = json.loads(row["response_json"])
    details = json.loads(row["token_details"])
    return {
        "tokens": [row["input_tokens"], row["output_tokens"], details["reasoning_tokens"]],
        "completions": stored["completions"],
        "outcome": stored["outcome"],
        "logprobs": [_logprob(each) for each in stored.get("logprobs", ())],
    }


def _logprob(token: CaseResult) -> CaseResult:
    "Engines calculate in different orders, so the last digits differ."
    top = [rival["token"] for rival in token["top_logprobs"]]
    return {"token": token["token"], "certain": token["logprob"] > -0.5, "top": top}
