"A server that speaks as vLLM's sources say: none could be run here. llama.cpp's own is in tests/engines."

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.engine_prompts import left, model, said
from support.scripted_server import HOLD, Refusing, Scripted, answer, sse

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.completions.provider import CompletionsProvider
from llm_gpt_oss.engines.completions.requests import BLIND_LIMIT
from llm_gpt_oss.errors import ContextOverflow, EngineError, EngineUnreachable, GptOssError, Unauthorized

KIND = CompletionsProvider()
ASKED = Completion("openai/gpt-oss-20b", "p")
COUNTED = answer({"count": 10, "max_model_len": 100, "tokens": [1] * 10})
HI = {"choices": [{"index": 0, "text": "Hi", "finish_reason": None}]}
END = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
SAID = [Piece("Hi"), Done("stop", prompt_tokens=10, completion_tokens=2)]

Play = Callable[..., Scripted]


@pytest.fixture(params=[False, True], ids=["waited for", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_without_a_limit_it_is_told_the_room_that_there_is(play: Play, awaited: bool) -> None:
    server = play(COUNTED, sse(HI, END, USAGE))
    wanted = model("completions", url=server.url, headers=["X-Team: red"])
    assert said(KIND, wanted, ASKED, key="sesame", awaited=awaited) == SAID
    count, asked = server.requests
    assert (count.path, count.body["prompt"], asked.path) == ("/tokenize", "p", "/v1/completions")
    assert (asked.body["max_tokens"], asked.body["model"]) == (90, "openai/gpt-oss-20b")
    assert (asked.headers["authorization"], asked.headers["x-team"]) == ("Bearer sesame", "red")


def test_with_a_limit_nothing_is_counted(play: Play, awaited: bool) -> None:
    server = play(sse(HI, END, USAGE))
    wanted = model("completions", url=server.url, model="served")
    assert said(KIND, wanted, Completion("tiny", "p", max_tokens=7), awaited=awaited) == SAID
    assert [(r.path, r.body["max_tokens"], r.body["model"]) for r in server.requests] == [
        ("/v1/completions", 7, "served")
    ]


def test_a_server_that_counts_nothing(play: Play, awaited: bool) -> None:
    server = play(answer({"detail": "Not Found"}, 404), sse(HI, END, USAGE))
    assert said(KIND, model("completions", url=server.url), ASKED, awaited=awaited) == SAID
    assert server.requests[1].body["max_tokens"] == BLIND_LIMIT


@pytest.mark.parametrize(
    ("counted", "kind"),
    [
        (answer({"count": 100, "max_model_len": 100}), ContextOverflow),
        (answer({"error": "Unauthorized"}, 401), Unauthorized),
        (answer({"detail": "bang"}, 500), EngineError),
    ],
    ids=["too long", "key", "bang"],
)
def test_what_goes_wrong_before(play: Play, counted: object, kind: type[GptOssError], awaited: bool) -> None:
    with pytest.raises(kind):
        said(KIND, model("completions", url=play(counted).url), ASKED, awaited=awaited)


def test_who_leaves_ends_the_work(play: Play, awaited: bool) -> None:
    server = play(COUNTED, sse(HI, HOLD))
    assert left(KIND, model("completions", url=server.url), ASKED, awaited=awaited) == Piece("Hi")
    assert server.gone.wait(5)


def test_nobody_there(awaited: bool) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable):
        said(KIND, model("completions", url=host), ASKED, awaited=awaited)


def test_a_dialect_that_nobody_speaks() -> None:
    with pytest.raises(GptOssError, match=r"There are vllm, llama\.cpp"):
        KIND.open(model("completions", url="a", dialect="x"), None)


def test_a_model_needs_an_address() -> None:
    with pytest.raises(GptOssError, match="models add tiny --completions URL"):
        KIND.check(model("completions"))


CARD = {"id": "openai/gpt-oss-20b", "owned_by": "vllm", "max_model_len": 131072}


def test_its_condition(play: Play) -> None:
    url = play(answer({"data": [CARD]})).url
    found = KIND.model_status(model("completions", url=url, model="openai/gpt-oss-20b"), None)
    assert (found.version, found.installed, found.context_length) == ("vllm", True, 131072)
    found = KIND.model_status(model("completions", url=url), None)
    assert found.problem == (
        "The server has no model tiny. It has: openai/gpt-oss-20b. Name one of them with --model."
    )
    one = {"id": "/x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}
    url = play(answer({"data": [one]})).url
    found = KIND.model_status(model("completions", url=url, dialect="llama.cpp"), None)
    assert (found.version, found.context_length) == ("llamacpp", 4096)
    url = play(answer({"data": []})).url
    assert "It has: none." in str(KIND.model_status(model("completions", url=url), None).problem)
    with Refusing() as host:
        assert "does not answer" in str(KIND.model_status(model("completions", url=host), None).problem)


def test_its_state() -> None:
    wanted = model("completions", url="http://a:1/v1")
    assert KIND.summary(wanted.settings, [wanted]) == "tiny at http://a:1"
    assert KIND.summary(wanted.settings, []) == "no model was added with --completions URL"
