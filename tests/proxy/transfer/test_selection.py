from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from support.logged_turns import assistant, turn, user
from support.turn_logs import TurnLog

from proxy.transfer import selection
from proxy.transfer.selection import Selection, turn_ids

DAY = datetime(2026, 8, 1, tzinfo=timezone.utc)
NEXT_DAY = datetime(2026, 8, 2, tzinfo=timezone.utc)


@pytest.fixture
def turns(log: TurnLog) -> dict[str, str]:
    "Turns by what they are, as ids."
    written = {
        "app": log.write(
            user("A red apple"), answer=assistant("Yes"), client="agent/1.0 x", actor="laptop:1f"
        ),
        "curl": log.write(user("Hi"), answer=assistant("A pear"), client="curl/8", actor="laptop2:1f"),
        "failed": log.write(user("Hm"), status=500, error="The engine ended."),
        "deleted": log.write(user("Gone"), answer=assistant("Yes")),
        "shell": turn(user("In the shell"), answer=assistant("Yes")),
        "benchmark": turn(user("Fast?"), answer=assistant("Yes")),
        "broken": turn(user("Stopped")),
    }
    written["benchmark"].response.response_json = {"benchmark": {"run": 1}}
    written["broken"].response.response_json = {"error": "stopped"}
    for name in ("shell", "benchmark", "broken"):
        log.store.log(written[name].response)
    log.db["gpt_oss_requests"].update(written["deleted"].id, {"deleted": 1})
    log.db["turns"].update(
        written["curl"].id, {"datetime_utc": NEXT_DAY.isoformat(), "model": "gpt-oss:120b"}
    )
    return {name: each.id for name, each in written.items()}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "app curl failed shell broken", id="all"),
        pytest.param({"benchmarks": True}, "app curl failed shell benchmark broken", id="with benchmarks"),
        pytest.param({"since": NEXT_DAY}, "curl", id="since"),
        pytest.param({"until": NEXT_DAY}, "app failed shell broken", id="until"),
        pytest.param({"since": DAY, "until": DAY}, "", id="no time"),
        pytest.param({"models": ["gpt-oss:120b"]}, "curl", id="model"),
        pytest.param(
            {"models": ["gpt-oss:120b", "gpt-oss:20b"], "failed": False}, "app curl shell", id="models"
        ),
        pytest.param({"apps": ["curl", "shell"]}, "curl shell broken", id="apps"),
        pytest.param({"keys": ["laptop"]}, "app", id="name of a key"),
        pytest.param({"keys": ["laptop2:1f"]}, "curl", id="whole key"),
        pytest.param({"failed": True}, "failed broken", id="failed"),
        pytest.param({"failed": False}, "app curl shell", id="ok"),
        pytest.param({"search": "apple red"}, "app", id="words of the prompt"),
        pytest.param({"search": "pear"}, "curl", id="word of the answer"),
        pytest.param({"search": '"pear OR* ('}, "", id="no query language"),
    ],
)
def test_filters(log: TurnLog, turns: dict[str, str], fields: dict[str, Any], expected: str) -> None:
    ids = [turns[name] for name in expected.split()]
    assert [*turn_ids(log.store, Selection(**fields))] == ids
    assert [*turn_ids(log.store, Selection(**fields), descending=True)] == ids[::-1]


def test_thread(log: TurnLog, turns: dict[str, str]) -> None:
    thread = log.db["turns"].get(turns["curl"])["thread_id"]
    assert [*turn_ids(log.store, Selection(threads=[thread]))] == [turns["curl"]]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_ranges(log: TurnLog, turns: dict[str, str], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    "However many turns a query looks at, each is found once."
    expected = [*turn_ids(log.store, Selection())]
    monkeypatch.setattr(selection, "RANGE", size)
    assert [*turn_ids(log.store, Selection())] == expected
    assert [*turn_ids(log.store, Selection(), descending=True)] == expected[::-1]
