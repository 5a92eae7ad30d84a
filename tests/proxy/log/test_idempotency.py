"""The same request sent again: one turn, and one answer.

With a key of the client's own, or as OpenAI's SDKs do it: they send the same body, and how often they have
sent it before.
"""

from __future__ import annotations

import asyncio
import datetime
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx2
import openai
import pytest
from starlette.testclient import TestClient
from support.proxied_engine import Proxied, counting_ids, proxied
from support.scripted_engine import AsyncScriptedEngine, HeldEngine, pieces

from llm_gpt_oss.errors import EngineError, EngineUnreachable
from proxy import state
from proxy.app import create_app
from proxy.hookspecs import hookimpl
from proxy.http import api_keys
from proxy.http.errors import ApiError
from proxy.inference import retries
from proxy.log.idempotency import PreviousAttempt, select_attempt
from proxy.settings import LogPolicy, Settings

HELLO = "<|channel|>final<|message|>Hello"
WORLD = "<|channel|>final<|message|>World"
BROKEN = EngineError("It broke.")
USER = {"role": "user", "content": "Hi"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "gpt-oss",
        "messages": [USER],
        "stream_options": {"include_usage": True},
    },
    "/v1/completions": {"model": "gpt-oss", "prompt": "Hi"},
    "/v1/responses": {"model": "gpt-oss", "input": "Hi"},
    "/v1/responses/compact": {"model": "gpt-oss", "input": "Hi"},
}
KEY = {"Idempotency-Key": "1"}


def nth(count: int, client: str = "OpenAI/Python 3.54.0") -> dict[str, str]:
    return {"x-stainless-retry-count": str(count), "User-Agent": client}


# How the first one and the next one say that they are the same.
SAYING = [pytest.param((KEY, KEY), id="key"), pytest.param((nth(0), nth(1)), id="count")]
Retrying = tuple[dict[str, str], dict[str, str]]


async def sent(proxy: Proxied, headers: dict[str, str], path: str = "/v1/responses", **more: Any) -> Any:
    return await proxy.post(path, {**BODIES[path], **more}, headers=headers)


def texts(proxy: Proxied) -> list[tuple[int, str]]:
    sql = """
    select status, text from turns join gpt_oss_requests on turn_id = turns.id
    left join parts on message_hash = tip_message_hash order by turns.id
    """
    return [(status, text) for status, text in proxy.rows(sql)]


@pytest.mark.parametrize("saying", SAYING)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_a_retry_gets_the_answer_that_was_lost(path: str, stream: bool, saying: Retrying) -> None:
    if path.endswith("compact"):
        more: dict[str, Any] = {}
    else:
        more = {"stream": stream}
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        first, repeated = [await sent(proxy, headers, path, **more) for headers in saying]
        assert (first.status_code, repeated.text) == (200, first.text)
        assert texts(proxy) == [(200, "Hello")]


@pytest.mark.parametrize("saying", SAYING)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_a_retry_after_a_failure_runs_again(path: str, stream: bool, saying: Retrying) -> None:
    "The turn that failed is written anew."
    more = {} if path.endswith("compact") else {"stream": stream}
    async with proxied(AsyncScriptedEngine(BROKEN, HELLO)) as proxy:
        first = await sent(proxy, saying[0], path, **more)
        ((turn_id,),) = proxy.rows("select id from turns")
        repeated = await sent(proxy, saying[1], path, **more)
        assert (first.status_code, repeated.status_code) == (502, 200)
        assert texts(proxy) == [(200, "Hello")]
        assert proxy.rows("select id from turns") == [(turn_id,)]


async def test_the_rows_of_a_turn_that_is_replaced() -> None:
    "The same as of one that went well at once."
    bodies = [USER, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Again"}]
    async with proxied(AsyncScriptedEngine(HELLO, BROKEN, WORLD)) as proxy:
        await proxy.chat(USER, headers=nth(0))
        await proxy.chat(*bodies, headers=nth(0))
        await proxy.chat(*bodies, headers=nth(1))
        first, second = proxy.turns()
        assert first["thread_id"] == second["thread_id"]
        assert (second["continues"], '"Again"' in second["request"]) == (2, True)
        assert proxy.rows("select count(*) from threads") == [(1,)]


@pytest.mark.parametrize("path", BODIES)
async def test_a_retry_gets_the_choices_that_were_lost(path: str) -> None:
    if path.startswith("/v1/responses"):
        return
    async with proxied(AsyncScriptedEngine(HELLO, BROKEN, HELLO, WORLD)) as proxy:
        first, repeated, third = [await sent(proxy, nth(count), path, n=2) for count in range(3)]
        assert (first.status_code, repeated.status_code) == (502, 200)
        assert third.json() == repeated.json()
        assert texts(proxy) == [(200, "Hello"), (200, "World")]


async def test_a_first_request_does_not_read_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        monkeypatch.delattr("proxy.log.reader.LogReader.attempts")
        for _ in range(2):
            await sent(proxy, nth(0))
        assert texts(proxy) == [(200, "Hello"), (200, "World")]


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        pytest.param({}, {}, id="nothing said"),
        pytest.param({"Idempotency-Key": "2"}, {}, id="another key"),
        pytest.param(KEY, {"user": "me"}, id="another body"),
        pytest.param(nth(1, "OpenAI/JS 6.0"), {}, id="another client"),
        pytest.param(nth(1), {"user": "me"}, id="another body, no key"),
        pytest.param({"x-stainless-retry-count": "many"}, {}, id="no number"),
        pytest.param({"x-stainless-retry-count": "-1"}, {}, id="a number that is none"),
    ],
)
async def test_requests_that_are_not_retries(headers: dict[str, str], more: dict[str, Any]) -> None:
    async with proxied(AsyncScriptedEngine(*[HELLO] * 3)) as proxy:
        for first in (KEY, nth(0)):
            await sent(proxy, first)
        await sent(proxy, headers, **more)
        assert len(proxy.turns()) == 3


@pytest.mark.parametrize("headers", [(KEY, KEY), (nth(0), nth(1))], ids=["key", "count"])
async def test_nobody_gets_the_answer_to_another_client(headers: Retrying) -> None:
    keys = [{"Authorization": f"Bearer {api_keys.add(name)}"} for name in ("one", "other")]
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        for key, retry in zip(keys, headers, strict=True):
            assert (await sent(proxy, {**key, **retry})).status_code == 200
        assert texts(proxy) == [(200, "Hello"), (200, "World")]


async def test_another_path_is_another_request() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        for path in ("/v1/responses", "/v1/responses/compact"):
            await sent(proxy, KEY, path)
        assert len(proxy.turns()) == 2


@pytest.mark.parametrize(
    ("saying", "hours"),
    [pytest.param((KEY, KEY), 24, id="key"), pytest.param((nth(0), nth(1)), 1, id="count")],
)
@pytest.mark.parametrize(("before", "turns"), [(-1, 1), (1, 2)])
async def test_how_long_a_retry_is_recognized(saying: Retrying, hours: int, before: int, turns: int) -> None:
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        await sent(proxy, saying[0])
        then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours, minutes=before)
        with closing(sqlite3.connect(proxy.server.settings.database)) as log, log:
            log.execute("update gpt_oss_requests set datetime_utc = ?", [then.isoformat()])
        await sent(proxy, saying[1])
        assert len(proxy.turns()) == turns


async def test_a_deleted_answer_is_generated_again() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        first = (await sent(proxy, KEY)).json()
        await proxy.client.delete(f"/v1/responses/{first['id']}")
        repeated = (await sent(proxy, KEY)).json()
        assert repeated["id"] != first["id"]
        assert len(proxy.turns()) == 2


@pytest.mark.parametrize("saying", SAYING)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_retry_of_a_turn_in_the_spool(
    saying: Retrying, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    "Another process holds the log."
    monkeypatch.setattr("proxy.log.database.BUSY_TIMEOUT", 20)
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        with closing(sqlite3.connect(proxy.server.settings.database, isolation_level=None)) as other:
            other.execute("begin immediate")
            first, repeated = [await sent(proxy, headers, stream=stream) for headers in saying]
            assert (first.status_code, repeated.text) == (200, first.text)
        assert proxy.turns() == []
    assert texts(proxy) == [(200, "Hello")]


@pytest.mark.parametrize("saying", SAYING)
async def test_a_retry_of_a_turn_in_progress_in_another_process(
    saying: Retrying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "POLL_SECONDS", 0.01)
    engine = HeldEngine(*[piece.text for piece in pieces(HELLO)])
    async with proxied(engine) as one, proxied(AsyncScriptedEngine()) as other:
        first = asyncio.ensure_future(sent(one, saying[0]))
        await engine.silent.wait()
        repeated = asyncio.ensure_future(sent(other, saying[1]))
        await asyncio.sleep(0.1)
        assert not repeated.done()
        engine.go.set()
        assert (await repeated).json() == (await first).json()
        assert len(one.turns()) == 1


# Simultaneous ones.


@pytest.mark.parametrize("headers", [KEY, nth(1)], ids=["key", "count"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_equal_requests_at_once_are_one_turn(
    path: str, stream: bool, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    "All of them look in the log before any of them is there, in two processes."
    monkeypatch.setattr(retries, "POLL_SECONDS", 0.01)
    more = {} if path.endswith("compact") else {"stream": stream}
    async with proxied(AsyncScriptedEngine(HELLO)) as one, proxied(AsyncScriptedEngine(HELLO)) as other:
        answers = await asyncio.gather(
            *(sent(proxy, headers, path, **more) for proxy in (one, other, one, other))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert texts(one) == [(200, "Hello")]
        assert [*one.server.log_writer.folder.glob("attempt-*")] == []


async def test_equal_background_requests_at_once_are_one_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "POLL_SECONDS", 0.01)
    engine = HeldEngine(*[piece.text for piece in pieces(HELLO)])
    async with proxied(engine) as proxy:
        answers = await asyncio.gather(*(sent(proxy, KEY, background=True) for _ in range(4)))
        assert len({answer.json()["id"] for answer in answers}) == 1
        engine.go.set()
    assert len(proxy.turns()) == 1


async def test_a_retry_between_two_choices_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    "The first choice is in the log, and the next has not begun."
    monkeypatch.setattr(retries, "POLL_SECONDS", 0.01)
    between, go_on = asyncio.Event(), asyncio.Event()
    start_run = state.ProxyState.start_run

    async def start_second_later(self: Any, generation: Any, client: Any, attempt: Any, choice: int) -> Any:
        if choice == 1:
            between.set()
            await go_on.wait()
        return await start_run(self, generation, client, attempt, choice)

    monkeypatch.setattr(state.ProxyState, "start_run", start_second_later)
    async with proxied(AsyncScriptedEngine(HELLO, WORLD)) as proxy:
        path = "/v1/chat/completions"
        first = asyncio.ensure_future(sent(proxy, nth(0), path, n=2))
        await between.wait()
        repeated = asyncio.ensure_future(sent(proxy, nth(1), path, n=2))
        await asyncio.sleep(0.05)
        go_on.set()
        assert (await first).json() == (await repeated).json()
        assert texts(proxy) == [(200, "Hello"), (200, "World")]


async def test_equal_first_requests_are_two_turns_at_once() -> None:
    engine = HeldEngine(*[piece.text for piece in pieces(HELLO)])
    async with proxied(engine) as proxy:
        path = "/v1/chat/completions"
        both = [asyncio.ensure_future(sent(proxy, nth(0), path, n=2)) for _ in range(2)]
        while engine.asked < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        engine.go.set()
        first, second = [(await each).json()["id"] for each in both]
        assert first != second


class Refuses:
    "Refuses the first request."

    refused = False

    @hookimpl
    def prepare_request(self) -> None:
        if not self.refused:
            self.refused = True
            raise ApiError(400, "Not now.")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_a_refused_request_keeps_no_other_waiting(path: str, stream: bool) -> None:
    more = {} if path.endswith("compact") else {"stream": stream}
    async with proxied(AsyncScriptedEngine(HELLO), plugins=[Refuses()]) as proxy:
        answers = [await asyncio.wait_for(sent(proxy, KEY, path, **more), 10) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [400, 200]


@pytest.mark.parametrize("policy", ["off", "all"])
async def test_what_is_not_logged_keeps_no_other_waiting(policy: LogPolicy) -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO), log_policy=policy) as proxy:
        headers = {**KEY, "X-LLM-Log": "off"}
        answers = await asyncio.gather(*(sent(proxy, headers, store=False) for _ in range(2)))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert proxy.turns() == []


async def test_a_log_that_cannot_be_read_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*arguments: Any) -> None:
        raise ApiError(503, "The log cannot be read.")

    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        with monkeypatch.context() as patched:
            patched.setattr("proxy.log.reader.LogReader.attempts", fail)
            assert (await sent(proxy, KEY)).status_code == 503
        assert (await asyncio.wait_for(sent(proxy, KEY), 10)).status_code == 200


async def test_a_client_that_left_retries() -> None:
    engine = HeldEngine(*[piece.text for piece in pieces(HELLO)])
    async with proxied(engine) as proxy:
        first = asyncio.ensure_future(sent(proxy, nth(0)))
        await engine.silent.wait()
        first.cancel()
        engine.go.set()
        await asyncio.wait({first})
        assert (await sent(proxy, nth(1))).status_code == 200
        assert texts(proxy) == [(200, "Hello")]


# Which of several.


def past(id: str, well: int = 1) -> PreviousAttempt:
    return PreviousAttempt((id,), well)


@pytest.mark.parametrize(
    ("before", "taken"),
    [
        ([], None),
        ([past("a"), past("b")], "b"),
        ([past("a", well=0), past("b")], "a"),
        ([past("a", well=0), past("b", well=0)], "b"),
        ([past("a"), past("b", well=0), past("c")], "b"),
    ],
)
def test_which_attempt_is_repeated(before: list[PreviousAttempt], taken: str | None) -> None:
    found = select_attempt(before, choices=1)
    assert (found.ids[0] if found else None) == taken


# OpenAI's own SDK.


class Lost(TestClient):
    "The first answer does not arrive, although it was made."

    arrived = 0

    def send(self, *arguments: Any, **given: Any) -> Any:
        answer = super().send(*arguments, **given)
        self.arrived += 1
        if self.arrived == 1:
            answer.read()
            raise httpx2.ReadError("The connection was closed.")
        return answer


def chat(client: openai.OpenAI, stream: bool) -> str:
    asked = {"model": "gpt-oss", "messages": [USER]}
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message.content or ""
    with client.chat.completions.stream(**asked) as events:
        return events.get_final_completion().choices[0].message.content or ""


def completion(client: openai.OpenAI, stream: bool) -> str:
    answer = client.completions.create(model="gpt-oss", prompt="Hi", stream=stream)
    return "".join(chunk.choices[0].text for chunk in answer) if stream else answer.choices[0].text


def respond(client: openai.OpenAI, stream: bool) -> str:
    asked = {"model": "gpt-oss", "input": "Hi"}
    if not stream:
        return client.responses.create(**asked).output_text
    with client.responses.stream(**asked) as events:
        return events.get_final_response().output_text


@pytest.mark.parametrize("ask", [chat, completion, respond])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("http", "script"),
    [
        pytest.param(Lost, [HELLO], id="lost"),
        pytest.param(TestClient, [EngineUnreachable("Nobody answers."), HELLO], id="failed"),
    ],
)
def test_the_sdk_retries(
    ask: Callable[[openai.OpenAI, bool], str],
    stream: bool,
    http: type[TestClient],
    script: list[Any],
    sdk_waits: list[float],
) -> None:
    app = create_app(Settings(host="testserver"), engine=AsyncScriptedEngine(*script), new_id=counting_ids())
    with http(app) as client:
        sdk = openai.OpenAI(base_url="http://testserver/v1", api_key="any", http_client=client)
        assert ask(sdk, stream) == "Hello"
    with closing(sqlite3.connect(app.state.proxy.settings.database)) as log:
        assert log.execute("select status from gpt_oss_requests").fetchall() == [(200,)]
