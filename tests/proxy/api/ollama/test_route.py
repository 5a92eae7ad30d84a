"Ollama's API through the proxy: which requests are forwarded, and what is logged."

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlite_utils
from llm.logs import LogStore
from llm.parts import Message, ReasoningPart, TextPart
from starlette.types import Message as Asgi
from support.proxied_engine import Proxied, proxied
from support.scripted_server import CUT, HOLD, Refusing, Reply, Scripted, answer, chunk, head, stream

from llm_gpt_oss.completion import Json
from proxy.api.ollama.route import CHANGES
from proxy.generation import GenerationRequest
from proxy.hookspecs import Plugins, hookimpl
from proxy.log.spool import Spool

HI = {"role": "user", "content": "Hi"}
CHAT: Json = {"model": "x", "messages": [HI]}
DIGEST = "sha256:" + "0" * 64


def line(text: str, **end: Any) -> Json:
    return {"model": "x:latest", "message": {"role": "assistant", "content": text}, **end}


END = line("", done=True, done_reason="stop", prompt_eval_count=5, eval_count=2)


class Ollama(Scripted):
    def __init__(self, *replies: Reply) -> None:
        super().__init__(*replies)
        self.asked = threading.Event()
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("OLLAMA_HOST", self.host)

    def __exit__(self, *given: object) -> None:
        self._patch.undo()
        super().__exit__(*given)

    def _play(self, client: Any, step: Any) -> None:
        self.asked.set()
        super()._play(client, step)


def texts_of(proxy: Proxied, turn: dict[str, Any]) -> list[tuple[str, str]]:
    "The role and text of each part up to the end of the turn, with reasoning."
    with sqlite_utils.Database(proxy.app.state.proxy.settings.database) as database:
        chain: list[Message] = LogStore(database).load_chain(turn["tip_message_hash"])  # type: ignore[no-untyped-call]
    parts = [(message.role, part) for message in chain for part in message.parts]
    return [(role, part.text) for role, part in parts if isinstance(part, TextPart | ReasoningPart)]


async def test_a_stream_is_forwarded_unchanged_and_logged() -> None:
    sent = stream(
        line("Hel"), json.dumps(line("lo")).encode()[:10], json.dumps(line("lo")).encode()[10:] + b"\n", END
    )
    with Ollama(sent) as ollama:
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT, headers={"user-agent": "ollama-js"})
            (turn,) = proxy.turns()
            assert texts_of(proxy, turn) == [("user", "Hi"), ("assistant", "Hello")]
    assert logged.status_code == 200
    assert logged.headers["content-type"] == "application/x-ndjson"
    assert logged.content == b"".join(
        json.dumps(each).encode() + b"\n" for each in (line("Hel"), line("lo"), END)
    )
    assert ollama.requests[0].body == CHAT
    assert ollama.requests[0].headers["host"] == ollama.host
    assert turn["endpoint"] == "/api/chat"
    assert (turn["status"], turn["error"], turn["finish_reason"]) == (200, None, "stop")
    assert (turn["model"], turn["resolved_model"], turn["client"]) == ("x", "x:latest", "ollama-js")
    assert (turn["input_tokens"], turn["output_tokens"]) == (5, 2)
    assert turn["first_token_ms"] is not None
    assert json.loads(turn["request"]) == CHAT


async def test_a_conversation_is_one_thread_with_its_reasoning() -> None:
    thought = {"message": {"role": "assistant", "content": "", "thinking": "hm"}}
    with Ollama(stream(thought, line("Hello"), END), answer(line("Bye", done=True, done_reason="stop"))):
        async with proxied() as proxy:
            await proxy.post("/api/chat", CHAT)
            more = [HI, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Go"}]
            await proxy.post("/api/chat", {"model": "x", "messages": more, "stream": False})
            first, second = proxy.turns()
            assert texts_of(proxy, second) == [
                ("user", "Hi"),
                ("assistant", "hm"),
                ("assistant", "Hello"),
                ("user", "Go"),
                ("assistant", "Bye"),
            ]
    assert first["thread_id"] == second["thread_id"]


async def test_a_compressed_body_is_decoded_for_ollama_and_the_log() -> None:
    with Ollama(answer(line("Hello", done=True, done_reason="stop"))) as ollama:
        async with proxied() as proxy:
            body = gzip.compress(json.dumps(CHAT).encode("utf-16"))
            await proxy.client.post("/api/chat", content=body, headers={"content-encoding": "gzip"})
            unknown = await proxy.client.post("/api/chat", content=body, headers={"content-encoding": "lzma"})
            (turn,) = proxy.turns()
    (request,) = ollama.requests
    assert request.body == json.loads(turn["request"]) == CHAT
    assert "content-encoding" not in request.headers
    assert (unknown.status_code, unknown.headers["accept-encoding"]) == (415, "gzip, deflate, br, zstd")
    assert unknown.json()["error"].startswith("The Content-Encoding 'lzma' is not supported.")


OPTIONS = {"temperature": 0}


@pytest.mark.parametrize(
    ("sent", "num_ctx", "added"),
    [
        pytest.param({}, None, {"shift": False}, id="shift"),
        pytest.param({"shift": None}, None, {"shift": False}, id="null"),
        pytest.param({"shift": True}, None, {"shift": False}, id="another shift"),
        pytest.param({"shift": False}, None, {}, id="the same shift"),
        pytest.param({}, 8192, {"shift": False, "options": {"num_ctx": 8192}}, id="context"),
        pytest.param(
            {"options": OPTIONS},
            8192,
            {"shift": False, "options": {**OPTIONS, "num_ctx": 8192}},
            id="options",
        ),
        pytest.param(
            {"options": {"num_ctx": 4096}},
            8192,
            {"shift": False, "options": {"num_ctx": 8192}},
            id="another context",
        ),
        pytest.param({"options": {"num_ctx": 8192}}, 8192, {"shift": False}, id="the same context"),
        pytest.param(
            {"options": {**OPTIONS, "num_ctx": 4096}},
            None,
            {"shift": False, "options": OPTIONS},
            id="the context of the engine",
        ),
        pytest.param({"options": "odd"}, 8192, {"shift": False}, id="options of the wrong type"),
    ],
)
async def test_a_model_is_not_loaded_again(sent: Json, num_ctx: int | None, added: Json) -> None:
    body = {**CHAT, "model": "gpt-oss:20b", **sent}
    with Ollama(answer(line("Hello", done=True, done_reason="stop"))) as ollama:
        async with proxied(num_ctx=num_ctx) as proxy:
            for path in ("/api/chat", "/api/generate"):
                await proxy.post(path, body)
            logged = [json.loads(turn["request"]) for turn in proxy.turns()]
    assert [request.body for request in ollama.requests] == [{**body, **added}] * 2
    assert logged in ([], [body])  # there is no turn if Ollama cannot read the request


CHOSEN = {"options": {"num_ctx": 4096, "num_gpu": 1, "temperature": 0}, "shift": True}


@pytest.mark.parametrize(
    ("path", "model", "forwarded", "ignored"),
    [
        pytest.param(
            "chat",
            "gpt-oss:20b",
            {"options": {"temperature": 0, "num_ctx": 8192}, "shift": False},
            "options.num_ctx, options.num_gpu, shift",
            id="of the server",
        ),
        pytest.param(
            "generate",
            "llama3",
            {"options": {"temperature": 0}, "shift": True},
            "options.num_ctx, options.num_gpu",
            id="of Ollama",
        ),
        pytest.param(
            "embed",
            "nomic-embed-text",
            {"options": {"temperature": 0}, "shift": True},
            "options.num_ctx, options.num_gpu",
            id="embeddings",
        ),
    ],
)
async def test_clients_cannot_have_a_model_loaded_again(
    path: str, model: str, forwarded: Json, ignored: str
) -> None:
    body = {**CHAT, "model": model, **CHOSEN}
    with Ollama(answer(line("Hello", done=True, done_reason="stop"))) as ollama:
        async with proxied(num_ctx=8192) as proxy:
            response = await proxy.post(f"/api/{path}", body)
        async with proxied(num_ctx=8192, allow_load_options=True) as proxy:
            allowed = await proxy.post(f"/api/{path}", body)
    assert [request.body for request in ollama.requests] == [{**body, **forwarded}, body]
    assert response.headers["x-llm-ignored"] == ignored
    assert "x-llm-ignored" not in allowed.headers


@pytest.mark.parametrize(
    ("model", "is_served"),
    [
        pytest.param("gpt-oss", True, id="without a tag"),
        pytest.param("GPT-OSS:20B", True, id="upper case"),
        pytest.param("llama3", False, id="of Ollama"),
        pytest.param("my-alias", False, id="an alias, which Ollama does not know"),
        pytest.param("gpt-oss-like", False, id="an alias with a star"),
        pytest.param(None, False, id="none"),
    ],
)
async def test_other_models_are_forwarded_unchanged(model: str | None, is_served: bool) -> None:
    with Ollama(answer(line("Hello", done=True, done_reason="stop"))) as ollama:
        async with proxied(aliases={"my-alias": "gpt-oss:20b", "*": "gpt-oss:20b"}, num_ctx=8192) as proxy:
            await proxy.post("/api/chat", {**CHAT, "model": model})
    assert ("shift" in ollama.requests[0].body) == is_served


async def test_a_request_that_could_not_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    "The log, its folder and the memory are full."
    monkeypatch.setattr(Spool, "is_full", True)
    with Ollama(stream(line("Hello"), END)) as ollama:
        async with proxied() as proxy:
            refused = await proxy.post("/api/chat", CHAT)
            assert refused.status_code == 503
            assert "the memory for turns that wait is full" in refused.json()["error"]
            assert [request.path for request in ollama.requests] == []
            unlogged = await proxy.post("/api/chat", CHAT, headers={"x-llm-log": "off"})
            assert unlogged.status_code == 200


async def test_generate_is_logged() -> None:
    with Ollama(stream({"response": "Hello"}, {"done": True, "done_reason": "length"})):
        async with proxied() as proxy:
            await proxy.post("/api/generate", {"model": "x", "prompt": "Hi"})
            (turn,) = proxy.turns()
    assert (turn["endpoint"], turn["finish_reason"]) == ("/api/generate", "length")


@pytest.mark.parametrize("body", [pytest.param(b"", id="nothing"), pytest.param(b"[]", id="a list")])
async def test_bodies_without_fields_are_forwarded_and_not_logged(body: bytes) -> None:
    with Ollama(answer({"error": "invalid"}, 400)) as ollama:
        async with proxied() as proxy:
            response = await proxy.client.post("/api/generate", content=body)
            assert proxy.turns() == []
    assert (response.status_code, response.json()) == (400, {"error": "invalid"})
    assert len(ollama.requests) == 1


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"])
@pytest.mark.parametrize(
    ("value", "status"),
    [
        pytest.param(b"1e999", 400, id="infinity"),
        pytest.param(b"NaN", 400, id="not a number"),
        pytest.param(b'"\\ud83d"', 400, id="half of a character"),
        pytest.param(b'"\xff"', 400, id="no UTF-8"),
        pytest.param(b"1}{", 400, id="two values"),
        pytest.param(b"[" + b"1," * 100_000 + b"1]", 413, id="many values"),
    ],
)
async def test_bodies_that_only_ollama_can_read_are_refused(path: str, value: bytes, status: int) -> None:
    body = b'{"model": "x", "prompt": "Hi", "options": {"num_ctx": 131072}, "x": ' + value + b"}"
    with Ollama() as ollama:
        async with proxied() as proxy:
            response = await proxy.client.post(path, content=body)
    assert (response.status_code, [*response.json()]) == (status, ["error"])
    assert ollama.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tags"),
        ("HEAD", "/api/tags"),
        ("GET", "/api/ps"),
        ("GET", "/api/version"),
        ("HEAD", "/api/version"),
        ("POST", "/api/show"),
        ("POST", "/api/embed"),
        ("POST", "/api/embeddings?x=1"),
        ("HEAD", "/"),
    ],
)
async def test_open_endpoints(method: str, path: str) -> None:
    with Ollama(answer("" if method == "HEAD" else {"a": 1})) as ollama:
        async with proxied() as proxy:
            logged = await proxy.client.request(method, path)
            assert proxy.turns() == []
    assert logged.status_code == 200
    assert [(request.method, request.path) for request in ollama.requests] == [(method, path)]


@pytest.mark.parametrize("name", [*CHANGES, f"blobs/{DIGEST}"])
async def test_closed_endpoints(name: str) -> None:
    (method, *_) = CHANGES[name.partition("/")[0]]
    with Ollama(answer({})) as ollama:
        async with proxied() as proxy:
            logged = await proxy.client.request(method, f"/api/{name}")
    assert logged.status_code == 403
    assert method == "HEAD" or logged.json().keys() == {"error"}
    assert ollama.requests == []


async def test_endpoints_that_a_setting_opens() -> None:
    with Ollama(stream({"status": "success"})) as ollama:
        async with proxied(allow_model_changes=True) as proxy:
            logged = await proxy.post("/api/pull", {"model": "x"})
            assert proxy.turns() == []
    assert logged.json() == {"status": "success"}
    assert ollama.requests[0].body == {"model": "x"}


async def test_an_upload_is_streamed() -> None:
    with Ollama(answer("", 201)) as ollama:
        async with proxied(allow_model_changes=True) as proxy:
            logged = await proxy.client.post(f"/api/blobs/{DIGEST}", content=b'{"big": 1}')
    assert logged.status_code == 201
    assert ollama.requests[0].body == {"big": 1}


async def test_blob_exists() -> None:
    with Ollama(answer("", 404)) as ollama:
        async with proxied(allow_model_changes=True) as proxy:
            logged = await proxy.client.head(f"/api/blobs/{DIGEST}")
    assert logged.status_code == 404
    assert "transfer-encoding" not in ollama.requests[0].headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/none", 404),
        ("POST", "/api/", 404),
        ("POST", "/api/blobs/sha256:0", 404),
        ("POST", "/api/chat%2F..%2Fdelete", 404),
        ("GET", "/api/chat", 405),
        ("POST", "/api/tags", 405),
        ("PUT", "/api/tags", 405),
        ("DELETE", "/api/show", 405),
        ("HEAD", "/api/ps", 405),
    ],
)
async def test_unknown_endpoints(method: str, path: str, status: int) -> None:
    with Ollama(answer({})) as ollama:
        async with proxied(allow_model_changes=True) as proxy:
            logged = await proxy.client.request(method, path)
    assert logged.status_code == status
    assert method == "HEAD" or set(logged.json()) == {"error"}
    assert ("allow" in logged.headers) == (status == 405)
    assert ollama.requests == []


async def test_errors_of_ollama_are_forwarded_and_logged() -> None:
    with Ollama(answer({"error": "model 'x' not found"}, 404)):
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT)
            (turn,) = proxy.turns()
    assert (logged.status_code, logged.json()) == (404, {"error": "model 'x' not found"})
    assert (turn["status"], turn["error"]) == (404, "model 'x' not found")


async def test_an_error_in_the_stream_is_forwarded_and_logged() -> None:
    with Ollama(stream(line("Hel"), {"error": "it broke"})):
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT)
            (turn,) = proxy.turns()
            assert texts_of(proxy, turn)[-1] == ("assistant", "Hel")
    assert logged.text.endswith('{"error": "it broke"}\n')
    assert (turn["status"], turn["error"]) == (200, "it broke")


async def test_ollama_is_not_running() -> None:
    with Refusing() as host, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_HOST", host)
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT)
            heartbeat = await proxy.client.head("/")
            (turn,) = proxy.turns()
    assert logged.status_code == heartbeat.status_code == 503
    assert "ollama serve" in logged.json()["error"]
    assert "retry-after" in logged.headers
    assert (turn["status"], turn["error"]) == (503, logged.json()["error"])


async def test_no_answer() -> None:
    with Ollama((CUT,)):
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT)
    assert (logged.status_code, set(logged.json())) == (502, {"error"})
    assert "retry-after" not in logged.headers


async def test_invalid_json_is_forwarded() -> None:
    with Ollama(answer({"error": "unexpected EOF"}, 400)):
        async with proxied() as proxy:
            logged = await proxy.client.post("/api/chat", content=b"")
            assert proxy.turns() == []
    assert logged.status_code == 400


async def test_body_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.http.request_body.MAX_BODY", 10)
    with Ollama(answer({})) as ollama:
        async with proxied() as proxy:
            logged = await proxy.post("/api/chat", CHAT)
    assert (logged.status_code, set(logged.json())) == (413, {"error"})
    assert ollama.requests == []


@pytest.mark.parametrize(
    ("settings", "headers"),
    [({"log_policy": "off"}, {}), ({}, {"x-llm-log": "off"})],
    ids=["by a setting", "by a header"],
)
async def test_not_logged(settings: dict[str, Any], headers: dict[str, str]) -> None:
    with Ollama(stream(line("Hello"), END)):
        async with proxied(**settings) as proxy:
            assert (await proxy.post("/api/chat", CHAT, headers=headers)).status_code == 200
            assert proxy.turns() == []


class Client:
    """An ASGI client that disconnects when `left` is set, or during its upload if it has no body.

    `messages` are those that it received. `on_message` is called before each of them.
    """

    def __init__(
        self,
        proxy: Proxied,
        body: Json | None,
        on_message: Callable[[], None] = lambda: None,
        path: str = "/api/chat",
    ) -> None:
        self.messages: list[Asgi] = []
        self.left = asyncio.Event()
        self._on_message = on_message
        sent = [] if body is None else [{"type": "http.request", "body": json.dumps(body).encode()}]
        self._incoming: Iterator[Asgi] = iter(sent)
        self._begun = asyncio.Event()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "scheme": "http",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
        }
        self.task = asyncio.ensure_future(proxy.app(scope, self._receive, self._send))

    async def begun(self) -> None:
        await asyncio.wait_for(self._begun.wait(), 10)

    async def _receive(self) -> Asgi:
        for message in self._incoming:
            return message
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Asgi) -> None:
        self._on_message()
        self.messages.append(message)
        if message.get("body"):
            self._begun.set()


async def test_a_disconnect_cancels_the_request_to_ollama() -> None:
    with Ollama(stream(line("Hel"), HOLD)) as ollama:
        async with proxied() as proxy:
            client = Client(proxy, CHAT)
            await client.begun()
            client.left.set()
            await asyncio.wait_for(client.task, 10)
            assert await asyncio.to_thread(ollama.gone.wait, 10)
            (turn,) = proxy.turns()
            assert texts_of(proxy, turn)[-1] == ("assistant", "Hel")
    assert (turn["status"], turn["error"]) == (499, "The client disconnected.")
    assert client.messages[-1]["more_body"]


async def test_a_disconnect_before_the_answer() -> None:
    with Ollama((HOLD,)) as ollama:
        async with proxied() as proxy:
            client = Client(proxy, CHAT)
            assert await asyncio.to_thread(ollama.asked.wait, 10)
            client.left.set()
            await asyncio.wait_for(client.task, 10)
            assert await asyncio.to_thread(ollama.gone.wait, 10)
            (turn,) = proxy.turns()
    assert turn["status"] == 499
    assert client.messages == []


async def stop_only_run(proxy: Proxied) -> Json:
    "Stop the run at /live, and return its row from before."
    while not (rows := (await proxy.get("/live/runs")).json()["data"]):  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.01)
    (row,) = rows
    assert (await proxy.post(f"/live/runs/{row['id']}/stop", None)).status_code == 200
    result: Json = row
    return result


async def test_a_stream_that_is_stopped_ends_with_an_error() -> None:
    with Ollama(stream(line("Hel"), HOLD)) as ollama:
        async with proxied() as proxy:
            client = Client(proxy, CHAT)
            await client.begun()
            row = await stop_only_run(proxy)
            await asyncio.wait_for(client.task, 10)
            assert await asyncio.to_thread(ollama.gone.wait, 10)
            (turn,) = proxy.turns()
            (ended,) = (await proxy.get("/live/runs")).json()["data"]
    assert (row["state"], row["text"], row["endpoint"]) == ("answering", "Hel", "/api/chat")
    assert (ended["state"], ended["error"]) == ("stopped", "It was stopped at /live.")
    assert (turn["status"], turn["error"]) == (499, "It was stopped at /live.")
    assert json.loads(client.messages[-1]["body"]) == {"error": "It was stopped at /live."}
    assert not client.messages[-1].get("more_body")


async def test_a_request_that_is_stopped_before_its_answer() -> None:
    with Ollama((HOLD,)) as ollama:
        async with proxied() as proxy:
            task = asyncio.ensure_future(proxy.post("/api/chat", CHAT))
            assert await asyncio.to_thread(ollama.asked.wait, 10)
            assert (await stop_only_run(proxy))["state"] == "reading"
            answered = await asyncio.wait_for(task, 10)
            assert await asyncio.to_thread(ollama.gone.wait, 10)
            (turn,) = proxy.turns()
    assert (answered.status_code, answered.json()) == (499, {"error": "It was stopped at /live."})
    assert turn["status"] == 499


async def test_a_stream_that_breaks_off_is_cut_off() -> None:
    cut = (
        head(200, "Transfer-Encoding: chunked"),
        chunk(json.dumps(line("Hel")).encode() + b"\n"),
        0.05,
        CUT,
    )
    with Ollama(cut):
        async with proxied() as proxy:
            client = Client(proxy, CHAT)
            await asyncio.wait_for(client.task, 10)
            (turn,) = proxy.turns()
    assert client.messages[-1]["more_body"]
    assert turn["status"] == 502
    assert "was lost" in turn["error"]


async def test_the_turn_is_logged_before_the_answer_ends() -> None:
    with Ollama(stream(line("Hello"), END)):
        async with proxied() as proxy:
            logged: list[int] = []
            client = Client(proxy, CHAT, lambda: logged.append(len(proxy.turns())))
            await asyncio.wait_for(client.task, 10)
    assert not client.messages[-1].get("more_body")
    assert logged[-1] == 1
    assert not any(logged[:-1])


async def test_logging_is_turned_off_while_it_runs() -> None:
    with Ollama(stream(line("Hel"), HOLD)):
        async with proxied() as proxy:
            client = Client(proxy, CHAT)
            await client.begun()
            (proxy.app.state.proxy.settings.database.parent / "logs-off").touch()
            client.left.set()
            await asyncio.wait_for(client.task, 10)
            assert proxy.turns() == []


async def test_a_disconnect_during_an_upload() -> None:
    with Ollama(answer({})):
        async with proxied(allow_model_changes=True) as proxy:
            client = Client(proxy, None, path=f"/api/blobs/{DIGEST}")
            client.left.set()
            await asyncio.wait_for(client.task, 10)
    assert client.messages == []


class Spy:
    def __init__(self) -> None:
        self.received: list[Any] = []

    @hookimpl
    def actor_from_request(self) -> str:
        return "ada"

    @hookimpl
    def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        self.received.append((turn_id, generation.endpoint, status, error))


async def test_hooks() -> None:
    spy = Spy()
    with Ollama(stream(line("Hello"), END)):
        async with proxied() as proxy:
            server = proxy.app.state.proxy
            proxy.app.state.proxy = replace(server, plugins=Plugins([spy]))
            await proxy.post("/api/chat", CHAT)
            (turn,) = proxy.turns()
    assert turn["actor"] == "ada"
    assert spy.received == [(turn["turn_id"], "/api/chat", 200, None)]


@pytest.mark.vcr
async def test_ollama() -> None:
    "A real Ollama: chat with a tool, generate, tags, show and an unknown model."
    async with proxied() as proxy:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(proxy.app),
            base_url="http://testserver",
            headers={"Host": "localhost"},
        )
        async with client:
            tool = {"name": "weather", "parameters": {"properties": {"city": {"type": "string"}}}}
            asked = {
                "model": "gpt-oss-tiny",
                "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
                "tools": [{"type": "function", "function": tool}],
            }
            called = await client.post("/api/chat", json=asked)
            prompt = {"model": "gpt-oss-tiny", "prompt": "What is 7 times 8?", "stream": False}
            generated = await client.post("/api/generate", json=prompt)
            tags = await client.get("/api/tags")
            shown = await client.post("/api/show", json={"model": "embed-tiny"})
            missing = await client.post("/api/chat", json={**asked, "model": "no-such-model"})
        first, second, third = proxy.turns()
    assert json.loads(called.text.splitlines()[-1])["done"]
    assert (first["finish_reason"], first["status"]) == ("tool_calls", 200)
    assert generated.json()["response"] == "7 times 8 is 56."
    assert (second["finish_reason"], second["output_tokens"]) == ("stop", generated.json()["eval_count"])
    assert any(model["name"] == "embed-tiny:latest" for model in tags.json()["models"])
    assert shown.json()["details"]["family"] == "bert"
    assert (missing.status_code, third["status"], third["error"]) == (404, 404, missing.json()["error"])
