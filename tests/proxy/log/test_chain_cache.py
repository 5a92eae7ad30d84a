from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.logs import LogStore
from llm.parts import Message
from support.logged_turns import assistant, call, reasoning, result, user
from support.turn_logs import TurnLog

from proxy.log import chain_cache
from proxy.log.chain_cache import ChainCache
from proxy.log.logged_turn import StoredMessage
from proxy.log.queries import load_chain

HI = user("Hi")
HELLO = assistant(reasoning("Greet."), "Hello")


class Loads:
    "Counts the messages that are read from the log."

    def __init__(self) -> None:
        self.count = 0

    def load_chain(self, log: LogStore, tip: str | None, **options: Any) -> list[StoredMessage]:
        chain = load_chain(log, tip, **options)
        self.count += len(chain)
        return chain


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    counted = Loads()
    monkeypatch.setattr(chain_cache, "load_chain", counted.load_chain)
    return counted


def tip_of(log: TurnLog, *messages: Message) -> str:
    tip: str = log.thread(log.write(*messages[:-1], answer=messages[-1]))["tip_message_hash"]
    return tip


def numbered(count: int) -> list[Message]:
    return [message for n in range(count) for message in (user(f"Question {n}"), assistant(f"Answer {n}"))]


def test_only_new_messages_are_read(log: TurnLog, loads: Loads) -> None:
    chains = ChainCache()
    for count in (10, 11, 13):
        tip = tip_of(log, *numbered(count))
        assert chains.load(log.store, tip) == load_chain(log.store, tip)
        assert loads.count == 2 * count
    assert chains.load(log.store, tip) == load_chain(log.store, tip)
    assert loads.count == 26


def test_a_caller_may_change_what_it_got(log: TurnLog) -> None:
    chains, tip = ChainCache(), tip_of(log, HI, HELLO)
    chains.load(log.store, tip).clear()
    assert [stored.message for stored in chains.load(log.store, tip)] == [HI, HELLO]


@pytest.mark.parametrize("tip", [None, "b2:unknown"])
def test_an_unknown_tip_has_no_chain(log: TurnLog, tip: str | None) -> None:
    chains = ChainCache()
    chains.load(log.store, tip_of(log, HI, HELLO))
    assert chains.load(log.store, tip) == []


def test_what_another_program_writes_is_noticed(log: TurnLog, tmp_path: Path) -> None:
    chains, tip = ChainCache(), tip_of(log, HI, HELLO)
    chains.load(log.store, tip)
    other = TurnLog(Path(log.store.db.conn.execute("pragma database_list").fetchone()[2]))
    other.db.execute("update parts set text = 'redacted' where text = 'Hi'")
    other.db.conn.commit()
    assert chains.load(log.store, tip)[0].message == user("redacted")


def test_another_log_is_another_cache(log: TurnLog, tmp_path: Path) -> None:
    chains, other = ChainCache(), TurnLog(tmp_path / "other.db")
    tip = tip_of(log, HI, HELLO)
    assert chains.load(log.store, tip)[0].message == HI
    assert tip_of(other, HI, HELLO) == tip
    other.db.execute("update parts set text = 'redacted' where text = 'Hi'")
    assert chains.load(other.store, tip)[0].message == user("redacted")


@pytest.mark.parametrize(
    "long",
    [
        (HI, assistant("x" * 100)),
        (HI, assistant(reasoning("x" * 100), "Hello")),
        (HI, assistant(call("1", text="x" * 100))),
        (HI, assistant(call("1")), result("1", "x" * 100), HELLO),
    ],
    ids=["text", "reasoning", "call", "result"],
)
def test_memory_is_bounded(
    log: TurnLog, loads: Loads, monkeypatch: pytest.MonkeyPatch, long: tuple[Message, ...]
) -> None:
    monkeypatch.setattr(chain_cache, "MAX_SIZE", 100)
    monkeypatch.setattr(chain_cache, "MESSAGE_SIZE", 0)
    chains = ChainCache()
    short_tip, long_tip = tip_of(log, user("Short"), HELLO), tip_of(log, *long)
    for tip in (short_tip, long_tip, short_tip, long_tip):
        chains.load(log.store, tip)
    assert loads.count == 2 + 2 * len(long), "the long one is read twice"


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"MAX_SIZE": 100, "MESSAGE_SIZE": 0}, id="texts"),
        pytest.param({"MAX_SIZE": 2_100}, id="messages"),
        pytest.param({"MAX_CHAINS": 2}, id="chains"),
    ],
)
def test_the_oldest_chain_makes_room(
    log: TurnLog, loads: Loads, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(chain_cache, name, limit)
    chains = ChainCache()
    one, two, three = (tip_of(log, user(name * 30), HELLO) for name in "abc")
    for tip in (one, two, one, three, one):
        chains.load(log.store, tip)
    assert loads.count == 6
    chains.load(log.store, two)
    assert loads.count == 8


@settings(max_examples=20)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), min_size=1, max_size=8))
def test_branches(tmp_path_factory: pytest.TempPathFactory, branches: list[list[str]]) -> None:
    log, chains = TurnLog(tmp_path_factory.mktemp("branches") / "logs.db"), ChainCache()
    for branch in branches:
        tip = tip_of(log, *map(user, branch), HELLO)
        assert chains.load(log.store, tip) == load_chain(log.store, tip)
