"What Datasette shows about the tables and queries of a log."

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
from fastapi import FastAPI
from support.log_pages import browsing
from support.logged_turns import assistant, user
from support.turn_logs import TurnLog

from proxy.explore.charts import CHARTS, dashboards
from proxy.explore.metadata import HIDDEN, TABLES
from proxy.explore.queries import QUERIES

# LLM's tables that a log of gpt-oss rarely has rows in. They speak for themselves.
PLAIN = {
    *("attachments", "fragment_aliases", "fragments", "part_attachments", "part_fragments", "turn_fragments"),
    *("turn_tools", "tool_instances", "tool_instantiations"),
}


async def test_each_table_is_described_or_hidden(browser: httpx.AsyncClient) -> None:
    tables = (await browser.get("/logs/log.json")).json()["tables"]
    shown = {table["name"] for table in tables if not table["hidden"]}
    assert shown - PLAIN == {name for name in TABLES if name in {table["name"] for table in tables}}
    hidden = {table["name"] for table in tables if table["hidden"]}
    assert all(name.startswith(HIDDEN) for name in hidden)
    assert "turn_search_fts_data" in hidden


async def test_the_first_page_leads_to_all_queries_and_tables(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/logs/")).text
    for query in QUERIES:
        assert f'<a href="/logs/log/{query.name}">{query.title}</a>' in page
    assert '<a href="/logs/log/gpt_oss_turns">Turns</a>' in page
    assert '<a href="/logs/-/dashboards/log">' in page
    assert 'action="/logs/-/search"' in page


async def test_ids_link_to_transcripts(turn_log: TurnLog, browser: httpx.AsyncClient) -> None:
    written = turn_log.write(user("Hi <b>"), answer=assistant("Hello"))
    thread = turn_log.thread_of(written)
    turn_log.db.close()
    pages = [
        (await browser.get(f"/logs/log/{path}")).text
        for path in ("turns", f"turns/{written.id}", f"threads/{thread}", f"gpt_oss_requests/{written.id}")
    ]
    turn_link = f'<a href="/logs/-/turn/{written.id}">{written.id}</a>'
    assert f'<a href="/logs/-/thread/{thread}">Hi &lt;b&gt;</a>' in pages[0]
    assert turn_link in pages[1]
    assert f'<a href="/logs/-/thread/{thread}">{thread}</a>' in pages[2]
    assert turn_link in pages[3]


async def test_times_have_units(turn_log: TurnLog, browser: httpx.AsyncClient) -> None:
    turn_log.write(user("Hi"), answer=assistant("Hello"), queue_ms=1500)
    turn_log.db.close()
    assert "1.5&nbsp;s" in (await browser.get("/logs/log/gpt_oss_requests")).text


def test_charts_show_queries_and_only_as_pictures() -> None:
    "datasette-dashboards shows the rows of its other kinds of charts as HTML."
    charts = dashboards("log")["log"]["charts"]
    assert {chart["library"] for chart in charts.values()} == {"vega-lite"}
    assert {query for query, *_ in CHARTS.values()} <= {query.name for query in QUERIES}
    assert {chart["query"] for chart in charts.values()} <= {query.sql for query in QUERIES}
    for slug, (name, _, display) in CHARTS.items():
        sql = next(query.sql for query in QUERIES if query.name == name)
        fields = re.findall(r'"field": "(\w+)"', json.dumps(display))
        made = {step["as"] for step in display.get("transform", ())}
        assert [
            field for field in fields if field not in made and not re.search(rf"\b{field}\b", sql)
        ] == [], slug


async def test_the_dashboard(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logs/-/dashboards/log?days=7")
    assert page.status_code == 200
    assert "The log in pictures" in page.text
    assert page.text.count("renderChart(") == len(CHARTS)


async def test_no_page_sets_cookies_of_the_login_again(app_with: Callable[..., FastAPI]) -> None:
    async with browsing(app_with(), cookie="session=secret") as client:
        for path in ("/logs/", "/logs/-/dashboards/log", "/logs/-/dashboards/log?days=7"):
            cookies = (await client.get(path)).headers.get_list("set-cookie")
            assert [cookie for cookie in cookies if not cookie.startswith("ds_")] == []
