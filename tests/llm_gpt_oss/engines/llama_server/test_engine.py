"What a real server does not do on request. tests/engines has the rest."

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.engine_prompts import complete, first_item, model
from support.scripted_server import CUT, HOLD, Refusing, Reply, Scripted, answer, sse

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.llama_server.provider import LlamaServerProvider
from llm_gpt_oss.errors import EngineBusy, EngineError, EngineUnreachable, GptOssError, NotGptOss, StreamCut

PROVIDER = LlamaServerProvider()
COMPLETION = Completion("tiny", "p")
KNOWN = answer({"tokens": [2044, 2045, 2046, 2043, 2042]})
HI = {"content": "Hi", "stop": False}
END = {"content": "", "stop": True, "stop_type": "eos"}
ITEMS = [Piece("Hi"), Done("stop")]

Play = Callable[..., Scripted]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_the_vocabulary_is_checked_once(play: Play, awaited: bool) -> None:
    server = play(KNOWN, sse(HI, END))
    wanted = model("llama-server", url=server.url + "/v1", headers=["X-Team: red"], model="theirs")
    assert complete(PROVIDER, wanted, COMPLETION, COMPLETION, key="sesame", awaited=awaited) == ITEMS * 2
    assert [request.path for request in server.requests] == ["/tokenize", "/completion", "/completion"]
    for request in server.requests:
        assert request.headers["authorization"] == "Bearer sesame"
        assert request.headers["x-team"] == "red"
    assert server.requests[1].body["model"] == "theirs"


def test_a_model_of_another_family_is_an_error(play: Play, awaited: bool) -> None:
    server = play(answer({"tokens": [1, 2, 3]}))
    with pytest.raises(NotGptOss):
        complete(PROVIDER, model("llama-server", url=server.url), COMPLETION, awaited=awaited)
    assert len(server.requests) == 1


def test_a_refused_connection(awaited: bool) -> None:
    with Refusing() as host, pytest.raises(EngineUnreachable, match="Start it, or add the model with"):
        complete(PROVIDER, model("llama-server", url=host), COMPLETION, awaited=awaited)


@pytest.mark.parametrize(
    ("replies", "error_type"),
    [
        ((KNOWN, answer({"error": {"message": "Loading model"}}, 503)), EngineBusy),
        ((KNOWN, sse(HI, CUT)), StreamCut),
        ((KNOWN, sse(HI)), StreamCut),
        ((answer("<html>"),), EngineError),
    ],
    ids=["busy", "reset", "ended", "HTML"],
)
def test_errors(
    play: Play, replies: tuple[object, ...], error_type: type[GptOssError], awaited: bool
) -> None:
    with pytest.raises(error_type):
        complete(PROVIDER, model("llama-server", url=play(*replies).url), COMPLETION, awaited=awaited)


def test_a_read_timeout(play: Play, awaited: bool) -> None:
    wanted = model("llama-server", read_timeout=0.5, url=play(KNOWN, sse(HI, HOLD)).url)
    with pytest.raises(StreamCut, match=r"sent nothing for 0\.5 seconds"):
        complete(PROVIDER, wanted, COMPLETION, awaited=awaited)


def test_closing_the_generator_ends_the_work(play: Play, awaited: bool) -> None:
    server = play(KNOWN, sse(HI, HOLD))
    assert first_item(PROVIDER, model("llama-server", url=server.url), COMPLETION, awaited=awaited) == Piece(
        "Hi"
    )
    assert server.gone.wait(5)


def test_a_model_without_a_usable_address() -> None:
    with pytest.raises(GptOssError, match="models add tiny --llama-server URL"):
        PROVIDER.check(model("llama-server"))
    with pytest.raises(GptOssError, match="The address cannot be used"):
        PROVIDER.check(model("llama-server", url="ftp://x"))
    PROVIDER.check(model("llama-server", url="10.0.0.5:8080/v1/"))


def test_model_status(play: Play) -> None:
    props = {"build_info": "b1-abc", "default_generation_settings": {"n_ctx": 1024}}
    server = play(answer(props), KNOWN)
    found = PROVIDER.model_status(model("llama-server", url=server.url), None)
    assert (found.address, found.version, found.context_length) == (server.url, "b1-abc", 1024)
    assert (found.installed, found.loaded, found.problem) == (True, True, None)
    assert (found.trained_context, found.context_with(512), found.missing) == (None, 1024, False)
    with Refusing() as host:
        found = PROVIDER.model_status(model("llama-server", url=f"http://me:secret@{host}"), None)
    assert found.address == f"http://{host}"
    assert "does not answer" in str(found.problem)


META = {"n_ctx_train": 131072, "n_params": 7379296, "n_vocab": 2048, "n_embd": 256, "size": 14909068}


@pytest.mark.parametrize(
    ("cards", "parameters"),
    [
        pytest.param(answer({"data": [{"id": "/x.gguf", "meta": META}]}), 7379296, id="its only model"),
        pytest.param(
            answer({"data": [{"id": "other"}, {"id": "mine", "meta": META}]}), 7379296, id="one of several"
        ),
        pytest.param(answer({"data": [{"id": "/x.gguf", "meta": None}]}), None, id="still loading"),
        pytest.param(answer({"data": []}), None, id="no model"),
        pytest.param(answer({"error": "no such path"}, 404), None, id="no list"),
    ],
)
def test_model_status_has_the_numbers_of_the_server(play: Play, cards: Reply, parameters: int | None) -> None:
    server = play(answer({}), KNOWN, cards)
    found = PROVIDER.model_status(model("llama-server", url=server.url, model="mine"), None)
    assert (found.problem, found.parameters) == (None, parameters)
    if parameters:
        assert (found.size, found.trained_context, found.vocabulary) == (14909068, 131072, 2048)


def test_summary() -> None:
    wanted = model("llama-server", url="http://me:secret@a:1")
    assert PROVIDER.summary(wanted.settings, [wanted]) == "tiny at http://a:1"
    assert (
        PROVIDER.summary(wanted.settings, [model("llama-server", url="ftp://x")])
        == "tiny at an address that cannot be used"
    )
    assert PROVIDER.summary(wanted.settings, [model("llama-server")]) == "tiny at an unknown address"
    assert PROVIDER.summary(wanted.settings, []) == "no model was added with --llama-server URL"
