from __future__ import annotations

import pytest
from llm.parts import Message
from support.logged_turns import assistant, reasoning, system, turn, user
from support.turn_logs import TurnLog

from llm_gpt_oss.log.redaction import NO_REDACTION
from proxy.log import thread_names
from proxy.log.thread_names import thread_name

HI = user("Hi")
HELLO = assistant(reasoning("Greet."), "Hello")


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        ([system("Be " * 1000), user("Hi\n  there")], "Hi there"),
        ([user("x" * 61)], "x" * 59 + "…"),
        ([assistant("Hi")], ""),
        ([user("x" * 60)], "x" * 60),
        ([user("<context>\n <cwd>/</cwd>\n</context>"), user("Hi")], "Hi"),
        ([user("# AGENTS.md for /\n\n<INSTRUCTIONS>\nBe.\n</INSTRUCTIONS>\n"), user("Hi")], "Hi"),
        ([user("<p>Mend</p> this"), user("Hi")], "<p>Mend</p> this"),
        ([user("<task>Hi</task>")], "<task>Hi</task>"),
        ([user("# <a>\n<b>"), user("Hi")], "# <a> <b>"),
        ([user("</a>"), user("Hi")], "</a>"),
        ([user("<a></a> b"), user("Hi")], "<a></a> b"),
    ],
)
def test_a_thread_is_named_after_the_users_first_text(
    log: TurnLog, messages: list[Message], name: str
) -> None:
    assert log.thread(log.write(*messages, answer=HELLO))["name"] == name


def test_thread_ids_sort_before_llms(log: TurnLog) -> None:
    ids = [log.thread_of(log.write(user(str(n)), answer=HELLO)) for n in range(3)]
    shell = turn(HI, answer=HELLO)
    log.store.log(shell.response)
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {26}
    assert max(ids) < log.thread_of(shell)


def test_a_long_text_is_not_split_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    "They would take ten times as much memory as the text."
    monkeypatch.setattr(thread_names, "MAX_READ", 20)
    assert thread_name([user(" " * 50 + "word " * 1000)], NO_REDACTION) == "word word word word"
