"Searching the log: what is found, in what order, and what must not be an error."

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from support.logged_turns import assistant, call, reasoning, result, user
from support.turn_logs import TurnLog

from proxy.explore import search


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("two words", ["two", "words"], id="words"),
        pytest.param('say "two words"', ["say", "two words"], id="phrase"),
        pytest.param('"open', ["open"], id="open quote"),
        pytest.param('a"b', ["a", "b"], id="quote in a word"),
        pytest.param('"" \0 ', [], id="nothing"),
        pytest.param("x OR NEAR(y)*", ["x", "OR", "NEAR(y)*"], id="syntax of FTS"),
        pytest.param("w " * 1000, ["w"] * search.MAX_WORDS, id="very many"),
    ],
)
def test_words_of_a_query(query: str, words: list[str]) -> None:
    assert search.split_words(query) == words


@pytest.fixture
def turn_ids(turn_log: TurnLog) -> list[str]:
    "A turn that calls a tool, and the one that continues it. Each part has words of its own."
    turn_log.write(user("Another pelican"), answer=assistant("Hi"))
    asked = assistant(reasoning("I should look."), call("c1"))
    first = turn_log.write(user("Where is the harbour?"), answer=asked)
    second = turn_log.write(
        user("Where is the harbour?"),
        asked,
        result("c1", "line\nlighthouse 50 % “off”"),
        answer=assistant(reasoning("They want <b>directions</b>."), "At the pelican's <i>pier</i>."),
    )
    turn_log.db.close()
    return [first.id, second.id]


@pytest.mark.parametrize(
    ("query", "place", "turn", "snippet"),
    [
        pytest.param("harbour", "text", 0, "Where is the <mark>harbour</mark>?", id="prompt"),
        pytest.param("PIER", "text", 1, "&lt;i&gt;<mark>pier</mark>&lt;/i&gt;", id="answer, escaped"),
        pytest.param('"the pelican"', "text", 1, "<mark>the pelican</mark>", id="phrase"),
        pytest.param("directions", "reasoning", 1, "&lt;b&gt;<mark>directions</mark>", id="reasoning"),
        pytest.param("WANT they", "reasoning", 1, "<mark>They</mark> <mark>want</mark>", id="all words"),
        pytest.param("look", "reasoning", 0, "should <mark>look</mark>", id="reasoning before a call"),
        pytest.param("50 %", "tools", 1, "<mark>50</mark> <mark>%</mark>", id="result, no wildcard"),
        pytest.param("“off”", "tools", 1, "<mark>“off”</mark>", id="result, not as JSON has it"),
    ],
)
async def test_hits_link_to_their_turns(
    query: str, place: str, turn: int, snippet: str, turn_ids: list[str], browser: httpx.AsyncClient
) -> None:
    page = await browser.get("/logs/-/search", params={"q": query, "in": place})
    assert page.status_code == 200
    assert snippet in page.text
    assert page.text.partition("explore-hits")[2].count('href="/logs/-/turn/') == 1
    assert f'href="/logs/-/turn/{turn_ids[turn]}"' in page.text


@pytest.mark.parametrize("place", ["text", "reasoning", "tools"])
@pytest.mark.usefixtures("turn_ids")
async def test_any_words_can_be_searched(place: str, browser: httpx.AsyncClient) -> None:
    for query in ("absent", *"\"*%\\'\0🦩", '""', "AND", "a AND", "NEAR(", "col:x", "^x", "-x", "{}"):
        page = await browser.get("/logs/-/search", params={"q": query, "in": place})
        assert page.status_code == 200, query


async def test_invalid_parameters_are_errors(browser: httpx.AsyncClient) -> None:
    for parameters in ("in=names", "before=x", "before=-1", f"before={quote('٣')}", f"before={'9' * 19}"):
        page = await browser.get(f"/logs/-/search?q=x&{parameters}")
        assert page.status_code == 400, parameters


async def test_an_empty_form(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logs/-/search")
    assert (page.status_code, "Nothing was found" in page.text) == (200, False)


@pytest.mark.parametrize("place", ["text", "reasoning"])
async def test_pages_of_hits(place: str, turn_log: TurnLog, browser: httpx.AsyncClient) -> None:
    answer = assistant(reasoning("ping"), "pong ping")
    ids = [turn_log.write(user(str(n)), answer=answer).id for n in range(search.HITS + 2)]
    turn_log.db.close()
    first = await browser.get("/logs/-/search", params={"q": "ping", "in": place})
    assert "Older hits" in first.text
    link = first.text.rpartition("<p>\n")[2].partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await browser.get(link)
    shown = [each in page.text for page in (first, second) for each in reversed(ids)]
    newest = [True] * search.HITS + [False] * 2
    assert shown == [*newest, *(not is_shown for is_shown in newest)]
    assert "Older hits" not in second.text


async def test_reasoning_is_read_for_a_limited_time(
    turn_log: TurnLog, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SECONDS", -1)
    turn_log.write(user("Hi"), answer=assistant(reasoning("ping"), "pong"))
    turn_log.db.close()
    page = await browser.get("/logs/-/search?q=ping&in=reasoning")
    assert "Nothing was found so far" in page.text
    assert "Search further back" in page.text


async def test_a_search_that_takes_too_long(
    turn_ids: list[str], browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.get("/logs/")
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n)"
    sql = f"{endless} select max(i), :words, :before from n"
    monkeypatch.setattr(search, "INDEXED", sql)
    page = await browser.get("/logs/-/search?q=pelican")
    assert (page.status_code, "This took too long" in page.text) == (400, True)


async def test_parts_of_no_turn_are_left_out(turn_log: TurnLog, browser: httpx.AsyncClient) -> None:
    written = turn_log.write(user("Hi"), answer=assistant(reasoning("ping"), "pong"))
    turn_log.db.execute("delete from turns where id = ?", [written.id])
    turn_log.db.close()
    page = await browser.get("/logs/-/search?q=ping&in=reasoning")
    assert "Nothing was found." in page.text


def test_snippets_of_long_texts() -> None:
    content = "a" * 1000 + "WORD" + "b" * 1000
    snippet = "".join(search._snippet(content, ["word"]))
    assert snippet == "…" + "a" * 100 + "\x02WORD\x03" + "b" * 196 + "…"
