from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from fastapi import Request
from llm.parts import StreamEvent
from support.logged_turns import user
from support.proxied_engine import HELLO, Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, HeldEngine, cut

from llm_gpt_oss.errors import EngineError, EngineUnreachable
from proxy.generation import Finished, GenerationRequest
from proxy.http.body_model import Body
from proxy.http.errors import ApiError, to_api_error
from proxy.http.request_body import ReceivedBody
from proxy.inference.client_request import ClientRequest
from proxy.log.access import Viewer
from proxy.log.idempotency import Attempt
from proxy.log.ids import new_id
from proxy.log.spool import Spool

GENERATION = GenerationRequest("/v1/chat/completions", "gpt-oss:20b", (user("Hi"),), stream=True)
TURN_ROWS = "select status, error, finish_reason from gpt_oss_requests"
REASONING = ("<|channel|>", "analysis", "<|message|>", "Hm", "<|end|>")


@pytest.fixture
async def slow_proxy() -> AsyncIterator[Proxied]:
    async with proxied(HeldEngine(*REASONING), max_concurrency=1) as proxy:
        yield proxy


async def run_events(
    proxy: Proxied, generation: GenerationRequest = GENERATION, **headers: str
) -> AsyncGenerator[StreamEvent | Finished, None]:
    "Yield the events of a run of its own."
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    json = {"messages": [1], "api_key": "secret"}
    received = ReceivedBody(b'{"messages": [1], "api_key": "secret"}', json, Body())
    client = ClientRequest(Request({"type": "http", "headers": raw}), received, Viewer(None, admin=True))
    run = await proxy.server.start_run(generation, client, Attempt((new_id(),)))
    async with aclosing(run.events()) as events:
        async for event in events:
            yield event


async def collect(
    proxy: Proxied, generation: GenerationRequest = GENERATION, **headers: str
) -> list[StreamEvent | Finished]:
    async with aclosing(run_events(proxy, generation, **headers)) as events:
        return [event async for event in events]


async def cancel_task(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def check_cleaned_up(proxy: Proxied) -> None:
    await proxy.server.log_writer._run(lambda: None)  # behind all that was handed over
    assert (proxy.server.queue.running, proxy.server.queue.waiting) == (0, 0)
    assert getattr(proxy.engine, "open", 0) == 0
    files = Spool(proxy.server.settings.database).folder.glob("*")
    assert [path for path in files if path.suffix != ".lock"] == []


async def wait_until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


LEFT_ROW = (499, "The client disconnected.", None)


REQUEST_ROW = "select client, request, first_token_ms >= 0, queue_ms >= 0 from gpt_oss_requests"


async def test_the_turn_is_logged_before_finished() -> None:
    async with (
        proxied(AsyncScriptedEngine(HELLO)) as proxy,
        aclosing(run_events(proxy, user_agent="curl")) as events,
    ):
        async for event in events:
            if not isinstance(event, Finished):
                assert proxy.rows(REQUEST_ROW) == []
        assert isinstance(event, Finished)
        assert (event.reason, event.usage.completion_tokens) == ("stop", 5)
        assert proxy.rows(REQUEST_ROW) == [("curl", '{"messages": [1], "api_key": "…"}', 1, 1)]


@pytest.mark.parametrize(
    ("answer", "row"),
    [
        pytest.param(HELLO, (200, None, "stop"), id="stop"),
        pytest.param(cut("<|channel|>final<|message|>Hel"), (200, None, "length"), id="length"),
    ],
)
async def test_finish_reasons(answer: Any, row: Any) -> None:
    async with proxied(AsyncScriptedEngine(answer)) as proxy:
        *_, last = await collect(proxy)
        assert isinstance(last, Finished)
        assert last.reason == row[2]
        assert proxy.rows(TURN_ROWS) == [row]


@pytest.mark.parametrize(
    ("answer", "status", "texts"),
    [
        pytest.param([EngineUnreachable("Down.", remedy="Start.")], 503, [], id="before anything was said"),
        pytest.param([*REASONING, EngineError("Broke.")], 502, ["Hm"], id="after something was"),
        pytest.param([KeyError("oh")], 500, [], id="unforeseen"),
    ],
)
async def test_a_failed_turn_is_logged_with_its_partial_answer(
    answer: Any, status: int, texts: list[str]
) -> None:
    "The request's row has the error that the client got, llm's turn the error of the model."
    async with proxied(AsyncScriptedEngine(answer)) as proxy:
        with pytest.raises((EngineError, KeyError)) as failed:
            await collect(proxy)
        assert proxy.rows(TURN_ROWS)[0][:2] == (status, to_api_error(failed.value).message)
        assert [text for (text,) in proxy.rows("select text from parts where type = 'reasoning'")] == texts
        ((turn,),) = proxy.rows("select response_json from turns")
        assert json.loads(turn)["error"] == str(failed.value)
        ((took, when),) = proxy.rows("select duration_ms, datetime_utc from turns")
        assert 0 <= took < 60_000
        assert when


async def test_an_unknown_model_is_no_turn_but_a_line_in_the_servers_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with proxied(AsyncScriptedEngine()) as proxy:
        with pytest.raises(ApiError):
            await collect(proxy, GenerationRequest("/x", "gpt-5\n\x1b[2J", (user("Hi"),)))
        await check_cleaned_up(proxy)
        assert proxy.rows(TURN_ROWS) == []
    (line,) = caplog.messages
    start = r"""/x was refused and is not in the log: "The model 'gpt-5\n\x1b[2J' does not exist here."""
    assert line.startswith(start)


async def test_a_full_queue_is_logged() -> None:
    async with proxied(HeldEngine(), max_concurrency=1, queue_size=0) as proxy:
        first = asyncio.ensure_future(collect(proxy))
        await proxy.engine.silent.wait()
        with pytest.raises(ApiError) as refused:
            await collect(proxy)
        assert proxy.rows(TURN_ROWS) == [(503, refused.value.message, None)]
        ((took, when),) = proxy.rows("select duration_ms, datetime_utc from turns")
        assert 0 <= took < 60_000
        assert when
        await cancel_task(first)


async def test_cancelled_while_the_turn_begins(slow_proxy: Proxied) -> None:
    gate = threading.Event()
    slow_proxy.server.log_writer._thread.submit(gate.wait)
    run = asyncio.ensure_future(collect(slow_proxy))
    await wait_until(lambda: slow_proxy.server.log_writer._begun_ids)
    run.cancel()
    await asyncio.sleep(0)
    gate.set()
    await cancel_task(run)
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == [LEFT_ROW]
    assert slow_proxy.engine.asked == 0


async def test_cancelled_in_the_queue(slow_proxy: Proxied) -> None:
    first = asyncio.ensure_future(collect(slow_proxy))
    await slow_proxy.engine.silent.wait()
    second = asyncio.ensure_future(collect(slow_proxy))
    await wait_until(lambda: slow_proxy.server.queue.waiting)
    await cancel_task(second)
    assert slow_proxy.rows(TURN_ROWS) == [LEFT_ROW]
    assert slow_proxy.engine.asked == 1
    await cancel_task(first)
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == [LEFT_ROW, LEFT_ROW]


async def test_cancelled_before_the_first_token() -> None:
    async with proxied(HeldEngine()) as proxy:
        run = asyncio.ensure_future(collect(proxy))
        await proxy.engine.silent.wait()
        await cancel_task(run)
        await check_cleaned_up(proxy)
        assert proxy.rows(TURN_ROWS) == [LEFT_ROW]


async def test_cancelled_while_streaming(slow_proxy: Proxied) -> None:
    run = asyncio.ensure_future(collect(slow_proxy))
    await slow_proxy.engine.silent.wait()
    await cancel_task(run)
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == [LEFT_ROW]
    assert slow_proxy.rows("select text from parts where type = 'reasoning'") == [("Hm",)]


async def test_closed_while_streaming(slow_proxy: Proxied) -> None:
    events = run_events(slow_proxy)
    assert await anext(events)
    await events.aclose()
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == [LEFT_ROW]


async def test_cancelled_while_it_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    statuses: asyncio.Queue[int] = asyncio.Queue()

    async def turn_logged(id: str, generation: GenerationRequest, status: int, error: str | None) -> None:
        statuses.put_nowait(status)

    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        monkeypatch.setattr(proxy.server.plugins, "turn_logged", turn_logged)
        run = asyncio.ensure_future(collect(proxy))
        await wait_until(lambda: proxy.engine.asked)
        proxy.server.log_writer._thread.submit(gate.wait)
        await wait_until(lambda: not proxy.server.log_writer._begun_ids)
        run.cancel()
        await asyncio.sleep(0)
        gate.set()
        await cancel_task(run)
        await check_cleaned_up(proxy)
        assert proxy.rows(TURN_ROWS) == [(200, None, "stop")]
        assert await asyncio.wait_for(statuses.get(), 5) == 200, "plugins hear of the turn nevertheless"


async def test_logging_is_turned_off_while_it_runs(slow_proxy: Proxied) -> None:
    run = asyncio.ensure_future(collect(slow_proxy))
    await slow_proxy.engine.silent.wait()
    slow_proxy.server.turn_logging.off_file.touch()
    await cancel_task(run)
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == []


async def test_not_logged(slow_proxy: Proxied) -> None:
    run = asyncio.ensure_future(collect(slow_proxy, x_llm_log="off"))
    await slow_proxy.engine.silent.wait()
    await cancel_task(run)
    await check_cleaned_up(slow_proxy)
    assert slow_proxy.rows(TURN_ROWS) == []
