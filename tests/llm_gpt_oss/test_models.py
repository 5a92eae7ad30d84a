from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import llm
import pytest
from click.testing import CliRunner
from llm.cli import cli
from support.scripted_engine import AsyncScriptedEngine, Part, ScriptedEngine
from support.turn_requests import FINAL, NEXT, PERSON, START, THOUGHT, call_opener

from llm_gpt_oss import models as module
from llm_gpt_oss.errors import BadRequest, EngineUnreachable, GptOssError, StreamCut
from llm_gpt_oss.models import AsyncGptOss, GptOss
from llm_gpt_oss.settings import Settings

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
YES = f"{THINKS}{FINAL}Yes it is."
CALL = f'{call_opener()}{{"city":"Oslo"}}'
Scripted = Callable[..., Any]


def get_weather(city: str) -> str:
    "Weather at a place."
    return f"Warm in {city}"


async def aget_weather(city: str) -> str:
    "Weather at a place."
    await asyncio.sleep(0)
    return f"Warm in {city}"


class Places(llm.Toolbox):
    def __init__(self, sky: str) -> None:
        self.sky = sky

    def weather(self, city: str) -> str:
        "Weather at a place."
        return f"{self.sky} in {city}"


def make_model(*script: Part) -> tuple[GptOss, ScriptedEngine]:
    engine = ScriptedEngine(*script)
    return GptOss("gpt-oss:20b", Settings(), engine), engine


def make_async_model(*script: Part) -> tuple[AsyncGptOss, AsyncScriptedEngine]:
    engine = AsyncScriptedEngine(*script)
    return AsyncGptOss("gpt-oss:20b", Settings(), engine), engine


# Sync and async, streamed and not


@pytest.mark.parametrize("stream", [True, False])
async def test_sync_and_async_models_give_the_same_answer(stream: bool) -> None:
    model, engine = make_model(YES)
    async_model, async_engine = make_async_model(YES)
    response, async_response = (
        model.prompt("Warm?", stream=stream),
        async_model.prompt("Warm?", stream=stream),
    )
    text = list(response)
    assert text == [chunk async for chunk in async_response] == ["Yes", " it", " is."]
    assert [event.chunk for event in response.stream_events()] == ["Hm.", *text]
    assert engine.asked == async_engine.asked
    assert engine.asked[0].prompt.endswith(f"<|start|>user<|message|>Warm?<|end|>{START}")
    assert (response.response_json, response.resolved_model) == (
        async_response.response_json,
        async_response.resolved_model,
    )
    assert response.usage().output == (await async_response.usage()).output == 14


@pytest.mark.parametrize("stream", [True, False])
def test_only_an_answer_that_is_not_streamed_is_requested_again(stream: bool) -> None:
    model, engine = make_model(THINKS, "7", '{"name":"Ada"}')
    text = model.prompt("Who?", schema=PERSON, stream=stream).text()
    assert (text, len(engine.asked)) == (("7", 2) if stream else ('{"name":"Ada"}', 3))


def test_reasoning_is_streamed() -> None:
    model, _ = make_model([THINKS, pytest.fail])
    events = model.prompt("Warm?").stream_events()
    assert next(events).type == "reasoning"
    events.close()


def test_options_reach_the_engine() -> None:
    model, engine = make_model("Yes.")
    model.prompt(
        "Warm?",
        reasoning_effort="none",
        temperature=0.2,
        seed=7,
        max_tokens=50,
        num_ctx=8192,
        keep_alive="1h",
    ).text()
    [asked] = engine.asked
    assert (asked.model, asked.max_tokens, asked.context_length, asked.keep_alive) == (
        "gpt-oss:20b",
        50,
        8192,
        "1h",
    )
    assert (asked.sampling.temperature, asked.sampling.seed) == (0.2, 7)
    assert asked.prompt.endswith(f"{THOUGHT}<|end|>{START}{FINAL}")


def test_an_invalid_request_is_rejected_before_anything_is_sent() -> None:
    model, engine = make_model()
    with pytest.raises(BadRequest, match="tool_choice"):
        model.prompt("Warm?", tool_choice="required").text()
    assert engine.asked == []


# Tools

RESULT = (
    "<|start|>functions.{name} to=assistant<|channel|>commentary<|message|>{text}<|end|><|start|>assistant"
)


@pytest.mark.parametrize("tool", [get_weather, aget_weather])
def test_a_chain(tool: Any) -> None:
    name = tool.__name__
    model, engine = make_model(f'{THINKS}{call_opener(name)}{{"city":"Oslo"}}', YES)
    chain = model.chain("Warm in Oslo?", tools=[tool])
    assert chain.text() == "Yes it is."
    tail = RESULT.format(name=name, text="Warm in Oslo")
    thought = f"{START}{THOUGHT}Hm.<|end|>"
    assert engine.asked[1].prompt == (
        f'{engine.asked[0].prompt.removesuffix(START)}{thought}{START}{call_opener(name)}{{"city":"Oslo"}}'
        f"<|call|>{tail}"
    )


@pytest.mark.parametrize("tool", [get_weather, aget_weather])
async def test_an_async_chain(tool: Any) -> None:
    model, engine = make_async_model(f'{call_opener(tool.__name__)}{{"city":"Oslo"}}', YES)
    assert await model.chain("Warm in Oslo?", tools=[tool]).text() == "Yes it is."
    assert engine.asked[1].prompt.endswith(RESULT.format(name=tool.__name__, text="Warm in Oslo"))


def test_a_toolbox() -> None:
    model, engine = make_model(f'{call_opener("Places_weather")}{{"city":"Oslo"}}', YES)
    assert model.chain("Warm in Oslo?", tools=[Places("Rain")]).text() == "Yes it is."
    assert "type Places_weather = (_: {\ncity: string,\n}) => any;" in engine.asked[0].prompt
    assert engine.asked[1].prompt.endswith(RESULT.format(name="Places_weather", text="Rain in Oslo"))


def test_the_model_reads_that_a_tool_does_not_exist() -> None:
    model, engine = make_model(f"{call_opener('nobody')}{{}}", YES)
    assert model.chain("Warm?", tools=[get_weather]).text() == "Yes it is."
    header = "<|start|>functions.nobody to=assistant<|channel|>commentary<|message|>"
    assert f"{header}Error: functions.nobody is not available." in engine.asked[1].prompt


def test_several_calls_at_once() -> None:
    model, engine = make_model(f'{CALL}{NEXT}assistant{call_opener()}{{"city":"Bergen"}}', YES)
    assert model.chain("Warm?", tools=[get_weather]).text() == "Yes it is."
    assert "Warm in Oslo<|end|>" in engine.asked[1].prompt
    assert engine.asked[1].prompt.endswith(RESULT.format(name="get_weather", text="Warm in Bergen"))


def test_a_conversation() -> None:
    model, engine = make_model(YES, f"{FINAL}No.")
    conversation = model.conversation()
    conversation.prompt("Warm?", system="Be brief.").text()
    assert conversation.prompt("Cold?").text() == "No."
    start = engine.asked[0].prompt.removesuffix(START)
    assert engine.asked[1].prompt == (
        f"{start}{START}{FINAL}Yes it is.<|end|><|start|>user<|message|>Cold?<|end|>{START}"
    )


# Keys and engines


@pytest.mark.parametrize(
    ("stored", "variable", "given", "used"),
    [
        pytest.param(None, None, None, None, id="none is needed"),
        pytest.param("stored", None, None, "stored", id="llm keys set ollama"),
        pytest.param(None, "variable", None, "variable", id="OLLAMA_API_KEY"),
        pytest.param("stored", "variable", None, "stored", id="the stored one before the variable"),
        pytest.param("stored", "variable", "given", "given", id="--key before all"),
        pytest.param("stored", None, "ollama", "stored", id="--key with a name"),
    ],
)
async def test_keys(
    stored: str | None,
    variable: str | None,
    given: str | None,
    used: str | None,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = scripted(YES)
    if stored:
        assert CliRunner().invoke(cli, ["keys", "set", "ollama", "--value", stored]).exit_code == 0
    if variable:
        monkeypatch.setenv("OLLAMA_API_KEY", variable)
    llm.get_model("gpt-oss:20b").prompt("Warm?", key=given).text()
    await llm.get_async_model("gpt-oss:20b").prompt("Warm?", key=given).text()
    assert server.keys == [used, used]


def test_an_open_engine_needs_no_key() -> None:
    assert GptOss("gpt-oss:20b", Settings()).get_key("given") == "given"
    assert GptOss("gpt-oss:20b", Settings(), ScriptedEngine()).get_key("given") is None


def test_the_key_of_the_command_line(scripted: Scripted) -> None:
    server = scripted(YES)
    result = CliRunner().invoke(cli, ["-m", "gpt-oss", "Warm?", "--key", "k", "--no-log"])
    assert (result.exit_code, result.stdout, server.keys) == (0, "Yes it is.\n", ["k"])


async def test_each_prompt_opens_and_closes_an_engine(scripted: Scripted) -> None:
    server = scripted(YES, YES)
    settings = Settings()
    model, async_model = GptOss("m", settings), AsyncGptOss("m", settings)
    model.prompt("Warm?").text()
    model.prompt("Warm?").text()
    assert (server.opened, server.closed, server.settings) == (2, 2, [settings, settings])
    await async_model.prompt("Warm?").text()
    assert (server.opened, server.closed, len(server.engine.asked), len(server.aengine.asked)) == (3, 3, 2, 1)


async def test_an_engine_is_closed_when_the_prompt_fails(scripted: Scripted) -> None:
    server = scripted(StreamCut("cut"))
    for response in (GptOss("m", Settings()).prompt("Hi"), AsyncGptOss("m", Settings()).prompt("Hi")):
        with pytest.raises(StreamCut):
            await response.text() if isinstance(response, llm.AsyncResponse) else response.text()
    assert (server.opened, server.closed) == (2, 2)


async def test_an_engine_that_was_passed_in_stays_open(scripted: Scripted) -> None:
    server = scripted()
    model, engine = make_model(YES, YES)
    assert [model.prompt("Warm?").text(), model.prompt("Warm?").text()] == ["Yes it is."] * 2
    async_model, async_engine = make_async_model(YES)
    assert await async_model.prompt("Warm?").text() == "Yes it is."
    assert (len(engine.asked), len(async_engine.asked), server.opened) == (2, 1, 0)


def test_an_invalid_address_is_an_error_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://:x")
    with pytest.raises(GptOssError, match="OLLAMA_HOST"):
        llm.get_model("gpt-oss").prompt("Warm?").text()


# Attachments


@pytest.mark.parametrize("model_class", [GptOss, AsyncGptOss])
def test_attachments_are_rejected(model_class: Any) -> None:
    with pytest.raises(BadRequest) as raised:
        model_class("m", Settings()).prompt(
            "What is it?", attachments=[llm.Attachment(content=b"GIF", type="image/gif")]
        )
    assert raised.value.param == "attachments"
    assert str(raised.value) == (
        "gpt-oss reads text only: it cannot take an attachment. "
        "Leave out -a, or pass a text file's content with -f FILE."
    )


def test_an_empty_list_of_attachments() -> None:
    model, _ = make_model(YES)
    assert model.prompt("Warm?", attachments=[]).text() == "Yes it is."


# The day


def test_the_date_is_today(monkeypatch: pytest.MonkeyPatch) -> None:
    today = SimpleNamespace(today=lambda: date(2031, 2, 3))
    monkeypatch.setattr(module, "datetime", SimpleNamespace(date=today))
    model, engine = make_model(YES)
    model.prompt("Warm?").text()
    assert "\nCurrent date: 2031-02-03\n" in engine.asked[0].prompt


def test_the_date_of_the_settings(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> None:
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2001-02-03")
    server = scripted(YES)
    llm.get_model("gpt-oss").prompt("Warm?").text()
    assert "\nCurrent date: 2001-02-03\n" in server.engine.asked[0].prompt


# The record


@pytest.mark.parametrize(
    ("script", "outcome", "tokens"),
    [
        ([EngineUnreachable("nobody")], {"finish_reason": None, "notes": []}, 0),
        ([[f"{THINKS}{FINAL}Ye", StreamCut("cut")]], {"finish_reason": None, "notes": []}, 11),
        ([[f"{FINAL}Ye", RuntimeError("a bug")]], {"finish_reason": None, "notes": []}, 4),
        ([[f"{FINAL}Ye", KeyboardInterrupt()]], {"finish_reason": None, "notes": []}, 4),
    ],
)
async def test_errors_are_recorded(script: list[Part], outcome: object, tokens: int) -> None:
    error = script[0][-1] if isinstance(script[0], list) else script[0]
    model, _ = make_model(*script)
    response = model.prompt("Warm?")
    with pytest.raises(type(error)) as raised:
        response.text()
    assert raised.value is error
    assert (response.response_json or {})["outcome"] == outcome
    assert (response.output_tokens, response.resolved_model) == (tokens, "gpt-oss:20b")
    if isinstance(error, KeyboardInterrupt):
        return  # it would end the event loop of this test
    async_model, _ = make_async_model(*script)
    async_response = async_model.prompt("Warm?")
    with pytest.raises(type(error)):
        await async_response.text()
    assert (async_response.response_json, async_response.output_tokens) == (response.response_json, tokens)


def test_an_abandoned_response_is_stopped_and_recorded() -> None:
    model, engine = make_model(YES)
    response = model.prompt("Warm?")
    events = response.stream_events()
    next(events)
    assert (engine.closed, response.response_json) == (0, None)
    events.close()
    assert (engine.closed, response.output_tokens) == (1, 4)
    outcome = {"finish_reason": None, "notes": []}
    assert response.response_json == {"outcome": outcome, "completions": 0, "engine": "ollama"}


async def test_an_abandoned_async_response_is_stopped_and_recorded() -> None:
    model, engine = make_async_model(YES)
    response = model.prompt("Warm?")
    events = response.astream_events()
    await anext(events)
    assert (engine.closed, response.response_json) == (0, None)
    await events.aclose()
    assert (engine.closed, response.output_tokens) == (1, 4)


async def test_a_cancelled_task_stops_the_engine() -> None:
    here = asyncio.Event()

    class Waits(AsyncScriptedEngine):
        async def complete(self, completion: Any) -> Any:
            async for item in super().complete(completion):
                yield item
                here.set()
                await asyncio.Event().wait()

    engine = Waits(YES)
    response = AsyncGptOss("m", Settings(), engine).prompt("Warm?")
    task = asyncio.ensure_future(response.text())  # type: ignore[arg-type]
    await here.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (response.response_json or {})["outcome"]["finish_reason"] is None
    assert response.output_tokens == 1


def test_the_date_that_a_program_passes() -> None:
    prompt = llm.Prompt("Warm?", GptOss("m", Settings()), options=GptOss.Options())
    for settings, day in (({}, "1999-12-31"), ({"LLM_GPT_OSS_DATE": "2001-02-03"}, "2001-02-03")):
        plan, _ = GptOss("m", Settings.from_env(settings)).start_turn(prompt, stream=True, date="1999-12-31")
        completion = plan.next_completion()
        assert completion is not None
        assert f"\nCurrent date: {day}\n" in completion.prompt


def test_call_ids_are_unique() -> None:
    model, _ = make_model(CALL, CALL)
    ids = [model.prompt("Warm?", tools=[get_weather]).tool_calls()[0].tool_call_id for _ in range(2)]
    assert len({*ids}) == 2


def test_the_time_to_the_first_token() -> None:
    model, _ = make_model(YES)
    usage = model.prompt("Warm?").usage()
    assert usage.details is not None
    assert 0 <= usage.details["time_to_first_token_ms"] < 60_000
