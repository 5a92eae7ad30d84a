"""Texts that are in the log already are redacted, and its conversations can be continued."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import llm
import pytest
from llm.utils import Fragment
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.proxied_engine import HELLO, Proxied, proxied
from support.pruned_logs import Log, opened
from support.scripted_engine import AsyncScriptedEngine

from llm_gpt_oss.errors import BadRequest, GptOssError
from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.redaction import Redaction
from llm_gpt_oss.log.secret_patterns import compile_patterns
from llm_gpt_oss.setup.progress import Progress
from proxy.log import redact as redact_module
from proxy.log.redact import RedactResult, redact
from proxy.log.redact_selection import BATCH, RedactSelection

HI, MORE, YES = user("Hi"), user("More"), assistant("Yes.")
SESAME = user("Open sesame")
SAID = assistant(reasoning("The sesame."), "It is sesame.")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with opened(tmp_path / "logs.db") as log:
        yield log


def run(log: Log, pattern: str = "sesame[0-9]*", *, really: bool = True, **selection: Any) -> RedactResult:
    redaction = Redaction(compile_patterns([pattern], "f"))
    steps: list[Progress] = []
    done = redact(log.path, redaction, RedactSelection(**selection), really=really, report=steps.append)
    assert steps
    assert log.rows("pragma integrity_check") == ["ok"]
    log.change("insert into turn_search_fts (turn_search_fts, rank) values ('integrity-check', 1)")
    return done


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "".join(connection.iterdump())


def everything(log: Log) -> None:
    "Writes sesame wherever text can be."
    body = {"messages": [{"content": "sesame"}], "tools": [{"description": "sesame " * 100}]}
    called = assistant(call("1", at="sesame"))
    log.write(system("Say sesame"), SESAME, answer=called, body=json.dumps(body), sent=[2, 1])
    log.write(system("Say sesame"), SESAME, called, result("1", "sesame"), answer=SAID, error="No sesame")
    failed = turn(SESAME, answer=YES)
    failed.response.response_json = {"error": "sesame", "outcome": {"notes": [{"raw": "sesame"}]}}
    failed.response.prompt.tools = [llm.Tool("look", "A sesame", {"description": "sesame"})]
    failed.response.prompt.schema = {"const": "sesame"}
    log.put(failed)
    stored = log.write(SESAME, answer=YES, stored=True, metadata={"a": "sesame"}, client="sesame/1")
    log.change('update turns set options_json = \'{"stop": "sesame"}\'')
    log.change(
        "insert into gpt_oss_conversations (thread_id, metadata, created) "
        f"values ('{log.thread_of(stored)}', '{{\"a\": \"sesame\"}}', 0)"
    )
    log.change("update gpt_oss_requests set ignored = '[\"sesame\"]'")
    log.change('update messages set provider_metadata = \'{"a": "sesame"}\'')


def test_all_texts(log: Log) -> None:
    everything(log)
    assert dump(log.path).count("sesame") > 20
    rows = run(log).rows
    assert "sesame" not in dump(log.path)
    assert b"sesame" not in log.path.read_bytes()
    assert {table for table, count in rows.items() if not count} == {"fragments"}
    assert log.rows("select prompt from gpt_oss_turns order by turn_id")[0] == "Open [redacted]"
    assert sum(run(log).rows.values()) == 0


def test_a_dry_run_changes_nothing(log: Log) -> None:
    everything(log)
    before = dump(log.path)
    dry_run = run(log, really=False)
    assert dump(log.path) == before
    assert run(log).rows == dry_run.rows


def test_the_search_index_is_redacted(log: Log) -> None:
    log.write(SESAME, answer=SAID)
    found = "select count(*) from turn_search_fts where turn_search_fts match ?"
    assert log.rows(found, "sesame") == [1]
    run(log)
    assert log.rows(found, "sesame") == [0]
    assert log.rows(found, "open") == [1]


def test_ids_and_names_stay(log: Log) -> None:
    log.write(HI, answer=assistant(call("call_1", "look", at="look")), body='{"messages": []}')
    run(log, "call_1|look|messages")
    assert log.rows("select tool_name, call_id, arguments from gpt_oss_tool_calls") == [
        ("look", "call_1", '{"at":"[redacted]"}')
    ]
    assert log.rows("select request from gpt_oss_requests") == ['{"messages": []}']


def test_one_thread_with_what_it_shares(log: Log) -> None:
    log.store.create_thread(id="t1")
    log.say("t1", SESAME, answer=SAID)
    log.store.create_thread("A fork", tip=log.store.thread_tip("t1"), forked_from="t1", id="t2")
    log.say("t2", user("sesame2"), answer=YES)
    log.store.create_thread(id="t3")
    log.say("t3", user("sesame3"), answer=YES)
    run(log, threads=["t2"])
    assert log.rows("select text from parts where type = 'text' order by id") == [
        *("Open [redacted]", "It is [redacted].", "[redacted]", "Yes.", "sesame3", "Yes."),
    ]
    # Only the search rows of its own turns: the thread t1 was not selected.
    assert log.rows("select prompt from turn_search order by id") == ["Open sesame", "[redacted]", "sesame3"]


def test_a_thread_without_turns(log: Log) -> None:
    log.store.create_thread("sesame", tip=log.store.ensure_chain([SESAME]), id="t1")
    log.store.create_thread("sesame", tip=log.store.ensure_chain([user("sesame2")]), id="t2")
    assert run(log, threads=["t1"]).rows["parts"] == 1
    assert log.rows("select name from threads order by id") == ["[redacted]", "sesame"]


def test_only_older_turns(log: Log) -> None:
    old, new = log.write(SESAME, answer=YES), log.write(user("sesame2"), answer=YES)
    log.change("update turns set datetime_utc = '2020-01-01T00:00:00+00:00' where id = ?", [old.id])
    run(log, before=datetime(2021, 1, 1, tzinfo=timezone.utc))
    assert log.rows("select prompt from gpt_oss_turns order by turn_id") == ["Open [redacted]", "sesame2"]
    run(log, before=datetime(2021, 1, 1, tzinfo=timezone.utc), threads=[log.thread_of(new)])
    assert log.rows("select prompt from gpt_oss_turns where turn_id = ?", new.id) == ["sesame2"]


def test_an_unknown_thread(log: Log) -> None:
    with pytest.raises(BadRequest, match="The log has no thread t9"):
        run(log, threads=["t9"])


def test_long_request_fields_of_one_thread(log: Log) -> None:
    body = {"messages": [], "tools": [{"description": "sesame " * 100}]}
    one = log.write(HI, answer=YES, body=json.dumps(body))
    body["tools"] = [{"description": "sesame2 " * 100}]
    log.write(MORE, answer=YES, body=json.dumps(body))
    assert run(log, threads=[log.thread_of(one)]).rows["gpt_oss_field_values"] == 1


def test_fragments_unless_they_have_an_alias(log: Log) -> None:
    texts = ["One sesame", "Two sesame"]
    for text in texts:
        response = turn(HI, answer=YES).response
        response.prompt.fragments = [Fragment(text, "")]  # type: ignore[no-untyped-call]
        log.store.log(response)
    log.change("insert into fragment_aliases (alias, fragment_id) values ('mine', 2)")
    assert run(log).rows["fragments"] == 1
    assert log.rows("select content from fragments order by id") == ["One [redacted]", "Two sesame"]


def test_fragments_of_one_thread(log: Log) -> None:
    for thread in ("t1", "t2"):
        log.store.create_thread(id=thread)
        response = turn(HI, answer=YES).response
        response.prompt.fragments = [Fragment(f"sesame {thread}", "")]  # type: ignore[no-untyped-call]
        log.store.log(response, thread)
    run(log, threads=["t1"])
    assert log.rows("select content from fragments order by id") == ["[redacted] t1", "sesame t2"]


def test_a_message_with_a_fragment(log: Log) -> None:
    fragment = Fragment("A long text", "")  # type: ignore[no-untyped-call]
    tip = log.store.ensure_chain([user("sesame: A long text")], fragments=[fragment])
    log.store.create_thread(tip=tip)
    run(log)
    assert log.store.load_chain(tip) == [user("[redacted]: A long text")]


@pytest.mark.parametrize("answer", ["It is sesame.", "It is [redacted]."])
def test_log_probabilities_spell_out_an_answer(log: Log, answer: str) -> None:
    for text in (answer, "It is not."):
        written = turn(HI, answer=assistant(text))
        written.response.response_json = {"outcome": {}, "logprobs": [{"token": "ses"}]}
        log.put(written)
    run(log)
    assert log.rows("select response_json from turns order by id") == [
        '{"outcome": {}}',
        '{"outcome": {}, "logprobs": [{"token": "ses"}]}',
    ]


def test_json_that_is_broken_is_redacted_as_text(log: Log) -> None:
    written = log.write(HI, answer=YES)
    log.change('update turns set response_json = \'{"a": "sesame\' where id = ?', [written.id])
    run(log)
    assert log.rows("select response_json from turns") == ['{"a": "[redacted]']


def test_more_rows_than_one_batch(log: Log) -> None:
    tip = log.store.ensure_chain([user(f"sesame{number}") for number in range(BATCH + 1)])
    log.store.create_thread(tip=tip, id="t1")
    assert run(log, threads=["t1"]).rows["parts"] == BATCH + 1
    assert "sesame" not in dump(log.path)


def test_other_programs_write_meanwhile(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    "No transaction is open while texts are searched, and a changed row stays as it is."
    written = log.write(SESAME, answer=YES)
    log.db.conn.execute("pragma busy_timeout = 0")
    text = Redaction.text

    def searched(redaction: Redaction, value: str) -> str:
        if value == "Open sesame":
            log.change("update parts set text = 'changed' where text = 'Open sesame'")
        return text(redaction, value)

    monkeypatch.setattr(Redaction, "text", searched)
    run(log)
    assert log.rows("select prompt from gpt_oss_turns where turn_id = ?", written.id) == ["changed"]


def test_a_locked_log(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    from proxy.log import whole_log

    log.write(SESAME, answer=YES)
    monkeypatch.setattr(whole_log, "BUSY_TIMEOUT", 0)
    with (
        write_transaction(log.db.conn),
        pytest.raises(GptOssError, match=r"cannot be redacted now: database is locked\."),
    ):
        run(log)


def test_a_copy_in_the_wal_file_is_reported(log: Log) -> None:
    log.db.enable_wal()
    log.write(SESAME, answer=YES)
    with closing(sqlite3.connect(log.path)) as reader:
        reader.execute("begin")
        reader.execute("select * from turns").fetchall()
        assert run(log).copy_remains
    assert not run(log).copy_remains


def test_a_client_continues_a_redacted_thread(log: Log) -> None:
    first = log.write(SESAME, answer=SAID)
    second = log.write(SESAME, SAID, MORE, answer=YES)
    run(log)
    sent = [SESAME, SAID, MORE, YES, user("sesame?")]
    hashed = log.matcher.restore(sent, None)
    assert hashed.messages == sent
    third = turn(*hashed.messages, answer=YES)
    log.put(third, hashed)
    assert log.thread_of(first) == log.thread_of(second) == log.thread_of(third)
    # The redacted messages were not stored again with the original text.
    assert log.rows("select count(*) from messages") == [6]
    assert log.rows("select count(*) from parts where text like '%sesame%'") == [1]


def test_the_same_text_in_another_thread_stays_redacted(log: Log) -> None:
    log.write(SESAME, answer=YES)
    run(log)
    log.write(SESAME, answer=assistant("No."))
    assert log.rows("select prompt from gpt_oss_turns") == ["Open [redacted]"] * 2


def test_llms_own_commands_still_work(log: Log) -> None:
    log.store.create_thread(id="t1")
    log.say("t1", SESAME, answer=SAID)
    log.say("t1", MORE, answer=YES)
    run(log)
    redacted = [user("Open [redacted]"), assistant(reasoning("The [redacted]."), "It is [redacted].")]
    assert log.store.thread_messages("t1") == [*redacted, MORE, YES]
    # As `llm -c` continues it.
    log.say("t1", user("Again"), answer=YES)
    assert log.store.thread_messages("t1") == [*redacted, MORE, YES, user("Again"), YES]
    assert log.rows("select turns, last_prompt from gpt_oss_threads") == [(3, "Again")]
    # A message keeps its hash, so those that were redacted no longer fit it.
    assert len(log.store.verify()) == 2


async def responses(proxy: Proxied, text: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "gpt-oss:20b", "input": text, "store": True, **fields}
    answer: dict[str, Any] = (await proxy.post("/v1/responses", body)).json()
    return answer


async def test_the_api_still_finds_and_continues_the_turn() -> None:
    engine = AsyncScriptedEngine("<|channel|>final<|message|>It is sesame.", HELLO)
    async with proxied(engine) as proxy:
        first = await responses(proxy, "Open sesame")
        redaction = Redaction(compile_patterns(["sesame"], "f"))
        path = proxy.server.settings.database
        redact(path, redaction, RedactSelection(), really=True, report=lambda step: None)
        found = (await proxy.get(f"/v1/responses/{first['id']}")).json()
        assert found["output"][-1]["content"][0]["text"] == "It is [redacted]."
        assert [item["id"] for item in found["output"]] == [item["id"] for item in first["output"]]
        items = (await proxy.get(f"/v1/responses/{first['id']}/input_items")).json()["data"]
        assert items[0]["content"][0]["text"] == "Open [redacted]"
        second = await responses(proxy, "More", previous_response_id=first["id"])
        assert second["status"] == "completed"
        assert "It is [redacted]." in engine.asked[1].prompt
        assert proxy.rows("select turns from gpt_oss_threads") == [(2,)]


def test_the_hidden_turn_json_can_be_resolved(log: Log) -> None:
    "llm stores long texts of `response_json` as references to the messages."
    long = "sesame " * 20
    response = turn(HI, answer=assistant(long)).response
    response.response_json = {"outcome": {}, "raw": long}
    llm.logs.LogStore(log.db).log(response)  # type: ignore[attr-defined]
    run(log)
    assert log.store.turn_response_json(response.id)["raw"] == "[redacted] " * 20


def test_the_index_is_merged_in_several_steps(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact_module, "MERGE_PAGES", 1)
    for number in range(40):
        log.write(user(f"sesame{number} " + " ".join(f"w{number}x{n}" for n in range(200))), answer=YES)
    run(log)
    assert b"sesame" not in log.path.read_bytes()
