from __future__ import annotations

from typing import Any

import pytest
from llm_gpt_oss.engines.ollama.client import (
    ApiRequest,
    embed,
    generate,
    load,
    ps,
    pull,
    show,
    tags,
    unload,
    version,
)

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.engines.ollama.answers import (
    EmbeddingResult,
    GenerateChunk,
    ModelDetails,
    ModelInfo,
    PullStatus,
    RunningModel,
)
from llm_gpt_oss.errors import BadRequest, StreamCut

ALWAYS = {
    "model": "t",
    "prompt": "p",
    "raw": True,
    "stream": True,
    "think": False,
    "truncate": False,
    "shift": False,
}
SCHEMA = {"type": "object"}

COMPLETIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"max_tokens": 5}, {"options": {"num_predict": 5}}),
    ({"context_length": 8192}, {"options": {"num_ctx": 8192}}),
    ({"stop": ("<|end|>", "b")}, {"options": {"stop": ["<|end|>", "b"]}}),
    ({"sampling": Sampling(temperature=0, seed=0)}, {"options": {"temperature": 0, "seed": 0}}),
    (
        {"sampling": Sampling(1, 0.5, 3, 0.1, 7, 1.1, 0.2, 0.3), "max_tokens": 1},
        {
            "options": {
                "temperature": 1,
                "top_p": 0.5,
                "top_k": 3,
                "min_p": 0.1,
                "seed": 7,
                "repeat_penalty": 1.1,
                "presence_penalty": 0.2,
                "frequency_penalty": 0.3,
                "num_predict": 1,
            }
        },
    ),
    ({"format": "json"}, {"format": "json"}),
    ({"format": SCHEMA}, {"format": SCHEMA}),
    ({"format": {}}, {"format": {}}),
    ({"format": {"type": "string", "pattern": "^(?=x)y$"}}, {"format": {"type": "string"}}),
    ({"top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
    ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ({"keep_alive": "10m"}, {"keep_alive": "10m"}),
    ({"keep_alive": 0}, {"keep_alive": 0}),
]


@pytest.mark.parametrize(("given", "sent"), COMPLETIONS)
def test_only_what_was_given_is_sent(given: dict[str, Any], sent: dict[str, Any]) -> None:
    call = generate(Completion("t", "p", **given))
    assert (call.method, call.path, call.model) == ("POST", "/api/generate", "t")
    assert call.body == {**ALWAYS, **sent}


@pytest.mark.parametrize("tokens", [0, -1])
def test_no_tokens_would_be_no_limit(tokens: int) -> None:
    with pytest.raises(BadRequest) as caught:
        generate(Completion("t", "p", max_tokens=tokens))
    assert caught.value.param == "max_tokens"
    assert "`-o max_tokens`" in str(caught.value)


REQUESTS: list[tuple[ApiRequest[Any], tuple[str, str], dict[str, Any] | None]] = [
    (version(), ("GET", "/api/version"), None),
    (tags(), ("GET", "/api/tags"), None),
    (ps(), ("GET", "/api/ps"), None),
    (show("t"), ("POST", "/api/show"), {"model": "t"}),
    (pull("t"), ("POST", "/api/pull"), {"model": "t", "stream": True}),
    (pull("t", insecure=True), ("POST", "/api/pull"), {"model": "t", "stream": True, "insecure": True}),
    (load("t"), ("POST", "/api/generate"), {"model": "t", "stream": False, "shift": False}),
    (
        load("t", keep_alive=-1, context_length=8192),
        ("POST", "/api/generate"),
        {"model": "t", "stream": False, "shift": False, "keep_alive": -1, "options": {"num_ctx": 8192}},
    ),
    (unload("t"), ("POST", "/api/generate"), {"model": "t", "stream": False, "keep_alive": 0}),
    (embed("t", ("a", "b")), ("POST", "/api/embed"), {"model": "t", "input": ["a", "b"]}),
    (
        embed("t", ["a"], dimensions=8),
        ("POST", "/api/embed"),
        {"model": "t", "input": ["a"], "dimensions": 8},
    ),
]


@pytest.mark.parametrize(("call", "where", "body"), REQUESTS)
def test_requests(call: ApiRequest[Any], where: tuple[str, str], body: dict[str, Any] | None) -> None:
    assert (call.method, call.path) == where
    assert call.body == body
    assert call.model == (body and "t")


# As recorded, less what is not read.
DETAILS = {"family": "gpt-oss", "families": ["gpt-oss"]}
FACTS = {"general.architecture": "gpt-oss"}

ANSWERS: list[tuple[ApiRequest[Any], dict[str, Any], Any]] = [
    (version(), {"version": "0.24.0"}, "0.24.0"),
    (tags(), {"models": None}, []),
    (
        tags(),
        {"models": [{"name": "a:latest", "size": 3}, {"name": "b"}]},
        [ModelInfo("a:latest", 3), ModelInfo("b", 0)],
    ),
    (ps(), {"models": None}, []),
    (
        ps(),
        {
            "models": [
                {
                    "name": "a:latest",
                    "size": 60974592,
                    "expires_at": "2026-11-22T22:45:44.549085299Z",
                    "size_vram": 0,
                    "context_length": 4096,
                },
                {"name": "b"},
            ]
        },
        [
            RunningModel("a:latest", 60974592, 0, 4096, "2026-11-22T22:45:44.549085299Z"),
            RunningModel("b", 0, 0),
        ],
    ),
    (
        show("t"),
        {"details": DETAILS, "model_info": FACTS},
        ModelDetails("gpt-oss", ("gpt-oss",)),
    ),
    (show("t"), {"details": {"families": None}, "model_info": FACTS}, ModelDetails("gpt-oss")),
    (show("t"), {"details": {"family": "bert"}}, ModelDetails("bert")),
    (pull("t"), {"status": "pulling manifest"}, PullStatus("pulling manifest")),
    (
        pull("t"),
        {"status": "pulling e7b273f96360", "total": 13, "completed": 5},
        PullStatus("pulling e7b273f96360", 13, 5),
    ),
    (load("t"), {"model": "t", "response": "", "done": True, "done_reason": "load"}, "load"),
    (unload("t"), {"model": "t", "response": "", "done": True, "done_reason": "unload"}, "unload"),
    (embed("t", ["a"]), {"embeddings": [[0.5, 1]], "prompt_eval_count": 12}, EmbeddingResult([[0.5, 1]], 12)),
    (embed("t", ["a"]), {"embeddings": [[0.5]]}, EmbeddingResult([[0.5]])),
    (generate(Completion("t", "p")), {"response": "<|channel|>"}, GenerateChunk("<|channel|>")),
]


@pytest.mark.parametrize(("call", "data", "value"), ANSWERS)
def test_answers(call: ApiRequest[Any], data: dict[str, Any], value: Any) -> None:
    assert call.read(data) == value


@pytest.mark.parametrize(
    "line",
    [
        {"response": 5},
        {"response": "a", "done": 1},
        {"logprobs": [{}]},
        {"logprobs": [5]},
        {"logprobs": 5},
        {"logprobs": [{"token": "a", "logprob": "x"}]},
        {"logprobs": [{"token": "a", "logprob": -1, "bytes": ["x"]}]},
        {"logprobs": [{"token": "a", "logprob": -1, "top_logprobs": [{"token": 5, "logprob": -1}]}]},
        {"done": True, "eval_count": "x"},
        {"done": True, "eval_count": True},
    ],
)
def test_a_line_of_another_form(line: dict[str, Any]) -> None:
    with pytest.raises(StreamCut, match=r"a line of another form: \{.*OLLAMA_HOST") as caught:
        generate(Completion("t", "p")).read(line)
    assert [*line][-1] in str(caught.value)
