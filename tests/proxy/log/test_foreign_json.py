"What another program wrote into one turn does not fail the reading of turns and their export."

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.foreign_json import INNER, VALUES, in_object
from support.logged_turns import assistant, call, user
from support.transfer import exported
from support.turn_logs import TurnLog

from proxy.log.foreign_json import as_text, number, read_object, read_value
from proxy.log.queries import load_turn

COLUMNS = ["response_json", "token_details", "options_json"]
PATHS = [
    *("response_json.outcome", "response_json.outcome.notes", "response_json.outcome.finish_reason"),
    *("response_json.error", "token_details.reasoning_tokens"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path_factory.mktemp("log") / "logs.db")
    log.write(user("Hi"), answer=assistant("Hello"))
    second = log.write(user("Look"), answer=assistant("Sure", call("1")))
    log.db["gpt_oss_requests"].update(second.id, {"finish_reason": None, "error": None})
    yield log
    log.db.close()


@pytest.fixture
def log(written: TurnLog) -> Iterator[TurnLog]:
    "Two turns. Changes of a test are rolled back."
    yield written
    written.db.conn.rollback()


def check(log: TurnLog, column: str, value: object) -> None:
    "With this value in the last turn, all turns can be read and exported."
    (last,) = log.db.conn.execute("select max(id) from turns").fetchone()
    log.db.conn.execute(f"update turns set {column} = ? where id = ?", [value, last])
    turn = load_turn(log.store, last)
    assert turn
    assert isinstance(turn.usage.reasoning_tokens, int | float)
    assert isinstance(turn.finish_reason, str)
    assert turn.finished.notes == ()
    for form in ("turns", "chat", "responses"):
        assert len(exported(log.store, form)) == 2


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_turns(log: TurnLog, column: str, value: object) -> None:
    check(log, column, value)


@pytest.mark.parametrize("value", INNER)
@pytest.mark.parametrize("path", PATHS)
def test_a_value_in_a_column_of_turns(log: TurnLog, path: str, value: str) -> None:
    check(log, *in_object(path, value))


@pytest.mark.parametrize("json", VALUES)
def test_whatever_is_no_object_reads_as_an_empty_one(json: str | bytes) -> None:
    assert read_object(json) == {}


def test_values() -> None:
    assert [read_value(json) for json in (None, "", "{", "[1]", "[" * 9999)] == [None, None, None, [1], None]
    assert [*map(number, (5, 1.5, 0))] == [5, 1.5, 0]
    assert [*map(number, (-1, True, "5", None, 2**63, float("nan"), float("inf")))] == [None] * 7
    assert [*map(as_text, ("a", None, 5, {"a": 1}))] == ["a", None, "5", '{"a": 1}']
