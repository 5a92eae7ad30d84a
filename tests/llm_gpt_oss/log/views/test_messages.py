from __future__ import annotations

import pytest
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.view_logs import ViewLog

SYSTEM, HI, HELLO = system("Be kind"), user("Hi"), assistant(reasoning("Hm."), "Hello.")
MORE, YES = user("More"), assistant("Yes.")
SHORT = "is_answer, role, type, coalesce(text, arguments, output)"
MESSAGES = "gpt_oss_messages"


def test_a_turn_has_its_input_and_its_answer(log: ViewLog) -> None:
    first = log.shell("t1", SYSTEM, HI, answer=HELLO)
    second = log.shell("t1", SYSTEM, HI, HELLO, MORE, answer=YES)
    assert log.all(MESSAGES, f"turn_id, thread_id, position, {SHORT}") == [
        (first.id, "t1", 0, 0, "system", "text", "Be kind"),
        (first.id, "t1", 1, 0, "user", "text", "Hi"),
        (first.id, "t1", 2, 1, "assistant", "reasoning", "Hm."),
        (first.id, "t1", 3, 1, "assistant", "text", "Hello."),
        (second.id, "t1", 0, 0, "user", "text", "More"),
        (second.id, "t1", 1, 1, "assistant", "text", "Yes."),
    ]


def test_calls_and_results(log: ViewLog) -> None:
    asks = assistant(call("c1", "look", at="x"))
    log.shell("t1", HI, answer=asks)
    second = log.shell("t1", HI, asks, result("c1", "Sunny"), answer=HELLO)
    columns = "type, tool_name, call_id, text, arguments, output, characters"
    assert log.all(MESSAGES, columns, "tool_name is not null") == [
        ("tool_call", "look", "c1", None, '{"at":"x"}', None, 10),
        ("tool_result", "look", "c1", None, None, "Sunny", 5),
    ]
    assert log.all(MESSAGES, "role", f"turn_id = '{second.id}'") == ["tool", "assistant", "assistant"]


def test_a_history_that_came_from_outside_belongs_to_its_first_turn(log: ViewLog) -> None:
    log.shell("t1", HI, HELLO, MORE, answer=YES)
    assert log.all(MESSAGES, "is_answer") == [0, 0, 0, 0, 1]


def test_a_later_turn_with_the_same_end_changes_nothing(log: ViewLog) -> None:
    first = log.shell("t1", HI, HELLO, MORE, answer=YES)
    before = log.all(MESSAGES, "*", f"turn_id = '{first.id}'")
    log.shell("t2", HI, answer=HELLO)
    assert log.all(MESSAGES, "*", f"turn_id = '{first.id}'") == before


@pytest.mark.parametrize(
    "answer", [pytest.param(None, id="nothing came"), pytest.param(assistant("Hel"), id="cut")]
)
def test_what_follows_a_failed_turn_has_its_input_too(log: ViewLog, answer: object) -> None:
    log.shell("t1", HI, answer=answer)
    second = log.shell("t1", HI, answer=HELLO)
    assert log.all(MESSAGES, SHORT, f"turn_id = '{second.id}'")[0] == (0, "user", "text", "Hi")


def test_a_fork_has_only_what_is_new(log: ViewLog) -> None:
    log.shell("t1", HI, answer=HELLO)
    log.shell("t2", HI, HELLO, MORE, answer=YES)
    assert log.all(MESSAGES, SHORT, "thread_id = 't2'") == [
        (0, "user", "text", "More"),
        (1, "assistant", "text", "Yes."),
    ]


def test_rows_lead_to_the_tables(log: ViewLog) -> None:
    log.shell("t1", HI, answer=HELLO)
    same = "parts.id = part_id and parts.message_hash = row.message_hash"
    sql = f"select parts.text from {MESSAGES} as row join parts on {same}"
    assert [row[0] for row in log.db.execute(sql)] == ["Hi", "Hm.", "Hello."]


def test_a_part_that_is_not_json(log: ViewLog) -> None:
    log.shell("t1", HI, answer=assistant(call("c1", "look")))
    log.db.execute("update parts set payload = '{\"arguments\": NaN}' where type = 'tool_call'")
    assert log.all(MESSAGES, "type, arguments") == [("text", None), ("tool_call", None)]
