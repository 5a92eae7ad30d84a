from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llm.parts import Message
from support.logged_turns import call, result, said, system, thought, turn, user

from llm_gpt_oss.turn.messages import SEPARATOR
from proxy.generation import ThreadPosition
from proxy.log.access import Viewer
from proxy.log.database import open_log, write_transaction
from proxy.log.items import ItemChain
from proxy.log.lookup import ThreadContext, find_items, load_conversation
from proxy.log.tables import mark_deleted
from proxy.log.turn import Turn
from proxy.log.turn_writer import TurnWriter

ADMIN = Viewer(None, admin=True)
HI, MORE = user("Hi"), user("More")
HELLO = said(thought("Hm"), "Hello")
BYE = said("Bye")


class Log:
    def __init__(self, path: Path) -> None:
        self.store = open_log(path)
        self.writer = TurnWriter(self.store)

    def write(self, *messages: Message, **given: Any) -> Turn:
        written = turn(*messages, **{"endpoint": "/v1/responses", "stored": True, **given})
        with write_transaction(self.store.db.conn):
            self.writer.write(written)
        return written

    def behind(self, place: ThreadContext, *messages: Message, joins: bool = False, **given: Any) -> Turn:
        "A turn that goes on from there, as a response does; `added` are instructions of its own."
        added = given.pop("added", [])
        continues = ThreadPosition(place.thread_id, place.tip, joins)
        return self.write(
            *added,
            *place.messages,
            *messages,
            **{"added": len(added), "known": len(place.messages), "continues": continues, **given},
        )

    def after(self, written: Turn) -> ThreadContext:
        "The conversation up to that turn."
        row = self.store.db["turns"].get(written.id)
        thread_id, tip = row["thread_id"], row["tip_message_hash"]
        return ThreadContext(
            thread_id, tip, [each.message for each in ItemChain(self.store, thread_id, tip).messages]
        )

    def conversation(self, written: Turn, viewer: Viewer = ADMIN) -> ThreadContext | None:
        return load_conversation(self.store, self.after(written).thread_id, viewer)

    def ids(self, context: ThreadContext) -> list[str]:
        return [entry.id for entry in ItemChain(self.store, context.thread_id, context.tip).entries()]

    def found(self, ids: Sequence[str], viewer: Viewer = ADMIN) -> list[Message | None]:
        recalled = find_items(self.store, ids, viewer)
        return [recalled.get(id) for id in ids]

    def delete(self, *written: Turn) -> None:
        with write_transaction(self.store.db.conn):
            mark_deleted(self.store.db.conn, [each.id for each in written])


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "logs.db")
    yield log
    log.store.db.close()


def test_an_item_names_its_turn_or_its_message(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    second = log.behind(log.after(first), MORE, answer=BYE)
    context = log.after(second)
    hi, hm, hello, more, bye = log.ids(context)
    assert (hm, hello, bye) == (f"rs_{first.id}_0", f"msg_{first.id}_1", f"msg_{second.id}_0")
    assert (len(hi), hi[:4], hi[-2:]) == (len("msg__0") + 32, "msg_", "_0")
    parts = [HI, said(thought("Hm")), said("Hello"), MORE, BYE]
    assert log.found([hi, hm, hello, more, bye]) == parts
    assert [
        entry.message for entry in ItemChain(log.store, context.thread_id, context.tip).entries()
    ] == parts


def test_what_is_none_of_ours_is_not_found(log: Log) -> None:
    written = log.write(HI, answer=HELLO)
    absent = ["msg_1", "", f"msg_{written.id}_7", f"msg_{'0' * 26}_0", f"msg_{'0' * 32}_0"]
    assert find_items(log.store, absent, ADMIN) == {}


def test_calls_results_and_separators(log: Log) -> None:
    gap = said("\n\n").parts[0]
    gap.provider_metadata = SEPARATOR
    answer = said(thought(""), "One", gap, "Two", call("call_1", a=1))
    written = log.write(HI, answer=answer, custom_calls=["call_1"])
    more = log.behind(log.after(written), result("call_1", "three"), answer=BYE)
    ids = log.ids(log.after(more))
    assert ids[1:4] == [f"msg_{written.id}_0", f"msg_{written.id}_1", f"ctc_{written.id}_2"]
    assert ids[4].startswith("ctco_")
    wanted = [said("Two"), said(call("call_1", a=1)), result("call_1", "three")]
    assert log.found(ids[2:5]) == wanted


def test_instructions_of_one_answer_are_no_part_of_the_conversation(log: Log) -> None:
    first = log.write(system("Rhyme"), HI, answer=HELLO, added=1)
    context = log.after(first)
    assert context.messages == [HI, HELLO]
    second = log.behind(context, MORE, answer=BYE, added=[system("Shout")])
    after = log.after(second)
    assert (after.thread_id, after.messages) == (context.thread_id, [HI, HELLO, MORE, BYE])
    assert log.ids(after)[:3] == log.ids(context)
    third = log.behind(after, MORE, answer=BYE)
    assert log.ids(log.after(third))[:5] == log.ids(after)
    assert None not in log.found(log.ids(log.after(third)))


def test_items_are_those_of_what_the_viewer_sees(log: Log) -> None:
    first = log.write(HI, answer=HELLO, actor="ada")
    ids = log.ids(log.after(first))
    for viewer, sees in ((ADMIN, True), (Viewer("ada", False), True), (Viewer("bob", False), False)):
        assert (None not in log.found(ids, viewer)) is sees
        assert (log.conversation(first, viewer) is not None) is sees
    assert log.found(ids, Viewer(None, False)) == [None] * 3


def test_items_of_what_is_deleted_or_not_stored_are_not_found(log: Log) -> None:
    gone, secret = log.write(HI, answer=HELLO), log.write(MORE, answer=BYE, stored=False)
    chat = log.write(user("Chat"), answer=BYE, stored=False, endpoint="/v1/chat/completions")
    log.delete(gone)
    for each in (gone, secret):
        assert {*map(str, log.found(log.ids(log.after(each))))} == {"None"}
    assert log.found(log.ids(log.after(chat))) == [user("Chat"), BYE]


def test_they_are_found_where_something_else_holds_them(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    second = log.behind(log.after(first), MORE, answer=BYE)
    log.delete(first)
    assert None not in log.found(log.ids(log.after(second)))
    log.delete(second)
    assert {*map(str, log.found(log.ids(log.after(second))))} == {"None"}


def test_a_turn_that_several_asked_goes_by_their_own(log: Log) -> None:
    one, other = (log.write(HI, answer=HELLO, actor=actor) for actor in ("ada", "bob"))
    for each in (one, other):
        assert log.ids(log.after(each))[2] == f"msg_{each.id}_1"


def test_several_turns_with_one_answer(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    context = log.after(first)
    again = log.behind(ThreadContext(context.thread_id, None, []), HI, answer=HELLO, joins=True)
    now = log.conversation(again)
    assert now
    assert now.messages == [HI, HELLO, HI, HELLO]
    ids = log.ids(now)
    assert (ids[:3], len({*ids})) == (log.ids(context), 6)
    assert ids[4:] == [f"rs_{again.id}_0", f"msg_{again.id}_1"]
    assert log.found(ids) == [HI, said(thought("Hm")), said("Hello")] * 2


def test_a_failed_turn_is_in_the_log_and_nothing_goes_on_behind_it(log: Log) -> None:
    context = log.after(log.write(system("Rhyme"), HI, answer=HELLO, added=1))
    failed = log.behind(context, MORE, answer=said("Half"), status=500, joins=True)
    assert log.conversation(failed) == context
    assert log.ids(log.after(failed))[:3] == log.ids(context)


def test_where_the_place_was_pruned(log: Log) -> None:
    context = log.after(log.write(HI, answer=HELLO))
    late = log.behind(
        ThreadContext("00" + "0" * 24, context.tip, context.messages), MORE, answer=BYE, joins=True
    )
    now = log.conversation(late)
    assert now
    assert (now.thread_id != context.thread_id, now.messages) == (True, [HI, HELLO, MORE, BYE])


def test_a_fork_keeps_the_ids(log: Log) -> None:
    first = log.write(system("Rhyme"), HI, answer=HELLO, added=1)
    second = log.behind(log.after(first), MORE, answer=BYE)
    fork = log.behind(log.after(first), user("Other"), answer=BYE, added=[system("Shout")])
    assert log.after(fork).thread_id != log.after(second).thread_id
    assert log.ids(log.after(fork))[:3] == log.ids(log.after(first))


def test_what_joins_a_conversation_that_moved_on_keeps_its_ids(log: Log) -> None:
    context = log.after(log.write(HI, answer=HELLO))
    log.behind(context, MORE, answer=BYE, joins=True)
    late = log.behind(context, user("Late"), answer=said("Too late"), added=[system("Shout")], joins=True)
    now = log.conversation(late)
    assert now
    assert now.messages == [HI, HELLO, MORE, BYE, user("Late"), said("Too late")]
    assert log.ids(now)[-2:] == log.ids(log.after(late))[-2:]
    assert log.ids(now)[-1] == f"msg_{late.id}_0"
    assert log.found(log.ids(now)[-2:]) == now.messages[-2:]
