from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from support.logged_turns import MODEL, call, result, said, system, thought, turn, user

from llm_gpt_oss.turn.messages import tool_call_part
from proxy.log.database import open_log, write_transaction
from proxy.log.thread_match import ThreadMatcher
from proxy.log.turn import Turn
from proxy.log.turn_writer import TurnWriter


class Log:
    "A log in which turns are written as they come."

    def __init__(self, path: Path) -> None:
        self.store = open_log(path)
        self.writer = TurnWriter(self.store)

    def write(self, *messages: Message, **given: Any) -> Turn:
        written = turn(*messages, **given)
        self.put(written)
        return written

    def put(self, written: Turn) -> None:
        with write_transaction(self.store.db.conn):
            self.writer.write(written)

    def restored(self, *messages: Message, actor: str | None = None) -> list[Message]:
        return ThreadMatcher(self.store).history(messages, actor)

    def thread_of(self, written: Turn) -> str:
        thread_id: str = self.store.db["turns"].get(written.id)["thread_id"]
        return thread_id

    def thread(self, written: Turn) -> dict[str, Any]:
        row: dict[str, Any] = self.store.db["threads"].get(self.thread_of(written))
        return row

    def request(self, written: Turn) -> dict[str, Any]:
        row: dict[str, Any] = self.store.db["gpt_oss_requests"].get(written.id)
        return row


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "logs.db")
    yield log
    log.store.db.close()


HI, MORE = user("Hi"), user("More")
HELLO = said(thought("Greet."), "Hello")


def test_a_conversation_is_one_thread(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    prompt = log.restored(HI, said("Hello"), MORE)
    assert prompt == [HI, HELLO, MORE]
    second = log.write(*prompt, answer=said("Sure"))
    third = log.write(
        *log.restored(HI, said("Hello"), MORE, said(" Sure "), user("Last")), answer=said("Bye")
    )
    assert len({log.thread_of(each) for each in (first, second, third)}) == 1
    assert log.store.thread_messages(log.thread_of(third))[-2:] == [user("Last"), said("Bye")]
    assert log.store.verify() == []


def test_two_that_have_nothing_in_common(log: Log) -> None:
    first, second = log.write(HI, answer=HELLO), log.write(MORE, answer=HELLO)
    assert log.thread_of(first) != log.thread_of(second)
    assert log.thread(second)["forked_from"] is None


def test_asked_for_anew(log: Log) -> None:
    log.write(HI, answer=HELLO)
    second = log.write(HI, HELLO, MORE, answer=said("a"))
    anew = log.write(HI, HELLO, MORE, answer=said("b"))
    assert log.thread(anew)["forked_from"] == log.thread_of(second)
    assert log.thread(anew)["name"] == "Hi"
    later = log.write(HI, HELLO, MORE, said("b"), user("c"), answer=said("d"))
    assert log.thread_of(later) == log.thread_of(anew)
    earlier = log.write(HI, HELLO, MORE, said("a"), user("c"), answer=said("e"))
    assert log.thread_of(earlier) == log.thread_of(second)


def test_an_earlier_message_edited_forks_at_what_is_common(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=said("a"))
    assert log.restored(HI, said("Hello"), user("Else")) == [HI, HELLO, user("Else")]
    edited = log.write(HI, HELLO, user("Else"), answer=said("b"))
    assert log.thread(edited)["forked_from"] == log.thread_of(first)


def test_two_at_once_do_not_share_a_thread(log: Log) -> None:
    log.write(HI, answer=HELLO)
    one = turn(*log.restored(HI, said("Hello"), MORE), answer=said("a"))
    other = turn(*log.restored(HI, said("Hello"), MORE), answer=said("b"))
    log.put(one)
    log.put(other)
    assert log.thread(other)["forked_from"] == log.thread_of(one)


def test_the_same_answer_twice_goes_on_where_it_can(log: Log) -> None:
    first, second = log.write(HI, answer=HELLO), log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=said("a"))  # the later of the two
    third = log.write(HI, HELLO, MORE, answer=said("b"))
    assert {log.thread_of(first), log.thread_of(second)} >= {log.thread_of(third)}


def test_instructions_that_change(log: Log) -> None:
    first = log.write(system("It is 9:00."), HI, answer=HELLO)
    prompt = log.restored(system("It is 9:05."), HI, said("Hello"), MORE)
    assert prompt == [system("It is 9:05."), HI, HELLO, MORE]
    assert log.thread_of(log.write(*prompt, answer=said("a"))) == log.thread_of(first)


def test_the_same_words_under_two_instructions(log: Log) -> None:
    pirate = log.write(system("Pirate."), HI, answer=HELLO)
    log.write(system("Polite."), HI, answer=HELLO)
    more = log.write(system("Pirate."), HI, HELLO, MORE, answer=said("a"))
    assert log.thread_of(more) == log.thread_of(pirate)


def test_one_actor_does_not_go_on_for_another(log: Log) -> None:
    first = log.write(HI, answer=said(thought("Secret."), call("1")), actor="a")
    prompt = [HI, said(call("1")), result("1", "x")]
    assert log.restored(*prompt, actor="b") == prompt
    assert log.restored(*prompt, actor="a")[1] == said(thought("Secret."), call("1"))
    second = log.write(*prompt, answer=said("a"), actor="b")
    assert log.thread_of(first) != log.thread_of(second)


def test_a_call_keeps_its_id_and_its_reasoning(log: Log) -> None:
    called = said(thought("Look."), "Wait", tool_call_part("look", '{ "x": 1}', "1"))
    log.write(HI, answer=called)
    sent = [HI, said("Wait", call("mine", x=1)), result("mine", "y"), result("other", "z")]
    assert log.restored(*sent) == [HI, called, result("1", "y"), result("other", "z")]


# OpenAI's library for JavaScript keeps of a field that it does not know what the last chunk had.
SENT = [pytest.param([], id="dropped"), pytest.param([thought(".")], id="the end of it")]


@pytest.mark.parametrize("kept", SENT)
def test_reasoning_comes_back_by_the_call_where_history_was_trimmed(
    log: Log, kept: list[ReasoningPart]
) -> None:
    one, two = said(thought("One."), call("1")), said(thought("Two."), call("2"))
    log.write(HI, answer=one)
    log.write(HI, one, result("1", "x"), answer=two)
    trimmed = [
        user("Summary"),
        said(*kept, call("1")),
        result("1", "x"),
        said(*kept, call("2")),
        result("2", "y"),
    ]
    assert log.restored(*trimmed) == [trimmed[0], one, trimmed[2], two, trimmed[4]]


@pytest.mark.parametrize("kept", SENT)
def test_reasoning_comes_back_where_the_history_is_whole(log: Log, kept: list[ReasoningPart]) -> None:
    one = said(thought("One."), call("1"))
    log.write(HI, answer=one)
    assert log.restored(HI, said(*kept, call("1")), result("1", "x"))[1] == one


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(said(call("1", x=2)), id="other arguments"),
        pytest.param(said(call("3")), id="unknown id"),
        pytest.param(said(thought("Mine."), call("1", x=2)), id="its own reasoning, and other arguments"),
        pytest.param(said(call(None)), id="no id"),
    ],
)
def test_a_call_that_was_not_the_models(log: Log, message: Message) -> None:
    log.write(HI, answer=said(thought("One."), call("1")))
    assert log.restored(MORE, message, result("1", "x")) == [MORE, message, result("1", "x")]


def test_a_trimmed_history_joins_by_its_calls(log: Log) -> None:
    one, two = said(call("1")), said("Done")
    log.write(HI, answer=one)
    second = log.write(HI, one, result("1", "x"), answer=two)
    third = log.write(one, result("1", "x"), two, MORE, answer=said("a"))
    assert log.thread_of(third) == log.thread_of(second)
    old = log.write(one, result("1", "x"), said("Else"), MORE, answer=said("a"))
    assert log.thread_of(old) != log.thread_of(second)


def test_the_thread_went_on_without_us(log: Log) -> None:
    first = log.write(HI, answer=HELLO)
    thread_id = log.thread_of(first)
    shell = turn(HI, HELLO, user("shell"), answer=said(thought("Hm"), "yes"))
    log.store.log(shell.response, thread_id=thread_id)
    assert log.restored(HI, said("Hello"), user("shell"), said("yes"), MORE)[3] == said(thought("Hm"), "yes")
    knowing = log.write(HI, HELLO, user("shell"), said("yes"), MORE, answer=said("a"))
    assert log.thread_of(knowing) == thread_id
    ignorant = log.write(HI, HELLO, MORE, answer=said("b"))
    assert log.thread(ignorant)["forked_from"] == thread_id


@pytest.mark.parametrize("arrived", [None, said(thought("Hm"))])
def test_one_that_failed_is_asked_again(log: Log, arrived: Message | None) -> None:
    failed = log.write(HI, answer=arrived, status=503, error="down")
    assert log.restored(HI) == [HI]
    again = log.write(HI, answer=HELLO)
    assert log.thread_of(again) == log.thread_of(failed)


def test_a_conversation_goes_on_after_one_that_failed(log: Log) -> None:
    failed = log.write(HI, answer=said(thought("Hm")), status=499, error="left")
    assert log.restored(HI, MORE) == [HI, MORE]
    assert log.thread_of(log.write(HI, MORE, answer=HELLO)) == log.thread_of(failed)


def test_an_answer_that_broke_off_is_gone_on_from(log: Log) -> None:
    first = log.write(HI, answer=said(thought("Hm"), "Hel"), status=499)
    assert log.restored(HI, said("Hel"), MORE) == [HI, said(thought("Hm"), "Hel"), MORE]
    assert log.thread_of(log.write(HI, said("Hel"), MORE, answer=HELLO)) == log.thread_of(first)


def test_a_tool_loop_is_one_thread_although_another_like_it_broke_off(log: Log) -> None:
    log.write(HI, answer=said(call("1")))
    broken = log.write(HI, said(call("1")), result("1", "x"), status=499)
    called = log.write(HI, answer=said(thought("Two."), call("2")))
    prompt = log.restored(HI, said(call("2")), result("2", "x"))
    assert prompt == [HI, said(thought("Two."), call("2")), result("2", "x")]
    answered = log.write(*prompt, answer=HELLO)
    assert log.thread_of(answered) == log.thread_of(called)
    again = log.write(HI, said(call("1")), result("1", "x"), answer=HELLO)
    assert log.thread_of(again) == log.thread_of(broken)


def test_two_tool_loops_at_once_that_look_the_same(log: Log) -> None:
    one, other = log.write(HI, answer=said(call("1"))), log.write(HI, answer=said(call("2")))
    for called, id in ((one, "1"), (other, "2")):
        prompt = log.restored(HI, said(call(id)), result(id, "x"))
        assert log.thread_of(log.write(*prompt, answer=HELLO)) == log.thread_of(called)


def test_only_what_is_new_is_kept_of_a_request(log: Log) -> None:
    log.write(HI, answer=HELLO)
    second = log.write(HI, HELLO, MORE, answer=said("a"), metadata={"a": "b"})
    row = log.request(second)
    assert json.loads(row["request"]) == {"messages": [{"role": "user"}]}
    assert (row["continues"], json.loads(row["metadata"]), row["stored"]) == (2, {"a": "b"}, 0)


@pytest.mark.parametrize("body", ["[]", '{"prompt": "Hi"}', '{"messages": "Hi"}'])
def test_a_request_without_messages_is_kept_whole(log: Log, body: str) -> None:
    row = log.request(log.write(HI, answer=HELLO, body=body))
    assert (json.loads(row["request"]), row["continues"]) == (json.loads(body), 0)


def test_what_we_put_before_a_request_is_no_part_of_it(log: Log) -> None:
    log.write(system("Answer briefly."), HI, answer=HELLO)
    body = json.dumps({"messages": [1, 2, 3]})
    answer = said("a")
    second = log.write(system("Answer briefly."), HI, HELLO, MORE, answer=answer, body=body, sent=[3, 2, 1])
    assert json.loads(log.request(second)["request"]) == {"messages": [3]}


def test_a_turn_is_logged_anew(log: Log) -> None:
    early = log.write(HI, status=500)
    late = replace(turn(HI, answer=HELLO), request=replace(early.request, status=200))
    late.response.id = early.id
    log.put(late)
    assert log.request(early)["status"] == 200
    assert log.store.thread_messages(log.thread_of(early)) == [HI, HELLO]
    assert log.store.db["threads"].count == 1


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        ([system("Be " * 1000), user("Hi\n  there")], "Hi there"),
        ([user("x" * 61)], "x" * 59 + "…"),
        ([said("Hi")], ""),
        ([user("x" * 60)], "x" * 60),
        ([user("<context>\n <cwd>/</cwd>\n</context>"), user("Hi")], "Hi"),
        ([user("# AGENTS.md for /\n\n<INSTRUCTIONS>\nBe.\n</INSTRUCTIONS>\n"), user("Hi")], "Hi"),
        ([user("<p>Mend</p> this"), user("Hi")], "<p>Mend</p> this"),
        ([user("<task>Hi</task>")], "<task>Hi</task>"),
    ],
)
def test_the_name_is_what_the_user_said_first(log: Log, messages: list[Message], name: str) -> None:
    assert log.thread(log.write(*messages, answer=HELLO))["name"] == name


def test_ids_are_below_every_id_of_llm(log: Log) -> None:
    ids = [log.thread_of(log.write(user(str(n)), answer=HELLO)) for n in range(3)]
    shell = turn(HI, answer=HELLO)
    log.store.log(shell.response)
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {26}
    assert max(ids) < log.thread_of(shell)


# What a model said and tools answered, and what a client makes of it.

TEXT = st.sampled_from(["a", "Say\n\nmore", "é {}"])
ARGUMENTS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3) | TEXT, max_size=2)


@st.composite
def agents(draw: st.DrawFn) -> list[Message]:
    "A conversation with calls, as the model wrote it: it ends with a result or a question."
    messages = [user(draw(TEXT))]
    for number in range(draw(st.integers(1, 3))):
        preamble = [TextPart(draw(TEXT))] if draw(st.booleans()) else []
        written = json.dumps(draw(ARGUMENTS), indent=draw(st.sampled_from([None, 1])))
        made = tool_call_part("look", written, f"call_{number}")
        messages += [said(thought(draw(TEXT)), *preamble, made), result(made.tool_call_id, draw(TEXT))]
        if draw(st.booleans()):
            messages += [said(thought(draw(TEXT)), draw(TEXT)), user(draw(TEXT))]
    return messages


@st.composite
def dropped(draw: st.DrawFn, messages: Sequence[Message]) -> list[Message]:
    "What a client keeps: it may lose reasoning, rename ids and write arguments its own way."
    rename = draw(st.sampled_from(["", "mine_"]))
    keep, pad = draw(st.booleans()), draw(st.sampled_from(["", " ", "\n"]))
    kept = []
    for message in messages:
        parts = []
        for part in message.parts:
            match part:
                case ReasoningPart() if not keep:
                    continue
                case ToolCallPart(name=name, arguments=arguments, tool_call_id=call_id):
                    part = tool_call_part(name, json.dumps(arguments), f"{rename}{call_id}")
                case ToolResultPart(tool_call_id=call_id):
                    part = replace(part, tool_call_id=f"{rename}{call_id}")
                case TextPart(text=text) if message.role == "assistant":
                    part = TextPart(pad + text + pad if len(message.parts) == 2 else text)
            parts.append(part)
        kept.append(Message(message.role, parts))
    return kept


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    "A fresh log to copy: making one takes long."
    path = tmp_path_factory.mktemp("log") / "empty.db"
    open_log(path).db.close()
    return path


@settings(max_examples=40)
@given(st.data())
def test_the_model_is_asked_the_same_whatever_a_client_drops(empty: Path, data: st.DataObject) -> None:
    whole = data.draw(agents())
    log = Log(Path(shutil.copy(empty, empty.with_name("logs.db"))))
    for end in [n for n, message in enumerate(whole) if message.role == "assistant"]:
        log.write(*whole[:end], answer=whole[end])
    restored = log.restored(*data.draw(dropped(whole)))
    assert prompt_of(restored) == prompt_of(whole)
    assert restored == whole
    assert log.store.db["threads"].count == 1
    log.store.db.close()


def prompt_of(messages: Sequence[Message]) -> str:
    prompt = MODEL.prompt(messages=list(messages)).prompt
    asked, _ = MODEL.start_turn(prompt, stream=False, date="2026-08-01")
    completion = asked.next_completion()
    assert completion
    return completion.prompt
