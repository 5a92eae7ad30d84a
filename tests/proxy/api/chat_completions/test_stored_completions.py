"Queries use an index that has the rows in order, so that a page takes as long in any log."

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from llm.logs import LogStore

from proxy.api.chat_completions.stored_completions import ListQuery, list_statement
from proxy.log.access import Viewer
from proxy.log.database import open_log
from proxy.log.queries import ANSWERED, TURN

EACH = {
    "viewer": [Viewer(None, admin=True), Viewer("app", admin=False)],
    "model": [None, "gpt-oss"],
    "metadata": [{}, {"a": "b"}, {"a": "b", "c": "d"}],
    "after": [None, "01"],
    "descending": [False, True],
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogStore]:
    log = open_log(tmp_path_factory.mktemp("log") / "logs.db")
    yield log
    log.db.close()


def plan(log: LogStore, sql: str, arguments: Any) -> list[str]:
    return [row[3] for row in log.db.conn.execute(f"explain query plan {sql}", arguments)]


@pytest.mark.parametrize(
    "arguments", [dict(zip(EACH, values, strict=True)) for values in product(*EACH.values())]
)
def test_pages_use_an_index(log: LogStore, arguments: dict[str, Any]) -> None:
    steps = plan(log, *list_statement(ListQuery(**arguments), 20))
    assert [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step] == []
    after = "turn_id>?" if arguments["after"] and not arguments["descending"] else "turn_id<?"
    if arguments["after"]:
        assert after in steps[0]


def test_turns_use_an_index(log: LogStore) -> None:
    steps = plan(log, f"{TURN} where turns.id in ({ANSWERED})", ["[]"])
    assert [step for step in steps if "SCAN" in step and "json_each" not in step] == []
