from __future__ import annotations

import json
from typing import Any, get_args

import llm
import pytest
from click.testing import CliRunner
from llm.cli import cli, get_model_options, render_model_with_options
from pydantic import ValidationError

from llm_gpt_oss.completion import Sampling
from llm_gpt_oss.options import EFFORTS, GptOssOptions, ReasoningEffort

INT32 = 2**31 - 1

# Option, as `-o` carries it, as Python has it.
FORMS: list[tuple[str, str, Any]] = [
    *(("reasoning_effort", effort, effort) for effort in get_args(ReasoningEffort)),
    ("reasoning_tokens", "0", 0),
    ("reasoning_tokens", str(INT32), INT32),
    ("temperature", "0", 0.0),
    ("temperature", "0.7", 0.7),
    ("temperature", "2", 2.0),
    ("top_p", "0", 0.0),
    ("top_p", "1", 1.0),
    ("top_k", "0", 0),
    ("top_k", str(INT32), INT32),
    ("min_p", "0", 0.0),
    ("min_p", "1", 1.0),
    ("seed", "-1", -1),
    ("seed", str(INT32), INT32),
    ("max_tokens", "1", 1),
    ("max_tokens", str(INT32), INT32),
    ("stop", "END", ["END"]),
    ("stop", " ", [" "]),
    ("stop", "\n", ["\n"]),
    ("stop", "[INST]", ["[INST]"]),
    ("stop", "5", ["5"]),
    ("stop", "null", ["null"]),
    ("stop", '"x"', ['"x"']),
    ("stop", '{"a": 1}', ['{"a": 1}']),
    ("stop", '["END", "[]"]', ["END", "[]"]),
    ("num_ctx", "256", 256),
    ("num_ctx", "131072", 131072),
    ("keep_alive", "10m", "10m"),
    ("keep_alive", "1h30m", "1h30m"),
    ("keep_alive", "1.5h", "1.5h"),
    ("keep_alive", "-1m", "-1m"),
    ("keep_alive", "100ms", "100ms"),
    ("keep_alive", "3us4µs5ns", "3us4µs5ns"),
    ("keep_alive", "300", 300),
    ("keep_alive", "0", 0),
    ("keep_alive", "-1", -1),
    ("keep_alive", "1.5", 1.5),
    ("repeat_penalty", "0.01", 0.01),
    ("repeat_penalty", "10", 10.0),
    ("presence_penalty", "-2", -2.0),
    ("presence_penalty", "2", 2.0),
    ("frequency_penalty", "-2", -2.0),
    ("frequency_penalty", "2", 2.0),
    ("logprobs", "true", True),
    ("logprobs", "off", False),
    ("top_logprobs", "0", 0),
    ("top_logprobs", "20", 20),
    ("tool_choice", "required", "required"),
    ("tool_choice", "get_weather", "get_weather"),
    ("parallel_tool_calls", "1", True),
    ("parallel_tool_calls", "false", False),
    ("truncate", "1", True),
    ("truncate", "no", False),
]


@pytest.mark.parametrize(("name", "typed", "value"), FORMS)
@pytest.mark.parametrize("how", ["typed", "value"])
def test_each_option(name: str, typed: str, value: Any, how: str) -> None:
    options = GptOssOptions(**{name: typed if how == "typed" else value})
    actual = getattr(options, name)
    assert (actual, type(actual)) == (value, type(value))
    assert options.model_dump(exclude_none=True) == {name: value}


@pytest.mark.parametrize(("name", "typed", "value"), FORMS)
def test_options_survive_json(name: str, typed: str, value: Any) -> None:
    parsed = {key: actual for key, actual in GptOssOptions(**{name: typed}) if actual is not None}
    parsed_again = GptOssOptions(**json.loads(json.dumps(parsed)))
    assert {key: actual for key, actual in parsed_again if actual is not None} == parsed == {name: value}


def test_the_cases_have_every_option() -> None:
    assert {name for name, _, _ in FORMS} == {*GptOssOptions.model_fields}


def test_all_options_together() -> None:
    options = GptOssOptions(**{name: typed for name, typed, _ in FORMS})
    assert GptOssOptions(**options.model_dump()) == options


def test_options_default_to_none() -> None:
    assert {value for _, value in GptOssOptions()} == {None}
    assert GptOssOptions(**dict.fromkeys(GptOssOptions.model_fields)) == GptOssOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning_effort", "HIGH"),
        ("reasoning_effort", ""),
        ("reasoning_effort", 1),
        ("reasoning_tokens", -1),
        ("reasoning_tokens", INT32 + 1),
        ("reasoning_tokens", "many"),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", "warm"),
        ("temperature", "nan"),
        ("temperature", float("nan")),
        ("top_p", -0.1),
        ("top_p", 1.1),
        ("top_k", -1),
        ("top_k", INT32 + 1),
        ("top_k", 1.5),
        ("min_p", -0.1),
        ("min_p", 1.1),
        ("seed", -2),
        ("seed", INT32 + 1),
        ("seed", "0x1"),
        ("max_tokens", 0),
        ("max_tokens", INT32 + 1),
        ("max_tokens", "inf"),
        ("stop", ""),
        ("stop", []),
        ("stop", "[]"),
        ("stop", ["END", ""]),
        ("stop", "[1]"),
        ("stop", [1]),
        ("stop", 5),
        ("num_ctx", 255),
        ("num_ctx", 131073),
        ("keep_alive", ""),
        ("keep_alive", "m"),
        ("keep_alive", "10 m"),
        ("keep_alive", "10m!"),
        ("keep_alive", "10d"),
        ("keep_alive", "1e3"),
        ("keep_alive", "\u0661m"),
        ("keep_alive", "\u0661"),
        ("keep_alive", float("inf")),
        ("keep_alive", [1]),
        ("repeat_penalty", 0),
        ("repeat_penalty", 10.1),
        ("repeat_penalty", "inf"),
        ("presence_penalty", -2.1),
        ("presence_penalty", 2.1),
        ("frequency_penalty", -2.1),
        ("frequency_penalty", 2.1),
        ("logprobs", "perhaps"),
        ("top_logprobs", -1),
        ("top_logprobs", 21),
        ("tool_choice", ""),
        ("tool_choice", 1),
        ("parallel_tool_calls", "perhaps"),
        ("truncate", "perhaps"),
        ("temprature", 1),
    ],
)
def test_invalid_values(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        GptOssOptions(**{name: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {name}


def test_the_error_for_keep_alive_names_the_format() -> None:
    with pytest.raises(ValidationError, match='needs a unit, such as "10m"'):
        GptOssOptions(keep_alive="10 minutes")


# What becomes of them.


@pytest.mark.parametrize(
    ("asked", "effort", "uses_reasoning"),
    [
        (None, "medium", True),
        ("none", "low", False),
        ("minimal", "low", True),
        ("low", "low", True),
        ("medium", "medium", True),
        ("high", "high", True),
        ("xhigh", "high", True),
        ("max", "high", True),
    ],
)
def test_efforts(asked: Any, effort: str, uses_reasoning: bool) -> None:
    options = GptOssOptions(reasoning_effort=asked)
    assert (options.effort, options.uses_reasoning) == (effort, uses_reasoning)


def test_every_effort_has_one_of_harmony() -> None:
    assert [*EFFORTS] == [*get_args(ReasoningEffort)]


@pytest.mark.parametrize(("reasoning_budget", "uses_reasoning"), [(None, True), (0, False), (1, True)])
def test_a_budget_of_zero_means_no_reasoning(reasoning_budget: int | None, uses_reasoning: bool) -> None:
    assert GptOssOptions(reasoning_tokens=reasoning_budget).uses_reasoning is uses_reasoning


@pytest.mark.parametrize(
    ("logprobs", "top_logprobs", "alternatives"),
    [
        (None, None, None),
        (False, None, None),
        (False, 3, None),
        (True, None, 0),
        (None, 0, 0),
        (None, 3, 3),
        (True, 20, 20),
    ],
)
def test_requested_log_probabilities(
    logprobs: bool | None, top_logprobs: int | None, alternatives: int | None
) -> None:
    assert GptOssOptions(logprobs=logprobs, top_logprobs=top_logprobs).requested_logprobs == alternatives


def test_sampling() -> None:
    sampling = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.1,
        "seed": 7,
        "repeat_penalty": 1.1,
        "presence_penalty": -0.5,
        "frequency_penalty": 0.25,
    }
    assert GptOssOptions(**sampling, max_tokens=5, stop="x").sampling == Sampling(**sampling)
    assert GptOssOptions(max_tokens=5).sampling == Sampling()


# What llm makes of them.


def test_llm_lists_each_option_with_types_and_description() -> None:
    shown = " ".join(render_model_with_options("gpt-oss:20b").split())
    properties = GptOssOptions.model_json_schema()["properties"]
    for name, field in GptOssOptions.model_fields.items():
        assert field.description
        assert field.description == " ".join(field.description.split())
        assert f" {name}: " in shown
        assert field.description in shown
        # Without `anyOf`, which `| None` makes, llm would not tell the type.
        assert properties[name]["anyOf"][-1] == {"type": "null"}
    assert " keep_alive: int, float, str " in shown
    assert " reasoning_effort: str " in shown


@pytest.mark.parametrize(("name", "typed", "value"), FORMS)
def test_llm_stores_a_default(name: str, typed: str, value: Any) -> None:
    # `--`: a value such as -1 would be an option of the command.
    done = CliRunner().invoke(cli, ["models", "options", "set", "--", "gpt-oss", name, typed])
    assert done.exit_code == 0, done.output
    assert get_model_options("gpt-oss:20b") == {name: typed}
    model = llm.get_model("gpt-oss:20b")
    assert getattr(model.Options(**get_model_options("gpt-oss:20b")), name) == value


def test_llm_rejects_an_invalid_default() -> None:
    done = CliRunner().invoke(cli, ["models", "options", "set", "gpt-oss", "temperature", "3"])
    assert done.exit_code == 1
    assert "less than or equal to 2" in done.output
    assert get_model_options("gpt-oss:20b") == {}


def test_llm_rejects_an_invalid_option_of_a_prompt() -> None:
    done = CliRunner().invoke(cli, ["-m", "gpt-oss", "hi", "-o", "num_ctx", "1"])
    assert done.exit_code == 1
    assert "greater than or equal to 256" in done.output
