from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llm_gpt_oss.engines.ollama.engine import AsyncOllamaEngine, OllamaEngine
from support.scripted_server import CUT, HOLD, Refusing, Reply, Scripted, answer, stream

from llm_gpt_oss.completion import AsyncEngine, Completion, Done, Engine, Piece
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


def waited(host: str, *tags: str, key: str | None = None, said: list[Any] | None = None) -> None:
    engine: Engine
    with OllamaEngine(settings(host), key) as engine:
        for tag in tags:
            for item in engine.complete(Completion(tag, "p")):
                (said if said is not None else []).append(item)


def awaited(host: str, *tags: str, key: str | None = None, said: list[Any] | None = None) -> None:
    async def run() -> None:
        engine: AsyncEngine
        async with AsyncOllamaEngine(settings(host), key) as engine:
            for tag in tags:
                async for item in engine.complete(Completion(tag, "p")):
                    (said if said is not None else []).append(item)

    asyncio.run(run())


@pytest.fixture(params=[waited, awaited])
def complete(request: pytest.FixtureRequest) -> Any:
    return request.param


HELLO = {"response": "Hello", "done": False}
LAST = {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}
FULL = {"response": "", "done": True, "done_reason": "length", "eval_duration": -9223372036854775808}
WHOLE = stream(HELLO, LAST)
SAID = [Piece("Hello"), Done("stop", 3, 2)]
OFFICIAL = "gpt-oss:20b"


def family(name: str, *families: str) -> Reply:
    return answer({"details": {"family": name, "families": list(families) or None}, "model_info": {}})


async def test_a_tag_that_cannot_be_one_is_not_sent() -> None:
    broken, wanted = settings("127.0.0.1:1", LOCAL_LLM_MODEL="bad tag!"), Completion("bad tag!", "p")
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL"):
        next(OllamaEngine(broken).complete(wanted))
    with pytest.raises(GptOssError, match="LOCAL_LLM_MODEL"):
        await anext(AsyncOllamaEngine(broken).complete(wanted))


@pytest.mark.parametrize("tag", ["gpt-oss", "gpt-oss:20b", "gpt-oss:120b-cloud"])
def test_official_tags_are_not_asked_about(play: Play, complete: Completes, tag: str) -> None:
    server = play(WHOLE)
    said: list[Any] = []
    complete(server.host, tag, key="k", said=said)
    assert said == SAID
    [request] = server.requests
    assert request.path == "/api/generate"
    assert (request.body["model"], request.body["prompt"], request.body["raw"]) == (tag, "p", True)
    assert request.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("shown", [family("gptoss"), family("gpt-oss"), family("", "other", "gptoss")])
def test_other_tags_are_asked_about_once(play: Play, complete: Completes, shown: Reply) -> None:
    server = play(shown, WHOLE, WHOLE)
    said: list[Any] = []
    complete(server.host, "mine", "mine", said=said)
    assert said == SAID * 2
    assert [request.path for request in server.requests] == ["/api/show", "/api/generate", "/api/generate"]
    assert server.requests[0].body == {"model": "mine"}


@pytest.mark.parametrize(
    ("shown", "words"),
    [(family("bert", "bert"), "of the family bert"), (family(""), "of the family unknown")],
)
def test_another_family_is_refused(play: Play, complete: Completes, shown: Reply, words: str) -> None:
    server = play(shown)
    with pytest.raises(NotGptOss, match=f"mine is a model {words}.*gpt-oss:20b"):
        complete(server.host, "mine")
    assert [request.path for request in server.requests] == ["/api/show"]


def test_a_model_of_another_family_is_refused_each_time(play: Play) -> None:
    server = play(family("bert"))
    with OllamaEngine(settings(server.host)) as engine:
        for _ in range(2):
            with pytest.raises(NotGptOss):
                next(engine.complete(Completion("gpt-ossified", "p")))


FAULTS: list[tuple[str, Reply, list[Piece], type[GptOssError]]] = [
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


@pytest.mark.parametrize(("reply", "before", "kind"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS])
def test_faults(
    play: Play, complete: Completes, reply: Reply, before: list[Piece], kind: type[GptOssError]
) -> None:
    said: list[Any] = []
    with pytest.raises(kind) as caught:
        complete(play(reply).host, OFFICIAL, said=said)
    assert type(caught.value) is kind
    assert said == before


@pytest.mark.parametrize("tag", [OFFICIAL, "mine"])
def test_f10_nobody_there(complete: Completes, tag: str) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable, match="ollama serve"):
        complete(host, tag)


def test_the_patience_is_the_settings(play: Play) -> None:
    with (
        OllamaEngine(settings(play(stream(HELLO, HOLD)).host, LLM_GPT_OSS_TIMEOUT="0.2")) as engine,
        pytest.raises(StreamCut, match="LLM_GPT_OSS_TIMEOUT"),
    ):
        list(engine.complete(Completion(OFFICIAL, "p")))


def test_an_engine_may_be_left_open(play: Play) -> None:
    # No socket is left for the garbage collector: pytest would make an error of its warning.
    assert list(OllamaEngine(settings(play(WHOLE).host)).complete(Completion(OFFICIAL, "p"))) == SAID


def test_closing_the_generator_hangs_up(play: Play) -> None:
    server = play(stream(HELLO, HOLD))
    with OllamaEngine(settings(server.host)) as engine:
        said = engine.complete(Completion(OFFICIAL, "p"))
        assert next(said) == Piece("Hello")
        said.close()
        assert server.gone.wait(2)


def test_an_error_hangs_up_though_its_traceback_lives(play: Play) -> None:
    server = play(stream(FULL, HOLD))
    with OllamaEngine(settings(server.host)) as engine:
        with pytest.raises(ContextOverflow) as caught:
            next(engine.complete(Completion(OFFICIAL, "p")))
        assert server.gone.wait(2)
        assert caught.tb


async def test_closing_the_async_generator_hangs_up(play: Play) -> None:
    server = play(stream(HELLO, HOLD))
    async with AsyncOllamaEngine(settings(server.host)) as engine:
        said = engine.complete(Completion(OFFICIAL, "p"))
        assert await anext(said) == Piece("Hello")
        await said.aclose()
        # The event loop stands still: the connection was closed before, not left to be.
        assert server.gone.wait(2)


async def test_one_hangs_up_and_the_others_go_on(play: Play) -> None:
    server = play(stream(HELLO, 0.2, LAST))
    async with AsyncOllamaEngine(settings(server.host)) as engine:

        async def whole() -> list[Piece | Done]:
            return [item async for item in engine.complete(Completion(OFFICIAL, "p"))]

        others = [asyncio.create_task(whole()) for _ in range(3)]
        one = engine.complete(Completion(OFFICIAL, "p"))
        await anext(one)
        await one.aclose()
        assert await asyncio.gather(*others) == [SAID] * 3
