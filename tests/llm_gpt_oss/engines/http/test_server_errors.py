"What servers say when they refuse, and what we make of it."

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gpt_oss.engines.http.connection import Endpoint
from llm_gpt_oss.engines.http.server_errors import to_error
from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    Unauthorized,
    UnusableSchema,
)
from llm_gpt_oss.settings import ServerAddress

PEER = Endpoint("llama-server", ServerAddress("http://127.0.0.1:1"), 1.0, "Start it.")

# As llama.cpp's server said it, seen with xllamacpp 2026.10.
TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (4200 tokens) exceeds the available context size (1024 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 4200,
        "n_ctx": 1024,
    }
}
KEY = {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}
NO_PATH = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
# As vLLM's sources have it.
VLLM_LONG = {
    "error": {
        "message": "This model's maximum context length is 4096 tokens. However, you requested 5000.",
        "type": "BadRequestError",
        "code": 400,
    }
}
VLLM_MODEL = {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError"}
VLLM_GRAMMAR = {"error": {"message": "Failed to convert the grammar from JSON schema", "code": 400}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        pytest.param(400, TOO_LONG, ContextOverflow, "prompt of 4200 tokens .* context of 1024", id="long"),
        pytest.param(400, VLLM_LONG, ContextOverflow, "The prompt is longer than the context", id="long too"),
        pytest.param(401, KEY, Unauthorized, "wants a key", id="key"),
        pytest.param(404, NO_PATH, EngineError, "completes no text: File Not Found", id="no such path"),
        pytest.param(404, VLLM_MODEL, ModelMissing, "The model `x` does not exist", id="no such model"),
        pytest.param(503, LOADING, EngineBusy, "is busy: Loading model", id="loading"),
        pytest.param(400, VLLM_GRAMMAR, UnusableSchema, "cannot bind", id="schema"),
        pytest.param(422, {"detail": [{"loc": ["body"]}]}, BadRequest, "refuses the request", id="FastAPI"),
        pytest.param(400, {"detail": "no"}, BadRequest, "refuses the request: no", id="detail"),
        pytest.param(500, "Bang\n\x1b[1m.", EngineError, r"failed \(500\): Bang \[1m\.", id="text"),
        pytest.param(500, "", EngineError, "does not say why", id="nothing"),
        pytest.param(502, "[" * 100_000, EngineError, r"failed \(502\)", id="deep"),
        pytest.param(500, "[1]", EngineError, r"failed \(500\): \[1\]", id="a list"),
    ],
)
def test_an_answer(status: int, body: Any, kind: type[GptOssError], said: str) -> None:
    error = to_error(PEER, status, body if isinstance(body, str) else json.dumps(body))
    assert type(error) is kind
    with pytest.raises(kind, match=said):
        raise error


def test_a_line_of_a_stream_has_the_status_that_it_names() -> None:
    assert type(to_error(PEER, None, KEY)) is Unauthorized
    assert type(to_error(PEER, None, {"error": "out of memory"})) is EngineError


def test_the_counts_of_an_overflow_are_kept() -> None:
    error = to_error(PEER, 400, json.dumps(TOO_LONG))
    assert isinstance(error, ContextOverflow)
    assert (error.prompt_tokens, error.context_length) == (4200, 1024)
