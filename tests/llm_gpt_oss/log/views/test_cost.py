"What queries of the views cost, in steps of SQLite's, which do not depend on the machine."

from __future__ import annotations

import pytest
from support.view_logs import ViewLog

from llm_gpt_oss.log.views.versions import NAMES

OF_A_THREAD = "select * from {} where thread_id = '{}'"


@pytest.mark.parametrize(
    "query",
    [
        *(pytest.param(OF_A_THREAD.format(name, "a"), id=f"{name} of a thread") for name in NAMES),
        *(
            pytest.param(f"select * from {name} order by turn_id desc limit 5", id=f"latest {name}")
            for name in ("gpt_oss_turns", "gpt_oss_messages")
        ),
    ],
)
def test_the_rest_of_the_log_is_not_read(log: ViewLog, query: str) -> None:
    log.fill("a", 10)
    alone = log.steps(query)
    for number in range(30):
        log.fill(f"b{number}", 10)
    assert log.steps(query) <= 1.5 * alone + 2


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_costs_the_same_in_a_long_thread(log: ViewLog, name: str) -> None:
    log.fill("short", 50)
    log.fill("long", 500)
    short, long = (log.steps(OF_A_THREAD.format(name, thread)) for thread in ("short", "long"))
    assert long <= 12 * short


def test_one_turn_of_many(log: ViewLog) -> None:
    log.fill("a", 500)
    for name in ("gpt_oss_turns", "gpt_oss_messages", "gpt_oss_tool_calls"):
        assert log.steps(f"select * from {name} where turn_id = 'a-000400'") < 20
