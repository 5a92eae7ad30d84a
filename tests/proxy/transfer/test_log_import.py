"Lines that are not ours, or not whole, are reported. The others are imported."

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.logged_turns import assistant, turn, user
from support.transfer import MODEL, export_text, exported, import_text, import_values
from support.turn_logs import TurnLog

from proxy.generation import ThreadPosition
from proxy.transfer import log_import
from proxy.transfer.log_import import Line, import_lines, read_lines

GOOD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
NO_FORMAT = "it is not a line of `logs export` in the format turns, responses or chat"
ASSISTANT = {"role": "assistant", "content": "b"}


def deep(depth: int) -> str:
    return '{"messages": ' + "[" * depth + "]" * depth + "}"


def turn_line(**fields: Any) -> str:
    response = {"id": "a", "prompt": {"messages": []}, "messages": []}
    return json.dumps({"turn": 1, "response": response, **fields})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("nonsense", "it is not JSON: Expecting value", id="no JSON"),
        pytest.param('{"messages": [', "it is not JSON", id="cut JSON"),
        pytest.param("\x00\x01", "it is not JSON", id="binary"),
        pytest.param("[]", NO_FORMAT, id="a list"),
        pytest.param("1", NO_FORMAT, id="a number"),
        pytest.param("{}", NO_FORMAT, id="an empty object"),
        pytest.param('{"turn": "x", "text": "<|start|>"}', NO_FORMAT, id="harmony"),
        pytest.param('{"prompt": "a", "completion": "b"}', NO_FORMAT, id="another format"),
        pytest.param(deep(100_000), "it is not JSON", id="deep JSON"),
        pytest.param(deep(500), "messages", id="deep messages"),
        pytest.param('{"messages": []}', "messages: List should have at least 1", id="no messages"),
        pytest.param('{"messages": [1]}', "messages.0", id="a message that is none"),
        pytest.param(
            '{"messages": [{"role": "user", "content": "a"}]}', "not the assistant's", id="no answer"
        ),
        pytest.param(
            '{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "b"}]}',
            "surrogates not allowed",
            id="half of a surrogate pair",
        ),
        pytest.param(json.dumps({"messages": [ASSISTANT], "tools": 7}), "tools", id="tools that are none"),
        pytest.param('{"response": {}, "input": []}', "'status' is missing", id="an empty response"),
        pytest.param('{"response": {"status": "queued"}, "input": []}', "not finished", id="not finished"),
        pytest.param('{"response": {"status": []}, "input": []}', "unhashable", id="a status that is none"),
        pytest.param('{"turn": 2, "response": {"id": "a"}, "after": null}', "update", id="a newer version"),
        pytest.param('{"turn": 1, "response": {"id": "a"}}', "'prompt' is missing", id="an empty turn"),
        pytest.param(turn_line(), "'after' is missing", id="a turn without a beginning"),
        pytest.param(turn_line(after={}), "", id="a hash that is none"),
        pytest.param(turn_line(after=7), "7, are neither", id="a hash that is a number"),
        pytest.param(
            turn_line(after="b2:1"), "'b2:1', are neither in the log nor in earlier", id="unknown messages"
        ),
        pytest.param(turn_line(after=None, request=1), "", id="no request"),
    ],
)
def test_bad_lines(log: TurnLog, line: str, reason: str) -> None:
    good = json.dumps(GOOD)
    first, bad, last = import_text(log.store, f"{good}\n{line}\n\n{good}\n".encode())
    assert (first.added, last.known, bad.added) == (1, 1, 0)
    assert (first.number, bad.number, last.number) == (1, 2, 4)
    assert bad.problem
    assert reason in bad.problem
    assert len(bad.problem) <= log_import.MAX_REASON
    assert log.db["turns"].count == 1


CHANGES: list[Any] = [
    pytest.param(lambda line: line["thread"].update(id=None), id="no thread"),
    pytest.param(lambda line: line["thread"].update(id=7), id="a thread that is a number"),
    pytest.param(lambda line: line.update(thread=[]), id="a thread that is a list"),
    pytest.param(lambda line: line["thread"].pop("tip"), id="a thread without a tip"),
    pytest.param(lambda line: line.update(request="x"), id="a request that is a text"),
    pytest.param(lambda line: line["request"].update(status={}), id="a status that is an object"),
    pytest.param(lambda line: line["request"].update(body="{"), id="a body that is no JSON"),
    pytest.param(lambda line: line["request"].pop("endpoint"), id="no endpoint"),
    pytest.param(lambda line: line["request"].update(status=2**70), id="a status that is too large"),
    pytest.param(lambda line: line.update(duration_ms="long"), id="a duration that is a text"),
    pytest.param(lambda line: line.update(tools=[{"colour": 1}]), id="a tool that is none"),
    pytest.param(lambda line: line["response"].update(datetime_utc="now"), id="a time that is none"),
    pytest.param(lambda line: line["response"].update(messages=[{"parts": 1}]), id="a message that is none"),
    pytest.param(lambda line: line["response"]["prompt"].update(messages=7), id="messages that are none"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_turns(log: TurnLog, other: TurnLog, change: Callable[[Any], Any]) -> None:
    "Nothing of a turn that cannot be read stays in the log."
    log.write(user("Hi"), answer=assistant("Hello"))
    (line,) = exported(log.store, "turns")
    change(line)
    empty = [*other.db.conn.iterdump()]
    (outcome,) = import_values(other.store, [line])
    assert outcome.problem
    assert [*other.db.conn.iterdump()] == empty


def test_a_line_that_is_too_long(log: TurnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    "Only a bounded part of it is read at once."
    monkeypatch.setattr(log_import, "MAX_LINE", 1 << 20)
    sizes = []

    class File(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            sizes.append(len(text := super().readline(size)))
            return text

    good = json.dumps(GOOD).encode()
    lines = read_lines(File(b"x" * (3 << 20) + b"\n" + good + b"\n" + b"y" * (2 << 20)))
    outcomes = [*import_lines(lines, log.store, MODEL)]
    assert [outcome.problem for outcome in outcomes] == [
        "the line is longer than 1 MiB",
        None,
        outcomes[0].problem,
    ]
    assert max(sizes) == (1 << 20) + 1


def test_lines_are_read_as_they_are_written(log: TurnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    "However long the file is, a few lines are in memory, and no transaction is open while they are read."
    monkeypatch.setattr(log_import, "LINES", 4)
    read = 0

    def lines() -> Iterator[Line]:
        nonlocal read
        for read in range(1, 31):
            assert not log.db.conn.in_transaction
            yield Line(read, json.dumps(GOOD).encode())

    for outcome in import_lines(lines(), log.store, MODEL):
        assert read - outcome.number < 4
    assert read == 30


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("response.id", "\x1b[31m<b>", id="id"),
        pytest.param("response.datetime_utc", "9999-12-31T23:59:59+00:00", id="last day"),
        pytest.param("response.datetime_utc", "0001-01-01T00:00:00+23:59", id="first day"),
        pytest.param("response.usage", {"input": "a"}, id="tokens"),
        pytest.param("response_json", [1], id="no object"),
        pytest.param("response_json", {"outcome": {"notes": "abc"}}, id="notes"),
        pytest.param("response_json", {"outcome": {"notes": [7]}}, id="note"),
        pytest.param("request.status", "200", id="status"),
        pytest.param("request.queue_ms", 2**60, id="time in the queue"),
        pytest.param("request.client", {"a": 1}, id="client"),
        pytest.param("thread.name", ["a"], id="name"),
        pytest.param("duration_ms", -1, id="duration"),
    ],
)
def test_values_that_a_page_of_the_log_cannot_show(
    path: str, value: Any, log: TurnLog, other: TurnLog
) -> None:
    "One such turn would make the tables of all turns fail."
    log.put(turn(user("Hi"), answer=assistant("Hello"), client="app"))
    (line,) = exported(log.store, "turns")
    owner, _, name = path.rpartition(".")
    (line[owner] if owner else line)[name] = value
    (outcome,) = import_values(other.store, [line])
    assert (outcome.problem is not None, other.db["turns"].count) == (True, 0)


def test_the_type_of_an_address_is_not_looked_up(log: TurnLog, other: TurnLog) -> None:
    log.put(turn(user("Hi"), answer=assistant("Hello")))
    (line,) = exported(log.store, "turns")
    attachment = {"type": "attachment", "attachment": {"url": "http://192.0.2.1/secret"}}
    line["response"]["prompt"]["messages"][0]["parts"].append(attachment)
    assert [outcome.problem for outcome in import_values(other.store, [line])] == [
        "an attachment has no type"
    ]


def test_long_lines_have_transactions_of_their_own(log: TurnLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_import, "BYTES", 10)
    ahead = []

    def lines() -> Iterator[Line]:
        for number in (1, 2):
            ahead.append(log.db["turns"].count)
            yield Line(number, json.dumps(GOOD).encode())

    assert len([*import_lines(lines(), log.store, MODEL)]) == 2
    assert ahead == [0, 1]


def test_a_log_that_cannot_be_written(log: TurnLog) -> None:
    "It is not the line's fault, so the import stops."
    log.db.conn.execute("pragma query_only = on")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        import_values(log.store, [GOOD])


def test_a_disk_that_is_full(log: TurnLog) -> None:
    "The lines before are not lost: those of their transaction are read again."
    lines = [{"messages": [{"role": "user", "content": str(n) * 20_000}, ASSISTANT]} for n in range(20)]
    (pages,) = log.db.conn.execute("pragma page_count").fetchone()
    log.db.conn.execute(f"pragma max_page_count = {pages + 20}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        import_values(log.store, lines)
    assert (log.db["turns"].count, log.db.conn.in_transaction) == (0, False)
    log.db.conn.execute(f"pragma max_page_count = {pages + 1000}")
    assert sum(outcome.added for outcome in import_values(log.store, lines)) == 20


def test_an_attachment_that_is_no_file(log: TurnLog, other: TurnLog, tmp_path: Path) -> None:
    "llm would read it to hash its message, and wait forever."
    os.mkfifo(pipe := tmp_path / "pipe")
    log.write(user("Hi"), answer=assistant("Hello"))
    (line,) = exported(log.store, "turns")
    attachment = {"type": "attachment", "attachment": {"type": "image/png", "path": str(pipe)}}
    line["response"]["prompt"]["messages"][0]["parts"].append(attachment)
    result = {"type": "tool_result", "name": "a", "output": "b", "attachments": [attachment["attachment"]]}
    in_result = json.loads(json.dumps(line))
    in_result["response"]["prompt"]["messages"][0]["parts"][1] = result
    outcomes = import_values(other.store, [line, in_result])
    assert [outcome.problem for outcome in outcomes] == ["an attachment is not a file"] * 2


def response(**fields: Any) -> dict[str, Any]:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    return {
        "response": {
            "id": "resp_68af",
            "model": "gpt-5",
            "status": "completed",
            "created_at": 1785542400,
            "completed_at": 1785542402,
            "output": [message],
            "usage": {
                "input_tokens": 7,
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 1},
            },
            **fields,
        },
        "input": [{"role": "user", "content": "Hi"}],
    }


def test_a_response_of_another_server(log: TurnLog) -> None:
    "Its turn has an id of this log's format, from its own: it is added once, and sorts by its time."
    for expected in (1, 0):
        (outcome,) = import_values(log.store, [response()])
        assert (outcome.added, outcome.problem) == (expected, None)
    (row,) = log.db["turns"].rows
    assert row["id"].startswith("01kyx9xp00")
    assert (row["model"], row["duration_ms"], row["input_tokens"], row["output_tokens"]) == (
        "gpt-5",
        2000,
        7,
        3,
    )
    assert json.loads(row["token_details"]) == {"reasoning_tokens": 1}
    (request,) = log.db["gpt_oss_requests"].rows
    assert (request["client"], request["finish_reason"], request["status"]) == ("import", "stop", 200)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            (200, None, "length"),
            id="cut",
        ),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            (200, None, "content_filter"),
            id="filtered",
        ),
        pytest.param(
            {"status": "failed", "error": {"code": "server_error", "message": "It broke"}, "usage": None},
            (500, "It broke", None),
            id="failed",
        ),
        pytest.param(
            {"status": "cancelled", "completed_at": None},
            (499, "The response was not completed.", None),
            id="cancelled",
        ),
        pytest.param(
            {"output": [{"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}]},
            (200, None, "tool_calls"),
            id="calls",
        ),
    ],
)
def test_how_a_response_ended(log: TurnLog, fields: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (outcome,) = import_values(log.store, [response(**fields)])
    assert outcome.problem is None
    (request,) = log.db["gpt_oss_requests"].rows
    assert (request["status"], request["error"], request["finish_reason"]) == expected


def test_a_turn_whose_thread_goes_on(log: TurnLog, other: TurnLog) -> None:
    "A failed turn is never the end of its thread, also if the thread's end was not exported."
    first = log.write(user("Hi"), answer=assistant("Hello"))
    history = [user("Hi"), assistant("Hello")]
    here = ThreadPosition(log.thread_of(first), log.thread(first)["tip_message_hash"])
    log.write(*history, user("More"), known=2, continues=here, status=500, error="x")
    log.write(*history, user("Again"), known=2, continues=here, answer=assistant("Yes"))
    lines = export_text(log.store, "turns").splitlines(keepends=True)
    import_text(other.store, b"".join(lines[:2]))
    assert other.thread(first)["tip_message_hash"] == other.db["turns"].get(first.id)["tip_message_hash"]
