from __future__ import annotations

import llm
from llm.parts import AttachmentPart, Message, ReasoningPart, TextPart, ToolResultPart
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.turn_logs import TurnLog

from llm_gpt_oss.turn.messages import tool_call_part
from proxy.log.queries import is_descendant, load_chain

PICTURE = llm.Attachment(type="image/png", content=b"png")


MESSAGES = [
    system("Be brief."),
    user("A novel, and a question."),
    Message("user", [TextPart("See"), AttachmentPart(PICTURE), TextPart("this")], {"seen": True}),
    assistant(
        reasoning("Hm"), TextPart("Wait", {"phase": "commentary"}), call("1", x=[1.5, None]), call("2")
    ),
    Message(
        "tool", [ToolResultPart("look", "a", "1", attachments=[PICTURE]), ToolResultPart("look", "b", "2")]
    ),
    assistant(ReasoningPart("", redacted=True), tool_call_part("look", "{oh", "3")),
    result("3", ""),
    assistant(),
    assistant("", *[TextPart(str(number)) for number in range(12)]),
]


def test_a_chain_is_read_as_llm_reads_it(log: TurnLog) -> None:
    tip = log.store.ensure_chain(MESSAGES, fragments=["novel"])
    chain = load_chain(log.store, tip)
    assert [stored.message for stored in chain] == log.store.load_chain(tip) == MESSAGES
    assert [stored.hash for stored in chain] == [log.store.ensure_chain(MESSAGES[:n]) for n in range(1, 10)]


def test_the_end_of_a_chain(log: TurnLog) -> None:
    tip = log.store.ensure_chain(MESSAGES)
    chain = load_chain(log.store, tip)
    assert load_chain(log.store, tip, after=chain[3].hash) == chain[4:]
    assert load_chain(log.store, tip, after=tip) == []
    assert load_chain(log.store, None) == load_chain(log.store, "b2:0") == []


def test_descendants(log: TurnLog) -> None:
    tip, earlier = log.store.ensure_chain(MESSAGES), log.store.ensure_chain(MESSAGES[:2])
    connection = log.db.conn
    assert is_descendant(connection, tip, earlier)
    assert is_descendant(connection, tip, tip)
    assert is_descendant(connection, tip, None)
    assert not is_descendant(connection, earlier, tip)
