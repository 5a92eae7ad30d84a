from __future__ import annotations

import pytest
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.transfer import write_next
from support.turn_logs import TurnLog

from proxy.transfer import conversations
from proxy.transfer.conversations import conversation_ends
from proxy.transfer.selection import Selection

HI, HELLO = user("Hi"), assistant("Hello")


def ends(log: TurnLog, **selection: object) -> list[str]:
    return [*conversation_ends(log.store, Selection(failed=False, **selection))]  # type: ignore[arg-type]


def test_a_conversation_ends_once(log: TurnLog) -> None:
    "Although the client drops the reasoning, so that the messages of its turns are others."
    log.write(HI, answer=assistant(reasoning("hm"), "Hello"))
    last = log.write(HI, HELLO, user("More"), answer=assistant("Yes"))
    assert ends(log) == [last.id]


def test_branches_end_each(log: TurnLog) -> None:
    write_next(log, HI, answer=HELLO)
    branches = [write_next(log, HI, HELLO, user(text), answer=assistant("Yes")) for text in ("A", "B", "C")]
    assert ends(log) == [branch.id for branch in branches]


def test_calls_are_covered_by_what_follows(log: TurnLog) -> None:
    write_next(log, HI, answer=assistant(call("1")))
    last = write_next(log, HI, assistant(call("1")), result("1", "42"), answer=assistant("It is 42"))
    assert ends(log) == [last.id]


def test_of_equal_conversations_the_last(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    last = log.write(HI, answer=assistant(reasoning("hm"), "Hello"))
    assert ends(log) == [last.id]


def test_the_time_of_day_in_the_instructions(log: TurnLog) -> None:
    "Within a thread they may change. Elsewhere they are another conversation."
    thread = log.store.create_thread("Agent")
    for at, messages in enumerate([(HI,), (HI, HELLO, user("More"))]):
        written = turn(system(f"It is {at}:00"), *messages, answer=HELLO)
        log.store.log(written.response, thread_id=thread)
    elsewhere = log.write(system("It is 7:00"), HI, answer=HELLO)
    assert ends(log) == [written.id, elsewhere.id]


def test_turns_without_an_answer_end_nothing(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    log.write(HI, HELLO, user("More"), answer=assistant(reasoning("hm")))
    log.write(HI, HELLO, user("Again"))
    log.write(HI, HELLO, user("Broken"), answer=assistant("I"), status=500, error="x")
    assert ends(log) == [first.id]


def test_what_is_not_selected_covers_nothing(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO, client="curl/8")
    log.write(HI, HELLO, user("More"), answer=assistant("Yes"), client="agent/1")
    assert ends(log, apps=["curl"]) == [first.id]


def test_a_turn_that_is_pruned_meanwhile(log: TurnLog) -> None:
    pruned = log.write(user("Other"), answer=HELLO)
    last = log.write(HI, answer=HELLO)
    ids = iter([last.id, pruned.id, "none"])
    log.db.conn.execute("delete from gpt_oss_requests where turn_id = ?", [pruned.id])
    log.db.conn.execute("delete from turns where id = ?", [pruned.id])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversations, "turn_ids", lambda *_, **__: ids)
        assert ends(log) == [last.id]


def test_turns_of_the_shell(log: TurnLog) -> None:
    first = turn(HI, answer=HELLO)
    log.store.log(first.response)
    last = turn(HI, HELLO, user("More"), answer=assistant("Yes"))
    log.store.log(last.response, thread_id=log.thread_of(first))
    assert ends(log) == [last.id]
