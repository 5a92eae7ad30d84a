from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.engines.completions.requests import (
    DEFAULT_MAX_TOKENS,
    DIALECTS,
    completion_request,
    token_count_request,
)
from llm_gpt_oss.errors import BadRequest, ContextOverflow

ALWAYS = {
    "model": "theirs",
    "prompt": "p",
    "stream": True,
    "stream_options": {"include_usage": True},
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "add_special_tokens": False,
}
COUNT = token_count_request(Completion("tiny", "p"), "theirs", "vLLM")
STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("dialect", "fields", "sent"),
    [
        pytest.param("vllm", {}, {"max_tokens": 77}, id="the rest of the context"),
        pytest.param("vllm", {"max_tokens": 5}, {"max_tokens": 5}, id="a limit"),
        pytest.param(
            "vllm",
            {"format": STRING},
            {"max_tokens": 77, "structured_outputs": {"json": STRING}, "guided_json": STRING},
            id="a schema",
        ),
        pytest.param(
            "vllm",
            {"format": "json"},
            {"max_tokens": 77, "response_format": {"type": "json_object"}},
            id="JSON",
        ),
        pytest.param(
            "vllm",
            {"top_logprobs": 0, "stop": ("x",), "sampling": Sampling(top_k=0, seed=-1, repeat_penalty=1.1)},
            {
                "max_tokens": 77,
                "logprobs": 0,
                "stop": ["x"],
                "top_k": 0,
                "seed": -1,
                "repetition_penalty": 1.1,
            },
            id="other options",
        ),
        pytest.param(
            "vllm",
            {"stop": ("x",)},
            {"max_tokens": 77, "logprobs": 0, "stop": ["x"]},
            id="tokens, because of a stop string",
        ),
        pytest.param(
            "vllm",
            {"stop": ("<|start|>",)},
            {"max_tokens": 77, "logprobs": 0, "stop": ["<|start|>"]},
            id="a marker as stop string",
        ),
        pytest.param(
            "vllm",
            {"stop": ("x",), "format": "json"},
            {"max_tokens": 77, "stop": ["x"], "response_format": {"type": "json_object"}},
            id="no tokens under a grammar",
        ),
        pytest.param("llama.cpp", {"stop": ("x",)}, {"stop": ["x"]}, id="a stop string for llama.cpp"),
        pytest.param("llama.cpp", {"top_logprobs": 0}, {"logprobs": 1}, id="log probabilities for llama.cpp"),
        pytest.param("llama.cpp", {"format": STRING}, {"json_schema": STRING}, id="a schema for llama.cpp"),
        pytest.param(
            "llama.cpp", {"format": "json"}, {"json_schema": {"type": "object"}}, id="JSON for llama.cpp"
        ),
        pytest.param(
            "llama.cpp",
            {"sampling": Sampling(repeat_penalty=1.1)},
            {"repeat_penalty": 1.1},
            id="a penalty for llama.cpp",
        ),
    ],
)
def test_completion_request(dialect: str, fields: dict[str, Any], sent: dict[str, Any]) -> None:
    completion = Completion("tiny", "p", **fields)
    limit = completion.max_tokens or (77 if DIALECTS[dialect].needs_max_tokens else None)
    request = completion_request(completion, "theirs", DIALECTS[dialect], limit)
    assert (request.path, request.body) == ("/v1/completions", {**ALWAYS, **sent})


def test_a_limit_of_no_tokens_is_an_error() -> None:
    with pytest.raises(BadRequest, match="0 tokens"):
        completion_request(Completion("tiny", "p", max_tokens=0), "theirs", DIALECTS["vllm"], 7)


@pytest.mark.parametrize(
    ("counted", "remaining"),
    [
        ({"count": 10, "max_model_len": 100, "tokens": []}, 90),
        ({"tokens": [1]}, DEFAULT_MAX_TOKENS),
        ({"count": "x", "max_model_len": 100}, DEFAULT_MAX_TOKENS),
    ],
)
def test_the_tokens_that_the_context_has_left(counted: dict[str, Any], remaining: int) -> None:
    assert COUNT.parse(counted) == remaining


def test_a_prompt_that_fills_the_context() -> None:
    with pytest.raises(ContextOverflow, match="prompt of 100 tokens fills vLLM's context of 100"):
        COUNT.parse({"count": 100, "max_model_len": 100})
