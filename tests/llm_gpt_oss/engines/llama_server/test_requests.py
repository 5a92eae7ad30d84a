from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.engines.llama_server.requests import MARKERS, completion_request, markers_request
from llm_gpt_oss.errors import BadRequest, NotGptOss

ALWAYS = {"prompt": "p", "stream": True, "cache_prompt": True, "preserved_tokens": MARKERS}


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        pytest.param({}, {}, id="no options"),
        pytest.param({"max_tokens": 5}, {"n_predict": 5}, id="a limit"),
        pytest.param({"stop": ("a", "b")}, {"stop": ["a", "b"]}, id="stop strings"),
        pytest.param({"format": {"type": "string"}}, {"json_schema": {"type": "string"}}, id="a schema"),
        pytest.param({"format": "json"}, {"json_schema": {"type": "object"}}, id="JSON"),
        pytest.param({"top_logprobs": 0}, {"n_probs": 1}, id="the chosen tokens' probabilities"),
        pytest.param({"top_logprobs": 3}, {"n_probs": 3}, id="alternatives too"),
        pytest.param(
            {"sampling": Sampling(temperature=0, top_k=0, seed=7, repeat_penalty=1.1)},
            {"temperature": 0, "top_k": 0, "seed": 7, "repeat_penalty": 1.1},
            id="sampling",
        ),
        pytest.param(
            {"context_length": 9, "keep_alive": "1m"}, {}, id="options that the server does not have"
        ),
    ],
)
def test_completion_request(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    request = completion_request(Completion("tiny", "p", **fields))
    assert (request.path, request.body) == ("/completion", {**ALWAYS, **sent})


def test_the_server_has_another_name_for_the_model() -> None:
    assert completion_request(Completion("tiny", "p"), "theirs").body == {**ALWAYS, "model": "theirs"}


def test_parts_of_a_schema_that_llama_cpp_cannot_use_are_left_out() -> None:
    request = completion_request(Completion("tiny", "p", format={"type": "string", "pattern": "(?=a)b"}))
    assert request.body == {**ALWAYS, "json_schema": {"type": "string"}}


def test_a_limit_of_no_tokens_is_an_error() -> None:
    with pytest.raises(BadRequest, match="0 tokens"):
        completion_request(Completion("tiny", "p", max_tokens=0))


@pytest.mark.parametrize("answer", [{"tokens": [1, 2, 3, 4, 5, 6]}, {"tokens": []}, {}])
def test_a_model_without_harmonys_markers(answer: dict[str, Any]) -> None:
    request = markers_request("tiny")
    assert request.parse({"tokens": [7, 8, 9, 10, 11]}) == dict(zip((7, 8, 9, 10, 11), MARKERS, strict=True))
    with pytest.raises(NotGptOss, match="tiny is not a gpt-oss"):
        request.parse(answer)
