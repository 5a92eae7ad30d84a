from __future__ import annotations

from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.engines.gguf_header import GgufHeader
from llm_gpt_oss.engines.http.request import Request
from llm_gpt_oss.engines.ollama.answers import (
    EmbeddingResult,
    ModelDetails,
    ModelInfo,
    PullStatus,
    RunningModel,
)
from llm_gpt_oss.engines.ollama.requests import embed, generate, load, ps, pull, show, tags, unload, version
from llm_gpt_oss.errors import BadRequest

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
    (
        {"stop": ("<|end|>", "b")},
        {"options": {"stop": ["<|end|>", "b"]}, "logprobs": True, "top_logprobs": 0},
    ),
    ({"stop": ("<|start|>",)}, {"options": {"stop": ["<|start|>"]}}),
    ({"stop": ("a",), "format": "json"}, {"options": {"stop": ["a"]}, "format": "json"}),
    (
        {"stop": ("a",), "top_logprobs": 2},
        {"options": {"stop": ["a"]}, "logprobs": True, "top_logprobs": 2},
    ),
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


@pytest.mark.parametrize(("fields", "sent"), COMPLETIONS)
def test_only_requested_options_are_sent(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    request = generate(Completion("t", "p", **fields))
    assert (request.method, request.path, request.model) == ("POST", "/api/generate", "t")
    assert request.body == {**ALWAYS, **sent}


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_limit_of_no_tokens_is_an_error(tokens: int) -> None:
    with pytest.raises(BadRequest) as caught:
        generate(Completion("t", "p", max_tokens=tokens))
    assert caught.value.param == "max_tokens"
    assert "`-o max_tokens`" in str(caught.value)


REQUESTS: list[tuple[Request[Any], tuple[str, str], dict[str, Any] | None]] = [
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


@pytest.mark.parametrize(("made", "method_and_path", "body"), REQUESTS)
def test_requests(made: Request[Any], method_and_path: tuple[str, str], body: dict[str, Any] | None) -> None:
    assert (made.method, made.path) == method_and_path
    assert made.body == body
    assert made.model == (body and "t")


# Recorded, without the fields that are not used.
DETAILS = {"family": "gpt-oss", "families": ["gpt-oss"]}
FACTS = {
    "general.architecture": "gpt-oss",
    "general.parameter_count": 7379296,
    "gpt-oss.context_length": 131072,
    "gpt-oss.embedding_length": 256,
    "tokenizer.ggml.tokens": None,
}
HEADER = GgufHeader("gpt-oss", trained_context=131072, parameters=7379296, embedding_length=256)
PARAMETERS = (
    "temperature                    0\nnum_ctx                        4096\ntop_p                          1"
)

ANSWERS: list[tuple[Request[Any], dict[str, Any], Any]] = [
    (version(), {"version": "0.24.0"}, "0.24.0"),
    (version(), {"version": "0.33.0-rc1"}, "0.33.0-rc1"),
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
        {"details": DETAILS, "model_info": FACTS, "parameters": PARAMETERS},
        ModelDetails("gpt-oss", ("gpt-oss",), HEADER, context_length=4096),
    ),
    (
        show("t"),
        {"details": {"families": None}, "model_info": FACTS},
        ModelDetails("gpt-oss", header=HEADER),
    ),
    (show("t"), {"details": {"family": "bert"}}, ModelDetails("bert")),
    (show("t"), {"details": {"family": "bert"}, "parameters": "stop  num_ctx 5"}, ModelDetails("bert")),
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
    (generate(Completion("t", "p")), {"response": "<|channel|>"}, {"response": "<|channel|>"}),
]


@pytest.mark.parametrize(
    "embeddings", [5, None, [5], [None], [["x"]], [[float("nan")]], [[10**400]], [[[1.0]]]]
)
def test_vectors_of_something_else(embeddings: Any) -> None:
    with pytest.raises(TypeError):
        embed("t", ["a"]).parse({"embeddings": embeddings})


@pytest.mark.parametrize(("made", "data", "value"), ANSWERS)
def test_answers(made: Request[Any], data: dict[str, Any], value: Any) -> None:
    assert made.parse(data) == value
