"An empty log, another empty log, and one in which there is something of everything."

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import llm
import pytest
from llm.parts import TextPart
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.transfer import write_next
from support.turn_logs import TurnLog

from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR
from proxy.generation import CustomCall

LOOK = llm.Tool("look", "Looks something up", {"type": "object", "properties": {"x": {"type": "integer"}}})
# A preamble and an answer, as the plugin separates them.
FOUND = (TextPart("It is", PREAMBLE), TextPart("\n\n", SEPARATOR), TextPart("42"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path / "logs.db")
    with closing(log.db):
        yield log


@pytest.fixture
def other(tmp_path: Path) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path / "other.db")
    with closing(log.db):
        yield log


@pytest.fixture
def full_log(log: TurnLog) -> TurnLog:
    "A log with tools, reasoning, a fork, a failed turn, custom calls, and turns of the shell."
    question = [system("Be brief"), user("Look")]
    looking = turn(
        *question,
        answer=assistant(reasoning("hm"), call("call_1", x=1)),
        client="agent/1.0",
        finish_reason="tool_calls",
        queue_ms=3,
        ignored=["seed"],
        metadata={"job": "7"},
        stored=True,
    )
    looking.response.prompt.tools = [LOOK]
    looking.response.response_json = {"outcome": {"finish_reason": "tool_calls", "notes": []}}
    looking.response.token_details = {"reasoning_tokens": 2}
    looking.response.input_tokens, looking.response.output_tokens = 10, 5
    log.put(looking)
    question += [assistant(call("call_1", x=1)), result("call_1", "42")]
    write_next(log, *question, answer=assistant(reasoning("so"), *FOUND))
    found = assistant(*FOUND)
    write_next(log, *question, found, user("More"), answer=assistant("No"))
    write_next(log, *question, found, user("Another way"), answer=assistant("Yes"))
    write_next(log, user("Я"), answer=assistant("One", TextPart("\n\n", SEPARATOR), "two"))
    log.write(user("Broken"), answer=assistant(reasoning("I was")), status=500, error="The engine ended.")
    log.write(
        user("Patch"),
        answer=assistant(call("call_2", "patch", input="*** Begin")),
        custom_calls=[CustomCall("call_2", "patch")],
        body='{"messages": [], "parallel_tool_calls": false}',
    )
    shell = turn(user("In the shell"), answer=assistant("Hello"))
    log.store.log(shell.response)
    answered = turn(
        user("In the shell"), assistant("Hello"), user("What is there?"), answer=assistant("This")
    )
    log.store.log(answered.response, thread_id=log.thread_of(shell))
    return log
