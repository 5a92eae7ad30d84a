"Error answers of llama.cpp's server and of vLLM, and our errors for them."

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_gpt_oss.engines.http.openai_errors import RULES
from llm_gpt_oss.engines.http.server_errors import to_error
from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    GptOssError,
    ModelMissing,
    OutOfMemory,
    Unauthorized,
    UnusableSchema,
)

# Recorded from llama.cpp's server (xllamacpp 2026.10).
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
# From vLLM's sources.
VLLM_LONG = {
    "error": {
        "message": "This model's maximum context length is 4096 tokens. However, you requested 5000.",
        "type": "BadRequestError",
        "code": 400,
    }
}
VLLM_MODEL = {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError"}
VLLM_GRAMMAR = {"error": {"message": "Failed to convert the grammar from JSON schema", "code": 400}}


def error(status: int | None, body: object) -> GptOssError:
    return to_error(RULES, "llama-server", status, body)


@pytest.mark.parametrize(
    ("status", "body", "error_type", "words"),
    [
        pytest.param(
            400, TOO_LONG, ContextOverflow, "prompt of 4200 tokens .* context of 1024", id="too long"
        ),
        pytest.param(
            400,
            VLLM_LONG,
            ContextOverflow,
            "The prompt is longer than llama-server's context",
            id="too long for vLLM",
        ),
        pytest.param(401, KEY, Unauthorized, "needs an API key", id="key"),
        pytest.param(
            404, NO_PATH, EngineError, "has no API for completions: File Not Found", id="no such path"
        ),
        pytest.param(404, VLLM_MODEL, ModelMissing, "The model `x` does not exist", id="no such model"),
        pytest.param(503, LOADING, EngineBusy, "is too busy to answer: Loading model", id="loading"),
        pytest.param(400, VLLM_GRAMMAR, UnusableSchema, "cannot constrain", id="schema"),
        pytest.param(422, {"detail": [{"loc": ["body"]}]}, BadRequest, "rejects the request", id="FastAPI"),
        pytest.param(400, {"detail": "no"}, BadRequest, "rejects the request: no", id="detail"),
        pytest.param(
            500, "Bang\n\x1b[1m.", EngineError, r"failed with an error \(500\): Bang \[1m\.", id="text"
        ),
        pytest.param(500, "", EngineError, "gives no reason", id="empty"),
        pytest.param(502, "[" * 100_000, EngineError, r"failed with an error \(502\)", id="deep"),
        pytest.param(500, "[1]", EngineError, r"failed with an error \(500\): \[1\]", id="a list"),
    ],
)
def test_error_answers(status: int, body: Any, error_type: type[GptOssError], words: str) -> None:
    raised = error(status, body if isinstance(body, str) else json.dumps(body))
    assert type(raised) is error_type
    assert re.search(words, str(raised))


def test_an_error_inside_a_stream_has_a_code_of_its_own() -> None:
    assert type(error(None, KEY)) is Unauthorized
    assert type(error(None, {"error": "out of luck"})) is EngineError


def test_out_of_memory() -> None:
    raised = error(None, {"error": "CUDA out of memory. Tried to allocate 2.00 GiB"})
    assert type(raised) is OutOfMemory
    assert str(raised) == (
        "llama-server does not have enough memory: CUDA out of memory. Tried to allocate 2.00 GiB. "
        "Close other programs there, or start the server with a shorter context."
    )


def test_the_error_has_the_counts_of_an_overflow() -> None:
    overflow = error(400, json.dumps(TOO_LONG))
    assert isinstance(overflow, ContextOverflow)
    assert (overflow.prompt_tokens, overflow.context_length) == (4200, 1024)
