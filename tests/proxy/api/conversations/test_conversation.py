"Changing a conversation changes neither its other items nor their ids."

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm.logs import LogStore
from llm.parts import Message
from pydantic import TypeAdapter
from support.logged_turns import assistant, call, reasoning, system, turn, user

from llm_gpt_oss.log.database import write_transaction
from proxy.api.conversations import conversation as conversations
from proxy.generation import ThreadPosition
from proxy.items.wire import AnyItem
from proxy.log.access import Viewer
from proxy.log.database import open_log
from proxy.log.items import split_items
from proxy.log.lookup import find_items, load_conversation
from proxy.log.turn_writer import TurnWriter

ITEMS: TypeAdapter[list[AnyItem]] = TypeAdapter(list[AnyItem])
ADMIN = Viewer(None, admin=True)
# One word for all, so that many conversations are alike in parts.
SENT: list[dict[str, Any]] = [
    {"role": "user", "content": "a"},
    {"role": "developer", "content": "a"},
    {"role": "assistant", "content": "a"},
    {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "a"}], "summary": []},
    {"type": "function_call", "call_id": "call_a", "name": "look", "arguments": "{}"},
]
ANSWERS = [assistant("a"), assistant(reasoning("a"), "a"), assistant("a", call("call_b")), assistant("")]

adding = st.tuples(st.just("add"), st.lists(st.sampled_from(SENT), max_size=3))
respond = st.tuples(
    st.just("answer"),
    st.tuples(
        st.sampled_from(ANSWERS), st.sampled_from([None, "Rhyme", "Shout"]), st.booleans(), st.booleans()
    ),
)
removing = st.tuples(st.just("remove"), st.integers(0, 20))


class ConversationClient:
    "A conversation, and the items that a client knows."

    def __init__(self, log: LogStore) -> None:
        self.log = log
        with write_transaction(log.db.conn):
            self.id = f"conv_{conversations.create_conversation(log, ADMIN, [], {}, 0).thread.id}"

    @property
    def conversation(self) -> conversations.Conversation:
        return conversations.find_conversation(self.log, ADMIN, self.id)

    def now(self) -> list[tuple[str, Message]]:
        return [(each.id, each.message) for each in self.conversation.entries()]

    def add(self, sent: list[dict[str, Any]]) -> list[Message]:
        with write_transaction(self.log.db.conn):
            added = self.conversation.add(ITEMS.validate_python(sent))
        return [each.message for each in added]

    def answer(self, answer_options: tuple[Message, str | None, bool, bool]) -> list[Message]:
        "With `late`, an item is added while the model answers. A failed answer changes nothing."
        answer, instructions, late, failed = answer_options
        context = load_conversation(self.log, self.id.removeprefix("conv_"), ADMIN)
        assert context
        between = self.add([SENT[0]]) if late else []
        added = [system(instructions)] if instructions else []
        logged = turn(
            *added,
            *context.messages,
            user("b"),
            answer=answer,
            endpoint="/v1/responses",
            stored=True,
            status=500 if failed else 200,
            added=len(added),
            known=len(context.messages),
            continues=ThreadPosition(context.thread_id, context.tip, append=True),
        )
        with write_transaction(self.log.db.conn):
            TurnWriter(self.log).write(logged)
        answer_items = [item for message in logged.answer for item in split_items(message)]
        return between if failed else [*between, user("b"), *answer_items]

    def remove(self, known: list[tuple[str, Message]], which: int) -> None:
        if known:
            id, _ = known.pop(which % len(known))
            with write_transaction(self.log.db.conn):
                self.conversation.remove(id)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "logs.db"
    open_log(path).db.close()
    return path


@settings(max_examples=60)
@given(changes=st.lists(st.one_of(adding, respond, removing), max_size=8))
def test_item_ids_are_stable(empty: Path, changes: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        log = open_log(Path(shutil.copy(empty, folder)))
        try:
            log.db.conn.execute("pragma synchronous = off")
            client = ConversationClient(log)
            before: list[tuple[str, Message]] = []
            for change, argument in changes:
                if change == "remove":
                    client.remove(before, argument)
                    new = []
                else:
                    new = client.add(argument) if change == "add" else client.answer(argument)
                now = client.now()
                assert now[: len(before)] == before
                assert [message for _, message in now[len(before) :]] == new
                assert len({id for id, _ in now}) == len(now)
                found = find_items(log, [id for id, _ in now], ADMIN)
                assert {id: item.message for id, item in found.items()} == dict(now)
                before = now
        finally:
            log.db.close()
