"Parameters that Datasette cannot use are mistakes of the address, and no failures of the server."

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from support.logged_turns import assistant, user
from support.turn_logs import TurnLog

# Wrong names, numbers that are none or too large, JSON of another shape, and a null byte.
VALUES = ["nonsense", "-1", "9" * 23, '{"table": "x"}', "[1]", "\0", '"']
PARAMETERS = [
    *("_sort", "_sort_desc", "_size", "_next", "_facet", "_facet_array", "_facet_date", "_facet_size"),
    *("_col", "_nocol", "_where", "_search", "_search_x", "_fts_table", "_through", "_filter_column"),
    *("_shape", "_json", "_json_infinity", "_timelimit", "_ttl", "_label", "_stream", "_trace"),
    *("model__gt", "model__nonsense", "nonsense", "nonsense__gt", "sql", "days", "before"),
]
PATHS = ["/log/turns", "/log/gpt_oss_turns.json", "/log/tokens.json"]


# Datasette leaves its facets behind where it fails on one.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("parameter", PARAMETERS)
async def test_no_parameter_fails_a_page(
    parameter: str, turn_log: TurnLog, browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    turn_log.write(user("Hi"), answer=assistant("Hello"))
    for path in PATHS:
        for value in VALUES:
            answer = await browser.get(f"/logs{path}?{parameter}={quote(value)}")
            assert answer.status_code < 500, (path, value)
    assert "failed" not in caplog.text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("_sort=nonsense", "Cannot sort table by nonsense", id="sort"),
        pytest.param("_size=x", "_size must be a positive integer", id="size"),
        pytest.param("_where=nonsense", "no such column: nonsense", id="where"),
        pytest.param("_timelimit=x", "Datasette cannot use a parameter of this address.", id="time limit"),
        pytest.param(f"model__gt={'9' * 23}", "SQLite cannot use a parameter of this address", id="number"),
    ],
)
async def test_the_page_says_what_is_wrong(
    query: str, message: str, turn_log: TurnLog, browser: httpx.AsyncClient
) -> None:
    page = await browser.get(f"/logs/log/turns?{query}")
    assert (page.status_code, message in page.text) == (400, True)


async def test_without_parameters_an_error_is_one_of_the_server(
    browser: httpx.AsyncClient, turn_log: TurnLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("datasette.filters.Filters.build_where_clauses")
    statuses = [(await browser.get(f"/logs/log/turns{query}")).status_code for query in ("", "?a=b")]
    assert statuses == [500, 400]
