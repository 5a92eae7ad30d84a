"Sync and async do the same: one table, two drivers."

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from support.scripted_engine import AsyncScriptedEngine, Part, ScriptedEngine, cut, pieces
from support.turn_requests import (
    FINAL,
    PERSON,
    START,
    THOUGHT,
    TOOLS,
    build_request,
    call_opener,
    join_texts,
    user,
)

from llm_gpt_oss import streaming
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.errors import ContextOverflow, EmptyStream, EngineBusy, GptOssError, StreamCut
from llm_gpt_oss.turn import run as module
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.request import TurnRequest
from llm_gpt_oss.turn.run import arun_turn, run_turn

THINKS = f"{THOUGHT}Hm.<|end|>{START}"
WHOLE = f"{THINKS}{FINAL}Yes."
T = TypeVar("T")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    "Which driver waited how long; nobody really waits."
    waited: list[tuple[str, float]] = []

    async def sleep(seconds: float) -> None:
        waited.append(("async", seconds))

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda s: waited.append(("sync", s))))
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    return waited


def run_sync(request: TurnRequest, script: list[Part]) -> Any:
    engine, machine, out, error = ScriptedEngine(*script), TurnMachine(request), [], None
    try:
        for output in run_turn(machine, engine):
            out.append(output)
    except GptOssError as raised:
        error = raised
    return join_texts(out), out, engine.asked, engine.closed, machine.notes, machine.finish_reason, error


async def call(function: Callable[[], T]) -> T:
    return function()


async def run_async(request: TurnRequest, script: list[Part]) -> Any:
    engine, machine, out, error = AsyncScriptedEngine(*script), TurnMachine(request), [], None
    try:
        async for output in arun_turn(machine, engine, call):
            out.append(output)
    except GptOssError as raised:
        error = raised
    return join_texts(out), out, engine.asked, engine.closed, machine.notes, machine.finish_reason, error


CUT = StreamCut("cut")
TABLE = [
    pytest.param({}, [WHOLE], [("analysis", "Hm."), ("final", "Yes.")], [], None, id="plain"),
    pytest.param(
        {"reasoning_budget": 9},
        ["Hm.", [*pieces(f"Yes.<|end|>{START}"), AssertionError("the completion is read on")]],
        [("analysis", "Hm."), ("final", "Yes.")],
        [],
        None,
        id="a completion that the machine ends",
    ),
    pytest.param(
        {"tools": TOOLS, "required_tools": ("get_weather", "add")},
        ["Hm.", ".add", '{"a":1,"b":2}'],
        [("analysis", "Hm."), ("add", {"a": 1, "b": 2})],
        [],
        None,
        id="several completions",
    ),
    pytest.param(
        {"format": PERSON, "buffer_answer": True},
        [THINKS, "7", '{"name":"a"}'],
        [("analysis", "Hm."), ("final", '{"name":"a"}')],
        [],
        None,
        id="an answer that is requested again",
    ),
    pytest.param(
        {"tools": TOOLS},
        [call_opener() + "[", '{"city":"Oslo"}'],
        [("get_weather", {"city": "Oslo"})],
        [],
        None,
        id="a call that is requested again",
    ),
    pytest.param({}, [cut(f"{FINAL}Ye")], [("final", "Ye")], [], None, id="cut for length"),
    pytest.param(
        {},
        [EngineBusy("busy"), EngineBusy("busy"), WHOLE],
        [("analysis", "Hm."), ("final", "Yes.")],
        [0.5, 1.0],
        None,
        id="busy",
    ),
    pytest.param(
        {}, [EmptyStream("no"), WHOLE], [("analysis", "Hm."), ("final", "Yes.")], [0.0], None, id="empty"
    ),
    pytest.param({}, [[f"{FINAL}Ye", CUT]], [("final", "Ye")], [], StreamCut, id="a cut stream"),
    pytest.param({}, [EngineBusy("busy")] * 4, [], [0.5, 1.0, 2.0], EngineBusy, id="too busy"),
    pytest.param({}, [ContextOverflow("full")], [], [], ContextOverflow, id="a full context"),
    pytest.param(
        {"truncate": True},
        [ContextOverflow("full")] * 2,
        [],
        [0.0],
        ContextOverflow,
        id="a context too small for one turn",
    ),
]


@pytest.mark.parametrize(("fields", "script", "parts", "seconds", "error"), TABLE)
async def test_sync_and_async(
    fields: dict[str, Any],
    script: list[Part],
    parts: object,
    seconds: list[float],
    error: type[GptOssError] | None,
    waits: list[tuple[str, float]],
) -> None:
    request = build_request(user("Hi"), user("Warm?"), **fields)
    sync, async_ = run_sync(request, script), await run_async(request, script)
    assert (*sync[:-1], repr(sync[-1])) == (*async_[:-1], repr(async_[-1]))
    assert (sync[0], type(sync[-1])) == (parts, error or type(None))
    assert len(sync[2]) == sync[3] == len(script)  # one completion each, and every generator closed
    assert waits == [(loop, wait) for loop in ("sync", "async") for wait in seconds]


def test_text_comes_piece_by_piece() -> None:
    engine = ScriptedEngine([f"{FINAL}Yes", pytest.fail])
    items = run_turn(TurnMachine(build_request()), engine)
    assert next(items).text == "Yes"
    items.close()


class RecordingEngine(ScriptedEngine):
    "Someone else holds what it gives: only who closes it closes it."

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        self.last = super().complete(completion)
        return self.last


def test_closing_stops_the_engine() -> None:
    engine, machine = RecordingEngine(WHOLE), TurnMachine(build_request())
    items = run_turn(machine, engine)
    next(items)
    assert engine.closed == 0
    items.close()
    assert (engine.closed, machine.finish_reason) == (1, None)


async def test_closing_stops_the_async_engine() -> None:
    engine, machine = AsyncScriptedEngine(WHOLE), TurnMachine(build_request())
    items = arun_turn(machine, engine, call)
    await anext(items)
    assert engine.closed == 0
    await items.aclose()
    assert (engine.closed, machine.finish_reason) == (1, None)


async def test_pieces_that_are_there_already_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    "Even if nothing is to be shown for any of them."
    monkeypatch.setattr(streaming, "MAX_BUSY", 0)
    turns = 0

    class Engine:
        async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
            for piece in pieces("<|start|>assistant<|channel|>final<|message|>" * 100 + "Hello"):
                yield piece
            yield Done("stop", prompt_tokens=1, completion_tokens=501)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    assert [text async for text in arun_turn(TurnMachine(build_request()), Engine(), call)]
    task.cancel()
    assert turns > 100
