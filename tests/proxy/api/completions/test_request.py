from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest
from llm.parts import Message, TextPart
from openai.types.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from llm_gpt_oss.options import GptOssOptions
from proxy.api.completions.fields import FIELDS
from proxy.api.completions.request import SUFFIX_INSTRUCTION, CompletionRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

# What every request asks for that does not say otherwise.
DEFAULTS = {"max_tokens": 16, "tool_choice": "none"}


def parse(**fields: Any) -> CompletionRequest:
    body = json.dumps({"model": "gpt-oss", "prompt": "Once", **fields})
    return parse_body(body.encode(), CompletionRequest).model


def user(text: str) -> Message:
    return Message("user", [TextPart(text)])


def test_every_field_of_the_sdk_is_covered() -> None:
    sdk = {
        *get_type_hints(CompletionCreateParamsNonStreaming),
        *get_type_hints(CompletionCreateParamsStreaming),
    }
    assert sdk - FIELDS.keys() == set()


def test_every_field_that_is_read_is_covered() -> None:
    read = {name for name, field in FIELDS.items() if field.decision == "honoured"}
    assert CompletionRequest.model_fields.keys() == read | {"user"}


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        pytest.param({}, {}, id="nothing said"),
        pytest.param({"reasoning_effort": "low"}, {"reasoning_effort": "low"}, id="effort"),
        pytest.param({"max_tokens": 7}, {"max_tokens": 7}, id="max_tokens"),
        pytest.param({"stop": "\n"}, {"stop": ["\n"]}, id="stop"),
        pytest.param({"stop": '["a"]'}, {"stop": ['["a"]']}, id="stop that looks like JSON"),
        pytest.param({"stop": ["a", "b"]}, {"stop": ["a", "b"]}, id="stops"),
        pytest.param({"stop": []}, {}, id="no stops"),
        pytest.param({"logprobs": 0}, {"top_logprobs": 0}, id="logprobs without rivals"),
        pytest.param({"logprobs": 5}, {"top_logprobs": 5}, id="logprobs"),
        pytest.param({"seed": 3}, {"seed": 3}, id="seed"),
        pytest.param({"seed": -2}, {"seed": 2**31 - 2}, id="seed below zero"),
        pytest.param({"seed": -1}, {}, id="random seed"),
        pytest.param({"stop": ""}, {}, id="empty stop"),
        pytest.param({"stop": ["a"] * 5}, {"stop": ["a"] * 5}, id="many stops"),
        pytest.param({"top_k": -1}, {"top_k": 0}, id="top_k of vLLM"),
        pytest.param({"seed": 2**63}, {"seed": 0}, id="seed of 64 bits"),
        pytest.param({"repetition_penalty": 1.1}, {"repeat_penalty": 1.1}, id="repetition"),
        pytest.param(
            {"temperature": 0, "top_p": 0.5, "frequency_penalty": 1.0, "presence_penalty": -1.0},
            {"temperature": 0, "top_p": 0.5, "frequency_penalty": 1.0, "presence_penalty": -1.0},
            id="sampling",
        ),
        pytest.param(
            {"top_k": 5, "min_p": 0.1, "keep_alive": "5m"},
            {"top_k": 5, "min_p": 0.1, "keep_alive": "5m"},
            id="not OpenAI's",
        ),
        pytest.param({"user": "me", "logit_bias": {}, "echo": False, "best_of": 1}, {}, id="without effect"),
    ],
)
def test_options(fields: dict[str, Any], options: dict[str, Any]) -> None:
    (generation,) = parse(**fields).generation_requests()
    assert generation.options == {**DEFAULTS, **options}
    GptOssOptions(**generation.options)


def test_default_effort() -> None:
    (generation,) = parse().generation_requests()
    assert (generation.default_effort, "reasoning_effort" in generation.options) == ("none", False)


@pytest.mark.parametrize("value", [0, -1])
def test_no_limit(value: int) -> None:
    (generation,) = parse(max_tokens=value).generation_requests()
    assert generation.options["max_tokens"] == 2**31 - 1


def test_null_is_the_default_limit() -> None:
    (generation,) = parse(max_tokens=None).generation_requests()
    assert generation.options == DEFAULTS


def test_prompts_become_user_messages() -> None:
    (generation,) = parse(stream=True).generation_requests()
    assert (generation.endpoint, generation.model, generation.stream) == ("/v1/completions", "gpt-oss", True)
    assert generation.messages == (user("Once"),)


def test_suffix_becomes_an_instruction() -> None:
    (generation,) = parse(suffix="the {end}").generation_requests()
    instruction = Message("developer", [TextPart(SUFFIX_INSTRUCTION.format(suffix="the {end}"))])
    assert generation.messages == (instruction, user("Once"))
    assert "the {end}" in SUFFIX_INSTRUCTION.format(suffix="the {end}")


def test_choices_are_ordered_by_prompt_and_have_seeds() -> None:
    generations = parse(prompt=["a", "b"], n=2, best_of=2, seed=5).generation_requests()
    choices = [
        (generation.messages[0].parts[0].text, generation.options["seed"]) for generation in generations
    ]
    assert choices == [("a", 5), ("a", 6), ("b", 5), ("b", 6)]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"logit_bias": {"1": 2}}, "logit_bias", "unsupported_parameter", id="logit_bias"),
        pytest.param({"best_of": 2}, "best_of", "unsupported_parameter", id="best_of"),
        pytest.param({"best_of": 1, "n": 2}, "best_of", "unsupported_parameter", id="best_of below n"),
        pytest.param({"echo": True, "logprobs": 0}, "echo", "unsupported_parameter", id="echoed logprobs"),
        pytest.param({"prompt": [1, 2]}, "prompt", "unsupported_value", id="tokens"),
        pytest.param({"prompt": [[1], [2]]}, "prompt", "unsupported_value", id="lists of tokens"),
        pytest.param({"prompt": []}, "prompt", "invalid_value", id="no prompt"),
    ],
)
def test_refused(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse(**fields).generation_requests()
    assert (raised.value.status, raised.value.param, raised.value.code) == (400, param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": None},
        {"prompt": ["a", 1]},
        {"prompt": {"text": "a"}},
        {"echo": "yes"},
        {"logprobs": 6},
        {"logprobs": -1},
        {"logprobs": True},
        {"max_tokens": -3},
        {"n": 0},
        {"n": 17},
        {"stop": ["a"] * 257},
        {"temperature": 2.5},
        {"top_k": -2},
        {"repetition_penalty": 11},
        {"keep_alive": "soon"},
        {"reasoning_effort": "some"},
    ],
    ids=str,
)
def test_invalid_values(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        parse(**fields)
