from __future__ import annotations

import pytest
from support.logged_turns import assistant, call, reasoning, result, user
from support.turn_logs import TurnLog

from proxy.explore.transcript.references import Reference, find_reference
from proxy.log.items import ItemChain

HI = user("Hi")


def find(log: TurnLog, id: str, kind: str = "turn") -> Reference | None:
    return find_reference(log.db.conn, id, kind)


@pytest.mark.parametrize("prefix", ["", "resp_", "chatcmpl-", "cmpl-", "msg_"])
@pytest.mark.parametrize("kind", ["turn", "thread"])
def test_ids_of_answers(log: TurnLog, prefix: str, kind: str) -> None:
    turn = log.write(HI, answer=assistant("Hello"))
    assert find(log, f"{prefix}{turn.id}", kind) == Reference("turn", turn.id)


@pytest.mark.parametrize("prefix", ["", "conv_"])
@pytest.mark.parametrize("kind", ["turn", "thread"])
def test_ids_of_threads(log: TurnLog, prefix: str, kind: str) -> None:
    thread = log.thread_of(log.write(HI))
    assert find(log, f"{prefix}{thread}", kind) == Reference("thread", thread)


def test_an_id_of_a_turn_and_a_thread(log: TurnLog) -> None:
    turn = log.write(HI)
    log.db["threads"].insert({"id": turn.id})
    assert find(log, turn.id, "turn") == Reference("turn", turn.id)
    assert find(log, turn.id, "thread") == Reference("thread", turn.id)


def test_items_of_prompts_and_answers(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant(reasoning("Hm."), call("c1")))
    later = log.write(
        HI, assistant(reasoning("Hm."), call("c1")), result("c1", "blue"), answer=assistant("Blue")
    )
    tip = log.thread(later)["tip_message_hash"]
    entries = ItemChain(log.store, log.thread_of(later), tip).entries()
    assert [(find(log, entry.id) or HI).id for entry in entries] == [first.id] * 3 + [later.id] * 2


def test_an_item_with_an_id_that_was_kept(log: TurnLog) -> None:
    turn = log.write(HI, answer=assistant("Hello"))
    tip, thread = log.thread(turn)["tip_message_hash"], log.thread_of(turn)
    log.db["gpt_oss_items"].insert(
        {"thread_id": thread, "message_hash": tip, "n": 0, "item_id": "msg_kept_0"}
    )
    assert find(log, "msg_kept_0") == Reference("turn", turn.id)


def test_a_call(log: TurnLog) -> None:
    turn = log.write(HI, answer=assistant(call("call_1")))
    assert find(log, "call_1") == Reference("turn", turn.id)


def test_the_latest(log: TurnLog) -> None:
    assert find(log, "last") is None
    log.write(HI)
    turn = log.write(user("Bye"))
    assert find(log, "last") == Reference("turn", turn.id)
    assert find(log, "last", "thread") == Reference("thread", log.thread_of(turn))


@pytest.mark.parametrize(
    "id", ["", "x", "resp_", "conv_x", "msg_01m8retwm9p6x1n2v4mvvggp2b_0", f"rs_{'0' * 32}_1", "' or 1 --"]
)
def test_unknown_ids(log: TurnLog, id: str) -> None:
    log.write(HI)
    assert find(log, id) is None
