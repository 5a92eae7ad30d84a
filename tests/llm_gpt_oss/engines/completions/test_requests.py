from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.engines.completions.requests import BLIND_LIMIT, DIALECTS, completion, room
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
STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("dialect", "wanted", "sent"),
    [
        pytest.param("vllm", {}, {"max_tokens": 77}, id="the room that there is"),
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
            id="the rest",
        ),
        pytest.param(
            "vllm",
            {"stop": ("x",)},
            {"max_tokens": 77, "logprobs": 0, "stop": ["x"]},
            id="the tokens, as its text is cut anywhere",
        ),
        pytest.param("llama.cpp", {"stop": ("x",)}, {"stop": ["x"]}, id="a stop string there"),
        pytest.param("llama.cpp", {"top_logprobs": 0}, {"logprobs": 1}, id="the chosen tokens' own there"),
        pytest.param("llama.cpp", {"format": STRING}, {"json_schema": STRING}, id="a schema there"),
        pytest.param("llama.cpp", {"format": "json"}, {"json_schema": {"type": "object"}}, id="JSON there"),
        pytest.param(
            "llama.cpp",
            {"sampling": Sampling(repeat_penalty=1.1)},
            {"repeat_penalty": 1.1},
            id="a penalty there",
        ),
    ],
)
def test_a_completion(dialect: str, wanted: dict[str, Any], sent: dict[str, Any]) -> None:
    limit = 77 if DIALECTS[dialect].limited else None
    request = completion(Completion("tiny", "p", **wanted), "theirs", DIALECTS[dialect], limit)
    assert (request.path, request.body) == ("/v1/completions", {**ALWAYS, **sent})


def test_no_tokens_cannot_be_asked_for() -> None:
    with pytest.raises(BadRequest, match="0 tokens"):
        completion(Completion("tiny", "p", max_tokens=0), "theirs", DIALECTS["vllm"], 7)


@pytest.mark.parametrize(
    ("counted", "left"),
    [
        ({"count": 10, "max_model_len": 100, "tokens": []}, 90),
        ({"tokens": [1]}, BLIND_LIMIT),
        ({"count": "x", "max_model_len": 100}, BLIND_LIMIT),
    ],
)
def test_the_room_for_an_answer(counted: dict[str, Any], left: int) -> None:
    assert room("vLLM", counted) == left


def test_a_prompt_that_leaves_no_room() -> None:
    with pytest.raises(ContextOverflow, match="prompt of 100 tokens is longer than the context of 100"):
        room("vLLM", {"count": 100, "max_model_len": 100})
