"""Answers are the same after a restart, from another process, and while the log is locked.

A response whose process was killed has failed.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from support.fork_server import SERVER
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, HeldEngine, cut, pieces, spoken
from support.scripted_server import HOLD
from support.served_app import BEGIN, END, PATIENCE, Ollama, Serving, serving, wait_for

from llm_gpt_oss.completion import Done
from llm_gpt_oss.errors import EngineError

THINK = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
HELLO = "<|channel|>final<|message|>Hello"
CALL = "<|channel|>commentary to=functions.{} <|constrain|>json<|message|>{}<|call|>"
TOOLS = [
    {"type": "function", "name": "look", "parameters": {"type": "object"}},
    {"type": "custom", "name": "patch"},
    {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
]
URL = "/v1/responses"
HI = {"model": "gpt-oss", "input": "Hi"}
GONE = "The server stopped before the answer was complete."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


# Restarted.

SCRIPTS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "completed": ([THINK + HELLO], {"metadata": {"a": "b"}, "user": "me", "temperature": 0.5}),
    "incomplete": ([cut(THINK + HELLO)], {"max_output_tokens": 4}),
    "failed": ([[*pieces(THINK + HELLO), EngineError("It broke.", remedy="Ask in the shell.")]], {}),
    "failed by itself": ([[*pieces(THINK + HELLO), KeyError("a secret")]], {}),
    "function": ([THINK + CALL.format("look", '{"at":  "sky"}')], {"tools": TOOLS}),
    "custom": ([CALL.format("patch", '{"input": "*** x"}')], {"tools": TOOLS}),
    "namespace": ([CALL.format("crm.find", "{}")], {"tools": TOOLS}),
    "logprobs": (
        [[*spoken("<|channel|>", "final", "<|message|>", "Hel", "lo"), Done("stop")]],
        {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    ),
    "sealed": ([THINK + HELLO], {"include": ["reasoning.encrypted_content"], "store": True}),
    "schema": (
        [THINK, '{"a": 1}'],
        {
            "text": {
                "format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}},
                "verbosity": "low",
            }
        },
    ),
}


async def answers_of(proxy: Proxied, id: str) -> list[str]:
    at = f"{URL}/{id}"
    answers = [
        await proxy.get(at),
        await proxy.get(at, params={"stream": "true"}),
        await proxy.get(at, params={"stream": "true", "starting_after": "3"}),
        await proxy.get(at, params={"include": "reasoning.encrypted_content"}),
        await proxy.get(f"{at}/input_items"),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    return [answer.text for answer in answers]


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("background", [False, True])
async def test_answers_are_the_same_after_a_restart(name: str, background: bool) -> None:
    script, fields = SCRIPTS[name]
    body = {**HI, "instructions": "Be brief.", "background": background, **fields}
    async with proxied(AsyncScriptedEngine(*script)) as proxy:
        streamed = (await proxy.post(URL, {**body, "stream": True})).text
        id = re.search(r'"id":"(resp_\w+)"', streamed)
        assert id
        before = await answers_of(proxy, id[1])
        assert before[1] == streamed
        Response.model_validate_json(before[0])
    engine = AsyncScriptedEngine(HELLO)
    async with proxied(engine) as proxy:
        assert await answers_of(proxy, id[1]) == before
        goes_on = {**HI, "previous_response_id": id[1]}
        answer = await proxy.post(URL, goes_on)
        assert answer.status_code == (400 if name.startswith("failed") else 200)
        if answer.status_code == 200:
            assert "Be brief." not in engine.asked[0].prompt
            assert len(proxy.rows("select id from threads")) == 1


async def test_hidden_responses_stay_hidden_after_a_restart() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO)) as proxy:
        ids = [(await proxy.post(URL, {**HI, "store": store})).json()["id"] for store in (False, True)]
        await proxy.client.delete(f"{URL}/{ids[1]}")
    async with proxied() as proxy:
        for id in ids:
            assert (await proxy.get(f"{URL}/{id}")).status_code == 404
            answer = await proxy.post(URL, {**HI, "previous_response_id": id})
            assert answer.json()["error"]["code"] == "previous_response_not_found"


async def test_a_cancelled_response_stays_cancelled_after_a_restart() -> None:
    engine = HeldEngine(*[piece.text for piece in pieces(THINK + HELLO)])
    async with proxied(engine) as proxy:
        queued = await proxy.post(URL, {**HI, "background": True})
        id = queued.json()["id"]
        await engine.silent.wait()
        cancelled = (await proxy.post(f"{URL}/{id}/cancel", None)).json()
        before = await answers_of(proxy, id)
    assert (cancelled["status"], cancelled["output"][-1]["content"][0]["text"]) == ("cancelled", "Hello")
    async with proxied() as proxy:
        assert await answers_of(proxy, id) == before
        assert json.loads(before[0]) == cancelled


# The log locked by another process.


@pytest.mark.parametrize("background", [False, True])
async def test_answers_are_the_same_while_the_log_is_locked(
    background: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.log.database.BUSY_TIMEOUT", 20)
    engine = AsyncScriptedEngine(THINK + HELLO, HELLO, HELLO)
    async with proxied(engine) as proxy:

        async def create_response(**fields: Any) -> str:
            answer = await proxy.post(URL, {**HI, "stream": True, **fields})
            id = re.search(r'"id":"(resp_\w+)"', answer.text)
            assert id
            assert (await answers_of(proxy, id[1]))[1] == answer.text
            return id[1]

        with closing(sqlite3.connect(proxy.server.settings.database, isolation_level=None)) as other:
            other.execute("begin immediate")
            first = await create_response(background=background)
            second = await create_response(previous_response_id=first)
            assert proxy.server.log_writer.status.startswith("behind 2, spooling")
            before = [await answers_of(proxy, id) for id in (first, second)]
            assert proxy.turns() == []
        third = await create_response(previous_response_id=second)
        assert proxy.server.log_writer.status == "ok"
        assert [await answers_of(proxy, id) for id in (first, second)] == before
        turns = proxy.turns()
        assert [f"resp_{turn['id']}" for turn in turns] == [first, second, third]
        assert len(proxy.rows("select id from threads")) == 1
        assert [completion.prompt.count("Hello") for completion in engine.asked] == [0, 1, 2]


# Killed, and several processes.


@contextmanager
def client_of(server: Serving) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{server.port}/v1"
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0, timeout=PATIENCE) as client:
        yield client


ASK = {"model": "gpt-oss-tiny", "input": "Hi"}
WHOLE = [*BEGIN, END]
HELD = [*BEGIN, HOLD]


def check_failed(client: openai.OpenAI, id: str) -> None:
    response = client.responses.retrieve(id)
    assert response.error
    assert (response.status, response.error.message) == ("failed", GONE)
    *_, last = client.responses.retrieve(id, stream=True)
    assert last.type == "response.failed"
    with pytest.raises(openai.BadRequestError, match="failed or was cancelled"):
        client.responses.create(**ASK, previous_response_id=id)


@pytest.mark.parametrize("background", [False, True])
def test_killed_while_streaming(path: Path, background: bool) -> None:
    with Ollama(WHOLE, HELD, WHOLE) as ollama:
        with serving(path, ollama) as server, client_of(server) as client:
            first = client.responses.create(**ASK)
            going_on = {**ASK, "previous_response_id": first.id}
            with client.responses.create(**going_on, stream=True, background=background) as events:
                created = next(iter(events))
                assert created.type == "response.created"
                while next(iter(events)).type != "response.output_text.delta":
                    pass
                server.kill()
        with serving(path, ollama) as server, client_of(server) as client:
            check_failed(client, created.response.id)
            repeated = client.responses.create(**going_on)
            assert repeated.output_text == "Hello"
            assert server.rows() == [(200, None), (500, GONE), (200, None)]
    with closing(sqlite3.connect(path)) as log:
        assert log.execute("select count(*) from threads").fetchone() == (1,)


def test_another_process_returns_a_running_response(path: Path) -> None:
    with (
        Ollama([*BEGIN, 1.0, END], HELD, HELD) as ollama,
        serving(path, ollama) as one,
        serving(path, ollama) as two,
        client_of(one) as here,
        client_of(two) as there,
    ):
        # Followed to its end.
        create_response = here.responses.create(**ASK, background=True)
        wait_for(lambda: there.responses.retrieve(create_response.id).status == "in_progress")
        events = [*there.responses.retrieve(create_response.id, stream=True)]
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        assert there.responses.retrieve(create_response.id) == here.responses.retrieve(create_response.id)
        assert (
            there.responses.create(**ASK, background=True, previous_response_id=create_response.id).status
            == "queued"
        )

        # Cancelled.
        held = here.responses.create(**ASK, background=True)
        with pytest.raises(openai.BadRequestError, match="still in progress"):
            there.responses.create(**ASK, previous_response_id=held.id)
        assert there.responses.cancel(held.id).status == "cancelled"
        assert here.responses.retrieve(held.id).status == "cancelled"
        assert [*Path(f"{path}-unlogged").glob("*.cancel")] == []

        # Killed.
        lost = here.responses.create(**ASK, background=True)
        following = there.responses.retrieve(lost.id, stream=True)
        one.kill()
        *_, last = following
        assert last.type == "response.failed"
        check_failed(there, lost.id)


WORKERS = ("-m", "proxy", "--port", "0", "--workers", "2", "--model", "gpt-oss-tiny", "--database")
CLIENT: dict[str, Any] = {"api_key": "any", "max_retries": 15, "timeout": PATIENCE}
NEW_CONNECTION = {"Connection": "close"}


@contextmanager
def workers(path: Path, ollama: Ollama) -> Iterator[openai.OpenAI]:
    """A client of a server with two processes. Each connection may reach another.

    They have to stop without an error.
    """
    environ = {**os.environ, "OLLAMA_HOST": ollama.host}
    with SERVER.start(*WORKERS, str(path), env=environ, stderr=PIPE, text=True) as process:
        timer = threading.Timer(PATIENCE * 5, process.kill)
        timer.start()
        assert process.stderr
        try:
            printed = ""
            while not (url := re.search(r"OPENAI_BASE_URL=(\S+)", printed)):
                printed += process.stderr.readline()
            with openai.OpenAI(base_url=url[1], default_headers=NEW_CONNECTION, **CLIENT) as client:
                yield client
        finally:
            process.terminate()
            printed += process.stderr.read()
            timer.cancel()
    assert (process.returncode, "Traceback" in printed) == (0, False)


def test_workers(path: Path) -> None:
    with (
        Ollama(HELD, WHOLE) as ollama,
        workers(path, ollama) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        # A running response is the same in all of them.
        id = client.responses.create(**ASK, background=True).id
        for _ in range(20):
            assert client.responses.retrieve(id).status == "in_progress"
        assert client.responses.cancel(id).status == "cancelled"
        for _ in range(20):
            assert client.responses.retrieve(id).status == "cancelled"

        # Equal requests are one turn.
        for number in range(5):
            key = {"Idempotency-Key": str(number)}
            asked = [threads.submit(client.responses.create, **ASK, extra_headers=key) for _ in range(16)]
            assert len({each.result().id for each in asked}) == 1
        assert ollama.completions == 1 + 5
