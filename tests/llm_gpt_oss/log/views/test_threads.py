from __future__ import annotations

from support.logged_turns import assistant, user
from support.view_logs import ViewLog

HI, HELLO = user("Hi"), assistant("Hello.")


def test_a_thread_sums_its_turns(log: ViewLog) -> None:
    first = log.shell("t1", HI, answer=HELLO)
    log.set(first, input_tokens=5, output_tokens=3, datetime_utc="2026-07-31T00:00:00+00:00")
    second = log.shell("t1", HI, HELLO, user("More"), answer=HELLO)
    log.set(second, input_tokens=10, output_tokens=4)
    log.shell("t2", user("Other"), answer=HELLO)
    log.db["threads"].update("t1", {"forked_from": "t2"})
    (row, _) = log.db.query("select * from gpt_oss_threads order by thread_id")
    assert row == {
        "thread_id": "t1",
        "name": "A name",
        "forked_from": "t2",
        "first_utc": "2026-07-31T00:00:00+00:00",
        "last_utc": "2026-08-01T00:00:00+00:00",
        "turns": 2,
        "apps": "shell",
        "input_tokens": 15,
        "output_tokens": 7,
        "last_turn_id": second.id,
        "last_prompt": "More",
    }


def test_the_apps_of_a_thread(log: ViewLog) -> None:
    log.write(HI, answer=HELLO, client="editor/1")
    log.write(HI, HELLO, user("More"), answer=HELLO, client="curl/8")
    log.write(HI, HELLO, user("More"), HELLO, user("Yet more"), answer=HELLO, client="editor/2")
    assert [{*apps.split(",")} for apps in log.all("gpt_oss_threads", "apps")] == [{"editor", "curl"}]


def test_a_thread_without_turns(log: ViewLog) -> None:
    log.store.ensure_thread("t1", "Empty")
    assert log.all("gpt_oss_threads", "turns, last_turn_id, last_prompt, apps") == [(0, None, None, None)]
