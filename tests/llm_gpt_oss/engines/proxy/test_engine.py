"What a real server does not do on request. tests/engines has the rest."

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.engine_prompts import complete, first_item, model
from support.scripted_server import CUT, HOLD, Refusing, Scripted, answer, stream

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.proxy.provider import ProxyProvider
from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EmptyStream,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    StreamCut,
    Unauthorized,
    UnusableSchema,
)

PROVIDER = ProxyProvider()
COMPLETION = Completion("box", "<|start|>user")
HI = {"response": "Hi", "done": False}
END = {"response": "", "done": True, "done_reason": "stop"}
HEALTH = {"status": "ok", "engine": "ready", "loaded": True, "model": "tiny", "version": "1.2.3"}
CARD = {"id": "gpt-oss", "object": "model"}

Play = Callable[..., Scripted]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize(
    ("options", "name"),
    [pytest.param({}, "gpt-oss", id="default model"), pytest.param({"model": "big"}, "big", id="--model")],
)
def test_text_is_completed_with_the_servers_model(
    play: Play, awaited: bool, options: dict[str, str], name: str
) -> None:
    server = play(stream(HI, END))
    wanted = model("proxy", url=server.url + "/v1", headers=["X-Team: red"], **options)
    assert complete(PROVIDER, wanted, COMPLETION, key="sesame", awaited=awaited) == [
        Piece("Hi"),
        Done("stop"),
    ]
    [request] = server.requests
    assert request.path == "/api/generate"
    assert (request.body["model"], request.body["prompt"], request.body["raw"]) == (
        name,
        COMPLETION.prompt,
        True,
    )
    assert request.headers["authorization"] == "Bearer sesame"
    assert request.headers["x-team"] == "red"


@pytest.mark.parametrize(
    ("reply", "error_type", "text"),
    [
        pytest.param(
            answer({"error": {"message": "You did not send a key."}}, 401),
            Unauthorized,
            "`llm gpt-oss keys add NAME` there",
            id="no key",
        ),
        pytest.param(
            answer({"error": "model 'gpt-oss:20b' not found"}, 404),
            ModelMissing,
            "--model NAME",
            id="no model",
        ),
        pytest.param(answer({"detail": "Not Found"}, 404), EngineError, "is not llm-gpt-oss", id="no path"),
        pytest.param(answer("<html>"), StreamCut, "check the address", id="HTML"),
        pytest.param(
            answer({"error": {"message": "The host box is not allowed."}}, 403), BadRequest, "box", id="host"
        ),
        pytest.param(answer({"error": "64 requests are waiting already."}, 503), EngineBusy, "64", id="busy"),
        pytest.param(
            answer({"error": "Ollama does not answer at http://127.0.0.1:11434. Start it."}, 503),
            EngineUnreachable,
            "cannot reach its engine: Ollama does not answer",
            id="engine unreachable",
        ),
        pytest.param(
            answer({"error": "llama.cpp cannot constrain its output to this schema: x."}, 400),
            UnusableSchema,
            "x",
            id="schema",
        ),
        pytest.param(stream(HI, CUT), StreamCut, "was lost", id="reset"),
        pytest.param(stream(HI), StreamCut, "in the middle", id="ended"),
        pytest.param(stream(), EmptyStream, "empty answer", id="empty"),
        pytest.param(stream(HI, {"error": "it broke"}), EngineError, "it broke", id="error in the stream"),
    ],
)
def test_errors(
    play: Play, reply: tuple[object, ...], error_type: type[GptOssError], text: str, awaited: bool
) -> None:
    with pytest.raises(error_type, match=text):
        complete(PROVIDER, model("proxy", url=play(reply).url), COMPLETION, awaited=awaited)


def test_an_overflow_has_the_counts(play: Play) -> None:
    error = "The prompt of 900 tokens is longer than llama.cpp's context of 512. Start it with more."
    server = play(answer({"error": error, "n_prompt_tokens": 900, "n_ctx": 512}, 400))
    with pytest.raises(ContextOverflow) as caught:
        complete(PROVIDER, model("proxy", url=server.url), COMPLETION, awaited=False)
    assert (caught.value.prompt_tokens, caught.value.context_length) == (900, 512)


def test_a_refused_connection(awaited: bool) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable, match="llm gpt-oss serve --host"):
        complete(PROVIDER, model("proxy", url=host), COMPLETION, awaited=awaited)


def test_closing_the_generator_ends_the_work(play: Play, awaited: bool) -> None:
    server = play(stream(HI, HOLD))
    assert first_item(PROVIDER, model("proxy", url=server.url), COMPLETION, awaited=awaited) == Piece("Hi")
    assert server.gone.wait(5)


def test_a_model_without_a_usable_address() -> None:
    with pytest.raises(GptOssError, match="models add tiny --proxy URL"):
        PROVIDER.check(model("proxy"))
    PROVIDER.check(model("proxy", url="10.0.0.5:8000/v1/"))


@pytest.mark.parametrize(
    ("health", "installed", "loaded", "problem"),
    [
        pytest.param({}, True, True, None, id="ready"),
        pytest.param({"loaded": False}, True, False, None, id="not loaded"),
        pytest.param({"engine": "unreachable"}, False, True, "own engine does not answer", id="unreachable"),
        pytest.param(
            {"engine": "no model", "loaded": False}, False, False, "llm gpt-oss pull tiny", id="no model"
        ),
    ],
)
def test_status_of_the_default_model(
    play: Play, health: dict[str, object], installed: bool, loaded: bool, problem: str | None
) -> None:
    server = play(answer({**HEALTH, **health}), answer(CARD))
    found = PROVIDER.model_status(model("proxy", url=server.url), None)
    assert (found.address, found.version) == (server.url, "llm-gpt-oss 1.2.3")
    assert (found.installed, found.loaded) == (installed, loaded)
    assert problem in found.problem if problem and found.problem else found.problem is problem
    assert [request.path for request in server.requests] == ["/health", "/v1/models/gpt-oss"]


def test_status_of_another_model(play: Play) -> None:
    numbers = {"context_length": 8192, "max_model_len": 8192, "meta": {"n_ctx": 8192, "n_ctx_train": 131072}}
    server = play(answer({**HEALTH, "engine": "unreachable"}), answer({**CARD, **numbers}))
    found = PROVIDER.model_status(model("proxy", url=server.url, model="big"), None)
    assert (found.installed, found.loaded, found.problem) == (True, False, None)
    assert (found.context_length, found.trained_context) == (8192, 131072)
    assert found.context_with(32768) == 32768


def test_status_of_a_model_that_the_server_does_not_have(play: Play) -> None:
    missing = {"error": {"message": "The model 'gpt-oss' does not exist here."}}
    server = play(answer(HEALTH), answer(missing, 404))
    found = PROVIDER.model_status(model("proxy", url=server.url), None)
    assert "--model NAME" in str(found.problem)


def test_status_without_a_server() -> None:
    with Refusing() as host:
        found = PROVIDER.model_status(model("proxy", url=f"http://me:secret@{host}"), None)
    assert (found.address, found.version) == (f"http://{host}", None)
    assert "does not answer" in str(found.problem)


def test_summary() -> None:
    wanted = model("proxy", url="http://me:secret@a:1")
    assert PROVIDER.summary(wanted.settings, [wanted]) == "tiny at http://a:1"
    assert PROVIDER.summary(wanted.settings, []) == "no model was added with --proxy URL"
