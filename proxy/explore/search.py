"""Searches the log for words.

LLM has a full-text index of prompts and answers. Reasoning and tool results have none, because an index would
make every turn slower to write and the log twice as large. So this reads them from the newest to the oldest
for a limited time. The next page continues from there.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

HITS = 20
# How many seconds reasoning and tool results are read for a page, and how many parts one statement reads.
SECONDS = 0.6
PARTS = 2000
# Longer queries are cut, and further words are ignored: every text is compared with each word.
MAX_QUERY = 300
MAX_WORDS = 10
# What surrounds a word that was found, in a snippet. Neither can be typed.
MARK, END_MARK = "\x02", "\x03"
CONTEXT = 100

TEXT, REASONING, TOOLS = "text", "reasoning", "tools"
PLACES = {TEXT: "prompts and answers", REASONING: "reasoning", TOOLS: "results of tools"}
TYPES = {REASONING: "reasoning", TOOLS: "tool_result"}

INDEXED = f"""
select turn_search.id, turn_search.turn_id, turns.datetime_utc, turns.thread_id, threads.name,
  snippet(turn_search_fts, -1, '{MARK}', '{END_MARK}', '…', 30) as snippet
from turn_search_fts
cross join turn_search on turn_search.id = turn_search_fts.rowid
join turns on turns.id = turn_search.turn_id
left join threads on threads.id = turns.thread_id
where turn_search_fts match :words and turn_search_fts.rowid < :before
order by turn_search_fts.rowid desc
limit {HITS + 1}
"""
CONTENT = "coalesce(text, case when json_valid(payload) then json_extract(payload, '$.output') end, payload)"
SCANNED = f"""
select id, message_hash, {CONTENT} as content from parts
where id < :before and id >= :after and type = :type and {{conditions}}
order by id desc
"""
# The first turn that ends with the message or with one that follows it.
TURN = """
with recursive following (hash, distance) as (
  select :hash, 0
  union all
  select messages.hash, distance + 1
  from following join messages on messages.parent_hash = following.hash
  where distance < 20
  limit 200
)
select turns.id as turn_id, turns.datetime_utc, turns.thread_id, threads.name
from following
join turns on turns.tip_message_hash = following.hash
left join threads on threads.id = turns.thread_id
order by distance, turns.id
limit 1
"""


class Hit(NamedTuple):
    "A turn that has the words. `snippet` has MARK and END_MARK around them."

    turn_id: str
    thread_id: str | None
    thread_name: str | None
    datetime_utc: str
    snippet: str


class Found(NamedTuple):
    """A page of hits, the newest first. `next` continues the search, None at its end.

    `complete` is false if the time ran out before the page was full.
    """

    hits: Sequence[Hit]
    next: int | None
    complete: bool = True


class Database(Protocol):
    async def execute(self, sql: str, params: Any = None) -> Any: ...


async def search(database: Database, query: str, place: str, before: int | None = None) -> Found:
    "Return the turns that have all words of the query. `before` is `next` of the page before."
    words = split_words(query)
    if not words:
        return Found([], None)
    if place == TEXT:
        return await _search_index(database, words, before)
    return await _scan(database, words, TYPES[place], before)


def split_words(query: str) -> list[str]:
    "Return the words and the quoted phrases of a query. Operators such as `or` and `*` are ordinary text."
    found = re.findall(r'"([^"]*)"?|([^\s"]+)', query[:MAX_QUERY].replace("\0", " "))
    return [word for word in (phrase.strip() or word for phrase, word in found) if word][:MAX_WORDS]


async def _search_index(database: Database, words: Sequence[str], before: int | None) -> Found:
    match = " ".join(f'"{word}"' for word in words)
    parameters = {"words": match, "before": 2**62 if before is None else before}
    rows = (await database.execute(INDEXED, parameters)).rows
    hits = [
        Hit(row["turn_id"], row["thread_id"], row["name"], row["datetime_utc"], row["snippet"])
        for row in rows
    ]
    return Found(hits[:HITS], rows[HITS - 1]["id"] if len(rows) > HITS else None)


async def _scan(database: Database, words: Sequence[str], type_: str, before: int | None) -> Found:
    deadline = time.monotonic() + SECONDS
    names = [f"word{n}" for n in range(len(words))]
    sql = SCANNED.format(conditions=" and ".join(f"instr(lower({CONTENT}), :{name})" for name in names))
    parameters: dict[str, Any] = {"type": type_, **dict(zip(names, map(str.lower, words), strict=True))}
    if before is None:
        before = ((await database.execute("select max(id) from parts")).rows[0][0] or 0) + 1
    hits: list[Hit] = []
    while before > 0:
        if time.monotonic() > deadline:
            return Found(hits, before, complete=False)
        after = max(0, before - PARTS)
        rows = await database.execute(sql, {**parameters, "before": before, "after": after})
        for row in rows.rows:
            if hit := await _hit(database, row, words):
                hits.append(hit)
                if len(hits) == HITS:
                    return Found(hits, row["id"])
        before = after
    return Found(hits, None)


async def _hit(database: Database, row: sqlite3.Row, words: Sequence[str]) -> Hit | None:
    "Return the turn of a part. None if it has none: it belongs to a thread that was forked or imported."
    turns = (await database.execute(TURN, {"hash": row["message_hash"]})).rows
    if not turns:
        return None
    turn = turns[0]
    snippet = "".join(_snippet(str(row["content"]), words))
    return Hit(turn["turn_id"], turn["thread_id"], turn["name"], turn["datetime_utc"], snippet)


def _snippet(content: str, words: Sequence[str]) -> Iterator[str]:
    "Yield the text around the first word that was found."
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    first = pattern.search(content)
    start = max(0, first.start() - CONTEXT) if first else 0
    end = start + 3 * CONTEXT
    if start:
        yield "…"
    yield pattern.sub(lambda match: f"{MARK}{match[0]}{END_MARK}", content[start:end])
    if end < len(content):
        yield "…"
