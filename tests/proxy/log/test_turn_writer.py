from __future__ import annotations

import json
from dataclasses import replace

import pytest
from llm import logs
from llm.logs import message_hash
from llm.parts import Message
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.turn_logs import TurnLog

from llm_gpt_oss.log.database import write_transaction
from proxy.generation import ThreadPosition
from proxy.log import llm_store
from proxy.log.fingerprint import prefix_hashes
from proxy.log.queries import load_turn
from proxy.log.thread_match import HashedPrompt
from proxy.log.turn import Turn

HI, MORE = user("Hi"), user("More")
HELLO = assistant(reasoning("Greet."), "Hello")


def test_only_new_messages_of_a_request_are_stored(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    second = log.write(HI, HELLO, MORE, answer=assistant("a"), metadata={"a": "b"})
    row = log.request(second)
    assert json.loads(row["request"]) == {"messages": [{"role": "user"}]}
    assert (row["continues"], json.loads(row["metadata"]), row["stored"]) == (2, {"a": "b"}, 0)


@pytest.mark.parametrize("body", ["[]", '{"prompt": "Hi"}', '{"messages": "Hi"}'])
def test_a_body_without_a_list_of_messages_is_stored_whole(log: TurnLog, body: str) -> None:
    row = log.request(log.write(HI, answer=HELLO, body=body))
    assert (json.loads(row["request"]), row["continues"]) == (json.loads(body), 0)


def test_instructions_put_before_a_request_are_not_part_of_its_body(log: TurnLog) -> None:
    log.write(system("Answer briefly."), HI, answer=HELLO)
    body = json.dumps({"messages": [1, 2, 3]})
    answer = assistant("a")
    second = log.write(system("Answer briefly."), HI, HELLO, MORE, answer=answer, body=body, sent=[3, 2, 1])
    assert json.loads(log.request(second)["request"]) == {"messages": [3]}


def test_a_turn_that_is_logged_twice_is_replaced(log: TurnLog) -> None:
    early = log.write(HI, status=500)
    late = replace(turn(HI, answer=HELLO), request=replace(early.request, status=200))
    late.response.id = early.id
    log.put(late)
    assert log.request(early)["status"] == 200
    assert log.store.thread_messages(log.thread_of(early)) == [HI, HELLO]
    assert log.db["threads"].count == 1


# Long tool lists, schemas and instructions

TOOLS = [{"type": "function", "name": f"tool_{number}", "description": "Looks. " * 9} for number in range(9)]


def test_a_long_field_is_stored_once(log: TurnLog) -> None:
    body = {"model": "gpt-oss", "messages": [1], "tools": TOOLS, "instructions": "Be brief."}
    turns = [log.write(user(str(n)), answer=HELLO, body=json.dumps(body), sent=[1]) for n in range(3)]
    assert json.loads(log.request(turns[0])["request"]) == {
        "model": "gpt-oss",
        "messages": [1],
        "instructions": "Be brief.",
    }
    assert log.db["gpt_oss_field_values"].count == 1
    for each in turns:
        logged = load_turn(log.store, each.id)
        assert logged
        assert logged.body == body


def test_a_turn_that_is_logged_twice_has_the_fields_of_its_last_body(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO, body=json.dumps({"tools": TOOLS, "text": {"format": TOOLS}}))
    repeated = turn(HI, answer=HELLO, body=json.dumps({"tools": TOOLS[1:]}))
    repeated.response.id = first.id
    log.put(repeated)
    logged = load_turn(log.store, first.id)
    assert logged
    assert logged.body == {"tools": TOOLS[1:]}


def test_a_body_from_before_fields_were_stored_apart(log: TurnLog) -> None:
    written = log.write(HI, answer=HELLO)
    log.db["gpt_oss_requests"].update(written.id, {"request": json.dumps({"tools": TOOLS})})
    logged = load_turn(log.store, written.id)
    assert logged
    assert logged.body == {"tools": TOOLS}


# What was computed when a turn began


@pytest.fixture
def hashed_messages(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    "The messages for which llm's hash was computed."
    hashed: list[Message] = []

    def counted(message: Message, parent: str | None) -> str:
        hashed.append(message)
        return message_hash(message, parent)

    for module in (logs, llm_store):
        monkeypatch.setattr(module, "message_hash", counted)
    return hashed


def begin(log: TurnLog, *messages: Message, answer: Message) -> tuple[Turn, HashedPrompt]:
    "A turn as the proxy logs it: its prompt has the message objects that the match returned."
    hashed = log.matcher.restore(messages, None)
    begun = turn(*hashed.messages, answer=answer)
    begun.response.prompt._explicit_messages = hashed.messages
    return begun, hashed


def test_messages_that_are_in_the_log_are_not_hashed_again(
    log: TurnLog, hashed_messages: list[Message]
) -> None:
    log.write(system("Be."), HI, answer=HELLO)
    hashed_messages.clear()
    second, hashed = begin(log, system("Be."), HI, assistant("Hello"), MORE, answer=assistant("Sure"))
    log.put(second, hashed)
    assert hashed_messages == [MORE, assistant("Sure")]
    thread = log.store.thread_messages(log.thread_of(second))
    assert thread == [system("Be."), HI, HELLO, MORE, assistant("Sure")]
    assert log.store.verify() == []


def test_changed_instructions_are_hashed(log: TurnLog) -> None:
    log.write(system("It is 9:00."), HI, answer=HELLO)
    second, hashed = begin(log, system("It is 9:05."), HI, assistant("Hello"), MORE, answer=assistant("Sure"))
    log.put(second, hashed)
    assert log.store.load_chain(tip(log, second))[0] == system("It is 9:05.")
    assert log.store.verify() == []


def test_another_turn_was_logged_meanwhile(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    begun = [begin(log, HI, assistant("Hello"), MORE, answer=assistant(text)) for text in ("a", "b")]
    for each, hashed in begun:
        log.put(each, hashed)
    (first, _), (second, _) = begun
    assert log.thread(second)["forked_from"] == log.thread_of(first)
    third, hashed = begin(log, HI, assistant("Hello"), MORE, assistant("b"), HI, answer=HELLO)
    log.put(third, hashed)
    assert log.thread_of(third) == log.thread_of(second)
    assert log.store.verify() == []


def test_the_conversation_was_deleted_meanwhile(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    second, hashed = begin(log, HI, assistant("Hello"), MORE, answer=assistant("Sure"))
    for table in ("gpt_oss_requests", "gpt_oss_request_fields", "turns", "threads", "parts", "messages"):
        with write_transaction(log.db.conn):
            log.db.conn.execute(f"delete from {table}")
    log.put(second, hashed)
    assert log.thread_of(second) != first.id
    assert log.store.load_chain(tip(log, second)) == [HI, HELLO, MORE, assistant("Sure")]
    assert log.store.verify() == []


def test_another_prompt_than_the_one_that_was_matched(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    _, hashed = begin(log, HI, assistant("Hello"), MORE, answer=assistant("Sure"))
    other = turn(HI, HELLO, user("Else"), answer=assistant("Sure"))
    log.put(other, hashed)
    assert log.store.load_chain(tip(log, other)) == [HI, HELLO, user("Else"), assistant("Sure")]
    assert log.request(other)["visible_tip"] == [*prefix_hashes([*other.prompt, *other.answer])][-1]


def tip(log: TurnLog, written: Turn) -> str:
    row: str = log.db["turns"].get(written.id)["tip_message_hash"]
    return row


@pytest.mark.parametrize(
    ("logged", "sent"),
    [
        pytest.param(
            [HI, assistant(" a "), assistant("b ")],
            [HI, assistant("a "), assistant("b")],
            id="answers that merge",
        ),
        pytest.param(
            [HI, assistant("a", "b")], [HI, assistant("a"), assistant("b")], id="one answer sent as two"
        ),
        pytest.param(
            [HI, assistant("a", call("1"))], [HI, assistant("a"), assistant(call("x"))], id="with a call"
        ),
    ],
)
@pytest.mark.parametrize(
    "new",
    [
        pytest.param([assistant(" c")], id="new answer"),
        pytest.param([MORE], id="new question"),
        pytest.param([assistant("c"), MORE], id="both"),
        pytest.param([result("x", "d")], id="new result"),
    ],
)
def test_the_row_is_the_same_as_if_nothing_had_been_computed_before(
    log: TurnLog, logged: list[Message], sent: list[Message], new: list[Message]
) -> None:
    log.write(*logged[:-1], answer=logged[-1])
    begun, hashed = begin(log, *sent, *new, answer=assistant("Done "))
    log.put(begun)
    row = log.request(begun)
    log.put(begun, hashed)
    assert log.request(begun) == row
    assert row["visible_tip"] == [*prefix_hashes([*begun.prompt, *begun.answer])][-1]


def test_a_restored_message_merges_with_one_that_the_client_wrote(log: TurnLog) -> None:
    log.write(HI, answer=assistant(" b", call("1")))
    begun, hashed = begin(
        log, MORE, assistant("a"), assistant("b", call("1")), result("1", "x"), answer=assistant("c")
    )
    log.put(begun, hashed)
    assert begun.prompt[2] == assistant(" b", call("1"))
    assert log.request(begun)["visible_tip"] == [*prefix_hashes([*begun.prompt, *begun.answer])][-1]


# Turns that failed


def end(log: TurnLog, written: Turn) -> list[Message]:
    "The conversation that `llm -c` continues."
    messages: list[Message] = log.store.thread_messages(log.thread_of(written))
    return messages


@pytest.mark.parametrize("status", [499, 500])
@pytest.mark.parametrize(
    "arrived", [None, assistant(reasoning("Hm")), assistant("Su")], ids=["nothing", "reasoning", "text"]
)
def test_a_failed_turn_is_not_the_end_of_its_thread(
    log: TurnLog, status: int, arrived: Message | None
) -> None:
    first = log.write(HI, answer=HELLO)
    failed = log.write(HI, HELLO, MORE, answer=arrived, status=status, error="gone")
    assert log.thread_of(failed) == log.thread_of(first)
    assert end(log, failed) == [HI, HELLO]
    repeated = log.write(HI, HELLO, MORE, answer=assistant("Sure"))
    assert log.thread_of(repeated) == log.thread_of(first)
    assert end(log, repeated) == [HI, HELLO, MORE, assistant("Sure")]


def test_a_client_that_keeps_a_part_of_an_answer_continues_the_thread(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=assistant("Su"), status=499, error="stopped")
    later = log.write(HI, HELLO, MORE, assistant("Su"), user("Go on"), answer=assistant("Sure"))
    assert log.thread_of(later) == log.thread_of(first)
    assert end(log, later) == [HI, HELLO, MORE, assistant("Su"), user("Go on"), assistant("Sure")]


def test_a_thread_whose_turns_all_failed_has_no_end(log: TurnLog) -> None:
    failed = log.write(HI, answer=assistant(call("1")), status=499, error="stopped")
    assert log.thread(failed)["tip_message_hash"] is None
    later = log.write(MORE, assistant(call("1")), result("1", "x"), answer=HELLO)
    assert end(log, later) == [MORE, assistant(call("1")), result("1", "x"), HELLO]


def test_a_failed_turn_is_not_the_end_of_a_fork(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=assistant("Sure"))
    position = ThreadPosition(log.thread_of(first), tip(log, first))
    failed = log.write(
        HI, HELLO, user("Else"), answer=assistant("O"), known=2, continues=position, status=499, error="gone"
    )
    assert log.thread(failed)["forked_from"] == log.thread_of(first)
    assert log.thread(failed)["tip_message_hash"] is None


def test_a_failed_turn_that_replaces_the_beginning_of_its_answer_leaves_the_thread_where_it_was(
    log: TurnLog,
) -> None:
    log.write(HI, answer=HELLO)
    begun = log.write(HI, HELLO, MORE, answer=assistant("Su"))
    failed = turn(HI, HELLO, MORE, answer=assistant("Sure, b"), status=502, error="gone")
    failed.response.id = begun.id
    log.put(failed)
    assert end(log, failed) == [HI, HELLO]
