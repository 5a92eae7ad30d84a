from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.logged_turns import assistant, system, turn, user
from support.transfer import FORMATS, export_text, exported
from support.turn_logs import TurnLog

from llm_gpt_oss.logged_prompt import first_completion, load_prompt
from proxy.log.logged_turn import LoggedTurn
from proxy.transfer import selection
from proxy.transfer.export import Format, export_lines
from proxy.transfer.selection import Selection


@pytest.fixture
def one_generation() -> Iterator[None]:
    "The garbage collector leaves new objects in the first generation, where they are found fast."
    gc.disable()
    yield
    gc.enable()


def ignore(turn_id: str, problem: Exception) -> None:
    raise AssertionError from problem


@pytest.mark.parametrize("format", FORMATS)
def test_memory_and_locks_are_bounded(
    log: TurnLog, tmp_path: Path, format: Format, monkeypatch: pytest.MonkeyPatch, one_generation: None
) -> None:
    """Between two lines, one turn is in memory, however many there are. Another program can write, and empty
    the WAL: no transaction is open."""
    monkeypatch.setattr(selection, "RANGE", 5)
    log.db.conn.execute("pragma journal_mode = wal")
    for n in range(30):
        log.write(user(f"Question {n}"), answer=assistant("Yes"))
    turns = 0
    with closing(sqlite3.connect(tmp_path / "logs.db", timeout=0)) as writer:
        for turns, _ in enumerate(export_lines(log.store, Selection(), format, on_problem=ignore), 1):
            assert sum(isinstance(each, LoggedTurn) for each in gc.get_objects(generation=0)) <= 1
            with writer:
                writer.execute("update threads set name = ?", [str(turns)])
            assert writer.execute("pragma wal_checkpoint(truncate)").fetchone() == (0, 0, 0)
    assert turns == 30


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_log(log: TurnLog, format: Format) -> None:
    assert export_text(log.store, format) == b""


@pytest.mark.parametrize("format", FORMATS)
def test_a_turn_that_is_pruned_meanwhile(log: TurnLog, format: Format) -> None:
    for n in range(3):
        log.write(user(f"Question {n}"), answer=assistant("Yes"))
    lines = export_lines(log.store, Selection(), format, on_problem=ignore)
    next(lines)
    log.db.conn.execute("delete from gpt_oss_requests where turn_id = (select max(id) from turns)")
    log.db.conn.execute("delete from turns where id = (select max(id) from turns)")
    assert len([*lines]) == 1


def test_harmony(log: TurnLog) -> None:
    "The text begins with the prompt of the turn, and ends as the model ends an answer."
    log.write(system("Be brief"), user("Hi"), answer=assistant("Hello"))
    last = log.write(
        system("Be brief"), user("Hi"), assistant("Hello"), user("More <|end|>"), answer=assistant("Yes")
    )
    (line,) = exported(log.store, "harmony")
    prompt = first_completion(*load_prompt(log.db, last.id)).prompt
    assert line == {"turn": last.id, "text": f"{prompt}<|channel|>final<|message|>Yes<|return|>"}


def test_harmony_of_another_model(log: TurnLog) -> None:
    written = turn(user("Hi"), answer=assistant("Hello"))
    written.response.model.model_id, before = "no-such-model", written.response.model.model_id
    try:
        log.store.log(written.response)
    finally:
        written.response.model.model_id = before
    problems = []
    lines = export_lines(
        log.store, Selection(), "harmony", on_problem=lambda *problem: problems.append(problem)
    )
    assert [*lines] == []
    ((turn_id, problem),) = problems
    assert turn_id == written.id
    assert "no-such-model, which llm no longer has" in str(problem)


def test_responses(log: TurnLog) -> None:
    written = log.write(user("Hi"), answer=assistant("Hello"))
    (line,) = exported(log.store, "responses")
    assert line["response"]["id"] == f"resp_{written.id}"
    assert line["response"]["output"][0]["content"][0]["text"] == "Hello"
    assert [item["content"] for item in line["input"]] == [[{"type": "input_text", "text": "Hi"}]]


def test_messages_are_written_once(log: TurnLog) -> None:
    "So the size of an export grows with the log, and not with the square of the length of its threads."
    history = []
    for n in range(20):
        history += [user(f"Question {n}"), assistant(f"Answer {n}")]
        log.write(*history[:-1], answer=history[-1])
    text = export_text(log.store, "turns")
    assert [text.count(f'Question {n}"'.encode()) for n in range(20)][1:] == [1] * 19
    lines = exported(log.store, "turns")
    assert [line["after"] for line in lines[1:]] == [
        row["tip_message_hash"] for row in log.db["turns"].rows_where(order_by="id")
    ][:-1]


def test_text_that_no_encoding_has(log: TurnLog) -> None:
    "A model may write half of a surrogate pair, which SQLite has as an escape."
    written = turn(user("Hi"), answer=assistant("Hello"))
    written.response.response_json = {
        "outcome": {"notes": [{"kind": "mended", "text": "x", "raw": "\ud800"}]}
    }
    log.put(written)
    assert b"\\ud800" in export_text(log.store, "turns")
