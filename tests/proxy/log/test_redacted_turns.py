"""A log that is redacted still groups the turns of clients that send their whole history, and the model gets
what they sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llm
import pytest
from llm.parts import Message
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine
from support.turn_logs import TurnLog

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.log.redaction import Redaction
from llm_gpt_oss.log.secret_patterns import compile_patterns, patterns_file
from proxy.api.chat_completions.stored_completions import update_metadata
from proxy.api.conversations.conversation import create_conversation
from proxy.app import create_app
from proxy.log.access import Viewer
from proxy.log.thread_match import hash_prompt
from proxy.log.thread_names import NAME_LENGTH
from proxy.settings import Settings

HI, MORE = user("Hi"), user("More")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path / "logs.db", Redaction(compile_patterns(["sesame[0-9]*"], "f")))
    yield log
    log.db.close()


def dump(log: TurnLog) -> str:
    return "".join(log.db.conn.iterdump())


SECRETS = [
    pytest.param([user("Open sesame")], assistant(reasoning("Hm."), "Yes."), id="prompt"),
    pytest.param([HI], assistant(reasoning("sesame"), "It is sesame."), id="answer"),
    pytest.param([system("Say sesame"), HI], assistant("Yes."), id="instructions"),
    pytest.param([HI, assistant("Hm, sesame"), MORE], assistant("Yes."), id="history"),
    pytest.param(
        [HI, assistant(reasoning("Look."), call("1", at="sesame")), result("1", "sesame 2")],
        assistant("Yes."),
        id="call and result",
    ),
]


@pytest.mark.parametrize(("prompt", "answer"), SECRETS)
def test_a_client_continues_its_thread_with_its_own_text(
    log: TurnLog, prompt: list[Message], answer: Message
) -> None:
    first = log.write(*prompt, answer=answer)
    sent = [*prompt, answer, MORE]
    assert log.restore(*sent) == sent
    hashed = log.matcher.restore(sent, None)
    assert hashed.matched == len(prompt) + 1
    assert hashed.stored is not None  # so its messages need not be hashed again
    second = turn(*hashed.messages, answer=assistant("More."))
    log.put(second, hashed)
    third = log.write(*sent, assistant("More."), MORE, answer=assistant("sesame"))
    assert log.thread_of(first) == log.thread_of(second) == log.thread_of(third)
    assert "sesame" not in dump(log)
    assert log.store.verify() == []
    # Each message is stored once.
    assert log.db["messages"].count == len(prompt) + 5


def test_reasoning_that_the_client_left_out_is_restored(log: TurnLog) -> None:
    log.write(HI, answer=assistant(reasoning("Look."), call("1", at="sesame")))
    sent = [HI, assistant(call("1", at="sesame")), result("1", "x")]
    restored = [HI, assistant(reasoning("Look."), call("1", at="sesame")), result("1", "x")]
    assert log.restore(*sent) == restored
    assert log.restore(user("Summary"), *sent[1:])[1] == restored[1]


def test_a_call_keeps_the_id_that_it_has_in_the_log(log: TurnLog) -> None:
    log.write(HI, answer=assistant(call("1", at="sesame")))
    sent = [HI, assistant(call("mine", at="sesame")), result("mine", "x")]
    assert log.restore(*sent) == [HI, assistant(call("1", at="sesame")), result("1", "x")]


def test_a_client_that_splits_messages_otherwise(log: TurnLog) -> None:
    log.write(HI, answer=assistant("Wait, sesame. ", call("1")))
    sent = [HI, assistant("Wait, sesame. "), assistant(call("mine")), result("mine", "x")]
    restored = log.matcher.restore(sent, None)
    assert restored.messages == sent
    assert restored.stored is None
    assert restored.prefix_hashes == hash_prompt(sent).prefix_hashes


def test_threads_that_differ_in_what_was_redacted_stay_apart(log: TurnLog) -> None:
    one = log.write(user("sesame1"), answer=assistant("Yes."))
    other = log.write(user("sesame2"), answer=assistant("Yes."))
    more = log.write(user("sesame1"), assistant("Yes."), MORE, answer=assistant("a"))
    assert log.thread_of(one) == log.thread_of(more) != log.thread_of(other)


def test_a_summary_with_redacted_answers_is_found_by_its_calls(log: TurnLog) -> None:
    first = log.write(HI, answer=assistant("Hm, sesame", call("1")))
    trimmed = [user("Summary"), assistant("Hm, sesame", call("1")), result("1", "x")]
    assert log.thread_of(log.write(*trimmed, answer=assistant("a"))) == log.thread_of(first)


def test_a_name_is_redacted_before_it_is_cut(log: TurnLog) -> None:
    written = log.write(user("x" * (NAME_LENGTH - 4) + " sesame123"), answer=assistant("a"))
    assert "ses" not in log.thread(written)["name"]


def test_our_tables_are_redacted(log: TurnLog) -> None:
    body = {"messages": [{"role": "user", "content": "sesame1"}], "tools": [{"description": "sesame " * 100}]}
    written = log.write(
        HI, answer=assistant("a"), body=json.dumps(body), sent=[1], status=500, error="No sesame2"
    )
    assert log.request(written)["error"] == "No [redacted]"
    assert "sesame" not in dump(log)


def test_what_belongs_to_no_message_is_redacted(log: TurnLog) -> None:
    written = turn(
        HI,
        answer=assistant("a"),
        stored=True,
        metadata={"name": "sesame"},
        client="app/1 sesame",
        ignored=["tools[0].sesame"],
    )
    prompt = written.response.prompt
    prompt.tools = [llm.Tool("look", "A sesame", {"properties": {"a": {"description": "sesame"}}})]
    prompt.schema = {"const": "sesame"}
    prompt.options = prompt.options.model_copy(update={"stop": ["sesame"], "seed": 5})
    log.put(written)
    assert "sesame" not in dump(log)
    assert json.loads(log.db["turns"].get(written.id)["options_json"]) == {"stop": ["[redacted]"], "seed": 5}
    assert [prompt.tools[0].description, prompt.schema, prompt.options.stop] == [
        "A sesame",
        {"const": "sesame"},
        ["sesame"],
    ]


def test_metadata_that_is_changed_later(log: TurnLog) -> None:
    viewer = Viewer(None, admin=True)
    written = log.write(HI, answer=assistant("a"), stored=True)
    create_conversation(log.store, viewer, [], {"name": "sesame"}, 0).update_metadata({"name": "sesame2"})
    (changed,) = update_metadata(log.store, viewer, f"chatcmpl-{written.id}", {"name": "sesame"})
    assert changed.metadata == {"name": "[redacted]"}
    assert "sesame" not in dump(log)


async def test_the_server_redacts_and_the_model_gets_the_original() -> None:
    patterns_file().write_text("sesame[0-9]*\n", encoding="utf-8")
    engine = AsyncScriptedEngine("<|channel|>final<|message|>It was sesame1.", HELLO, HELLO)
    async with proxied(engine) as proxy:
        asked: dict[str, Any] = {"role": "user", "content": "Open sesame2"}
        answer = (await proxy.chat(asked)).json()["choices"][0]["message"]["content"]
        assert answer == "It was sesame1."
        await proxy.chat(asked, {"role": "assistant", "content": answer}, user="And sesame3?")
        assert "Open sesame2" in engine.asked[1].prompt
        assert "It was sesame1." in engine.asked[1].prompt
        assert proxy.rows("select turns, last_prompt from gpt_oss_threads") == [(2, "And [redacted]?")]
        (prompt,) = proxy.rows("select prompt from gpt_oss_turns order by turn_id limit 1")
        assert prompt == ("Open [redacted]",)
        assert proxy.server.log_writer.status == "ok"


def test_a_mistake_in_the_file_keeps_the_server_from_starting() -> None:
    patterns_file().write_text("(a\n", encoding="utf-8")
    with pytest.raises(GptOssError, match="line 1: the pattern"):
        create_app(Settings(), engine=AsyncScriptedEngine())
