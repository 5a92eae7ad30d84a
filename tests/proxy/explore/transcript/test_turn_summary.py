from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import llm
import pytest
from llm.logs import LogStore
from support.logged_turns import assistant, turn, user
from support.turn_logs import TurnLog

from proxy.explore.transcript.exchanges import ReadOnlyLog
from proxy.explore.transcript.turn_summary import (
    LoggedNote,
    Tool,
    TurnSummary,
    load_summaries,
    summary_of_spooled,
)
from proxy.log.turn import Turn

SCHEMA = {"type": "object"}
OUTCOME = {"finish_reason": "stop", "notes": [{"kind": "repaired", "text": "Mended.", "raw": "{,}"}]}


def logged(log: TurnLog, **columns: Any) -> TurnSummary:
    "The summary of a turn with these columns in llm's row."
    written = log.write(user("Hi"), answer=assistant("Hello"))
    if columns:
        log.db["turns"].update(written.id, columns)
    return summary(log, written)


def summary(log: TurnLog, written: Turn) -> TurnSummary:
    return load_summaries(ReadOnlyLog(log.db.conn), [written.id])[written.id]


def full_turn() -> Turn:
    written = turn(user("Hi"), answer=assistant("Hello"))
    response = written.response
    response.prompt.tools = [llm.Tool("look", "Looks", SCHEMA)]
    response.prompt.schema = SCHEMA
    response.set_usage(input=10, output=20, details={"reasoning_tokens": 5, "tokens_per_second": 41.5})
    response.response_json = {"outcome": OUTCOME, "completions": 2, "engine": "vllm", "logprobs": [1] * 9}
    fields = {"actor": "laptop:1", "client": "curl", "queue_ms": 3, "first_token_ms": 4, "ignored": ["x"]}
    return Turn(response, replace(written.request, **fields))


@pytest.mark.parametrize("place", ["in the log", "in the spool"])
def test_a_complete_summary(log: TurnLog, place: str) -> None:
    written = full_turn()
    log.put(written)
    found = summary(log, written) if place == "in the log" else summary_of_spooled(written, in_progress=False)
    assert found.started
    expected = TurnSummary(
        id=written.id,
        thread_id=log.thread_of(written) if place == "in the log" else None,
        model="gpt-oss:20b",
        engine="vllm",
        started=found.started,
        endpoint="/v1/chat/completions",
        app="curl",
        key="laptop:1",
        status=200,
        error=None,
        finish_reason="stop",
        notes=[LoggedNote("repaired", "Mended.", "{,}")],
        effort=None,
        options={},
        queue_ms=3,
        first_token_ms=4,
        duration_ms=250,
        tokens_per_second=41.5,
        prompt_tokens=10,
        cached_tokens=None,
        reasoning_tokens=5,
        output_tokens=20,
        completions=2,
        answer_id=written.id if place == "in the log" else None,
        ignored=["x"],
        schema=SCHEMA,
        tools=[Tool("look", "Looks", SCHEMA)],
    )
    assert found == expected
    assert not found.failed
    assert not found.was_cut


def test_a_turn_in_progress_has_not_failed() -> None:
    found = summary_of_spooled(turn(user("Hi"), status=500, error="Stopped"), in_progress=True)
    assert (found.in_progress, found.failed, found.error, found.duration_ms) == (True, False, None, None)


def test_a_turn_of_the_shell(log: TurnLog) -> None:
    written = turn(user("Hi"), answer=assistant("Hello"))
    written.response.response_json = {"error": "Interrupted"}
    log.store.log(written.response)
    found = summary(log, written)
    assert (found.endpoint, found.status, found.error, found.failed) == (None, None, "Interrupted", True)


def test_a_turn_of_another_model(log: TurnLog) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    found = logged(log, token_details=json.dumps(details), response_json='{"id": "x", "choices": []}')
    assert (found.cached_tokens, found.reasoning_tokens, found.notes, found.completions) == (7, 8, [], None)


def test_the_first_token_is_that_of_the_shell_if_there_is_no_request(log: TurnLog) -> None:
    details = {"time_to_first_token_ms": 9}
    assert logged(log, token_details=json.dumps(details)).first_token_ms == 9


def test_notes_that_llm_stores_as_references(log: TurnLog) -> None:
    "llm does not store a text twice that the messages have."
    answer = "A text that is long enough to be replaced. " * 5
    written = turn(user("Hi"), answer=assistant(answer))
    notes = [{"kind": "misfit", "text": "Why", "raw": answer}]
    written.response.response_json = {"outcome": {"notes": notes}}
    LogStore(log.db).log(written.response)
    assert answer not in log.db["turns"].get(written.id)["response_json"]
    assert summary(log, written).notes == [LoggedNote("misfit", "Why", answer)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("token_details", "{", id="broken details"),
        pytest.param("token_details", "[1]", id="details that are a list"),
        pytest.param("options_json", "null", id="no options"),
        pytest.param("datetime_utc", "yesterday", id="not a time"),
        pytest.param("datetime_utc", None, id="no time"),
        pytest.param("response_json", "[]", id="another payload"),
        pytest.param("response_json", "{", id="a broken payload"),
        pytest.param("response_json", '{"outcome": "x"}', id="another outcome"),
        pytest.param("response_json", '{"outcome": {"notes": [1, {"kind": "a"}]}}', id="other notes"),
        pytest.param("response_json", None, id="no payload"),
    ],
)
def test_what_other_programs_wrote(log: TurnLog, column: str, value: str | None) -> None:
    found = logged(log, **{column: value})
    assert found.notes == []
    assert (found.started is None) == (column == "datetime_utc")


@pytest.mark.parametrize(
    ("kind", "place"),
    [("truncated", "prompt"), ("repaired", "call"), ("length", "answer"), ("a kind of later", "answer")],
)
def test_where_notes_belong(log: TurnLog, kind: str, place: str) -> None:
    response = {"outcome": {"notes": [{"kind": kind, "text": "Why"}]}}
    found = logged(log, response_json=json.dumps(response))
    assert {each: len(found.notes_of(each)) for each in ("prompt", "call", "answer")} == {
        "prompt": 0,
        "call": 0,
        "answer": 0,
        place: 1,
    }


def test_a_turn_that_was_deleted(log: TurnLog) -> None:
    written = log.write(user("Hi"))
    log.db["gpt_oss_requests"].update(written.id, {"deleted": 1})
    assert summary(log, written).is_deleted


def test_turns_that_do_not_exist(log: TurnLog) -> None:
    assert load_summaries(ReadOnlyLog(log.db.conn), ["nix"]) == {}
