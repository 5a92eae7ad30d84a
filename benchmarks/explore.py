"""How long the pages of a large log take: each page, each ready query, and searches.

    python benchmarks/explore.py --turns 1000000

It writes such a log in the temporary folder (about 2.5 GB for a million turns), serves it with `llm gpt-oss
explore`, and asks for each page a few times. The target is one second for a page.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
from rig.large_log import write_log

from proxy.explore.metadata import DATABASE
from proxy.explore.queries import QUERIES

TARGET = 1.0
TABLES = (
    *("gpt_oss_turns", "gpt_oss_threads", "gpt_oss_messages", "gpt_oss_tool_calls", "gpt_oss_requests"),
    *("turns", "threads", "messages", "parts"),
)
SEARCHES = (
    "pelican&in=text",
    "absent&in=text",
    "pelican&in=reasoning",
    "absent&in=reasoning",
    "absent&in=tools",
)
SERVE = "from proxy.cli.explore import command; command()"


def pages(database: Path) -> Iterator[tuple[str, str]]:
    "Yield what a page is, and its path."
    yield "the first page", "/"
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        turn, thread = connection.execute("select id, thread_id from turns order by id desc").fetchone()
    yield "the latest turn", f"/-/turn/{turn}"
    yield "its thread", f"/-/thread/{thread}"
    yield "what is kept", "/-/privacy"
    yield "all tables", f"/{DATABASE}"
    for query in QUERIES:
        yield query.title, f"/{DATABASE}/{query.name}"
    yield "the log in pictures", "/-/dashboards/log"
    for table in TABLES:
        yield f"table {table}", f"/{DATABASE}/{table}"
    yield "turns of an app", f"/{DATABASE}/gpt_oss_turns?app=curl"
    yield "turns with a status", f"/{DATABASE}/gpt_oss_requests?status=503"
    for search in SEARCHES:
        yield f"search {search.replace('&in=', ' in ')}", f"/-/search?q={search}"
    yield "a query that takes too long", f"/{DATABASE}?sql=select+count(*)+from+parts+a,+parts+b"


def measure(client: httpx.Client, path: str, times: int) -> tuple[float, float, int]:
    "Return the first time of a page, the median of the later ones, and the status."
    seconds = []
    for _ in range(1 + times):
        begin = time.perf_counter()
        answer = client.get(f"/logs{path}")
        seconds.append(time.perf_counter() - begin)
    return seconds[0], statistics.median(seconds[1:]), answer.status_code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--database", type=Path, help="use this log, which is written if it does not exist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or Path(folder, "logs.db")
        if not database.exists():
            begin = time.perf_counter()
            write_log(database, options.turns)
            print(f"written in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
        print(f"{options.turns:,} turns, {database.stat().st_size / 1e9:.1f} GB\n")
        command = [sys.executable, "-c", SERVE, "-n", "-d", str(database)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = server.stdout.readline().strip()
                with httpx.Client(
                    base_url=address.partition("/logs/")[0], headers={"accept": "text/html"}, timeout=60
                ) as client:
                    client.get(address, follow_redirects=True)
                    report(client, options.times, database)
            finally:
                server.terminate()


def report(client: httpx.Client, times: int, database: Path) -> None:
    print("| page | first | again | |\n|---|---|---|---|")
    for name, path in pages(database):
        first, again, status = measure(client, path, times)
        remark = "" if max(first, again) < TARGET else "slow"
        if status != 200:
            remark = f"{remark} {status}".strip()
        print(f"| {name} | {first * 1000:.0f} ms | {again * 1000:.0f} ms | {remark} |", flush=True)


if __name__ == "__main__":
    main()
