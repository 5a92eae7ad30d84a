from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llm.parts import StreamEvent
from support.logged_turns import user

from llm_gpt_oss.turn.progress import Progress
from proxy.generation import GenerationRequest
from proxy.inference.active_runs import MAX_ENDED, ActiveRun, ActiveRuns, RunStopped, progress_of_events

GENERATION = GenerationRequest(
    "/v1/responses", "gpt-oss:20b", (user("Hi"),), options={"reasoning_effort": "high"}
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    "A source whose values a test sets."

    is_queued = False
    queue_ms: int | None = 5
    first_token_ms: int | None = None
    value = Progress(0)

    def progress(self) -> Progress:
        return self.value


def start(runs: ActiveRuns, source: Any = None, **changes: Any) -> ActiveRun:
    fields = {"id": "1", "actor": "app:1", "client": "curl/8.1 x", "generation": GENERATION, "logged": True}
    return runs.start(source or Scripted(), **{**fields, **changes})


def test_the_row_of_a_run() -> None:
    clock, source = Clock(), Scripted()
    runs = ActiveRuns(clock)
    start(runs, source)
    source.first_token_ms, source.value = 20, Progress(3, "answer", None, "Hello")
    assert runs.rows() == [
        {
            "id": "1",
            "actor": "app:1",
            "app": "curl",
            "endpoint": "/v1/responses",
            "model": "gpt-oss:20b",
            "effort": "high",
            "logged": True,
            "started": 1000.0,
            "state": "answering",
            "tool": None,
            "tokens": 3,
            "tokens_per_second": 0.0,
            "queue_ms": 5,
            "first_token_ms": 20,
            "seconds": None,
            "text": "Hello",
            "error": None,
        }
    ]


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        (Progress(0), "reading"),
        (Progress(1, "reasoning"), "thinking"),
        (Progress(1, "answer"), "answering"),
        (Progress(1, "call", "add"), "calling"),
    ],
)
def test_states(progress: Progress, state: str) -> None:
    runs, source = ActiveRuns(), Scripted()
    source.value = progress
    start(runs, source)
    assert [row["state"] for row in runs.rows()] == [state]
    source.is_queued = True
    assert [row["state"] for row in runs.rows()] == ["queued"]


def test_between_two_messages_a_run_does_what_it_did() -> None:
    source = Scripted()
    run = start(ActiveRuns(), source)
    source.value = Progress(4, "reasoning", None, "Hm")
    run.row()
    source.value = Progress(6)
    row = run.row()
    assert (row["state"], row["tokens"], row["text"]) == ("thinking", 6, "Hm")


def test_speed_is_measured_from_the_first_tokens_that_were_seen() -> None:
    clock, source = Clock(), Scripted()
    run = start(ActiveRuns(clock), source)
    for seconds, tokens, rate in [(5, 0, 0), (0, 10, 0), (0.4, 30, 0), (0.6, 50, 40.0)]:
        clock.now += seconds
        source.value = Progress(tokens, "answer" if tokens else None)
        assert run.row()["tokens_per_second"] == rate


@pytest.mark.parametrize(("status", "state"), [(200, "done"), (499, "stopped"), (503, "failed")])
def test_the_end_of_a_run(status: int, state: str) -> None:
    clock = Clock()
    runs = ActiveRuns(clock)
    run = start(runs)
    clock.now += 2
    runs.end(run, status, "why", 12.5)
    runs.end(run, 200, None)
    (row,) = runs.rows()
    assert (row["state"], row["error"], row["seconds"], row["tokens_per_second"]) == (state, "why", 2, 12.5)
    assert runs.get("1") is None


def test_few_ended_runs_are_kept() -> None:
    runs = ActiveRuns()
    for number in range(MAX_ENDED + 5):
        runs.end(start(runs, id=str(number)), 200, None)
    assert [row["id"] for row in runs.rows()] == [str(number) for number in range(5, MAX_ENDED + 5)]


@pytest.mark.parametrize(
    ("client", "app"),
    [
        (None, "unknown"),
        ("", "unknown"),
        ("OpenAI/Python 3.5", "OpenAI"),
        ("my app", "my"),
        ("x" * 300, "x" * 200),
    ],
    ids=["none", "empty", "version", "words", "long"],
)
def test_the_app_is_the_name_in_the_user_agent(client: str | None, app: str) -> None:
    assert start(ActiveRuns(), client=client).row()["app"] == app


async def test_starts_and_ends_are_announced() -> None:
    runs = ActiveRuns()
    before = runs.changed
    run = start(runs)
    assert before.is_set()
    assert not (between := runs.changed).is_set()
    runs.end(run, 200, None)
    assert between.is_set()


async def read(run: ActiveRun, wait: Any) -> None:
    run.begin_reading()
    async with run.stoppable():
        await wait


async def test_a_run_that_waits_is_stopped() -> None:
    run = start(ActiveRuns())
    task = asyncio.ensure_future(read(run, asyncio.Event().wait()))
    await asyncio.sleep(0)
    run.stop("Enough.")
    with pytest.raises(RunStopped) as stopped:
        await task
    assert (stopped.value.status, stopped.value.message, stopped.value.code) == (499, "Enough.", "stopped")
    assert stopped.value.headers["x-should-retry"] == "false"


async def test_a_task_that_was_stopped_can_go_on() -> None:
    run = start(ActiveRuns())

    async def stopped_once() -> str:
        with pytest.raises(RunStopped):
            await read(run, asyncio.Event().wait())
        await asyncio.wait_for(asyncio.sleep(0), 5)
        return "done"

    task = asyncio.ensure_future(stopped_once())
    await asyncio.sleep(0)
    run.stop("Enough.")
    assert await task == "done"


async def test_another_cancellation_passes() -> None:
    run = start(ActiveRuns())
    task = asyncio.ensure_future(read(run, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reader_that_does_something_else_is_not_interrupted() -> None:
    run = start(ActiveRuns())
    run.begin_reading()
    run.is_reading = False
    run.stop("Enough.")
    await asyncio.sleep(0)
    assert run.stop_reason == "Enough."


def event(type: Any, chunk: str) -> StreamEvent:
    return StreamEvent(type, chunk)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Progress(0)),
        ([event("reasoning", "Hm")], Progress(1, "reasoning", None, "Hm")),
        (
            [event("reasoning", "Hm"), event("text", "a "), event("text", "b")],
            Progress(3, "answer", None, "a b"),
        ),
        ([event("tool_call_name", "add")], Progress(1, "call", "add")),
        ([event("tool_call_name", "add"), event("tool_call_args", "{}")], Progress(2, "call", "add", "{}")),
    ],
    ids=["none", "reasoning", "answer", "call", "arguments"],
)
def test_progress_of_events(events: list[StreamEvent], expected: Progress) -> None:
    assert progress_of_events(events) == expected
