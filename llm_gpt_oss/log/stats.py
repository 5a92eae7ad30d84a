"""Counts the turns in the log by day, model and others: tokens, speed, failures.

It counts turns of this plugin's models, and all turns of the server, which may fail before a model is known.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

# How many rows are read at once. If the log is not in WAL mode, writers wait meanwhile.
CHUNK = 5000
# What turns can be grouped by, as SQL over the view gpt_oss_turns.
GROUPS = {
    "day": "date(datetime_utc, 'localtime')",
    "effort": "effort",
    "model": "model",
    "app": "app",
    "engine": "engine",
    "key": "actor",
}
# Rounded to a tenth of a second from one second on, so that a million turns have few different times.
FIRST_MS = """case when first_token_ms < 1000 then first_token_ms
    else cast(round(first_token_ms / 100.0) * 100 as integer) end"""


class Stats(NamedTuple):
    """The numbers of a group of turns. `key` has the group's values, in the order of `by`.

    `first_token_ms` and `tokens_per_second` are medians, None if no turn has such a number.
    """

    key: Sequence[Any]
    turns: int
    failed: int
    prompt_tokens: int
    reasoning_tokens: int
    answer_tokens: int
    first_token_ms: int | None
    tokens_per_second: float | None


class _Group:
    "Sums of turns, and how often each time and each rate occurs, which takes less memory than a list."

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._first_tokens: Counter[int] = Counter()
        self._rates: Counter[float] = Counter()

    def add(self, row: sqlite3.Row) -> None:
        for name in ("turns", "failed", "prompt_tokens", "reasoning_tokens", "output_tokens"):
            self._sums[name] += row[name]
        self._first_tokens.update(json.loads(row["first_tokens"]))
        self._rates.update(json.loads(row["rates"]))

    def stats(self, key: Sequence[Any]) -> Stats:
        sums = self._sums
        return Stats(
            key,
            sums["turns"],
            sums["failed"],
            sums["prompt_tokens"],
            sums["reasoning_tokens"],
            sums["output_tokens"] - sums["reasoning_tokens"],
            _median(self._first_tokens),
            _median(self._rates),
        )


def read_stats(
    log: sqlite3.Connection, by: Sequence[str], since: str = "", *, benchmarks: bool = False
) -> tuple[list[Stats], Stats]:
    """Return the numbers of each group, in the order of their keys, and those of all turns.

    `by` are names in `GROUPS`. Only turns from the time `since` on count, in ISO 8601 and UTC. Turns of
    `llm gpt-oss bench` count only with `benchmarks`.
    """
    groups: dict[Sequence[Any], _Group] = {}
    total = _Group()
    for row in _rows(log, by, since, benchmarks=benchmarks):
        groups.setdefault(row[: len(by)], _Group()).add(row)
        total.add(row)
    in_order = sorted(groups.items(), key=lambda item: [(value is None, value or "") for value in item[0]])
    return [group.stats(key) for key, group in in_order], total.stats(())


def _rows(
    log: sqlite3.Connection, by: Sequence[str], since: str, *, benchmarks: bool
) -> Iterator[sqlite3.Row]:
    "Yield the sums of each group in each portion of the log."
    keys = ", ".join(f"{GROUPS[name]} as by_{name}" for name in by)
    sql = f"""
    select {", ".join(f"by_{name}" for name in by)}, max(turn_id) as last, count(*) as turns,
        sum(failed) as failed, sum(prompt) as prompt_tokens, sum(output) as output_tokens,
        sum(reasoning) as reasoning_tokens, json_group_array(first_token) as first_tokens,
        json_group_array(rate) as rates
    from (
        select turn_id, {keys}, error is not null or coalesce(status >= 400, 0) as failed,
            coalesce(input_tokens, 0) as prompt, coalesce(output_tokens, 0) as output,
            coalesce(reasoning_tokens, 0) as reasoning, {FIRST_MS} as first_token,
            case when typeof(tokens_per_second) in ('integer', 'real') then tokens_per_second end as rate
        from gpt_oss_turns
        where turn_id > ? and datetime_utc >= ? and (gpt_oss or endpoint is not null) and (? or not benchmark)
        order by turn_id limit {CHUNK}
    )
    group by {", ".join(f"by_{name}" for name in by)}
    """
    cursor, last = log.cursor(), ""
    cursor.row_factory = sqlite3.Row
    while rows := cursor.execute(sql, [last, since, benchmarks]).fetchall():
        last = max(row["last"] for row in rows)
        yield from rows


def _median(counts: Counter[Any]) -> Any:
    "Return the median of the numbers, given how often each occurs. Of two in the middle, the lower one."
    counts.pop(None, None)
    left = (counts.total() + 1) // 2
    for value, count in sorted(counts.items()):
        left -= count
        if left <= 0:
            return value
    return None
