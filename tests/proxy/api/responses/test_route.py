from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai.types.responses import Response
from support.proxied_engine import Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine, HeldEngine, cut, pieces

from llm_gpt_oss.errors import ContextOverflow, EngineError
from proxy.api.responses import answer as responses_answer
from proxy.api.responses.writer import ResponsesWriter
from proxy.inference.run import Run
from proxy.log.logged_turn import LoggedTurn
from proxy.log.reader import LogReader

THINK = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
HELLO = "<|channel|>final<|message|>Hello"
THOUGHT = THINK + HELLO
THINK_PIECES = [piece.text for piece in pieces(THOUGHT)]
CALL = (
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.look"
    ' <|constrain|>json<|message|>{"at": "sky"}<|call|>'
)
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
URL = "/v1/responses"
TURN_ID = "01hf7yat000000000000000001"


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    frames = [frame for frame in answer.text.split("\n\n") if frame.startswith("event: ")]
    return [json.loads(frame.partition("\ndata: ")[2]) for frame in frames]


async def post(proxy: Proxied, input: Any = "Hi", **fields: Any) -> httpx.Response:
    return await proxy.post(URL, {"model": "gpt-oss", "input": input, **fields})


async def create(proxy: Proxied, input: Any = "Hi", **fields: Any) -> dict[str, Any]:
    answer = await post(proxy, input, **fields)
    assert answer.status_code == 200, answer.text
    Response.model_validate(answer.json())
    return answer.json()


async def test_retrieve() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT)) as proxy:
        response = await create(proxy, metadata={"a": "b"})
        assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
        repeated = await proxy.get(f"{URL}/{response['id']}")
        assert repeated.json() == response
        assert response["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    ("asked", "shown", "content", "summary"),
    [
        ({}, "text", True, False),
        ({"effort": "low"}, "text", True, False),
        ({"summary": "auto"}, "text", False, True),
        ({"generate_summary": "concise"}, "text", False, True),
        ({}, "summary", False, True),
        ({"summary": "auto"}, "both", True, True),
    ],
)
async def test_reasoning_settings(asked: dict[str, str], shown: str, content: bool, summary: bool) -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT), reasoning=shown) as proxy:
        response = await create(proxy, reasoning=asked)
        thought = response["output"][0]
        assert thought["content"] == [{"type": "reasoning_text", "text": "Hm."}] * content
        assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}] * summary
        assert (await proxy.get(f"{URL}/{response['id']}")).json() == response


async def test_the_stream_can_be_read_again() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT)) as proxy:
        answer = await post(proxy, stream=True)
        received = events(answer)
        assert [event["sequence_number"] for event in received] == list(range(len(received)))
        assert received[0]["type"] == "response.created"
        assert received[-1]["type"] == "response.completed"
        at = f"{URL}/{received[0]['response']['id']}"
        assert events(await proxy.get(at, params={"stream": "true"})) == received
        later = await proxy.get(at, params={"stream": "true", "starting_after": "4"})
        assert events(later) == received[5:]
        assert (await proxy.get(at)).json() == received[-1]["response"]


async def test_previous_response_id() -> None:
    engine = AsyncScriptedEngine(CALL, HELLO)
    async with proxied(engine) as proxy:
        first = await create(proxy, "What is up?", tools=[LOOK], instructions="Be brief.")
        call = first["output"][1]
        assert (call["name"], json.loads(call["arguments"])) == ("look", {"at": "sky"})
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
        second = await create(proxy, [result], tools=[LOOK], previous_response_id=first["id"])
        assert second["previous_response_id"] == first["id"]
        prompt = engine.asked[1].prompt
        assert "Look." in prompt
        assert "Be brief." not in prompt
        turns = proxy.turns()
        assert len({turn["thread_id"] for turn in turns}) == 1


async def input_items(proxy: Proxied, id: str, **params: str) -> list[Any]:
    answer = await proxy.get(f"{URL}/{id}/input_items", params=params)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["data"]
    return items


async def by_previous_response(proxy: Proxied) -> tuple[list[Any], list[Any]]:
    "Three responses in a row, with other instructions each: the first two, and the input of the last."
    made: list[Any] = []
    for n in range(3):
        previous = made[-1]["id"] if made else None
        fields = {"instructions": f"Say {n}.", "previous_response_id": previous}
        made.append(await create(proxy, f"Question {n}", **fields))
    return made[:2], await input_items(proxy, made[2]["id"])


async def by_conversation(proxy: Proxied) -> tuple[list[Any], list[Any]]:
    conversation = (await proxy.post("/v1/conversations", {})).json()["id"]
    fields = {"conversation": conversation}
    made = [await create(proxy, f"Question {n}", instructions=f"Say {n}.", **fields) for n in range(3)]
    listed = (await proxy.get(f"/v1/conversations/{conversation}/items")).json()["data"]
    inputs = await input_items(proxy, made[2]["id"])
    assert listed == [*made[2]["output"][::-1], *inputs]
    return made[:2], inputs


async def by_history(proxy: Proxied) -> tuple[list[Any], list[Any]]:
    history: list[Any] = []
    made: list[Any] = []
    for n in range(3):
        history.append({"role": "user", "content": f"Question {n}"})
        made.append(await create(proxy, history))
        history += made[-1]["output"]
    return made[:2], await input_items(proxy, made[2]["id"])


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(by_previous_response, id="previous_response_id"),
        pytest.param(by_conversation, id="conversation"),
        pytest.param(by_history, id="history"),
    ],
)
async def test_input_items_of_a_conversation(talk: Callable[[Proxied], Any]) -> None:
    "Newest first, with the ids that the client received."
    async with proxied(AsyncScriptedEngine(THOUGHT, THOUGHT, THOUGHT)) as proxy:
        earlier, inputs = await talk(proxy)
        *_, oldest = inputs
        assert oldest["content"] == [{"type": "input_text", "text": "Question 0"}]
        questions = [item for item in inputs if item.get("role") == "user"]
        assert [item["content"][0]["text"] for item in questions] == [
            "Question 2",
            "Question 1",
            "Question 0",
        ]
        outputs = [*earlier[1]["output"][::-1], *earlier[0]["output"][::-1]]
        assert inputs == [questions[0], *outputs[:2], questions[1], *outputs[2:], questions[2]]


async def test_pages_of_input_items() -> None:
    async with proxied(AsyncScriptedEngine(THOUGHT, HELLO)) as proxy:
        first = await create(proxy, "One")
        second = await create(proxy, "Two", previous_response_id=first["id"])
        newest_first = await input_items(proxy, second["id"])
        assert len(newest_first) == 4
        oldest_first = newest_first[::-1]
        assert await input_items(proxy, second["id"], order="asc") == oldest_first
        after = await input_items(proxy, second["id"], after=newest_first[0]["id"], limit="2")
        assert after == newest_first[1:3]
        at = f"{URL}/{second['id']}/input_items"
        page = (await proxy.get(at, params={"order": "asc", "limit": "1"})).json()
        assert page == {
            "object": "list",
            "data": oldest_first[:1],
            "first_id": oldest_first[0]["id"],
            "last_id": oldest_first[0]["id"],
            "has_more": True,
        }
        for include in ("include", "include[]"):
            sealed = await input_items(proxy, second["id"], **{include: "reasoning.encrypted_content"})
            (reasoning,) = [item for item in sealed if item["type"] == "reasoning"]
            assert reasoning == {**first["output"][0], "encrypted_content": reasoning["encrypted_content"]}
        assert (await proxy.get(at, params={"after": "msg_1"})).json()["error"]["param"] == "after"


async def test_input_items_in_the_background() -> None:
    "While a response is in progress, its input is the one that it has afterwards."
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine) as proxy:
        engine.go.set()
        first = await create(proxy, "One", instructions="Say one.")
        engine.go.clear()
        engine.silent.clear()
        second = await create(proxy, "Two", previous_response_id=first["id"], background=True)
        await engine.silent.wait()
        during = await input_items(proxy, second["id"])
        engine.go.set()
        await proxy.get(f"{URL}/{second['id']}", params={"stream": "true"})
        assert await input_items(proxy, second["id"]) == during
        assert during[1:3] == first["output"][::-1]


async def test_unknown_ids() -> None:
    async with proxied() as proxy:
        for answer in (
            await proxy.get(f"{URL}/resp_{'0' * 26}"),
            await proxy.get(f"{URL}/../../etc/passwd"),
            await proxy.get(f"{URL}/resp_*"),
            await proxy.client.delete(f"{URL}/resp_1"),
            await proxy.post(f"{URL}/resp_1/cancel", {}),
            await proxy.get(f"{URL}/resp_1/input_items"),
        ):
            assert answer.status_code == 404
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        answer = await post(proxy, previous_response_id="resp_1")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "previous_response_not_found")
        answer = await post(proxy, conversation="conv_1")
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "conversation")
        answer = await post(proxy, model="gpt-5")
        assert answer.json()["error"]["code"] == "model_not_found"


async def test_responses_that_are_not_stored_are_logged_and_not_found() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        response = await create(proxy, store=False)
        assert (await proxy.get(f"{URL}/{response['id']}")).status_code == 404
        answer = await post(proxy, previous_response_id=response["id"])
        assert answer.json()["error"]["code"] == "previous_response_not_found"
        assert [turn["status"] for turn in proxy.turns()] == [200]


async def test_deleted_responses_are_hidden_and_still_logged() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        response = await create(proxy)
        gone = await proxy.client.delete(f"{URL}/{response['id']}")
        assert gone.json() == {"id": response["id"], "object": "response", "deleted": True}
        assert (await proxy.get(f"{URL}/{response['id']}")).status_code == 404
        assert (await proxy.client.delete(f"{URL}/{response['id']}")).status_code == 404
        assert [turn["deleted"] for turn in proxy.turns()] == [1]


async def test_a_branch_is_a_thread_of_its_own() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO, HELLO)) as proxy:
        first = await create(proxy)
        await create(proxy, "a", previous_response_id=first["id"])
        await create(proxy, "b", previous_response_id=first["id"])
        one, two, three = proxy.turns()
        assert one["thread_id"] == two["thread_id"] != three["thread_id"]
        assert proxy.rows("select forked_from from threads order by id desc limit 1") == [(one["thread_id"],)]


async def test_any_logged_turn_can_be_continued() -> None:
    engine = AsyncScriptedEngine(THOUGHT, HELLO)
    async with proxied(engine) as proxy:
        chat = (await proxy.chat(user="From a chat")).json()
        response = await create(proxy, "More", previous_response_id=chat["id"])
        assert "From a chat" in engine.asked[1].prompt
        assert len({turn["thread_id"] for turn in proxy.turns()}) == 1
        first = (await proxy.get(f"{URL}/{chat['id']}")).json()
        Response.model_validate(first)
        assert first["output"][1]["content"][0]["text"] == "Hello"
        assert response["previous_response_id"] == chat["id"]


async def test_a_truncated_answer_is_incomplete() -> None:
    async with proxied(AsyncScriptedEngine(cut(HELLO))) as proxy:
        response = await create(proxy, max_output_tokens=3)
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert (await proxy.get(f"{URL}/{response['id']}")).json() == response


async def test_an_error_before_the_stream_is_an_http_status() -> None:
    async with proxied(AsyncScriptedEngine(ContextOverflow("Too long."))) as proxy:
        answer = await post(proxy, stream=True)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (
            400,
            "context_length_exceeded",
            "input",
        )


async def test_an_error_in_the_stream_is_its_last_event() -> None:
    broken = AsyncScriptedEngine([*pieces(HELLO), EngineError("It broke.")])
    async with proxied(broken) as proxy:
        received = events(await post(proxy, stream=True))
        assert [event["type"] for event in received].count("response.failed") == 1
        assert received[-1]["response"]["error"] == {"code": "server_error", "message": "It broke."}
        at = f"{URL}/{received[0]['response']['id']}"
        assert (await proxy.get(at)).json() == received[-1]["response"]
        answer = await post(proxy, previous_response_id=received[0]["response"]["id"])
        assert answer.status_code == 400


async def test_a_stream_begins_while_the_engine_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(writer: ResponsesWriter) -> list[dict[str, Any]]:
        engine.go.set()
        return begin(writer)

    begin = ResponsesWriter.begin
    monkeypatch.setattr(ResponsesWriter, "begin", written)
    monkeypatch.setattr(responses_answer, "REJECTION_SECONDS", 0.01)
    engine = HeldEngine()
    async with proxied(engine) as proxy:
        assert events(await post(proxy, stream=True))[-1]["type"] == "response.failed"


async def test_an_error_is_a_status_though_the_log_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def log_late(run: Run, *end: Any) -> int:
        await asyncio.sleep(0.1)
        return await log_end(run, *end)

    log_end = Run._log_end
    monkeypatch.setattr(Run, "_log_end", log_late)
    monkeypatch.setattr(responses_answer, "REJECTION_SECONDS", 0.01)
    async with proxied(AsyncScriptedEngine(EngineError("It broke."))) as proxy:
        assert (await post(proxy, stream=True)).status_code == 502


async def test_retrieve_a_running_response() -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine) as proxy:
        queued = await create(proxy, background=True)
        assert (queued["status"], queued["background"]) == ("queued", True)
        at = f"{URL}/{queued['id']}"
        await engine.silent.wait()
        assert (await proxy.get(at)).json()["status"] == "in_progress"
        following = asyncio.ensure_future(proxy.get(at, params={"stream": "true", "starting_after": "1"}))
        await asyncio.sleep(0)
        engine.go.set()
        received = events(await following)
        assert [event["sequence_number"] for event in received] == list(range(2, len(received) + 2))
        assert received[-1]["type"] == "response.completed"
        assert (await proxy.get(at)).json() == received[-1]["response"]
        assert events(await proxy.get(at, params={"stream": "true", "starting_after": "1"})) == received


@pytest.mark.parametrize("stream", [False, True])
async def test_a_background_response_learns_at_once_that_the_queue_is_full(stream: bool) -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine, max_concurrency=1, queue_size=1) as proxy:
        running = [await create(proxy, background=True) for _ in range(2)]
        refused = await post(proxy, background=True, stream=stream)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["error"]["code"] == "queue_full"
        for response in reversed(running):
            await proxy.post(f"{URL}/{response['id']}/cancel", {})
        assert [turn["status"] for turn in proxy.turns()] == [499, 499, 503]


async def test_cancel_a_background_response() -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine) as proxy:
        queued = await create(proxy, background=True)
        await engine.silent.wait()
        gone = (await proxy.post(f"{URL}/{queued['id']}/cancel", {})).json()
        assert gone["status"] == "cancelled"
        assert engine.open == 0
        assert (await proxy.get(f"{URL}/{queued['id']}")).json() == gone
        assert (await proxy.post(f"{URL}/{queued['id']}/cancel", {})).json() == gone
        (turn,) = proxy.turns()
        assert (turn["status"], turn["error"]) == (499, "The client cancelled it.")


async def test_a_background_response_continues_when_its_client_disconnects() -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine, new_id=lambda: TURN_ID) as proxy:
        asking = asyncio.ensure_future(post(proxy, background=True, stream=True))
        await engine.silent.wait()
        asking.cancel()
        await asyncio.wait({asking})
        assert engine.open == 1
        engine.go.set()
        received = events(await proxy.get(f"{URL}/resp_{TURN_ID}", params={"stream": "true"}))
        assert received[-1]["type"] == "response.completed"
    assert [turn["status"] for turn in proxy.turns()] == [200]


async def test_the_server_stops_during_a_background_response() -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine) as proxy:
        await create(proxy, background=True)
        await engine.silent.wait()
    assert [turn["error"] for turn in proxy.turns()] == ["The server was stopped."]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"background": True, "store": False}, "background", id="not to be stored"),
        pytest.param({"previous_response_id": "a", "conversation": "b"}, "previous_response_id", id="both"),
        pytest.param({"include": ["everything"]}, "include[0]", id="an unknown include"),
        pytest.param({"prompt": {"id": "pmpt_1"}}, "prompt", id="a stored prompt"),
    ],
)
async def test_rejected_requests(fields: dict[str, Any], param: str) -> None:
    async with proxied() as proxy:
        answer = await post(proxy, **fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_background_responses_need_logging() -> None:
    async with proxied(log_policy="off") as proxy:
        answer = await post(proxy, background=True)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "background")


async def test_a_retry_is_answered_from_the_log() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        key = {"Idempotency-Key": "1"}
        body = {"model": "gpt-oss", "input": "Hi"}
        first, second = [await proxy.post(URL, body, headers=key) for _ in range(2)]
        assert first.json() == second.json()
        assert len(proxy.turns()) == 1


async def test_a_retry_after_a_failure_is_the_same_turn() -> None:
    async with proxied(AsyncScriptedEngine(EngineError("It broke."), HELLO)) as proxy:
        key = {"Idempotency-Key": "1"}
        body = {"model": "gpt-oss", "input": "Hi"}
        first, second = [await proxy.post(URL, body, headers=key) for _ in range(2)]
        assert (first.status_code, second.status_code) == (502, 200)
        assert [turn["status"] for turn in proxy.turns()] == [200]


async def test_a_retry_of_a_background_response_returns_the_same_one() -> None:
    engine = HeldEngine(*THINK_PIECES)
    async with proxied(engine) as proxy:
        key = {"Idempotency-Key": "1"}
        body = {"model": "gpt-oss", "input": "Hi", "background": True}
        first = (await proxy.post(URL, body, headers=key)).json()
        await engine.silent.wait()
        repeated = (await proxy.post(URL, body, headers=key)).json()
        assert (repeated["id"], repeated["status"]) == (first["id"], "in_progress")
        engine.go.set()


@pytest.mark.parametrize("query", ["", "?stream=true"], ids=["whole", "streamed"])
async def test_retrieve_loads_the_turn_once(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = LogReader.turn

    async def counting_load(self: LogReader, turn_id: str) -> LoggedTurn | None:
        loaded.append(turn_id)
        return await load(self, turn_id)

    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        response = await create(proxy)
        monkeypatch.setattr(LogReader, "turn", counting_load)
        assert (await proxy.get(f"/v1/responses/{response['id']}{query}")).status_code == 200
    assert loaded == [response["id"].removeprefix("resp_")]


async def test_a_text_is_logged_after_a_turn_with_the_same_one_failed() -> None:
    "It has no entries that an earlier turn could hold."
    async with proxied(AsyncScriptedEngine(EngineError("It broke."), HELLO)) as proxy:
        await proxy.chat(user="Hi")
        await proxy.post("/v1/responses", {"model": "gpt-oss", "input": "Hi"})
        assert [(turn["status"], json.loads(turn["request"]).get("input")) for turn in proxy.turns()] == [
            (502, None),
            (200, "Hi"),
        ]
