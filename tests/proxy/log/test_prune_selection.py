from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import llm
import pytest
from llm.parts import AttachmentPart, Message, TextPart, ToolResultPart
from support.logged_turns import assistant, call, result, turn, user
from support.pruned_logs import TABLES, Log, opened

from llm_gpt_oss.errors import BadRequest
from proxy.log.turn import Turn

HI = user("Hi")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with opened(tmp_path / "logs.db") as log:
        yield log


# What goes, and what stays


def test_turns_that_were_not_deleted_stay(log: Log) -> None:
    kept = log.write(HI, answer=assistant("Hello"))
    log.mark(log.write(user("Another"), answer=assistant("Bye")))
    log.prune()
    assert log.rows("select id from turns") == [kept.id]
    assert log.store.load_chain(log.tip(kept)) == [HI, assistant("Hello")]
    assert log.counts() == [1, 1, 2, 2, 1, 1]


def test_a_turn_in_the_middle_of_a_thread(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    last = log.write(HI, assistant("Hello"), user("More"), answer=assistant("More"))
    log.mark(first)
    assert log.prune().shared_turns == 1
    assert log.counts() == [1, 1, 4, 4, 1, 1]
    assert log.rows("select tip_message_hash from threads") == [log.tip(last)]
    assert log.rows("select name from threads") == ["Hi"]
    log.mark(last)
    assert log.prune().shared_turns == 0
    assert log.counts() == [0] * 6


def test_a_turn_at_the_end_of_a_thread(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    log.mark(log.write(HI, assistant("Hello"), user("More"), answer=assistant("More")))
    assert log.prune().shared_turns == 0
    assert log.rows("select tip_message_hash, name from threads") == [(log.tip(first), "Hi")]
    assert log.counts() == [1, 1, 2, 2, 1, 1]
    repeated = log.write(HI, assistant("Hello"), user("Else"), answer=assistant("Else"))
    assert log.thread_of(repeated) == log.thread_of(first)


def test_two_of_three_turns(log: Log) -> None:
    thread_id = log.store.create_thread()
    first, second, third = (log.say(thread_id, user(text), answer=assistant(text)) for text in "abc")
    log.prune(turns=[third.id])
    assert log.store.thread_tip(thread_id) == log.tip(second)
    later = log.store.append(thread_id, [user("d")])
    log.prune(turns=[first.id])
    assert log.store.thread_tip(thread_id) == later


def test_a_thread_does_not_end_with_a_failed_turn(log: Log) -> None:
    thread_id = log.store.create_thread()
    good, failed, deleted = (log.say(thread_id, user(text), answer=assistant(text)) for text in "abc")
    for each, status in ((good, 200), (failed, 500), (deleted, 200)):
        log.add_request(each, status)
    log.mark(deleted)
    log.prune()
    assert log.rows("select tip_message_hash from threads") == [log.tip(good)]
    assert log.store.load_chain(log.tip(failed))[-1] == assistant("b")


def test_messages_after_the_last_turn(log: Log) -> None:
    "Messages that were added without a turn: they go with the turn that they follow, and stay with it."
    first, second = log.store.create_thread(), log.store.create_thread()
    kept = log.say(first, user("a"), answer=assistant("a"))
    later = log.store.append(first, [user("b")])
    log.say(second, user("c"), answer=assistant("c"))
    gone = log.say(second, user("d"), answer=assistant("d"))
    log.store.append(second, [user("e")])
    log.prune(turns=[gone.id])
    assert log.store.thread_tip(first) == later
    assert [each.parts[0] for each in log.store.thread_messages(second)] == [TextPart("c")] * 2
    log.prune(turns=[kept.id])
    assert log.rows("select id from threads") == [second]


def test_a_thread_without_turns_stays(log: Log) -> None:
    thread_id = log.store.create_thread()
    log.store.append(thread_id, [HI])
    log.mark(log.write(user("Another")))
    log.prune()
    assert log.store.thread_messages(thread_id) == [HI]


def test_forks(log: Log) -> None:
    old = log.write(HI, answer=assistant("Hello"))
    new = log.write(HI, answer=assistant("Ahoi"))
    log.write(HI, assistant("Hello"), user("More"), answer=assistant("a"))
    fork = log.write(HI, assistant("Hello"), user("Else"), answer=assistant("b"))
    assert log.rows("select forked_from from threads where id = ?", log.thread_of(fork)) == [
        log.thread_of(old)
    ]
    log.prune(threads=[log.thread_of(old)])
    assert log.rows("select id, forked_from from threads order by id") == [
        (log.thread_of(new), None),
        (log.thread_of(fork), None),
    ]
    assert log.store.load_chain(log.tip(fork)) == [HI, assistant("Hello"), user("Else"), assistant("b")]
    assert log.counts("messages") == [5]


def test_a_fork_that_has_no_turns_yet(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    fork = log.store.fork(log.tip(first), forked_from=log.thread_of(first))
    assert log.prune(turns=[first.id]).shared_turns == 1
    assert log.rows("select id, forked_from from threads") == [(fork, None)]
    assert log.store.thread_messages(fork) == [HI, assistant("Hello")]


def test_messages_that_no_row_refers_to(log: Log) -> None:
    "As a conversation's items are that were deleted, or a turn's that was logged anew."
    log.write(HI)
    log.store.ensure_chain([HI, user("Lost"), assistant("Found")])
    assert log.prune().rows["messages"] == 2
    assert log.counts("messages") == [1]


def test_a_thread_loses_its_name_with_the_turn_that_gave_it(log: Log) -> None:
    first = log.write(HI, answer=assistant(call("1")))
    rest = [assistant(call("1")), result("1", "fine"), user("Bye")]
    second = log.write(*rest, answer=assistant("Bye"))  # its client forgot the beginning
    assert log.thread_of(first) == log.thread_of(second)
    log.prune(turns=[first.id])
    assert log.rows("select id, name from threads") == [(log.thread_of(second), None)]


# Conversations


def test_a_conversation_keeps_its_turns(log: Log) -> None:
    thread_id = log.store.create_thread()
    log.run_conversation(thread_id)
    first, second = (log.say(thread_id, user(text), answer=assistant(text)) for text in "ab")
    log.store.append(thread_id, [user("c")])
    aside = turn(*log.store.load_chain(log.tip(first)), user("d"))
    tip = log.store.thread_tip(thread_id)
    log.store.log(aside.response, thread_id=thread_id)
    log.change("update threads set tip_message_hash = ?", [tip])
    assert log.prune(turns=[first.id], really=False).kept_turns == 1
    pruned = log.prune(turns=[first.id, second.id, aside.id])
    assert (pruned.kept_turns, pruned.shared_turns, pruned.rows["turns"], pruned.rows["messages"]) == (
        2,
        0,
        1,
        1,
    )
    assert log.rows("select id from turns order by id") == [first.id, second.id]
    assert log.store.thread_tip(thread_id) == tip
    assert log.prune(threads=[f"conv_{thread_id}"]).kept_turns == 0
    assert log.counts(*TABLES, "gpt_oss_conversations") == [0] * 7


def test_a_conversation_does_not_keep_turns_of_other_threads(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    fork = log.store.fork(log.tip(first))
    own = log.say(fork, user("More"))
    log.run_conversation(fork)
    assert log.prune(turns=[first.id, own.id]).kept_turns == 1
    assert log.rows("select id from turns") == [own.id]
    assert log.store.thread_messages(fork) == [HI, assistant("Hello"), user("More")]


def test_a_conversation_without_turns(log: Log) -> None:
    log.run_conversation(thread_id := log.store.create_thread())
    tip = log.store.append(thread_id, [user("Item")])
    failed = log.say(thread_id, user("More"))
    log.change("update threads set tip_message_hash = ?", [tip])
    log.prune(turns=[failed.id])
    assert log.counts("turns", "threads", "gpt_oss_conversations") == [0, 1, 1]
    assert log.store.thread_messages(thread_id) == [user("Item")]


def test_a_deleted_conversation(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    second = log.write(HI, assistant("Hello"), user("More"), answer=assistant("More"))
    log.store.append(thread_id := log.thread_of(first), [user("Item")])
    log.run_conversation(thread_id, deleted=True)
    log.run_conversation(log.store.create_thread(), deleted=True)
    log.mark(second)
    other = log.write(user("Another"))
    pruned = log.prune()
    assert (pruned.rows["turns"], pruned.rows["gpt_oss_conversations"], pruned.deleted_with_thread) == (
        2,
        2,
        1,
    )
    assert log.rows("select id from turns") == [other.id]
    assert log.counts(*TABLES, "gpt_oss_conversations") == [1, 1, 1, 1, 1, 1, 0]


def test_a_deleted_conversation_keeps_nothing(log: Log) -> None:
    first = log.write(HI, answer=assistant("Hello"))
    log.run_conversation(log.thread_of(first), deleted=True)
    log.prune(turns=[first.id])
    assert log.counts(*TABLES, "gpt_oss_conversations") == [0] * 7


# What turns and parts refer to


def picture(content: str) -> Message:
    attachment = llm.Attachment(type="image/png", content=content.encode())
    return Message("user", [TextPart("See"), AttachmentPart(attachment=attachment)])


def seen(content: str) -> Message:
    attachment = llm.Attachment(type="image/png", content=content.encode())
    return Message("tool", [ToolResultPart("look", "Seen", "1", attachments=[attachment])])


def test_attachments(log: Log) -> None:
    gone = log.write(picture("a"), assistant(call("1")), seen("b"), user("?"), answer=assistant("!"))
    log.write(picture("c"))
    shared = log.write(user("x"), picture("c"))
    log.db["attachments"].insert({"id": "loose", "content": b"d"})  # type: ignore[union-attr]
    pruned = log.prune(turns=[gone.id, shared.id])
    assert (pruned.rows["attachments"], pruned.rows["part_attachments"]) == (2, 3)
    assert sorted(log.rows("select content from attachments")) == [b"c", b"d"]


def test_an_attachment_that_llms_old_tables_use(log: Log) -> None:
    gone = log.write(picture("a"), picture("b"), picture("c"))
    first, second = log.rows("select id from attachments order by content limit 2")
    log.change("insert into responses (id) values ('r')")
    log.change("insert into prompt_attachments values ('r', ?, 0)", [first])
    log.change("insert into tool_results (id, response_id) values (1, 'r')")
    log.change("insert into tool_results_attachments values (1, ?, 0)", [second])
    assert log.prune(turns=[gone.id]).rows["attachments"] == 1
    assert sorted(log.rows("select content from attachments")) == [b"a", b"b"]


def with_fragments(log: Log, *contents: str) -> Turn:
    written = turn(user("\n".join([*contents, "?"])), answer=assistant("!"))
    written.response.prompt.fragments = [*contents]
    written.response.prompt.system_fragments = ["system"]
    log.store.log(written.response)
    return written


def test_fragments(log: Log) -> None:
    gone = with_fragments(log, "one", "two", "three", "four", "five")
    with_fragments(log, "two")
    ids = dict(log.rows("select content, id from fragments"))
    log.change("insert into responses (id) values ('r')")
    log.change("insert into fragment_aliases values ('alias', ?)", [ids["three"]])
    log.change("insert into prompt_fragments values ('r', ?, 0)", [ids["four"]])
    log.change("insert into system_fragments values ('r', ?, 0)", [ids["five"]])
    pruned = log.prune(turns=[gone.id])
    kept = {"two", "three", "four", "five", "system"}
    assert set(log.rows("select content from fragments")) == kept
    assert (pruned.rows["fragments"], pruned.rows["part_fragments"], pruned.rows["turn_fragments"]) == (
        1,
        5,
        6,
    )


def test_a_fragment_of_a_message_that_stays(log: Log) -> None:
    gone = with_fragments(log, "one")
    log.say(log.thread_of(gone), user("More"))
    log.prune(turns=[gone.id])
    assert log.rows("select content from fragments") == ["one"]
    assert log.rows("select count(*) from turn_fragments") == [0]


def test_schemas_and_tools(log: Log) -> None:
    def asked(text: str, *names: str) -> Turn:
        written = turn(user(text))
        written.response.prompt.schema = {"type": "object", "title": text}
        written.response.prompt.tools = [llm.Tool(name, "", {}) for name in names]
        log.store.log(written.response)
        return written

    gone, kept = asked("a", "one", "two"), asked("b", "two")
    for number, each in enumerate((gone, gone, kept), 1):
        log.change("insert into tool_instances (id, name) values (?, '')", [number])
        log.change("insert into tool_instantiations values (?, ?, ?)", [each.id, str(number), number])
    log.change("insert into tool_results (id, instance_id) values (1, 2)")
    pruned = log.prune(turns=[gone.id])
    assert [json.loads(each)["title"] for each in log.rows("select content from schemas")] == ["b"]
    assert log.rows("select name from tools") == ["two"]
    assert log.rows("select id from tool_instances") == [2, 3]
    assert [pruned.rows[table] for table in ("turn_tools", "tool_instantiations")] == [2, 2]


def test_our_own_rows(log: Log) -> None:
    kept = log.write(HI, answer=assistant(call("1"), call("2")))
    gone = log.write(user("x"), result("5", "fine"), answer=assistant(call("2"), call("3")))
    for each in (kept, gone):
        log.change("insert into gpt_oss_metadata (key, value, turn_id) values ('a', 'b', ?)", [each.id])
    thread = log.thread_of(kept)
    log.change("insert into gpt_oss_custom_calls values (?, ?, 'look')", *((thread, n) for n in "12345"))
    log.change("insert into gpt_oss_custom_calls values (?, '1', 'look')", [log.thread_of(gone)])
    log.prune(turns=[gone.id])
    assert log.rows("select turn_id from gpt_oss_metadata") == [kept.id]
    assert log.rows("select call_id, turn_id from gpt_oss_calls") == [("1", kept.id), ("2", kept.id)]
    assert log.rows("select thread_id, call_id from gpt_oss_custom_calls") == [(thread, n) for n in "124"]


def test_the_ids_of_deleted_items(log: Log) -> None:
    kept, gone = log.write(HI, answer=assistant("Hello")), log.write(user("Bye"), answer=assistant("Bye"))
    rows = [(log.thread_of(kept), log.tip(each), 0, each.id) for each in (kept, gone)]
    log.change("insert into gpt_oss_items values (?, ?, ?, ?)", *rows)
    log.prune(turns=[gone.id])
    assert log.rows("select item_id from gpt_oss_items") == [kept.id]
    log.prune(turns=[kept.id])
    assert log.counts("gpt_oss_items") == [0]


def test_tables_of_later_versions(log: Log) -> None:
    gone, kept = log.write(HI), log.write(user("x"))
    other = log.store.ensure_chain([user("y")])
    for table, column in (
        ("notes", "turn text references turns (id), thread text references threads (id)"),
        ("stars", "message text references messages (hash)"),
        ("gpt_oss_later", "thread_id text"),
    ):
        log.change(f"create table {table} (id integer primary key, {column})")
    log.change("create virtual table indexed using fts5 (turn_id)")
    log.change("insert into notes (turn, thread) values (?, ?)", [gone.id, None], [None, log.thread_of(gone)])
    log.change("insert into notes (turn) values (?)", [kept.id])
    log.change("insert into stars (message) values (?)", [other])
    log.change(
        "insert into gpt_oss_later (thread_id) values (?)", [log.thread_of(gone)], [log.thread_of(kept)]
    )
    log.prune(turns=[gone.id])
    assert log.rows("select turn from notes") == [kept.id]
    assert log.rows("select thread_id from gpt_oss_later") == [log.thread_of(kept)]
    assert set(log.rows("select hash from messages")) == {log.tip(kept), other}


def test_tables_with_odd_names(log: Log) -> None:
    gone, kept = log.write(HI), log.write(user("x"))
    other = log.store.ensure_chain([user("y")])
    log.change("""create table "a "" b" ("the "" turn" text references turns (id))""")
    log.change("""create table "star ""s" ("m "" 1" text references messages (hash))""")
    log.change("""create table "file ""s" ("f "" 1" text references attachments (id))""")
    log.change("""insert into "a "" b" values (?)""", [gone.id], [kept.id])
    log.change("""insert into "star ""s" values (?)""", [other])
    log.prune(turns=[gone.id])
    assert log.rows("""select * from "a "" b" """) == [kept.id]
    assert set(log.rows("select hash from messages")) == {log.tip(kept), other}


def test_llms_old_tables_are_not_written(log: Log) -> None:
    gone = log.write(HI)
    log.change("insert into conversations (id) values (?)", [log.thread_of(gone)])
    log.change(
        "insert into responses (id, conversation_id) values (?, null), ('r', ?)",
        [gone.id, log.thread_of(gone)],
    )
    assert log.prune(turns=[gone.id]).legacy_rows == 2
    assert log.counts("responses", "conversations") == [2, 1]


# The choice


def days(number: int) -> datetime:
    return datetime(2026, 8, 1, tzinfo=timezone.utc) - timedelta(days=number)


@pytest.fixture
def aged(log: Log) -> list[str]:
    "Turns of 1, 2 and 3 days before August 2026, and of nobody knows when; the first two are one thread."
    thread_id = log.store.create_thread()
    ids = []
    for number, thread in ((2, thread_id), (1, thread_id), (3, log.store.create_thread()), (0, "")):
        written = turn(user(str(number)))
        written.response._start_utcnow = days(number) if number else None
        log.store.log(written.response, thread_id=thread or None)
        ids.append(written.id)
    return [ids[1], ids[0], *ids[2:]]


@pytest.mark.parametrize(
    ("before", "left"),
    [
        pytest.param(days(0), [3], id="all that is dated"),
        pytest.param(days(1), [0, 3], id="not at that time"),
        pytest.param(days(1) + timedelta(seconds=1), [3], id="before that time"),
        pytest.param(days(2).astimezone(timezone(timedelta(hours=9))), [0, 1, 3], id="in another time zone"),
        pytest.param(days(9), [0, 1, 2, 3], id="nothing"),
    ],
)
def test_older_than(log: Log, aged: list[str], before: datetime, left: list[int]) -> None:
    log.prune(before=before)
    assert set(log.rows("select id from turns")) == {aged[each] for each in left}


def test_selected_threads_and_turns_that_are_older(log: Log, aged: list[str]) -> None:
    (thread_id,) = log.rows("select thread_id from turns where id = ?", aged[0])
    assert log.prune(threads=[thread_id], before=days(1)).rows["turns"] == 1
    assert log.prune(turns=aged[:1], before=days(2)).rows["turns"] == 0
    assert log.counts("turns", "threads") == [3, 3]
    log.run_conversation(thread_id)
    assert log.prune(threads=[thread_id], before=days(0)).kept_turns == 1
    assert log.counts("turns", "threads") == [3, 3]


def test_turns_and_threads_by_id(log: Log, aged: list[str]) -> None:
    (thread_id,) = log.rows("select thread_id from turns where id = ?", aged[0])
    assert log.prune(threads=[thread_id], turns=[aged[2]]).rows["turns"] == 3
    assert log.rows("select id from turns") == [aged[3]]


def test_nothing_is_selected(log: Log) -> None:
    log.write(HI)
    assert log.prune(turns=[], threads=[]).rows["turns"] == 0


@pytest.mark.parametrize("prefix", ["", "resp_", "chatcmpl-", "cmpl-"])
def test_ids_of_the_api(log: Log, prefix: str) -> None:
    first, second, other = log.write(HI), log.write(HI), log.write(HI)
    log.change("update gpt_oss_requests set answer_id = ?", [first.id])
    log.change("update gpt_oss_requests set answer_id = ? where turn_id = ?", [other.id, other.id])
    assert log.prune(turns=[prefix + second.id]).rows["turns"] == 1
    repeated = log.write(HI)
    log.change("update gpt_oss_requests set answer_id = ? where turn_id = ?", [first.id, repeated.id])
    assert log.prune(turns=[prefix + first.id]).rows["turns"] == 2
    assert log.rows("select id from turns") == [other.id]


@pytest.mark.parametrize("choice", [{"turns": ["x"]}, {"threads": ["x"]}])
def test_an_id_that_does_not_exist(log: Log, choice: dict[str, list[str]]) -> None:
    log.mark(log.write(HI))
    with pytest.raises(BadRequest, match=r"^The log has no (turn|thread) x\. `llm logs` shows the ids\.$"):
        log.prune(**choice)
    assert log.counts("turns") == [1]


def test_a_long_field_goes_with_the_last_request_that_has_it(log: Log) -> None:
    bodies = [json.dumps({"tools": ["x" * 500 + name]}) for name in ("shared", "shared", "own")]
    kept, *gone = (log.write(user(body), answer=assistant("a"), body=body) for body in bodies)
    log.mark(*gone)
    pruned = log.prune()
    assert (pruned.rows["gpt_oss_request_fields"], pruned.rows["gpt_oss_field_values"]) == (2, 1)
    assert log.rows("select turn_id from gpt_oss_request_fields") == [kept.id]
    assert log.rows("select value from gpt_oss_field_values") == [json.dumps(["x" * 500 + "shared"])]
