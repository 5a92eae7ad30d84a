"llm's own commands, recorded from a real Ollama: what a person types, sees, and has in the log."

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llm
import pytest
from support.shell import column, query, sh

FRANCE = "What is the capital of France?"
OSLO = "What is the weather in Oslo?"
ADA = "Extract the person: Ada is 7 years old."
FUNCTIONS = """
def weather(city: str) -> str:
    "Weather in a city"
    return f"Sunny in {city}"

def add(a: int, b: int) -> int:
    "Add two numbers"
    return a + b
"""
REASONING = "select text from parts where type = 'reasoning' order by id"

recorded = pytest.mark.vcr


@pytest.fixture(autouse=True)
def empty_log(log: Callable[..., Path]) -> None:
    log()


# A prompt


@recorded
def test_reasoning_on_standard_error_answer_on_standard_output_both_logged() -> None:
    pelicans = "Five outrageous names for a pet pelican"
    result = sh("-m", "gpt-oss", pelicans, "-o", "reasoning_effort", "high")
    reasoning, answer = result.stderr.strip(), result.stdout.strip()
    assert reasoning
    assert answer
    assert column(REASONING) == [reasoning]
    logged = sh("logs", "-n", "1").output
    assert f"## Prompt\n\n{pelicans}\n" in logged
    assert f"<summary>Reasoning trace</summary>\n\n{reasoning}\n" in logged
    assert f"## Response\n\n{answer}\n" in logged
    assert column("select options_json from turns") == ['{"reasoning_effort": "high"}']


@recorded
@pytest.mark.tiny
def test_five_outrageous_names() -> None:
    result = sh("-m", "gpt-oss", "Five outrageous names for a pet pelican", "-o", "reasoning_effort", "low")
    assert result.stdout.splitlines() == [
        "1. Sir Gulpsalot",
        "2. Captain Beakbeard",
        "3. Count Fishula",
        "4. Lady Swoopington",
        "5. Admiral Bucketface",
    ]
    assert result.stderr == "User asks; a numbered list of five.\n"


@recorded
def test_effort_none_answers_without_any_reasoning() -> None:
    result = sh("-m", "gpt-oss", FRANCE, "-o", "reasoning_effort", "none")
    assert "Paris" in result.stdout
    assert result.stderr == ""
    assert column(REASONING) == []


@recorded
def test_hidden_reasoning_is_logged() -> None:
    result = sh("-m", "gpt-oss", FRANCE, "-R")
    assert "Paris" in result.stdout
    assert result.stderr == ""
    assert len(column(REASONING)) == 1


@recorded
@pytest.mark.parametrize("flags", [["--no-stream"], ["--async"], ["--async", "--no-stream"]], ids=" ".join)
def test_other_ways_to_the_same_answer(flags: list[str]) -> None:
    usual, other = (sh("-m", "gpt-oss", FRANCE, "-o", "temperature", "0", *more) for more in ([], flags))
    assert other.stdout == usual.stdout
    assert other.stderr == ("" if "--no-stream" in flags else usual.stderr)
    turns = query("select input_tokens, output_tokens, tip_message_hash from turns")
    assert turns[0] == turns[1]


@recorded
def test_usage_is_the_logged_one() -> None:
    result = sh("-m", "gpt-oss", FRANCE, "-R", "--usage").stderr
    (turn,) = query("select input_tokens, output_tokens, token_details from turns")
    assert result.startswith(f"Token usage: {turn['input_tokens']} input, {turn['output_tokens']} output, ")
    assert json.loads(result[result.index("{") :]) == json.loads(turn["token_details"])


@recorded
def test_the_log_as_json() -> None:
    sh("-m", "gpt-oss", FRANCE)
    (turn,) = json.loads(sh("logs", "--json", "-u").stdout)
    assert (turn["model"], turn["resolved_model"]) == (llm.get_model("gpt-oss").model_id,) * 2
    assert turn["prompt"] == FRANCE
    assert "Paris" in turn["response"]
    assert turn["reasoning"]
    assert turn["response_json"] == {
        "outcome": {"finish_reason": "stop", "notes": []},
        "completions": 1,
        "engine": "ollama",
    }


@recorded
def test_a_file_as_a_fragment_and_a_pipe(tmp_path: Path) -> None:
    question = tmp_path / "question.txt"
    question.write_text(FRANCE)
    assert "Paris" in sh("-m", "gpt-oss", "-f", str(question)).stdout
    assert "Paris" in sh("-m", "gpt-oss", typed=FRANCE).stdout


# Conversations


@recorded
def test_continue() -> None:
    sh("-m", "gpt-oss", "My name is Ada.")
    assert "Ada" in sh("-c", "What is my name?").stdout
    assert "Ada" in sh("-c", "What is my name?", "--async").stdout
    assert column("select count(*) from threads") == [1]
    assert column("select count(*) from turns") == [3]


@recorded
def test_a_chat() -> None:
    result = sh("chat", "-m", "gpt-oss", typed="Remember 48213.\nWhich number?\nquit\n")
    assert result.stdout.count("48213") >= 1
    assert result.stderr.strip()
    assert column("select count(*) from turns") == [2]
    assert column("select count(distinct thread_id) from turns") == [1]


@recorded
def test_a_chat_continues_a_prompt_with_a_tool() -> None:
    sh("-m", "gpt-oss", "My name is Ada.")
    typed = f"{OSLO}\nWhat is my name?\nquit\n"
    result = sh("chat", "-c", "--functions", FUNCTIONS, typed=typed).stdout
    assert "unny" in result
    assert "Ada" in result


# Tools


@recorded
def test_a_tool_of_llm() -> None:
    result = sh("-m", "gpt-oss", "What is the llm version?", "-T", "llm_version").stdout
    assert result.strip()
    assert column("select tool_name from parts where type = 'tool_call'") == ["llm_version"]


@recorded
@pytest.mark.parametrize("flags", [[], ["--async"], ["--no-stream"]], ids=lambda flags: " ".join(flags))
def test_a_tool_loop(flags: list[str]) -> None:
    result = sh("-m", "gpt-oss", OSLO, "--functions", FUNCTIONS, "--td", *flags)
    assert "unny" in result.stdout
    assert "Tool call: weather({'city': 'Oslo'})" in result.stderr
    assert column("select count(*) from turns") == [2]


@recorded
def test_several_steps_and_then_another_question() -> None:
    text = "First call add with a=2 and b=3, then tell me the weather in Oslo"
    result = sh("-m", "gpt-oss", text, "--functions", FUNCTIONS, "--td")
    assert [line for line in result.stderr.splitlines() if line.startswith("Tool call")] == [
        "Tool call: add({'a': 2, 'b': 3})",
        "Tool call: weather({'city': 'Oslo'})",
    ]
    assert "5" in result.stdout
    second = sh("-c", OSLO, "--functions", FUNCTIONS, "--td")
    assert "unny" in second.stdout
    assert column("select count(distinct thread_id) from turns") == [1]


@recorded
@pytest.mark.parametrize("choice", ["add", "required"])
def test_a_required_tool_is_called_once_and_its_result_answered(choice: str) -> None:
    text = "Call add with a=2 and b=3"
    result = sh("-m", "gpt-oss", text, "--functions", FUNCTIONS, "-o", "tool_choice", choice, "--td")
    assert result.stderr.count("Tool call: ") == 1
    assert "Tool call: add({'a': 2, 'b': 3})" in result.stderr
    assert "5" in result.stdout


@recorded
def test_a_required_tool_that_does_not_exist() -> None:
    result = sh(
        "-m", "gpt-oss", OSLO, "--functions", FUNCTIONS, "-o", "tool_choice", "subtract", fails=True
    ).stderr
    assert result == (
        "Error: tool_choice requires a tool called 'subtract', but the prompt has none. "
        "Its tools are: weather, add.\n"
    )


# Schemas


@recorded
@pytest.mark.parametrize(
    ("flag", "schema", "expected"),
    [
        ("--schema", "name, age int", {"name": "Ada", "age": 7}),
        (
            "--schema",
            json.dumps(
                {
                    "type": "object",
                    "properties": {"age": {"type": "integer"}},
                    "required": ["age"],
                    "additionalProperties": False,
                }
            ),
            {"age": 7},
        ),
        ("--schema-multi", "name, age int", {"items": [{"name": "Ada", "age": 7}]}),
    ],
    ids=["DSL", "JSON", "multi"],
)
def test_a_schema(flag: str, schema: str, expected: Any) -> None:
    assert json.loads(sh("-m", "gpt-oss", ADA, flag, schema).stdout) == expected


@recorded
def test_the_log_returns_the_data_of_a_schema() -> None:
    for text in (ADA, "Extract the person: Bob is 9 years old."):
        sh("-m", "gpt-oss", text, "--schema", "name, age int", "-o", "reasoning_effort", "none")
    data = sh("logs", "--schema", "name, age int", "--data-array").stdout
    assert json.loads(data) == [{"name": "Ada", "age": 7}, {"name": "Bob", "age": 9}]


# Options that were set beforehand


@recorded
def test_default_options_apply_to_an_alias() -> None:
    sh("models", "options", "set", "gpt-oss", "reasoning_effort", "none")
    result = sh("-m", "gpt-oss", FRANCE)
    assert (bool(result.stdout.strip()), result.stderr) == (True, "")
    assert sh("-m", "gpt-oss", FRANCE, "-o", "reasoning_effort", "low").stderr.strip()
    assert column("select options_json ->> 'reasoning_effort' from turns") == ["none", "low"]


def test_invalid_default_options_are_rejected() -> None:
    refused = sh("models", "options", "set", "gpt-oss", "max_tokens", "0", fails=True)
    assert "greater than or equal to 1" in refused.output


@recorded
def test_a_template_with_options() -> None:
    sh(
        "-m",
        "gpt-oss",
        "Say: $what",
        "-o",
        "reasoning_effort",
        "none",
        "-o",
        "stop",
        '["b"]',
        "--save",
        "say",
    )
    result = sh("-t", "say", "-p", "what", "abc")
    assert (result.stdout, result.stderr) == ("a\n", "")


def test_every_option_is_described() -> None:
    listed = sh("models", "list", "--options", "-m", "gpt-oss").stdout
    for name, field in type(llm.get_model("gpt-oss").Options()).model_fields.items():
        assert f"{name}: " in listed
        assert field.description


# Words on how it went


@recorded
@pytest.mark.parametrize("flags", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_cut_answer_has_a_note_on_its_own_line(flags: list[str]) -> None:
    options = ("-o", "reasoning_effort", "none", "-o", "max_tokens", "12")
    result = sh("-m", "gpt-oss", "Count to 120", *options, *flags)
    assert result.stdout.startswith("1")
    note = "The answer was cut: -o max_tokens 12 is used up. Raise it, or lower -o reasoning_effort."
    assert note in result.output.splitlines()


@recorded
@pytest.mark.tiny
def test_output_before_an_error_is_shown_and_logged() -> None:
    result = sh("-m", "gpt-oss", "misbehave: loop", fails=True)
    assert result.exit_code == 1
    *_, error = result.output.splitlines()
    assert error.startswith("Error: Ollama's answer ended in the middle. ")
    assert "again again" in result.stdout
    assert "again again" in sh("logs", "-r").stdout
    assert [f"Error: {text}" for text in column("select response_json ->> 'error' from turns")] == [error]


@recorded
@pytest.mark.tiny
def test_an_interrupted_chat_prints_one_line_and_can_be_continued() -> None:
    result = sh("chat", "-m", "gpt-oss", typed="My name is Ada.\nmisbehave: empty\nquit\n", fails=True)
    assert result.stderr.splitlines()[-1].startswith(
        "Error: The model ended its answer without writing anything."
    )
    assert column("select count(*) from turns") == [2]
    assert "Ada" in sh("-c", "What is my name?").stdout


@recorded
def test_the_error_for_a_prompt_that_is_too_long_has_a_remedy() -> None:
    result = sh("-m", "gpt-oss", "very " * 400, "-o", "num_ctx", "256", fails=True).stderr
    assert result.startswith("Error: The prompt")
    assert "is longer than the model's context" in result
    assert "`-o truncate 1`" in result


@recorded
@pytest.mark.parametrize("tag", ["no-such-model", "gpt-oss:no-such-tag"])
def test_the_error_for_a_missing_model_has_a_remedy(tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_LLM_MODEL", tag)
    assert sh("-m", "gpt-oss", "Say hello", fails=True).stderr == (
        f"Error: Ollama has no model {tag}. Type `ollama pull {tag}`, or `llm gpt-oss pull {tag}`.\n"
    )


@recorded
@pytest.mark.tiny
def test_an_added_model_of_another_family() -> None:
    sh("gpt-oss", "models", "add", "embed-tiny")
    assert sh("-m", "embed-tiny", "Say hello", fails=True).stderr == (
        "Error: embed-tiny is a model of the family bert, and only gpt-oss reads harmony. "
        "Use gpt-oss:20b or another gpt-oss, or the llm-ollama plugin for this one.\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("temperature", "hot", "valid number"),
        ("reasoning_effort", "utmost", "'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'"),
        ("keep_alive", "a while", "needs a unit"),
        ("temprature", "1", "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_option_is_reported_before_anything_is_sent(option: str, value: str, why: str) -> None:
    # Any connection would fail this test.
    result = sh("-m", "gpt-oss", "Say hello", "-o", option, value, fails=True).stderr
    assert result.startswith(f"Error: {option}\n")
    assert why in result


def test_a_picture_is_rejected(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    result = sh("-m", "gpt-oss", "Say hello", "--at", str(picture), "image/png", fails=True).stderr
    assert result.startswith("Error: gpt-oss reads text only: it cannot take an attachment.")


UNREACHABLE = (
    "Error: Ollama does not answer at http://127.0.0.1:1: connection refused. Start it with `ollama serve`, "
    "or type `llm gpt-oss setup`, or set OLLAMA_HOST to where it runs.\n"
)


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        pytest.param(["-m", "gpt-oss", "hi"], None, id="prompt"),
        pytest.param(["-m", "gpt-oss", "hi", "--no-stream"], None, id="no stream"),
        pytest.param(["-m", "gpt-oss", "hi", "--async"], None, id="async"),
        pytest.param(["-m", "gpt-oss:20b", "hi", "-o", "reasoning_effort", "none"], None, id="effort none"),
        pytest.param(["-m", "gpt-oss", "hi", "--functions", FUNCTIONS], None, id="tools"),
        pytest.param(
            ["-m", "gpt-oss", "hi", "--functions", FUNCTIONS, "-o", "tool_choice", "add"], None, id="forced"
        ),
        pytest.param(["-m", "gpt-oss", "hi", "--schema", "name, age int"], None, id="schema"),
        pytest.param(["chat", "-m", "gpt-oss"], "hi\nquit\n", id="chat"),
        pytest.param(["gpt-oss", "warm"], None, id="warm"),
        pytest.param(["gpt-oss", "pull"], None, id="pull"),
        pytest.param(["gpt-oss", "status"], None, id="status"),
    ],
)
def test_the_errors_without_ollama_have_a_remedy(
    arguments: list[str], typed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    result = sh(*arguments, typed=typed, fails=True)
    assert result.exit_code == 1
    assert result.stderr.endswith(UNREACHABLE)
    assert "Traceback" not in result.output
    assert column("select count(*) from turns") == [0]


# SQL over the log

SQL = {
    "tokens per day and model": """
        select date(datetime_utc) as day, model, count(*) as turns,
            sum(input_tokens) as input, sum(output_tokens) as output,
            sum(token_details ->> 'reasoning_tokens') as reasoning
        from turns group by day, model order by day desc
        """,
    "the reasoning of the last turn": """
        select parts.text from turns
        join parts on parts.message_hash = turns.tip_message_hash and parts.type = 'reasoning'
        where turns.id = (select max(id) from turns)
        """,
    "all tool calls with their results": """
        select called.tool_name as tool, called.payload ->> 'arguments' as arguments,
            result.payload ->> 'output' as output
        from parts as called
        left join parts as result on result.type = 'tool_result'
            and result.payload ->> 'tool_call_id' = called.payload ->> 'tool_call_id'
        where called.type = 'tool_call' order by called.id
        """,
    "conversations, and how to continue them": """
        select threads.name, count(*) as turns, 'llm --cid ' || threads.id as type
        from threads join turns on turns.thread_id = threads.id
        group by threads.id order by max(turns.id) desc
        """,
    "turns that were repaired, cut or interrupted": """
        select turns.id, note.value as what
        from turns, json_tree(turns.response_json, '$.outcome') as note
        where note.key = 'kind' order by turns.id
        """,
}


@recorded
@pytest.mark.tiny
def test_sql_over_the_log() -> None:
    sh("-m", "gpt-oss", "My name is Ada.")
    sh("-m", "gpt-oss", f"misbehave: bad-json {OSLO}", "--functions", FUNCTIONS)
    results = {what: query(sql) for what, sql in SQL.items()}
    (day,) = results["tokens per day and model"]
    assert (day["model"], day["turns"]) == ("gpt-oss-tiny", 3)
    assert day["input"] > day["output"] > day["reasoning"] > 0
    ((reasoning,),) = (row.values() for row in results["the reasoning of the last turn"])
    assert "reading the result" in reasoning
    assert results["all tool calls with their results"] == [
        {"tool": "weather", "arguments": '{"city":"Oslo"}', "output": "Sunny in Oslo"}
    ]
    newest, oldest = results["conversations, and how to continue them"]
    assert (newest["turns"], oldest["turns"], oldest["name"]) == (2, 1, "My name is Ada.")
    llm_, *command = oldest["type"].split()
    assert llm_ == "llm"
    assert "Ada" in sh(*command, "What is my name?").stdout
    assert [row["what"] for row in results["turns that were repaired, cut or interrupted"]] == ["repaired"]


@pytest.mark.parametrize("command", [("prompt", "Hi"), ("prompt", "Hi", "--async"), ("chat",)], ids=" ".join)
def test_a_gpt_oss_that_llm_does_not_know(command: tuple[str, ...]) -> None:
    result = sh(*command, "-m", "gpt-oss:999b", fails=True)
    assert result.stderr == (
        "Error: Unknown model: gpt-oss:999b. To run it on Ollama, type `llm gpt-oss models add gpt-oss:999b` "
        "and `llm gpt-oss pull gpt-oss:999b`. `llm gpt-oss models` lists the models that you have.\n"
    )


@pytest.mark.parametrize("name", ["qwen3:8b", "not a gpt-oss", "gpt-oss:20b:x"])
def test_other_unknown_models_keep_the_message_of_llm(name: str) -> None:
    assert sh("prompt", "-m", name, "Hi", fails=True).stderr == f"Error: 'Unknown model: {name}'\n"
