from __future__ import annotations

import pytest
from support.growth import assert_linear
from support.logged_turns import assistant, call, result, system, user
from support.turn_logs import TurnLog

from llm_gpt_oss.log.database import write_transaction
from proxy.explore.transcript.exchanges import (
    MAX_BRANCHES,
    MAX_TURNS,
    Conversation,
    Exchange,
    ReadOnlyLog,
    load_branches,
    read_conversation,
)
from proxy.log.logged_turn import with_hashes
from proxy.log.queries import load_chain
from proxy.log.turn import Turn

HI, HELLO, MORE = user("Hi"), assistant("Hello"), user("And?")


def read(log: TurnLog, turn: Turn, *, focus: bool = True) -> Conversation:
    "The conversation of a turn."
    tip = log.db["turns"].get(turn.id)["tip_message_hash"]
    store = ReadOnlyLog(log.db.conn)
    return read_conversation(store, load_chain(store, tip), log.thread_of(turn), turn.id if focus else None)


def exchanges(log: TurnLog, turn: Turn) -> list[tuple[str | None, int, int, int]]:
    return [(each.turn_id, each.start, each.answer, each.end) for each in read(log, turn).exchanges]


def test_each_turn_adds_its_messages(log: TurnLog) -> None:
    first = log.write(system("Be"), HI, answer=HELLO)
    second = log.write(system("Be"), HI, HELLO, MORE, answer=assistant("No"))
    assert exchanges(log, second) == [(first.id, 0, 2, 3), (second.id, 3, 4, 5)]
    assert read(log, second).instructions == 1


def test_a_history_that_the_log_did_not_have(log: TurnLog) -> None:
    turn = log.write(HI, HELLO, MORE, answer=assistant("No"))
    assert exchanges(log, turn) == [(turn.id, 0, 3, 4)]


def test_a_turn_that_failed_without_an_answer(log: TurnLog) -> None:
    failed = log.write(HI, status=503, error="Down")
    retried = log.write(HI, answer=HELLO)
    assert exchanges(log, retried)[-1] == (retried.id, 1, 1, 2)
    assert exchanges(log, failed) == [(failed.id, 0, 1, 1)]


def test_turns_that_ended_with_the_same_message(log: TurnLog) -> None:
    turns = [log.write(HI, answer=HELLO, actor="me") for _ in range(MAX_TURNS + 5)]
    thread = log.thread_of(turns[0])
    log.db.execute("update turns set thread_id = ?", [thread])
    found = exchanges(log, turns[0])
    assert len(found) == MAX_TURNS
    assert found[0] == (turns[6].id, 0, 1, 2)
    assert found[-1] == (turns[0].id, 2, 2, 2)


def test_one_turn_of_other_threads(log: TurnLog) -> None:
    others = [log.write(HI, answer=HELLO) for _ in range(3)]
    turn = log.write(HI, HELLO, MORE, answer=assistant("No"), actor="somebody")
    ids = [turn_id for turn_id, *_ in exchanges(log, turn)]
    assert len(ids) == 2
    assert ids[0] in {other.id for other in others}
    assert ids[1] == turn.id


def test_messages_that_no_turn_ends_with(log: TurnLog) -> None:
    chain = [*with_hashes([HI, HELLO])]
    conversation = read_conversation(ReadOnlyLog(log.db.conn), chain, None)
    assert conversation.exchanges == [Exchange(None, 0, 2, 2)]
    assert conversation.with_last_turn("t", 1).exchanges == [Exchange("t", 0, 1, 2)]


def test_a_turn_that_is_not_in_the_log_yet(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    store = ReadOnlyLog(log.db.conn)
    same = read_conversation(store, [*with_hashes([HI, HELLO])], None)
    assert same.with_last_turn("t", 2).exchanges == [Exchange(first.id, 0, 1, 2), Exchange("t", 2, 2, 2)]
    longer = read_conversation(store, [*with_hashes([HI, HELLO, MORE])], None)
    assert longer.with_last_turn("t", 3).exchanges == [Exchange(first.id, 0, 1, 2), Exchange("t", 2, 3, 3)]
    nothing = read_conversation(store, [], None)
    assert nothing.with_last_turn("t", 0).exchanges == [Exchange("t", 0, 0, 0)]


def test_turns_of_the_thread_that_are_elsewhere(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    other = log.write(HI, HELLO, MORE, answer=assistant("No"))
    assert read(log, first).elsewhere == [other.id]
    assert read(log, other).elsewhere == []


def test_results_that_came_with_the_next_turn(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant(call("c1"), call("c2")))
    results = [result("c1", "one"), result("c2", "two")]
    log.write(HI, assistant(call("c1"), call("c2")), *results, MORE, answer=HELLO)
    assert read(log, first).results == results
    assert read_conversation(ReadOnlyLog(log.db.conn), [], None).results == []


class TestBranches:
    def branches(self, log: TurnLog, turn: Turn) -> dict[int, list[tuple[str, str, str]]]:
        conversation = read(log, turn)
        found = load_branches(ReadOnlyLog(log.db.conn), conversation, 0, len(conversation.messages))
        return {place: [(*branch,) for branch in branches] for place, branches in found.items()}

    def test_other_continuations(self, log: TurnLog) -> None:
        log.write(HI, answer=HELLO)
        turn = log.write(HI, HELLO, MORE, answer=assistant("No"))
        other = log.write(HI, HELLO, user("Why?"), answer=assistant("So"))
        assert self.branches(log, turn) == {1: [("user", "Why?", other.id)]}
        assert self.branches(log, other) == {1: [("user", "And?", turn.id)]}

    def test_other_answers(self, log: TurnLog) -> None:
        turn = log.write(HI, answer=HELLO)
        other = log.write(HI, answer=assistant(call("c1")))
        assert self.branches(log, turn) == {0: [("assistant", "look", other.id)]}

    def test_the_first_words(self, log: TurnLog) -> None:
        turn = log.write(HI, answer=HELLO)
        log.write(HI, answer=assistant("a" * 1000))
        assert self.branches(log, turn)[0][0][1] == "a" * 200

    def test_what_came_next(self, log: TurnLog) -> None:
        turn = log.write(HI, answer=HELLO)
        later = log.write(HI, HELLO, MORE, answer=assistant("No"))
        assert self.branches(log, turn) == {1: [("user", "And?", later.id)]}

    def test_conversations_with_the_same_instructions_are_no_branches(self, log: TurnLog) -> None:
        turn = log.write(system("Be"), HI, answer=HELLO)
        log.write(system("Be"), MORE, answer=HELLO)
        assert self.branches(log, turn) == {}

    def test_a_message_that_no_turn_has_is_no_branch(self, log: TurnLog) -> None:
        turn = log.write(HI, answer=HELLO)
        log.store.ensure_chain([HI, HELLO, MORE])
        assert self.branches(log, turn) == {}

    def test_there_may_be_very_many(self, log: TurnLog) -> None:
        turn = log.write(HI, answer=HELLO)
        for n in range(3 * MAX_BRANCHES):
            log.write(HI, answer=assistant(f"Hello {n}"))
        assert len(self.branches(log, turn)[0]) == MAX_BRANCHES


@pytest.mark.parametrize("kind", ["one turn", "a turn each"])
def test_linear_time(log: TurnLog, kind: str) -> None:
    def chain(size: int) -> str:
        length = size // 50
        messages = [user(f"{kind} {size} {n}") for n in range(length)]
        if kind == "one turn":
            return log.write(*messages, answer=HELLO).id
        tip, thread = None, log.store.create_thread("t")
        with write_transaction(log.db.conn):
            for n, message in enumerate(messages):
                parent, tip = tip, log.store.ensure_chain([message], tip)
                row = {"id": f"{size}-{n}", "thread_id": thread, "parent_message_hash": parent}
                log.db["turns"].insert({**row, "tip_message_hash": tip})
        return f"{size}-{length - 1}"

    def read_all(turn_id: str) -> None:
        row = log.db["turns"].get(turn_id)
        store = ReadOnlyLog(log.db.conn)
        messages = load_chain(store, row["tip_message_hash"])
        conversation = read_conversation(store, messages, row["thread_id"], turn_id)
        load_branches(store, conversation, 0, len(messages))

    assert_linear(read_all, chain)
