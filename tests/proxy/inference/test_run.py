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
from proxy.log.spool import Spool

GENERATION = GenerationRequest("/v1/chat/completions", "gpt-oss:20b", (user("Hi"),), stream=True)
TURNS = "select status, error, finish_reason from gpt_oss_requests"
SAID = ("<|channel|>", "analysis", "<|message|>", "Hm", "<|end|>")


@pytest.fixture
async def held() -> AsyncIterator[Proxied]:
    async with proxied(HeldEngine(*SAID), max_concurrency=1) as proxy:
        yield proxy


async def run_events(
    proxy: Proxied, generation: GenerationRequest = GENERATION, **headers: str
) -> AsyncGenerator[StreamEvent | Finished, None]:
    "Yield the events of a run of its own."
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    json = {"messages": [1], "api_key": "secret"}
    received = ReceivedBody(b'{"messages": [1], "api_key": "secret"}', json, Body())
    client = ClientRequest(Request({"type": "http", "headers": raw}), received, Viewer(None, admin=True))
    run = await proxy.server.start_run(generation, client, Attempt((proxy.server.new_id(),)))
    async with aclosing(run.events()) as events:
        async for event in events:
            yield event


async def collect(
    proxy: Proxied, generation: GenerationRequest = GENERATION, **headers: str
) -> list[StreamEvent | Finished]:
    async with aclosing(run_events(proxy, generation, **headers)) as events:
        return [event async for event in events]


async def cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def nothing_is_left(proxy: Proxied, *, rows: list[Any]) -> None:
    await proxy.server.log_writer._run(lambda: None)  # behind all that was handed over
    assert (proxy.server.queue.running, proxy.server.queue.waiting) == (0, 0)
    assert getattr(proxy.engine, "open", 0) == 0
    assert proxy.rows(TURNS) == rows
    assert [*Spool(proxy.server.settings.database).folder.glob("*")] == []


async def until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


LEFT = (499, "The client left.", None)


KEPT = "select client, request, first_token_ms >= 0, queue_ms >= 0 from gpt_oss_requests"


async def test_it_ends_with_how_it_went_and_is_logged_by_then() -> None:
    async with (
        proxied(AsyncScriptedEngine(HELLO)) as proxy,
        aclosing(run_events(proxy, user_agent="curl")) as events,
    ):
        async for event in events:
            if not isinstance(event, Finished):
                assert proxy.rows(KEPT) == []
        assert isinstance(event, Finished)
        assert (event.reason, event.usage.completion_tokens) == ("stop", 5)
        assert proxy.rows(KEPT) == [("curl", '{"messages": [1], "api_key": "…"}', 1, 1)]


@pytest.mark.parametrize(
    ("part", "row"),
    [
        pytest.param(HELLO, (200, None, "stop"), id="stop"),
        pytest.param(cut("<|channel|>final<|message|>Hel"), (200, None, "length"), id="length"),
    ],
)
async def test_a_turn_that_went_well(part: Any, row: Any) -> None:
    async with proxied(AsyncScriptedEngine(part)) as proxy:
        *_, last = await collect(proxy)
        assert isinstance(last, Finished)
        assert last.reason == row[2]
        assert proxy.rows(TURNS) == [row]


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        pytest.param([EngineUnreachable("Down.", remedy="Start.")], 503, [], id="before anything was said"),
        pytest.param([*SAID, EngineError("Broke.")], 502, ["Hm"], id="after something was"),
        pytest.param([KeyError("oh")], 500, [], id="unforeseen"),
    ],
)
async def test_what_fails_is_logged_with_what_had_arrived(part: Any, status: int, said: list[str]) -> None:
    "As the client was told it, and, where llm keeps what the model gave, as it was."
    async with proxied(AsyncScriptedEngine(part)) as proxy:
        with pytest.raises((EngineError, KeyError)) as failed:
            await collect(proxy)
        assert proxy.rows(TURNS)[0][:2] == (status, to_api_error(failed.value).message)
        assert [text for (text,) in proxy.rows("select text from parts where type = 'reasoning'")] == said
        ((turn,),) = proxy.rows("select response_json from turns")
        assert json.loads(turn)["error"] == str(failed.value)
        ((took, when),) = proxy.rows("select duration_ms, datetime_utc from turns")
        assert 0 <= took < 60_000
        assert when


async def test_an_unknown_model_is_no_turn_but_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async with proxied(AsyncScriptedEngine()) as proxy:
        with pytest.raises(ApiError):
            await collect(proxy, GenerationRequest("/x", "gpt-5\n\x1b[2J", (user("Hi"),)))
        await nothing_is_left(proxy, rows=[])
    (line,) = caplog.messages
    start = r"""/x was refused and is not in the log: "The model 'gpt-5\n\x1b[2J' does not exist here."""
    assert line.startswith(start)


async def test_a_full_queue_is_logged() -> None:
    async with proxied(HeldEngine(), max_concurrency=1, queue_size=0) as proxy:
        first = asyncio.ensure_future(collect(proxy))
        await proxy.engine.silent.wait()
        with pytest.raises(ApiError) as refused:
            await collect(proxy)
        assert proxy.rows(TURNS) == [(503, refused.value.message, None)]
        ((took, when),) = proxy.rows("select duration_ms, datetime_utc from turns")
        assert 0 <= took < 60_000
        assert when
        await cancelled(first)


async def test_cancelled_before_it_begins(held: Proxied) -> None:
    await cancelled(asyncio.ensure_future(collect(held)))
    await nothing_is_left(held, rows=[])


async def test_cancelled_while_the_log_is_read(held: Proxied) -> None:
    gate = threading.Event()
    held.server.log_writer._thread.submit(gate.wait)
    run = asyncio.ensure_future(collect(held))
    await until(lambda: held.server.log_writer._under_way)
    run.cancel()
    await asyncio.sleep(0)
    gate.set()
    await cancelled(run)
    await nothing_is_left(held, rows=[LEFT])
    assert held.engine.asked == 0


async def test_cancelled_in_the_queue(held: Proxied) -> None:
    first = asyncio.ensure_future(collect(held))
    await held.engine.silent.wait()
    second = asyncio.ensure_future(collect(held))
    await until(lambda: held.server.queue.waiting)
    await cancelled(second)
    assert held.rows(TURNS) == [LEFT]
    assert held.engine.asked == 1
    await cancelled(first)
    await nothing_is_left(held, rows=[LEFT, LEFT])


async def test_cancelled_before_the_first_token() -> None:
    async with proxied(HeldEngine()) as proxy:
        run = asyncio.ensure_future(collect(proxy))
        await proxy.engine.silent.wait()
        await cancelled(run)
        await nothing_is_left(proxy, rows=[LEFT])


async def test_cancelled_in_the_middle(held: Proxied) -> None:
    run = asyncio.ensure_future(collect(held))
    await held.engine.silent.wait()
    await cancelled(run)
    await nothing_is_left(held, rows=[LEFT])
    assert held.rows("select text from parts where type = 'reasoning'") == [("Hm",)]


async def test_closed_in_the_middle(held: Proxied) -> None:
    events = run_events(held)
    assert await anext(events)
    await events.aclose()
    await nothing_is_left(held, rows=[LEFT])


async def test_cancelled_while_it_is_logged() -> None:
    gate = threading.Event()
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        run = asyncio.ensure_future(collect(proxy))
        await until(lambda: proxy.engine.asked)
        proxy.server.log_writer._thread.submit(gate.wait)
        await until(lambda: not proxy.server.log_writer._under_way)
        run.cancel()
        await asyncio.sleep(0)
        gate.set()
        await cancelled(run)
        await nothing_is_left(proxy, rows=[(200, None, "stop")])


async def test_logging_goes_off_meanwhile(held: Proxied) -> None:
    run = asyncio.ensure_future(collect(held))
    await held.engine.silent.wait()
    held.server.turn_logging.off_file.touch()
    await cancelled(run)
    await nothing_is_left(held, rows=[])


async def test_not_logged_at_all(held: Proxied) -> None:
    run = asyncio.ensure_future(collect(held, x_llm_log="off"))
    await held.engine.silent.wait()
    await cancelled(run)
    await nothing_is_left(held, rows=[])
