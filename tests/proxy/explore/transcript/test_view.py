from __future__ import annotations

import json
from typing import Any

import llm
import pytest
from llm.parts import Message, ToolCallPart, ToolResultPart
from support.growth import assert_linear
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.turn_logs import TurnLog

from proxy.explore.transcript.blocks import Block
from proxy.explore.transcript.exchanges import ReadOnlyLog, read_conversation
from proxy.explore.transcript.turn_summary import LoggedNote
from proxy.explore.transcript.view import PAGE, View, view
from proxy.log.queries import load_chain
from proxy.log.turn import Turn

HI, HELLO = user("Hi"), assistant("Hello")


def shown(log: TurnLog, turn: Turn, page: int | None = None, *, focus: bool = True) -> View:
    tip = log.db["turns"].get(turn.id)["tip_message_hash"]
    store = ReadOnlyLog(log.db.conn)
    focused = turn.id if focus else None
    conversation = read_conversation(store, load_chain(store, tip), log.thread_of(turn), focused)
    return view(store, conversation, page, focused)


def kinds(blocks: Any) -> list[tuple[str, str]]:
    return [(block.kind, block.title) for block in blocks]


def with_notes(log: TurnLog, turn: Turn, *notes: LoggedNote) -> None:
    found = [{"kind": note.kind, "text": note.text, "raw": note.raw} for note in notes]
    log.db["turns"].update(turn.id, {"response_json": json.dumps({"outcome": {"notes": found}})})


def test_who_said_what(log: TurnLog) -> None:
    first = log.write(system("Be brief"), HI, answer=assistant(reasoning("Hm."), call("c1")))
    history = [HI, assistant(reasoning("Hm."), call("c1")), result("c1", "blue")]
    second = log.write(system("Be brief"), *history, answer=assistant("Blue"))
    page = shown(log, second)
    assert kinds(page.instructions) == [("said", "Instructions")]
    assert [exchange.number for exchange in page.exchanges] == [1, 2]
    assert [exchange.summary and exchange.summary.id for exchange in page.exchanges] == [first.id, second.id]
    assert [exchange.is_focus for exchange in page.exchanges] == [False, True]
    assert [kinds(exchange.blocks) for exchange in page.exchanges] == [
        [("said", "User"), ("thought", "Reasoning"), ("called", "look")],
        [("said", "Answer")],
    ]
    (answered,) = page.exchanges[0].blocks[2].results
    assert "blue" in answered.html


def test_the_result_of_the_last_call_comes_with_the_next_turn(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant(call("c1")))
    log.write(HI, assistant(call("c1")), result("c1", "blue"), answer=assistant("Blue"))
    page = shown(log, first)
    assert kinds(page.exchanges[0].blocks) == [
        ("said", "User"),
        ("called", "look"),
        ("branches", "What came next"),
    ]
    assert "blue" in page.exchanges[0].blocks[1].results[0].html


def test_lines_of_arguments_are_lines(log: TurnLog) -> None:
    turn = log.write(HI, answer=assistant(call("c1", path="a.py", text="a\nb"), call("c2", text="a\nb")))
    both, only = shown(log, turn).exchanges[0].blocks[1:]
    assert "a.py" in both.html
    assert [argument.name for argument in both.long] == ["text"]
    assert "a\nb" in both.long[0].html
    assert (only.html, len(only.long)) == ("", 1)


def test_arguments_that_are_no_object(log: TurnLog) -> None:
    odd = ToolCallPart("look", ["a\nb"], "c1")  # type: ignore[arg-type]
    turn = log.write(HI, answer=assistant(odd))
    (block,) = shown(log, turn).exchanges[0].blocks[1:]
    assert ("[\n  " in block.html, block.long) == (True, [])


def test_files_that_a_tool_returned(log: TurnLog) -> None:
    image = llm.Attachment(type="image/png", content=b"1234")
    returned = Message("tool", [ToolResultPart("look", "See", "c1", attachments=[image])])
    turn = log.write(HI, assistant(call("c1")), returned, answer=HELLO)
    (result,) = shown(log, turn).exchanges[0].blocks[1].results
    assert "<p>Attachment, image/png, 4 bytes</p>" in result.html


def test_notes_are_next_to_what_they_are_about(log: TurnLog) -> None:
    turn = log.write(HI, answer=assistant("Let me see.", call("c1", "one"), call("c2", "two")))
    with_notes(
        log,
        turn,
        LoggedNote("truncated", "Two turns left out."),
        LoggedNote("repaired", "The arguments of two were repaired: quotes", "{'"),
        LoggedNote("asked_again", "Something"),
        LoggedNote("length", "Cut."),
    )
    (exchange,) = shown(log, turn).exchanges
    assert kinds(exchange.blocks) == [
        ("said", "User"),
        ("notes", "Notes"),
        ("said", "Answer"),
        ("called", "one"),
        ("called", "two"),
    ]
    notes = [[note.kind for note in block.notes] for block in exchange.blocks]
    assert notes == [[], ["truncated"], [], ["asked_again"], ["repaired"]]
    assert "{&#39;" in (exchange.blocks[4].notes[0].raw or "")
    assert "<code>max_tokens</code>" in exchange.notes[0].meaning


def test_a_note_about_a_call_that_was_dropped(log: TurnLog) -> None:
    turn = log.write(HI, answer=HELLO)
    with_notes(
        log,
        turn,
        LoggedNote("call_dropped", "A call of x was left out."),
        LoggedNote("a kind of later", "Why"),
    )
    notes = shown(log, turn).exchanges[0].notes
    assert [(note.kind, note.meaning == note.kind) for note in notes] == [
        ("call_dropped", False),
        ("a kind of later", True),
    ]


def test_tools_and_origin_are_shown_where_they_change(log: TurnLog) -> None:
    messages, turns = [HI], []
    for n, client in enumerate(("curl", "curl", "other")):
        turns.append(log.write(*messages, answer=assistant(str(n)), client=client))
        messages += [assistant(str(n)), user(f"More {n}")]
    log.db["tools"].insert({"id": 1, "name": "look", "input_schema": "{}"})
    for turn in turns[1:]:
        log.db["turn_tools"].insert({"turn_id": turn.id, "tool_id": 1})
    whole = shown(log, turns[-1], focus=False).exchanges
    assert [len(exchange.tools) for exchange in whole] == [0, 1, 0]
    assert [dict(exchange.origin).get("App") for exchange in whole] == ["curl", None, "other"]
    focused = shown(log, turns[-1]).exchanges[-1]
    assert (len(focused.tools), dict(focused.origin)["App"]) == (1, "other")


def test_pages_of_a_long_conversation(log: TurnLog) -> None:
    messages = [system("Be"), *(user(str(n)) for n in range(2 * PAGE + 10))]
    turn = log.write(*messages, answer=HELLO)

    def texts(page: int | None) -> list[Block]:
        return [block for exchange in shown(log, turn, page).exchanges for block in exchange.blocks]

    assert [len(texts(page)) for page in (1, 2, 3, None)] == [PAGE, PAGE, 11, 11]
    assert [kinds(shown(log, turn, page).instructions) for page in (1, 3)] == [[("said", "Instructions")]] * 2
    pages = shown(log, turn, 2).pages
    assert (pages.number, pages.first_message, pages.last_message, pages.messages) == (2, 102, 201, 212)
    assert (pages.earlier, pages.later) == (1, 3)
    first, last = shown(log, turn, -5).pages, shown(log, turn, 99).pages
    assert (first.number, first.earlier, last.number, last.later) == (1, None, 3, None)


def test_turns_of_other_pages_keep_their_numbers(log: TurnLog) -> None:
    messages = []
    for n in range(PAGE):
        messages.append(user(str(n)))
        turn = log.write(*messages, answer=assistant(str(n)))
        messages.append(assistant(str(n)))
    assert [exchange.number for exchange in shown(log, turn, 2).exchanges] == [*range(51, 101)]


def test_a_turn_that_failed_at_once_is_where_its_prompt_ends(log: TurnLog) -> None:
    for _ in range(2):
        turn = log.write(*(user(str(n)) for n in range(PAGE)), status=503, error="Down")
    log.db.execute("update turns set thread_id = ?", [log.thread_of(turn)])
    assert [len(shown(log, turn, page).exchanges) for page in (1, 2)] == [2, 2]


def test_a_conversation_without_messages(log: TurnLog) -> None:
    store = ReadOnlyLog(log.db.conn)
    page = view(store, read_conversation(store, [], None), None)
    assert (page.exchanges, page.instructions, page.pages.last) == ([], [], 1)


def test_the_requested_turn_is_rendered_first(log: TurnLog) -> None:
    "Later texts may be more than a page can show."
    earlier = [message for n in range(40) for message in (user(f"{n}" + "a" * 90_000), assistant("b"))]
    turn = log.write(*earlier, answer=None)
    last = log.write(*earlier, user("c" * 60_000), answer=HELLO)
    (exchange,) = (each for each in shown(log, last).exchanges if each.is_focus)
    assert "c" * 60_000 in exchange.blocks[0].html
    assert "more characters" in str([each.blocks for each in shown(log, last).exchanges])
    assert turn.id != last.id


@pytest.mark.parametrize("unit", ["[", "a\n\n", "|a\n", "x"])
def test_linear_time(log: TurnLog, unit: str) -> None:
    def written(size: int) -> str:
        messages = [user(f"{size} {n} {unit * 20}") for n in range(size // 100)]
        return log.write(*messages, answer=HELLO).id

    def show(turn_id: str) -> None:
        row = log.db["turns"].get(turn_id)
        store = ReadOnlyLog(log.db.conn)
        messages = load_chain(store, row["tip_message_hash"])
        view(store, read_conversation(store, messages, row["thread_id"], turn_id), None, turn_id)

    assert_linear(show, written)
