"A server that answers as vLLM's sources describe. tests/engines has llama.cpp's server, and recorded vLLM."

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.engine_prompts import complete, first_item, model
from support.scripted_server import HOLD, Refusing, Scripted, answer, sse

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.completions.provider import CompletionsProvider
from llm_gpt_oss.engines.completions.requests import DEFAULT_MAX_TOKENS
from llm_gpt_oss.errors import ContextOverflow, EngineError, EngineUnreachable, GptOssError, Unauthorized

PROVIDER = CompletionsProvider()
COMPLETION = Completion("openai/gpt-oss-20b", "p")
COUNTED = answer({"count": 10, "max_model_len": 100, "tokens": [1] * 10})
HI = {"choices": [{"index": 0, "text": "Hi", "finish_reason": None}]}
END = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
ITEMS = [Piece("Hi"), Done("stop", prompt_tokens=10, completion_tokens=2)]

Play = Callable[..., Scripted]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_without_a_limit_the_rest_of_the_context_is_the_limit(play: Play, awaited: bool) -> None:
    server = play(COUNTED, sse(HI, END, USAGE))
    wanted = model("completions", url=server.url, headers=["X-Team: red"])
    assert complete(PROVIDER, wanted, COMPLETION, key="sesame", awaited=awaited) == ITEMS
    count, asked = server.requests
    assert (count.path, count.body["prompt"], asked.path) == ("/tokenize", "p", "/v1/completions")
    assert (asked.body["max_tokens"], asked.body["model"]) == (90, "openai/gpt-oss-20b")
    assert (asked.headers["authorization"], asked.headers["x-team"]) == ("Bearer sesame", "red")


def test_with_a_limit_no_tokens_are_counted(play: Play, awaited: bool) -> None:
    server = play(sse(HI, END, USAGE))
    wanted = model("completions", url=server.url, model="served")
    assert complete(PROVIDER, wanted, Completion("tiny", "p", max_tokens=7), awaited=awaited) == ITEMS
    assert [(r.path, r.body["max_tokens"], r.body["model"]) for r in server.requests] == [
        ("/v1/completions", 7, "served")
    ]


def test_a_server_that_does_not_count_tokens(play: Play, awaited: bool) -> None:
    server = play(answer({"detail": "Not Found"}, 404), sse(HI, END, USAGE))
    assert complete(PROVIDER, model("completions", url=server.url), COMPLETION, awaited=awaited) == ITEMS
    assert server.requests[1].body["max_tokens"] == DEFAULT_MAX_TOKENS


@pytest.mark.parametrize(
    ("counted", "error_type"),
    [
        (answer({"count": 100, "max_model_len": 100}), ContextOverflow),
        (answer({"error": "Unauthorized"}, 401), Unauthorized),
        (answer({"detail": "bang"}, 500), EngineError),
    ],
    ids=["too long", "key", "failure"],
)
def test_errors_of_the_token_count(
    play: Play, counted: object, error_type: type[GptOssError], awaited: bool
) -> None:
    with pytest.raises(error_type):
        complete(PROVIDER, model("completions", url=play(counted).url), COMPLETION, awaited=awaited)


def test_closing_the_generator_ends_the_work(play: Play, awaited: bool) -> None:
    server = play(COUNTED, sse(HI, HOLD))
    assert first_item(PROVIDER, model("completions", url=server.url), COMPLETION, awaited=awaited) == Piece(
        "Hi"
    )
    assert server.gone.wait(5)


def test_a_refused_connection(awaited: bool) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable):
        complete(PROVIDER, model("completions", url=host), COMPLETION, awaited=awaited)


def test_an_unknown_dialect() -> None:
    with pytest.raises(GptOssError, match=r"Use one of vllm, llama\.cpp"):
        PROVIDER.open(model("completions", url="a", dialect="x"), None)


def test_a_model_without_a_usable_address() -> None:
    with pytest.raises(GptOssError, match="models add tiny --completions URL"):
        PROVIDER.check(model("completions"))


CARD = {"id": "openai/gpt-oss-20b", "owned_by": "vllm", "max_model_len": 131072}


def test_model_status(play: Play) -> None:
    url = play(answer({"data": [CARD]})).url
    found = PROVIDER.model_status(model("completions", url=url, model="openai/gpt-oss-20b"), None)
    assert (found.version, found.installed, found.context_length) == ("vllm", True, 131072)
    assert (found.context_with(4096), found.trained_context) == (131072, None)
    found = PROVIDER.model_status(model("completions", url=url), None)
    assert found.problem == (
        "The server has no model tiny. It has: openai/gpt-oss-20b. Name one of them with --model."
    )
    assert found.missing
    one = {"id": "/x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 131072}}
    url = play(answer({"data": [one]})).url
    found = PROVIDER.model_status(model("completions", url=url, dialect="llama.cpp"), None)
    assert (found.version, found.context_length, found.trained_context) == ("llamacpp", 4096, 131072)
    url = play(answer({"data": []})).url
    assert "It has: none." in str(PROVIDER.model_status(model("completions", url=url), None).problem)
    with Refusing() as host:
        assert "does not answer" in str(PROVIDER.model_status(model("completions", url=host), None).problem)


def test_summary() -> None:
    wanted = model("completions", url="http://a:1/v1")
    assert PROVIDER.summary(wanted.settings, [wanted]) == "tiny at http://a:1"
    assert PROVIDER.summary(wanted.settings, []) == "no model was added with --completions URL"
