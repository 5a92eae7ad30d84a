from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.scripted_server import CUT, HOLD, Refusing, Reply, Scripted, answer, stream

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.http.engine import AsyncHttpEngine, HttpEngine
from llm_gpt_oss.engines.ollama.server import OllamaServer
from llm_gpt_oss.errors import (
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    NotGptOss,
    StreamCut,
    UnusableSchema,
)
from llm_gpt_oss.settings import Settings

Play = Callable[..., Scripted]
Completes = Callable[..., None]


def settings(host: str, **more: str) -> Settings:
    return Settings.from_env({"OLLAMA_HOST": host, **more})


def engine(host: str, key: str | None = None, **variables: str) -> HttpEngine:
    return HttpEngine(OllamaServer(settings(host, **variables), key))


def async_engine(host: str, key: str | None = None, **variables: str) -> AsyncHttpEngine:
    return AsyncHttpEngine(OllamaServer(settings(host, **variables), key))


def complete_sync(host: str, *completions: Completion, key: str | None = None, items: list[Any]) -> None:
    with engine(host, key) as opened:
        for completion in completions:
            for item in opened.complete(completion):
                items.append(item)


def complete_async(host: str, *completions: Completion, key: str | None = None, items: list[Any]) -> None:
    async def run() -> None:
        async with async_engine(host, key) as opened:
            for completion in completions:
                async for item in opened.complete(completion):
                    items.append(item)

    asyncio.run(run())


@pytest.fixture(params=[complete_sync, complete_async], ids=["sync", "async"])
def complete(request: pytest.FixtureRequest) -> Any:
    "`complete(host, tag, …, items=[])` completes a prompt with each tag, and appends to `items`."
    run = request.param

    def complete(
        host: str, *tags: str, batch: bool = False, key: str | None = None, items: list[Any] | None = None
    ) -> None:
        completions = [Completion(tag, "p", batch=batch) for tag in tags]
        run(host, *completions, key=key, items=[] if items is None else items)

    return complete


HELLO = {"response": "Hello", "done": False}
LAST = {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}
FULL = {"response": "", "done": True, "done_reason": "length", "eval_duration": -9223372036854775808}
WHOLE = stream(HELLO, LAST)
ITEMS = [Piece("Hello"), Done("stop", 3, 2)]
OFFICIAL = "gpt-oss:20b"


def family(name: str, *families: str) -> Reply:
    return answer({"details": {"family": name, "families": list(families) or None}, "model_info": {}})


async def test_an_invalid_tag_is_not_sent() -> None:
    completion, variables = Completion("bad tag!", "p"), {"LOCAL_LLM_MODEL": "bad tag!"}
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL"):
        next(engine("127.0.0.1:1", **variables).complete(completion))
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL"):
        await anext(async_engine("127.0.0.1:1", **variables).complete(completion))


@pytest.mark.parametrize("tag", ["gpt-oss", "gpt-oss:20b", "gpt-oss:120b-cloud"])
def test_the_family_of_official_tags_is_not_checked(play: Play, complete: Completes, tag: str) -> None:
    server = play(WHOLE)
    items: list[Any] = []
    complete(server.host, tag, key="k", items=items)
    assert items == ITEMS
    [request] = server.requests
    assert request.path == "/api/generate"
    assert (request.body["model"], request.body["prompt"], request.body["raw"]) == (tag, "p", True)
    assert request.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("shown", [family("gptoss"), family("gpt-oss"), family("", "other", "gptoss")])
def test_the_family_of_other_tags_is_checked_once(play: Play, complete: Completes, shown: Reply) -> None:
    server = play(shown, WHOLE, WHOLE)
    items: list[Any] = []
    complete(server.host, "mine", "mine", items=items)
    assert items == ITEMS * 2
    assert [request.path for request in server.requests] == ["/api/show", "/api/generate", "/api/generate"]
    assert server.requests[0].body == {"model": "mine"}


@pytest.mark.parametrize(
    ("shown", "words"),
    [(family("bert", "bert"), "of the family bert"), (family(""), "of the family unknown")],
)
def test_another_family_is_an_error(play: Play, complete: Completes, shown: Reply, words: str) -> None:
    server = play(shown)
    with pytest.raises(NotGptOss, match=f"mine is a model {words}.*gpt-oss:20b"):
        complete(server.host, "mine")
    assert [request.path for request in server.requests] == ["/api/show"]


def test_another_family_is_an_error_each_time(play: Play) -> None:
    server = play(family("bert"))
    with engine(server.host) as opened:
        for _ in range(2):
            with pytest.raises(NotGptOss):
                next(opened.complete(Completion("gpt-ossified", "p")))


ERRORS: list[tuple[str, Reply, list[Piece], type[GptOssError]]] = [
    (
        "F3 an error after text",
        stream(HELLO, {"error": "invalid JSON schema in format"}),
        [Piece("Hello")],
        UnusableSchema,
    ),
    (
        "a schema that cannot be bound",
        answer({"error": "failed to load model vocabulary required for format"}, 500),
        [],
        UnusableSchema,
    ),
    ("a line of another form", stream(HELLO, {"response": 5}), [Piece("Hello")], StreamCut),
    ("F4 no last line", stream(HELLO, HELLO), [Piece("Hello")] * 2, StreamCut),
    ("cut in a line", (*stream(HELLO, b'{"respon', CUT),), [Piece("Hello")], StreamCut),
    ("F8 busy", answer({"error": "server busy"}, 503), [], EngineBusy),
    ("F9 no such model", answer({"error": "model 'gpt-oss:20b' not found"}, 404), [], ModelMissing),
    ("F32 no line at all", stream(), [], EmptyStream),
    ("too long", answer({"error": "the input length exceeds the context length"}, 400), [], ContextOverflow),
    (
        "too long, on v0.24",
        stream(
            {"response": "", "done": True, "done_reason": "length", "eval_duration": -9223372036854775808}
        ),
        [],
        ContextOverflow,
    ),
]


@pytest.mark.parametrize("batch", [False, True], ids=["", "batch"])
@pytest.mark.parametrize(
    ("reply", "before", "error_type"), [pytest.param(*row[1:], id=row[0]) for row in ERRORS]
)
def test_errors(
    play: Play,
    complete: Completes,
    reply: Reply,
    before: list[Piece],
    error_type: type[GptOssError],
    batch: bool,
) -> None:
    items: list[Any] = []
    with pytest.raises(error_type) as caught:
        complete(play(reply).host, OFFICIAL, batch=batch, items=items)
    assert type(caught.value) is error_type
    assert "".join(item.text for item in items) == "".join(piece.text for piece in before)
    assert batch or items == before


def test_a_batch_has_fewer_pieces(play: Play, complete: Completes) -> None:
    texts = [
        "<|channel|>",
        "final",
        "<|message|>",
        *["Hello", " ", "world", "<", "|end", "|>", "!"],
        "é",
        "é",
    ]
    lines = [{"response": text, "done": False} for text in texts]
    once = b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, LAST])
    items: list[Any] = []
    complete(play(stream(once)).host, OFFICIAL, batch=True, items=items)
    assert [(item.text, item.tokens) for item in items[:-1]] == [
        ("<|channel|>", 1),
        ("final", 1),
        ("<|message|>", 1),
        ("Hello world<|end|>!", 7),
        ("éé", 2),
    ]
    assert items[-1] == Done("stop", 3, 2)


async def test_a_batch_is_not_delayed_at_its_end(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    "After the last line, the end of the response is read without a delay."
    monkeypatch.setattr("llm_gpt_oss.engines.http.output.MAX_DELAY", 60.0)
    monkeypatch.setattr("llm_gpt_oss.engines.http.output.DELAY_BEFORE_END", 60.0)
    monkeypatch.setattr("llm_gpt_oss.engines.http.output.DELAY_SHARE", 1e6)
    server = play(stream(LAST, 0.05))
    async with async_engine(server.host) as opened:
        completion = Completion(OFFICIAL, "p", batch=True)
        items = await asyncio.wait_for(_collect(opened.complete(completion)), 5)
    assert items == [Done("stop", 3, 2)]


async def _collect(items: AsyncIterator[Piece | Done]) -> list[Piece | Done]:
    return [item async for item in items]


@pytest.mark.parametrize("tag", [OFFICIAL, "mine"])
def test_a_refused_connection(complete: Completes, tag: str) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable, match="ollama serve"):
        complete(host, tag)


def test_the_read_timeout_is_that_of_the_settings(play: Play) -> None:
    with (
        engine(play(stream(HELLO, HOLD)).host, LLM_GPT_OSS_TIMEOUT="0.2") as opened,
        pytest.raises(StreamCut, match="LLM_GPT_OSS_TIMEOUT"),
    ):
        list(opened.complete(Completion(OFFICIAL, "p")))


def test_an_engine_that_is_not_closed_leaks_no_socket(play: Play) -> None:
    # pytest turns the ResourceWarning of a socket that is left to the garbage collector into an error.
    assert list(engine(play(WHOLE).host).complete(Completion(OFFICIAL, "p"))) == ITEMS


def test_closing_the_generator_closes_the_connection(play: Play) -> None:
    server = play(stream(HELLO, HOLD))
    with engine(server.host) as opened:
        items = opened.complete(Completion(OFFICIAL, "p"))
        assert next(items) == Piece("Hello")
        items.close()
        assert server.gone.wait(10)


def test_an_error_closes_the_connection_while_its_traceback_is_alive(play: Play) -> None:
    server = play(stream(FULL, HOLD))
    with engine(server.host) as opened:
        with pytest.raises(ContextOverflow) as caught:
            next(opened.complete(Completion(OFFICIAL, "p")))
        assert server.gone.wait(10)
        assert caught.tb


async def test_closing_the_async_generator_closes_the_connection(play: Play) -> None:
    server = play(stream(HELLO, HOLD))
    async with async_engine(server.host) as opened:
        items = opened.complete(Completion(OFFICIAL, "p"))
        assert await anext(items) == Piece("Hello")
        await items.aclose()
        # This blocks the event loop, so the connection was closed before.
        assert server.gone.wait(10)


async def test_closing_one_completion_does_not_affect_others(play: Play) -> None:
    server = play(stream(HELLO, 0.2, LAST))
    async with async_engine(server.host) as opened:

        async def whole() -> list[Piece | Done]:
            return [item async for item in opened.complete(Completion(OFFICIAL, "p"))]

        others = [asyncio.create_task(whole()) for _ in range(3)]
        one = opened.complete(Completion(OFFICIAL, "p"))
        await anext(one)
        await one.aclose()
        assert await asyncio.gather(*others) == [ITEMS] * 3
