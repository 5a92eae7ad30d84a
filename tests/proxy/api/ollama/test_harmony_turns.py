"""Turns of a plugin on another machine: what the server logs of its raw completions.

The plugin runs in the test, on the engine `proxy`. The server is in a thread, and its engine plays a script.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import llm
import pytest
import sqlite_utils
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from support.proxy_thread import proxy_thread
from support.scripted_engine import AsyncScriptedEngine, Part, cut, stopped

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.errors import StreamCut
from llm_gpt_oss.harmony.prompt import OPENER
from proxy.api.ollama import turn_log
from proxy.app import create_app
from proxy.log.database import open_log
from proxy.log.logged_turn import LoggedTurn
from proxy.log.queries import load_turn
from proxy.settings import Settings

THINK = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
HELLO = f"{THINK}<|channel|>final<|message|>Hello"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def weather(city: str) -> str:
    "The weather"
    return f"Sunny in {city}"


def clock(zone: str) -> str:
    "The time"
    return f"12:00 {zone}"


CLOCK = "<|channel|>commentary to=functions.clock <|constrain|>json<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant"
WEATHER = f'{THINK}<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{{"city": "Oslo"}}'


@contextmanager
def there(path: Path, *script: Part) -> Iterator[llm.Model]:
    "The model `box`, which runs on a server whose engine plays the script."
    models_file.add("mine", ["m"], EngineBinding("embedded", {"gguf": "mine.gguf"}))
    app = create_app(Settings(database=path), engine=AsyncScriptedEngine(*script))
    with proxy_thread(app) as url:
        models_file.add("box", [], EngineBinding("proxy", {"url": url, "model": "m"}))
        yield llm.get_model("box")


def turns(path: Path) -> list[LoggedTurn]:
    "The turns in the server's log, oldest first."
    log = open_log(path)
    try:
        ids = [row[0] for row in log.db.execute("select id from turns order by id").fetchall()]
        return [turn for turn_id in ids if (turn := load_turn(log, turn_id))]
    finally:
        log.db.close()


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite_utils.Database(path) as database:
        return database.execute(sql).fetchall()


def visible(messages: list[Message]) -> list[Any]:
    "The parts of the messages, without the ids of calls."
    parts: list[Any] = []
    for message in messages:
        for part in message.parts:
            match part:
                case ToolCallPart():
                    parts.append((message.role, "call", part.name, part.arguments, part.provider_metadata))
                case ToolResultPart():
                    parts.append((message.role, "result", part.name, part.output))
                case TextPart() | ReasoningPart():
                    part_type = "text" if isinstance(part, TextPart) else "reasoning"
                    parts.append((message.role, part_type, part.text, part.provider_metadata))
    return parts


def stored(messages: Any) -> list[Message]:
    return [each.message for each in messages]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.db"


@pytest.mark.parametrize(
    ("script", "fields", "completions"),
    [
        pytest.param([HELLO], {}, 1, id="plain"),
        pytest.param([HELLO], {"system": "Be brief.", "reasoning_effort": "high"}, 1, id="instructions"),
        pytest.param([HELLO], {"stream": False}, 1, id="not streamed"),
        pytest.param(["Hello"], {"reasoning_effort": "none"}, 1, id="no reasoning"),
        pytest.param(["Hello"], {}, 1, id="answer without a header"),
        pytest.param([THINK, '{"a": 1}'], {"schema": SCHEMA}, 2, id="schema"),
        pytest.param([THINK, "Hello"], {"stop": ["x"]}, 2, id="stop string"),
        pytest.param([cut("Hm. Hm."), HELLO.removeprefix(THINK)], {"reasoning_tokens": 2}, 2, id="budget"),
        pytest.param([cut(f"{THINK}<|channel|>final<|message|>He")], {"max_tokens": 9}, 1, id="cut answer"),
        pytest.param([THINK.removesuffix("<|start|>assistant"), "Hello"], {}, 2, id="answer opened"),
        pytest.param([WEATHER], {"tools": [weather]}, 1, id="call"),
        pytest.param(
            [WEATHER.replace("functions.weather", "weather")], {"tools": [weather]}, 1, id="call, renamed"
        ),
        pytest.param(
            ["Hm.", ".weather", '{"city": "Oslo"}'],
            {"tools": [weather, clock], "tool_choice": "required"},
            3,
            id="any tool",
        ),
        pytest.param(
            [WEATHER.replace('{"city": "Oslo"}', "{nothing"), '{"city": "Oslo"}'],
            {"tools": [weather]},
            2,
            id="arguments requested again",
        ),
        pytest.param(
            [f"{WEATHER}<|call|>{OPENER}{CLOCK}{{nothing", '{"zone": "UTC"}'],
            {"tools": [weather, clock]},
            2,
            id="arguments of the second call requested again",
        ),
        pytest.param(
            [THINK + PREAMBLE + WEATHER.removeprefix(THINK)],
            {"tools": [weather]},
            1,
            id="preamble and call",
        ),
    ],
)
def test_both_machines_log_the_same(
    path: Path, script: list[Part], fields: dict[str, Any], completions: int
) -> None:
    with there(path, *script) as model:
        response = model.prompt("Hi", **fields)
        response.text()
    [turn] = turns(path)
    assert visible(stored(turn.answer)) == visible(response.messages())
    assert visible(stored(turn.prompt)) == visible(response.prompt.messages)
    assert turn.usage.prompt_tokens == response.input_tokens
    assert turn.usage.completion_tokens == response.output_tokens
    assert turn.raw["completions"] == response.response_json["completions"] == completions
    assert turn.raw["outcome"]["finish_reason"] == response.response_json["outcome"]["finish_reason"]
    assert (turn.status, turn.error, turn.endpoint) == (200, None, "/api/generate")


def test_a_conversation_is_one_thread(path: Path) -> None:
    with there(path, HELLO, HELLO, HELLO) as model:
        conversation = model.conversation()
        conversation.prompt("Hi <|end|>").text()
        conversation.prompt("More").text()
        model.prompt("Other").text()
    first, second, other = turns(path)
    assert first.thread_id == second.thread_id != other.thread_id
    assert visible(stored(second.prompt)) == [
        ("user", "text", "Hi <|end|>", None),
        ("assistant", "reasoning", "Hm.", None),
        ("assistant", "text", "Hello", None),
        ("user", "text", "More", None),
    ]


def test_a_chain_with_tools_is_one_thread(path: Path) -> None:
    calls = f'{WEATHER}<|call|>{OPENER}{CLOCK}{{"zone": "UTC"}}'
    with there(path, calls, HELLO, HELLO) as model:
        conversation = model.conversation(tools=[weather, clock])
        chain = conversation.chain("Hi", options={"reasoning_effort": "low"})
        assert chain.text() == "Hello"
        conversation.prompt("More").text()
    first, second, third = turns(path)
    assert first.thread_id == second.thread_id == third.thread_id
    assert visible(stored(second.prompt))[-2:] == [
        ("tool", "result", "weather", "Sunny in Oslo"),
        ("tool", "result", "clock", "12:00 UTC"),
    ]
    parts = [part for each in second.prompt for part in each.message.parts]
    calls_ids = [part.tool_call_id for part in parts if isinstance(part, ToolCallPart)]
    assert [part.tool_call_id for part in parts if isinstance(part, ToolResultPart)] == calls_ids
    assert len({*calls_ids}) == 2
    assert rows(path, "select name, description from tools order by name") == [
        ("clock", "The time"),
        ("weather", "The weather"),
    ]


def test_a_turn_of_several_completions_keeps_its_thread(path: Path) -> None:
    with there(path, THINK, '{"a": 1}', THINK, '{"a": 2}') as model:
        conversation = model.conversation()
        conversation.prompt("Hi", schema=SCHEMA).text()
        conversation.prompt("More", schema=SCHEMA).text()
    first, second = turns(path)
    assert first.thread_id == second.thread_id
    assert visible(stored(second.prompt)) == [
        ("user", "text", "Hi", None),
        ("assistant", "reasoning", "Hm.", None),
        ("assistant", "text", '{"a": 1}', None),
        ("user", "text", "More", None),
    ]
    assert rows(path, "select count(*) from threads") == [(1,)]


def test_times_are_those_of_all_completions(path: Path) -> None:
    times = {"load_ms": 1, "prompt_ms": 2, "completion_ms": 8}
    with there(path, stopped(THINK, **times), stopped('{"a": 1}', **times)) as model:
        response = model.prompt("Hi", schema=SCHEMA)
        response.text()
    [(details, duration)] = rows(path, "select token_details, duration_ms from turns")
    expected = {**response.token_details, **json.loads(details)}
    assert json.loads(details) == expected
    assert expected["completion_ms"] == 16
    assert duration >= 0


@pytest.mark.parametrize("problem", ["database is locked", "no such table: turns"])
def test_the_log_cannot_be_searched(path: Path, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise sqlite3.OperationalError(problem)

    monkeypatch.setattr(turn_log, "find_earlier_completion", failing)
    with there(path, THINK, '{"a": 1}') as model:
        assert model.prompt("Hi", schema=SCHEMA).text() == '{"a": 1}'
    assert [visible(stored(turn.answer))[-1][2] for turn in turns(path)] == ["Hm.", '{"a": 1}']


def test_a_preamble_and_an_answer_in_the_history(path: Path) -> None:
    answer = f"{THINK}{PREAMBLE}<|channel|>final<|message|>Hello"
    with there(path, answer, HELLO) as model:
        conversation = model.conversation()
        conversation.prompt("Hi").text()
        conversation.prompt("More").text()
    first, second = turns(path)
    assert first.thread_id == second.thread_id
    assert stored(second.prompt)[1] == stored(first.answer)[0]


def test_several_answers_to_one_prompt_at_the_same_time(path: Path) -> None:
    "Each second completion replaces the turn of its own first one."
    other = THINK.replace("Hm.", "Well.")
    with there(path, THINK, other, '{"a": 1}', '{"a": 2}') as model:
        url = f"{model.bound_model.engine_options['url']}/api/generate"
        for begun in ("", "", "Hm.", "Well."):
            thought = f"<|channel|>analysis<|message|>{begun}<|end|>{OPENER}<|channel|>final<|message|>"
            httpx.post(url, json=RAW | {"prompt": USER + OPENER + (thought if begun else "")})
    assert [visible(stored(turn.answer)) for turn in turns(path)] == [
        [("assistant", "reasoning", "Hm.", None), ("assistant", "text", '{"a": 1}', None)],
        [("assistant", "reasoning", "Well.", None), ("assistant", "text", '{"a": 2}', None)],
    ]


def test_the_same_prompt_twice_is_two_turns(path: Path) -> None:
    with there(path, THINK, '{"a": 1}', THINK, '{"a": 1}') as model:
        for _ in range(2):
            model.prompt("Hi", schema=SCHEMA).text()
    first, second = turns(path)
    assert first.thread_id != second.thread_id
    assert visible(stored(first.answer)) == visible(stored(second.answer))


def test_what_is_logged_of_the_request(path: Path) -> None:
    with there(path, HELLO) as model:
        model.prompt("Hi", system="Be brief.", tools=[weather], temperature=0, max_tokens=50).text()
    [turn] = turns(path)
    assert turn.model == "mine"
    assert turn.body["prompt"].startswith("<|start|>system<|message|>You are ChatGPT")
    assert turn.body["prompt"].endswith("} // namespace functions<|end|>")
    assert rows(path, "select options_json from turns") == [
        ('{"reasoning_effort": "medium", "temperature": 0.0, "max_tokens": 50}',)
    ]
    assert visible(stored(turn.prompt))[0] == ("system", "text", "Be brief.", None)


def test_a_turn_that_breaks_off(path: Path) -> None:
    error = StreamCut("It broke.")
    script = [*stopped(f"{THINK}<|channel|>final<|message|>He")[:-1], error]
    with there(path, script) as model, pytest.raises(llm.ModelError, match="It broke"):
        model.prompt("Hi").text()
    [turn] = turns(path)
    assert turn.error == "It broke."
    assert visible(stored(turn.answer)) == [
        ("assistant", "reasoning", "Hm.", None),
        ("assistant", "text", "He", None),
    ]
    assert turn.raw["outcome"]["finish_reason"] is None


def test_an_earlier_turn_that_failed_is_not_replaced(path: Path) -> None:
    with there(path, [*stopped(THINK)[:-1], StreamCut("It broke.")], THINK, '{"a": 1}') as model:
        with pytest.raises(llm.ModelError):
            model.prompt("Hi", schema=SCHEMA).text()
        model.prompt("Hi", schema=SCHEMA).text()
    assert [turn.error for turn in turns(path)] == ["It broke.", None]


def test_an_answer_whose_beginning_was_logged_by_somebody_else(path: Path) -> None:
    "The log is off while the model thinks, so the turn has only what the prompt of its answer shows."
    with there(path, THINK, '{"a": 1}') as model:
        settings = model.bound_model.binding.engine_options
        headers = {"X-LLM-Log": "off"}
        prompt = f"{USER}{OPENER}"
        httpx.post(f"{settings['url']}/api/generate", json=RAW | {"prompt": prompt}, headers=headers)
        begun = f"{prompt}<|channel|>analysis<|message|>Hm.<|end|>{OPENER}<|channel|>final<|message|>"
        httpx.post(f"{settings['url']}/api/generate", json=RAW | {"prompt": begun})
    [turn] = turns(path)
    assert visible(stored(turn.answer))[0] == ("assistant", "reasoning", "Hm.", None)


USER = "<|start|>user<|message|>Hi<|end|>"
RAW = {"model": "m", "raw": True}
Complete = Callable[..., httpx.Response]


@pytest.fixture
def complete(path: Path) -> Iterator[Complete]:
    "Sends a raw completion to a server whose engine says hello."
    with there(path, *[HELLO] * 4):
        url = str(models_file.read_bindings()["box"].engine_options["url"])

        def post(prompt: str, **fields: Any) -> httpx.Response:
            body = {"model": "m", "prompt": prompt, "raw": True, **fields}
            return httpx.post(f"{url}/api/generate", json=body)

        yield post


def test_an_answer_that_is_not_streamed(path: Path, complete: Complete) -> None:
    assert complete(USER + OPENER, stream=False).json()["response"] == HELLO
    [turn] = turns(path)
    assert visible(stored(turn.answer)) == [
        ("assistant", "reasoning", "Hm.", None),
        ("assistant", "text", "Hello", None),
    ]


def test_the_beginning_of_an_answer(path: Path, complete: Complete) -> None:
    complete(f"{USER}{OPENER}<|channel|>final<|message|>Well, ")
    [turn] = turns(path)
    assert visible(stored(turn.prompt)) == [("user", "text", "Hi", None)]
    assert visible(stored(turn.answer))[0][2].startswith("Well, ")


@pytest.mark.parametrize(
    "prompt",
    [
        "Why is the sky blue?",
        f"<|start|>user<|message|>Hi<|channel|>{OPENER}",
        f"<|start|>system<|message|>Reasoning: low<|end|>{OPENER}",
        USER + f"{OPENER}<|channel|>final<|message|>Hello<|end|>" * 201 + OPENER,
        OPENER,
    ],
)
def test_another_prompt_is_logged_as_its_text(path: Path, complete: Complete, prompt: str) -> None:
    assert complete(prompt).status_code == 200
    [turn] = turns(path)
    assert visible(stored(turn.prompt)) == [("user", "text", prompt, None)]
    assert turn.body["prompt"] == prompt


def test_messages_of_every_role(path: Path, complete: Complete) -> None:
    complete(
        "<|start|>system<|message|>You are a pelican.<|end|>"
        "<|start|>developer<|message|># Instructions\n\nBe brief.<|end|>"
        "<|start|>user:ada<|message|>Hi<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>'
        "<|start|>functions.f to=assistant<|channel|>commentary<|message|>2<|end|>"
        "<|start|>functions.g to=assistant<|channel|>commentary<|message|>3<|end|>"
        f"<|start|>assistant<|channel|>odd<|message|>Two.<|end|>{USER}{OPENER}"
    )
    [turn] = turns(path)
    assert visible(stored(turn.prompt)) == [
        ("system", "text", "You are a pelican.", None),
        ("system", "text", "Be brief.", None),
        ("user", "text", "Hi", None),
        ("assistant", "call", "f", {"a": 1}, {"gpt_oss": {"arguments": '{"a": 1}'}}),
        ("tool", "result", "f", "2"),
        ("tool", "result", "g", "3"),
        ("assistant", "text", "Two.", {"gpt_oss": {"channel": "commentary"}}),
        ("user", "text", "Hi", None),
    ]
    assert turn.prompt[2].message.provider_metadata == {"gpt_oss": {"name": "ada"}}
