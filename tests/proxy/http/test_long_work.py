from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import llm
import pytest
from support.requests import CHAT, MINIMAL, asking
from support.scripted_engine import pieces
from support.scripted_server import Refusing, Reply, Scripted, answer, stream

from llm_gpt_oss import streaming
from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.harmony.prompt import OPENER
from llm_gpt_oss.models import AsyncGptOss
from llm_gpt_oss.turn.machine import TurnMachine
from proxy.api.anthropic.request import MessagesRequest
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.completions.request import CompletionRequest
from proxy.api.ollama import route as ollama
from proxy.api.ollama.reader import ForwardedReader
from proxy.api.responses.request import ResponsesRequest
from proxy.http import request_body
from proxy.http.long_work import LONG, off_loop

LONG_TEXT = "a" * LONG
RESPONSES = {"model": "gpt-oss:20b", "input": LONG_TEXT}
MESSAGES = {**MINIMAL, "messages": [{"role": "user", "content": LONG_TEXT}], "max_tokens": 5}


@pytest.mark.parametrize(("size", "is_main"), [(LONG - 1, True), (LONG, False)])
async def test_long_work_runs_on_a_thread(size: int, is_main: bool) -> None:
    assert (await off_loop(size, threading.current_thread) is threading.main_thread()) == is_main


async def test_the_event_loop_goes_on_meanwhile() -> None:
    event = threading.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await off_loop(LONG, event.wait, 60)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    "The functions that read all of a request, and whether each ran on the event loop."
    on_loop: dict[str, bool] = {}

    def watch(owner: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **options: Any) -> Any:
            on_loop[name] = on_loop.get(name, False) or threading.current_thread() is threading.main_thread()
            return function(*args, **options)

        monkeypatch.setattr(owner, name, watched)

    watch(request_body, "parse_json")
    watch(request_body, "translate")
    for model in (ChatRequest, MessagesRequest, ResponsesRequest):
        watch(model, "generation_request")
    watch(CompletionRequest, "generation_requests")
    watch(AsyncGptOss, "start_turn")
    watch(TurnMachine, "next_completion")
    watch(ollama, "_logged_completion")
    return on_loop


TURN = {"parse_json", "translate", "generation_request", "start_turn", "next_completion"}


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        pytest.param(CHAT, MESSAGES, TURN, id="chat completions"),
        pytest.param("/v1/responses", RESPONSES, TURN, id="responses"),
        pytest.param("/v1/responses/compact", RESPONSES, TURN, id="compact"),
        pytest.param("/v1/responses/input_tokens", RESPONSES, TURN, id="input tokens"),
        pytest.param("/v1/messages", MESSAGES, TURN, id="messages"),
        pytest.param("/v1/messages/count_tokens", MESSAGES, TURN, id="tokens of messages"),
        pytest.param(
            "/v1/completions",
            {"model": "gpt-oss:20b", "prompt": LONG_TEXT},
            TURN - {"generation_request"} | {"generation_requests"},
            id="completions",
        ),
    ],
)
async def test_nothing_reads_a_long_body_on_the_event_loop(
    path: str, body: dict[str, Any], expected: set[str], readers: dict[str, bool]
) -> None:
    async with asking() as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert readers == dict.fromkeys(expected, False)


async def test_nor_a_body_for_ollama(readers: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    with Refusing() as host:
        monkeypatch.setenv("OLLAMA_HOST", host)
        async with asking(log_policy="all") as client:
            assert (await client.post("/api/chat", json=MESSAGES)).status_code == 503
    assert readers == {"parse_json": False, "_logged_completion": False}


async def test_short_bodies_are_read_at_once(readers: dict[str, bool]) -> None:
    async with asking() as client:
        assert (await client.post(CHAT, json=MINIMAL)).status_code == 200
    assert readers == dict.fromkeys(TURN, True)


class Chatterbox:
    "Says hello a hundred times, without waiting."

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        for piece in pieces("<|channel|>final<|message|>" + " Hello" * 100):
            yield piece
        yield Done("stop", prompt_tokens=1, completion_tokens=100)


@asynccontextmanager
async def others() -> AsyncIterator[list[int]]:
    "A task that counts in the list how often it had its turn."
    turns = [0]

    async def count() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(count())
    yield turns
    task.cancel()


async def test_an_answer_that_is_there_already_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAX_BUSY", 0)
    async with asking(Chatterbox()) as client, others() as turns:
        answer = await client.post(CHAT, json={**MINIMAL, "stream": True})
    assert len([line for line in answer.text.split("\n\n") if '"content"' in line]) >= 100
    assert turns[0] > 100


# A line of many messages, which are read one after the other.
SPELLED = "<|channel|>final<|message|>Hi<|end|><|start|>assistant" * 2_000
GENERATED = {"model": "gpt-oss:20b", "response": SPELLED, "done": True, "done_reason": "stop"}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(stream(GENERATED), id="in a line"),
        pytest.param(answer(GENERATED), id="without a line's end"),
    ],
)
async def test_so_does_an_answer_that_is_passed_on(
    reply: Reply, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(streaming, "MAX_BUSY", 0)
    made: list[tuple[bool, int]] = []
    make = ForwardedReader.response

    def response(reader: ForwardedReader, *args: Any) -> llm.Response:
        made.append((threading.current_thread() is threading.main_thread(), turns[0]))
        return make(reader, *args)

    monkeypatch.setattr(ForwardedReader, "response", response)
    body = {"model": "gpt-oss:20b", "raw": True, "prompt": f"<|start|>user<|message|>Hi<|end|>{OPENER}"}
    with Scripted(reply) as ollama_server:
        monkeypatch.setenv("OLLAMA_HOST", ollama_server.host)
        async with asking(log_policy="all", database=tmp_path / "logs.db") as client, others() as turns:
            passed_on = await client.post("/api/generate", json=body)
    assert passed_on.json()["response"] == SPELLED
    (on_loop, before), (on_loop_at_end, after) = made
    assert (on_loop, on_loop_at_end) == (True, False), "the turn begins without an answer"
    assert after - before > 2_000, "it is not read event by event"


def test_the_body_of_these_tests_is_long() -> None:
    assert len(json.dumps(RESPONSES)) > LONG
