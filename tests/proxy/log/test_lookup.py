from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llm.parts import Message
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.turn_logs import TurnLog

from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.turn.messages import SEPARATOR
from proxy.generation import ThreadPosition
from proxy.log import lookup
from proxy.log.access import Viewer
from proxy.log.items import ItemChain, split_items
from proxy.log.lookup import ThreadContext, find_items, load_conversation
from proxy.log.tables import mark_deleted
from proxy.log.turn import Turn

ADMIN = Viewer(None, admin=True)
HI, MORE = user("Hi"), user("More")
HELLO = assistant(reasoning("Hm"), "Hello")
BYE = assistant("Bye")


class Log(TurnLog):
    "A log of stored responses."

    def write(self, *messages: Message, **fields: Any) -> Turn:
        return super().write(*messages, **{"endpoint": "/v1/responses", "stored": True, **fields})

    def continue_from(
        self, context: ThreadContext, *messages: Message, append: bool = False, **fields: Any
    ) -> Turn:
        "Writes a turn that continues `context`, as a response does; `added` are instructions for it alone."
        added = fields.pop("added", [])
        continues = ThreadPosition(context.thread_id, context.tip, append)
        return self.write(
            *added,
            *context.messages,
            *messages,
            **{"added": len(added), "known": len(context.messages), "continues": continues, **fields},
        )

    def context_of(self, written: Turn) -> ThreadContext:
        "The conversation up to a turn."
        row = self.store.db["turns"].get(written.id)
        thread_id, tip = row["thread_id"], row["tip_message_hash"]
        messages = [stored.message for stored in ItemChain(self.store, thread_id, tip).messages]
        return ThreadContext(thread_id, tip, messages)

    def conversation(self, written: Turn, viewer: Viewer = ADMIN) -> ThreadContext | None:
        return load_conversation(self.store, self.context_of(written).thread_id, viewer)

    def ids(self, context: ThreadContext) -> list[str]:
        return [entry.id for entry in ItemChain(self.store, context.thread_id, context.tip).entries()]

    def find(self, ids: Sequence[str], viewer: Viewer = ADMIN) -> list[Message | None]:
        items = find_items(self.store, ids, viewer)
        return [items[id].message if id in items else None for id in ids]

    def delete(self, *written: Turn) -> None:
        with write_transaction(self.store.db.conn):
            mark_deleted(self.store.db.conn, [turn.id for turn in written])


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "logs.db")
    yield log
    log.store.db.close()


def test_an_item_id_names_a_turn_or_a_message(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    second = log.continue_from(log.context_of(first), MORE, answer=BYE)
    context = log.context_of(second)
    hi, hm, hello, more, bye = log.ids(context)
    assert (hm, hello, bye) == (f"rs_{first.id}_0", f"msg_{first.id}_1", f"msg_{second.id}_0")
    assert (len(hi), hi[:4], hi[-2:]) == (len("msg__0") + 32, "msg_", "_0")
    parts = [HI, assistant(reasoning("Hm")), assistant("Hello"), MORE, BYE]
    assert log.find([hi, hm, hello, more, bye]) == parts
    assert [
        entry.message for entry in ItemChain(log.store, context.thread_id, context.tip).entries()
    ] == parts


def test_unknown_ids_are_not_found(log: Log) -> None:
    written = log.write(HI, answer=HELLO)
    absent = ["msg_1", "", f"msg_{written.id}_7", f"msg_{'0' * 26}_0", f"msg_{'0' * 32}_0"]
    assert find_items(log.store, absent, ADMIN) == {}


def test_calls_results_and_separators(log: Log) -> None:
    gap = assistant("\n\n").parts[0]
    gap.provider_metadata = SEPARATOR
    answer = assistant(reasoning(""), "One", gap, "Two", call("call_1", a=1))
    written = log.write(HI, answer=answer, custom_calls=[("call_1", "look")])
    more = log.continue_from(log.context_of(written), result("call_1", "three"), answer=BYE)
    ids = log.ids(log.context_of(more))
    assert ids[1:4] == [f"msg_{written.id}_0", f"msg_{written.id}_1", f"ctc_{written.id}_2"]
    assert ids[4].startswith("ctco_")
    expected = [assistant("Two"), assistant(call("call_1", a=1)), result("call_1", "three")]
    assert log.find(ids[2:5]) == expected


def test_instructions_for_one_answer_are_not_part_of_the_conversation(log: Log) -> None:
    first = log.write(system("Rhyme"), HI, answer=HELLO, added=1)
    context = log.context_of(first)
    assert context.messages == [HI, HELLO]
    second = log.continue_from(context, MORE, answer=BYE, added=[system("Shout")])
    context_of = log.context_of(second)
    assert (context_of.thread_id, context_of.messages) == (context.thread_id, [HI, HELLO, MORE, BYE])
    assert log.ids(context_of)[:3] == log.ids(context)
    third = log.continue_from(context_of, MORE, answer=BYE)
    assert log.ids(log.context_of(third))[:5] == log.ids(context_of)
    assert None not in log.find(log.ids(log.context_of(third)))


def test_only_items_that_the_viewer_sees_are_found(log: Log) -> None:
    first = log.write(HI, answer=HELLO, actor="ada")
    ids = log.ids(log.context_of(first))
    for viewer, sees in ((ADMIN, True), (Viewer("ada", False), True), (Viewer("bob", False), False)):
        assert (None not in log.find(ids, viewer)) is sees
        assert (log.conversation(first, viewer) is not None) is sees
    assert log.find(ids, Viewer(None, False)) == [None] * 3


def test_items_of_deleted_or_unstored_turns_are_not_found(log: Log) -> None:
    gone, secret = log.write(HI, answer=HELLO), log.write(MORE, answer=BYE, stored=False)
    chat = log.write(user("Chat"), answer=BYE, stored=False, endpoint="/v1/chat/completions")
    log.delete(gone)
    for written in (gone, secret):
        assert {*map(str, log.find(log.ids(log.context_of(written))))} == {"None"}
    assert log.find(log.ids(log.context_of(chat))) == [user("Chat"), BYE]


def test_items_of_deleted_turns_are_found_in_other_turns(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    second = log.continue_from(log.context_of(first), MORE, answer=BYE)
    log.delete(first)
    assert None not in log.find(log.ids(log.context_of(second)))
    log.delete(second)
    assert {*map(str, log.find(log.ids(log.context_of(second))))} == {"None"}


def test_equal_turns_of_two_actors_have_their_own_ids(log: Log) -> None:
    one, other = (log.write(HI, answer=HELLO, actor=actor) for actor in ("ada", "bob"))
    for written in (one, other):
        assert log.ids(log.context_of(written))[2] == f"msg_{written.id}_1"


def test_several_turns_with_one_answer(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    context = log.context_of(first)
    repeated = log.continue_from(ThreadContext(context.thread_id, None, []), HI, answer=HELLO, append=True)
    now = log.conversation(repeated)
    assert now
    assert now.messages == [HI, HELLO, HI, HELLO]
    ids = log.ids(now)
    assert (ids[:3], len({*ids})) == (log.ids(context), 6)
    assert ids[4:] == [f"rs_{repeated.id}_0", f"msg_{repeated.id}_1"]
    assert log.find(ids) == [HI, assistant(reasoning("Hm")), assistant("Hello")] * 2


def test_a_failed_turn_is_logged_and_never_continued(log: Log) -> None:
    context = log.context_of(log.write(system("Rhyme"), HI, answer=HELLO, added=1))
    failed = log.continue_from(context, MORE, answer=assistant("Half"), status=500, append=True)
    assert log.conversation(failed) == context
    assert log.ids(log.context_of(failed))[:3] == log.ids(context)


def test_the_thread_was_pruned_meanwhile(log: Log) -> None:
    context = log.context_of(log.write(HI, answer=HELLO))
    late = log.continue_from(
        ThreadContext("00" + "0" * 24, context.tip, context.messages), MORE, answer=BYE, append=True
    )
    now = log.conversation(late)
    assert now
    assert (now.thread_id != context.thread_id, now.messages) == (True, [HI, HELLO, MORE, BYE])


def test_a_fork_keeps_item_ids(log: Log) -> None:
    first = log.write(system("Rhyme"), HI, answer=HELLO, added=1)
    second = log.continue_from(log.context_of(first), MORE, answer=BYE)
    fork = log.continue_from(log.context_of(first), user("Other"), answer=BYE, added=[system("Shout")])
    assert log.context_of(fork).thread_id != log.context_of(second).thread_id
    assert log.ids(log.context_of(fork))[:3] == log.ids(log.context_of(first))


def test_items_appended_to_a_conversation_that_moved_on_keep_their_ids(log: Log) -> None:
    context = log.context_of(log.write(HI, answer=HELLO))
    log.continue_from(context, MORE, answer=BYE, append=True)
    late = log.continue_from(
        context, user("Late"), answer=assistant("Too late"), added=[system("Shout")], append=True
    )
    now = log.conversation(late)
    assert now
    assert now.messages == [HI, HELLO, MORE, BYE, user("Late"), assistant("Too late")]
    assert log.ids(now)[-2:] == log.ids(log.context_of(late))[-2:]
    assert log.ids(now)[-1] == f"msg_{late.id}_0"
    assert log.find(log.ids(now)[-2:]) == now.messages[-2:]


def test_many_items_of_one_turn_are_found_in_linear_time(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [call(str(number)) for number in range(300)]
    written = log.write(HI, answer=assistant(*calls))
    ids = [each for each in log.ids(log.context_of(written)) if each.startswith("fc_")]
    split: list[Message] = []

    def counted(message: Message) -> list[Message]:
        split.append(message)
        return split_items(message)

    monkeypatch.setattr(lookup, "split_items", counted)
    assert [message and message.parts for message in log.find(ids)] == [[each] for each in calls]
    assert len(split) < 5


def steps(log: Log, ids: Sequence[str], viewer: Viewer = ADMIN) -> int:
    "How many hundred steps SQLite takes to find these items."
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    log.store.db.conn.set_progress_handler(step, 100)
    log.find(ids, viewer)
    log.store.db.conn.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("viewer", [ADMIN, Viewer("bob", False)], ids=["visible", "not visible"])
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
def test_many_items_take_no_longer_each(log: Log, viewer: Viewer, order: int) -> None:
    "All of a prompt, which ends with the only turn."
    few, many = (
        log.ids(log.context_of(log.write(*[user(f"{count}: {n}") for n in range(count)], answer=HELLO)))
        for count in (50, 400)
    )
    assert steps(log, many[::order], viewer) < 16 * steps(log, few[::order], viewer)


def test_a_message_that_was_pruned_meanwhile_is_not_found(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = log.ids(log.context_of(log.write(HI, answer=HELLO)))
    monkeypatch.setattr(lookup, "load_message", lambda log, hash: None)
    assert log.find(ids[:1]) == [None]
