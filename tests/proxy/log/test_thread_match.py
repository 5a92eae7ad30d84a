from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from support.logged_turns import MODEL, assistant, call, reasoning, result, system, turn, user
from support.turn_logs import TurnLog

from llm_gpt_oss.turn.messages import tool_call_part
from proxy.log import thread_match
from proxy.log.database import open_log
from proxy.log.thread_match import hash_prompt

HI, MORE = user("Hi"), user("More")
HELLO = assistant(reasoning("Greet."), "Hello")


def test_a_conversation_is_one_thread(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    prompt = log.restore(HI, assistant("Hello"), MORE)
    assert prompt == [HI, HELLO, MORE]
    second = log.write(*prompt, answer=assistant("Sure"))
    third = log.write(
        *log.restore(HI, assistant("Hello"), MORE, assistant(" Sure "), user("Last")), answer=assistant("Bye")
    )
    assert len({log.thread_of(each) for each in (first, second, third)}) == 1
    assert log.store.thread_messages(log.thread_of(third))[-2:] == [user("Last"), assistant("Bye")]
    assert log.store.verify() == []


@pytest.mark.parametrize("known", [0, 10, 100])
@pytest.mark.parametrize("unknown", [1, 15, 16, 17, 200])
def test_long_histories(log: TurnLog, known: int, unknown: int) -> None:
    earlier = [message for n in range(known) for message in (user(str(n)), assistant(call(str(n))))]
    first = log.write(*earlier, HI, answer=assistant(reasoning("Look."), call("1")))
    more = [message for n in range(unknown) for message in (result("1", str(n)), assistant(call("1", x=n)))]
    sent = [*earlier, HI, assistant(call("1")), *more, MORE]
    assert log.restore(*sent) == [*earlier, HI, assistant(reasoning("Look."), call("1")), *more, MORE]
    body = json.dumps({"messages": [*range(len(sent))]})
    second = log.write(*log.restore(*sent), answer=HELLO, body=body)
    assert log.thread_of(second) == log.thread_of(first)
    assert log.request(second)["continues"] == len(earlier) + 2


def test_unrelated_conversations_are_two_threads(log: TurnLog) -> None:
    first, second = log.write(HI, answer=HELLO), log.write(MORE, answer=HELLO)
    assert log.thread_of(first) != log.thread_of(second)
    assert log.thread(second)["forked_from"] is None


def test_another_answer_to_the_same_question_forks(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    second = log.write(HI, HELLO, MORE, answer=assistant("a"))
    anew = log.write(HI, HELLO, MORE, answer=assistant("b"))
    assert log.thread(anew)["forked_from"] == log.thread_of(second)
    assert log.thread(anew)["name"] == "Hi"
    later = log.write(HI, HELLO, MORE, assistant("b"), user("c"), answer=assistant("d"))
    assert log.thread_of(later) == log.thread_of(anew)
    earlier = log.write(HI, HELLO, MORE, assistant("a"), user("c"), answer=assistant("e"))
    assert log.thread_of(earlier) == log.thread_of(second)


def test_an_edited_message_forks_after_the_common_messages(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=assistant("a"))
    assert log.restore(HI, assistant("Hello"), user("Else")) == [HI, HELLO, user("Else")]
    edited = log.write(HI, HELLO, user("Else"), answer=assistant("b"))
    assert log.thread(edited)["forked_from"] == log.thread_of(first)


def test_two_at_once_do_not_share_a_thread(log: TurnLog) -> None:
    log.write(HI, answer=HELLO)
    one = turn(*log.restore(HI, assistant("Hello"), MORE), answer=assistant("a"))
    other = turn(*log.restore(HI, assistant("Hello"), MORE), answer=assistant("b"))
    log.put(one)
    log.put(other)
    assert log.thread(other)["forked_from"] == log.thread_of(one)


def test_after_two_equal_answers_the_thread_that_can_continue_does(log: TurnLog) -> None:
    first, second = log.write(HI, answer=HELLO), log.write(HI, answer=HELLO)
    log.write(HI, HELLO, MORE, answer=assistant("a"))  # the later of the two
    third = log.write(HI, HELLO, MORE, answer=assistant("b"))
    assert {log.thread_of(first), log.thread_of(second)} >= {log.thread_of(third)}


def test_changed_instructions_stay_in_the_thread(log: TurnLog) -> None:
    first = log.write(system("It is 9:00."), HI, answer=HELLO)
    prompt = log.restore(system("It is 9:05."), HI, assistant("Hello"), MORE)
    assert prompt == [system("It is 9:05."), HI, HELLO, MORE]
    assert log.thread_of(log.write(*prompt, answer=assistant("a"))) == log.thread_of(first)


def test_equal_messages_after_different_instructions_are_two_threads(log: TurnLog) -> None:
    pirate = log.write(system("Pirate."), HI, answer=HELLO)
    log.write(system("Polite."), HI, answer=HELLO)
    more = log.write(system("Pirate."), HI, HELLO, MORE, answer=assistant("a"))
    assert log.thread_of(more) == log.thread_of(pirate)


def test_an_actor_does_not_continue_a_thread_of_another(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant(reasoning("Secret."), call("1")), actor="a")
    prompt = [HI, assistant(call("1")), result("1", "x")]
    assert log.restore(*prompt, actor="b") == prompt
    assert log.restore(*prompt, actor="a")[1] == assistant(reasoning("Secret."), call("1"))
    second = log.write(*prompt, answer=assistant("a"), actor="b")
    assert log.thread_of(first) != log.thread_of(second)


def test_a_call_is_restored_with_its_id_and_reasoning(log: TurnLog) -> None:
    called = assistant(reasoning("Look."), "Wait", tool_call_part("look", '{ "x": 1}', "1"))
    log.write(HI, answer=called)
    sent = [HI, assistant("Wait", call("mine", x=1)), result("mine", "y"), result("other", "z")]
    assert log.restore(*sent) == [HI, called, result("1", "y"), result("other", "z")]


def test_a_restored_message_changes_the_hash_of_the_one_that_merges_with_it(log: TurnLog) -> None:
    log.write(HI, answer=assistant("Wait ", call("1")))
    restored = log.matcher.restore([MORE, assistant("Wait", call("1")), assistant("a while")], None)
    assert restored.messages[1] == assistant("Wait ", call("1"))
    assert restored.prefix_hashes == hash_prompt(restored.messages).prefix_hashes


# OpenAI's library for JavaScript keeps the last chunk's value of a field that it does not know.
SENT = [pytest.param([], id="dropped"), pytest.param([reasoning(".")], id="the end of it")]


@pytest.mark.parametrize("kept", SENT)
def test_reasoning_is_restored_by_call_id_in_a_trimmed_history(
    log: TurnLog, kept: list[ReasoningPart]
) -> None:
    one, two = assistant(reasoning("One."), call("1")), assistant(reasoning("Two."), call("2"))
    log.write(HI, answer=one)
    log.write(HI, one, result("1", "x"), answer=two)
    trimmed = [
        user("Summary"),
        assistant(*kept, call("1")),
        result("1", "x"),
        assistant(*kept, call("2")),
        result("2", "y"),
    ]
    assert log.restore(*trimmed) == [trimmed[0], one, trimmed[2], two, trimmed[4]]


@pytest.mark.parametrize("kept", SENT)
def test_reasoning_is_restored_in_a_complete_history(log: TurnLog, kept: list[ReasoningPart]) -> None:
    one = assistant(reasoning("One."), call("1"))
    log.write(HI, answer=one)
    assert log.restore(HI, assistant(*kept, call("1")), result("1", "x"))[1] == one


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(assistant(call("1", x=2)), id="other arguments"),
        pytest.param(assistant(call("3")), id="unknown id"),
        pytest.param(
            assistant(reasoning("Mine."), call("1", x=2)), id="its own reasoning, and other arguments"
        ),
        pytest.param(assistant(call(None)), id="no id"),
    ],
)
def test_a_call_that_the_model_did_not_make_stays_as_sent(log: TurnLog, message: Message) -> None:
    log.write(HI, answer=assistant(reasoning("One."), call("1")))
    assert log.restore(MORE, message, result("1", "x")) == [MORE, message, result("1", "x")]


def test_a_trimmed_history_joins_its_thread_by_a_call(log: TurnLog) -> None:
    one, two = assistant(call("1")), assistant("Done")
    log.write(HI, answer=one)
    second = log.write(HI, one, result("1", "x"), answer=two)
    third = log.write(one, result("1", "x"), two, MORE, answer=assistant("a"))
    assert log.thread_of(third) == log.thread_of(second)
    old = log.write(one, result("1", "x"), assistant("Else"), MORE, answer=assistant("a"))
    assert log.thread_of(old) != log.thread_of(second)


def test_a_thread_that_another_program_continued(log: TurnLog) -> None:
    first = log.write(HI, answer=HELLO)
    thread_id = log.thread_of(first)
    shell = turn(HI, HELLO, user("shell"), answer=assistant(reasoning("Hm"), "yes"))
    log.store.log(shell.response, thread_id=thread_id)
    prompt = log.restore(HI, assistant("Hello"), user("shell"), assistant("yes"), MORE)
    assert prompt == [HI, HELLO, user("shell"), assistant(reasoning("Hm"), "yes"), MORE]
    knowing = log.write(HI, HELLO, user("shell"), assistant("yes"), MORE, answer=assistant("a"))
    assert log.thread_of(knowing) == thread_id
    ignorant = log.write(HI, HELLO, MORE, answer=assistant("b"))
    assert log.thread(ignorant)["forked_from"] == thread_id


@pytest.mark.parametrize("arrived", [None, assistant(reasoning("Hm"))])
def test_a_failed_turn_that_is_requested_again_stays_in_its_thread(
    log: TurnLog, arrived: Message | None
) -> None:
    failed = log.write(HI, answer=arrived, status=503, error="down")
    assert log.restore(HI) == [HI]
    repeated = log.write(HI, answer=HELLO)
    assert log.thread_of(repeated) == log.thread_of(failed)


def test_a_conversation_continues_after_a_failed_turn(log: TurnLog) -> None:
    failed = log.write(HI, answer=assistant(reasoning("Hm")), status=499, error="left")
    assert log.restore(HI, MORE) == [HI, MORE]
    assert log.thread_of(log.write(HI, MORE, answer=HELLO)) == log.thread_of(failed)


def test_a_conversation_continues_after_an_answer_that_broke_off(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant(reasoning("Hm"), "Hel"), status=499)
    assert log.restore(HI, assistant("Hel"), MORE) == [HI, assistant(reasoning("Hm"), "Hel"), MORE]
    assert log.thread_of(log.write(HI, assistant("Hel"), MORE, answer=HELLO)) == log.thread_of(first)


def test_a_tool_loop_is_one_thread_although_an_equal_one_broke_off(log: TurnLog) -> None:
    log.write(HI, answer=assistant(call("1")))
    broken = log.write(HI, assistant(call("1")), result("1", "x"), status=499)
    called = log.write(HI, answer=assistant(reasoning("Two."), call("2")))
    prompt = log.restore(HI, assistant(call("2")), result("2", "x"))
    assert prompt == [HI, assistant(reasoning("Two."), call("2")), result("2", "x")]
    answered = log.write(*prompt, answer=HELLO)
    assert log.thread_of(answered) == log.thread_of(called)
    repeated = log.write(HI, assistant(call("1")), result("1", "x"), answer=HELLO)
    assert log.thread_of(repeated) == log.thread_of(broken)


def test_two_equal_tool_loops_at_once_stay_apart(log: TurnLog) -> None:
    one, other = log.write(HI, answer=assistant(call("1"))), log.write(HI, answer=assistant(call("2")))
    for called, id in ((one, "1"), (other, "2")):
        prompt = log.restore(HI, assistant(call(id)), result(id, "x"))
        assert log.thread_of(log.write(*prompt, answer=HELLO)) == log.thread_of(called)


# Conversations as a model and its tools wrote them, and as a client sends them back.

TEXT = st.sampled_from(["a", "Say\n\nmore", "é {}"])
ARGUMENTS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3) | TEXT, max_size=2)


@st.composite
def agent_conversations(draw: st.DrawFn) -> list[Message]:
    "A conversation with tool calls, as the model wrote it. It ends with a result or a question."
    messages = [user(draw(TEXT))]
    for number in range(draw(st.integers(1, 3))):
        preamble = [TextPart(draw(TEXT))] if draw(st.booleans()) else []
        written = json.dumps(draw(ARGUMENTS), indent=draw(st.sampled_from([None, 1])))
        made = tool_call_part("look", written, f"call_{number}")
        messages += [assistant(reasoning(draw(TEXT)), *preamble, made), result(made.tool_call_id, draw(TEXT))]
        if draw(st.booleans()):
            messages += [assistant(reasoning(draw(TEXT)), draw(TEXT)), user(draw(TEXT))]
    return messages


@st.composite
def sent_by_client(draw: st.DrawFn, messages: Sequence[Message]) -> list[Message]:
    "The conversation as a client sends it: without reasoning, with other ids, arguments written its own way."
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
    "A new log to copy, since creating one takes long."
    path = tmp_path_factory.mktemp("log") / "empty.db"
    open_log(path).db.close()
    return path


@settings(max_examples=40)
@given(st.data())
def test_the_prompt_is_the_same_whatever_a_client_drops(empty: Path, data: st.DataObject) -> None:
    whole = data.draw(agent_conversations())
    log = TurnLog(Path(shutil.copy(empty, empty.with_name("logs.db"))))
    for end in [n for n, message in enumerate(whole) if message.role == "assistant"]:
        log.write(*whole[:end], answer=whole[end])
    restored = log.restore(*data.draw(sent_by_client(whole)))
    assert prompt_of(restored) == prompt_of(whole)
    assert restored == whole
    assert log.db["threads"].count == 1
    log.db.close()


def prompt_of(messages: Sequence[Message]) -> str:
    prompt = MODEL.prompt(messages=list(messages)).prompt
    asked, _ = MODEL.start_turn(prompt, stream=False, date="2026-08-01")
    completion = asked.next_completion()
    assert completion
    return completion.prompt


def test_reasoning_is_looked_for_in_a_few_threads(log: TurnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [str(number) for number in range(5)]
    for number in numbers:
        log.write(user(number), answer=assistant(reasoning("Hm"), call(number)))
    monkeypatch.setattr(thread_match, "MAX_THREADS", 3)
    sent = [message for number in numbers for message in (assistant(call(number)), result(number, "x"))]
    restored = log.restore(user("All"), *sent, MORE)
    has_reasoning = [isinstance(m.parts[0], ReasoningPart) for m in restored if m.role == "assistant"]
    assert has_reasoning == [False, False, True, True, True]
