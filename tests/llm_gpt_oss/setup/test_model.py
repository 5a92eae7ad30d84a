from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.webserver import Answer, WebServer, lines

from llm_gpt_oss.engines.http.client import Client
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.model_status import find_running
from llm_gpt_oss.engines.ollama.requests import ps
from llm_gpt_oss.errors import EngineError, EngineUnreachable, ModelMissing, StreamCut
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.setup import model
from llm_gpt_oss.setup.progress import Progress


@pytest.fixture
def ollama(web: WebServer) -> Iterator[Client]:
    with Client(ollama_endpoint(ServerAddress(web.url))) as client:
        yield client


def layer(size: int | None) -> dict[str, Any]:
    completed = {} if size is None else {"completed": size}
    return {"status": "pulling d21a14b98389", "digest": "sha256:d2", "total": 100, **completed}


START, SUCCESS = {"status": "pulling manifest"}, {"status": "success"}
COMPLETE = [Progress("pulling d21a14b98389", 100, 100), Progress("success")]


def test_pull_reports_progress(ollama: Client, web: WebServer, reports: list[Progress]) -> None:
    web.routes["/api/pull"] = lines(START, layer(None), layer(100), SUCCESS)
    model.pull_model(ollama, "tiny", reports.append)
    assert reports == [Progress("pulling manifest"), Progress("pulling d21a14b98389", 0, 100), *COMPLETE]
    assert web.bodies == [{"model": "tiny", "stream": True}]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lines(START, layer(40)), id="stream ends"),
        pytest.param(Answer(lines(START, layer(40), layer(50)).body, cut=150), id="connection ends"),
        pytest.param(
            lines(START, layer(40), {"error": "max retries exceeded: unexpected EOF"}),
            id="Ollama reports an error",
        ),
    ],
)
def test_interrupted_pull_is_retried(
    broken: Answer, ollama: Client, web: WebServer, reports: list[Progress], pauses: list[float]
) -> None:
    web.routes["/api/pull"] = [broken, lines(START, layer(40), layer(100), SUCCESS)]
    model.pull_model(ollama, "tiny", reports.append, insecure=True)
    assert reports[-2:] == COMPLETE
    assert web.bodies == [{"model": "tiny", "stream": True, "insecure": True}] * 2
    assert pauses == [1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lines({"error": "pull model manifest: file does not exist"}), ModelMissing),
        (lines(START), StreamCut),
        (Answer(), EngineError),
    ],
)
def test_pull_that_never_starts_is_not_retried(
    answer: Answer, error: type[Exception], ollama: Client, web: WebServer, pauses: list[float]
) -> None:
    web.routes["/api/pull"] = answer
    with pytest.raises(error):
        model.pull_model(ollama, "tiny", lambda _: None)
    assert (len(web.requests), pauses) == (1, [])


def test_pull_without_a_server_fails_at_once(client: Client) -> None:
    with pytest.raises(EngineUnreachable):
        model.pull_model(client, "tiny", lambda _: None)


def test_models_are_found_by_any_spelling(ollama: Client, web: WebServer) -> None:
    web.routes["/api/tags"] = lines({"models": [{"name": "a:latest", "digest": "d", "size": 1}]})
    web.routes["/api/ps"] = lines({"models": [{"name": "b:latest", "size": 2, "size_vram": 1}]})
    assert model.find_installed(ollama, "a") is not None
    assert model.find_installed(ollama, "b") is None
    running = ollama.send(ps())
    assert find_running(ollama, "library/b", running) is not None
    assert find_running(ollama, "a", running) is None
