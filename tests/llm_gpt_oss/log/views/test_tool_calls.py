from __future__ import annotations

from llm.parts import Message, ToolResultPart
from support.logged_turns import assistant, call, result, user
from support.view_logs import ViewLog

HI, DONE = user("Hi"), assistant("Done.")
CALLS = "gpt_oss_tool_calls"
BOTH = assistant(call("c1", "look", at=1), call("c2", "read", at=2))


def test_calls_have_their_results(log: ViewLog) -> None:
    first = log.shell("t1", HI, answer=BOTH)
    log.shell("t1", HI, BOTH, result("c2", "two", "read"), result("c1", "one"), answer=DONE)
    assert log.all(CALLS) == [
        (first.id, "t1", 1, "c1", "look", '{"at":1}', "one"),
        (first.id, "t1", 2, "c2", "read", '{"at":2}', "two"),
    ]


def test_results_in_one_message(log: ViewLog) -> None:
    log.shell("t1", HI, answer=BOTH)
    parts = [ToolResultPart("look", "one", "c1"), ToolResultPart("read", "two", "c2")]
    log.shell("t1", HI, BOTH, Message("tool", [*parts]), answer=DONE)
    assert log.all(CALLS, "output") == ["one", "two"]


def test_a_result_in_the_message_of_the_call(log: ViewLog) -> None:
    answer = assistant(call("c1"), ToolResultPart("look", "one", "c1", server_executed=True), "Done.")
    log.shell("t1", HI, answer=answer)
    assert log.all(CALLS, "output") == ["one"]


def test_a_call_without_a_result(log: ViewLog) -> None:
    log.shell("t1", HI, answer=assistant(call("c1")))
    log.shell("t1", HI, assistant(call("c1")), user("Never mind"), result("c1", "late"), answer=DONE)
    assert log.all(CALLS, "output") == [None]


def test_the_id_of_a_call_is_not_unique(log: ViewLog) -> None:
    for thread, output in (("t1", "one"), ("t2", "two")):
        asks = assistant(call("c1", "look", at=thread))
        log.shell(thread, HI, answer=asks)
        log.shell(thread, HI, asks, result("c1", output), answer=DONE)
    assert log.all(CALLS, "thread_id, output") == [("t1", "one"), ("t2", "two")]
