"""Kill the server again and again while many clients use it, and count the turns that are lost.

`make kills` runs this. Each round starts the server on the same log. Clients request answers, one after the
other, until `kill -9` ends the server at a random moment. A turn is acknowledged once its client has the end
of the answer. Afterwards each acknowledged turn has to be in the log once, as a success, and the log has to
pass SQLite's `integrity_check`. The exit status is 1 if that is not so.

    make kills KILLS=100
    .venv/bin/python scripts/kills.py 20 --clients 50 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.faults.load import Turns, acknowledge, print_table, slow_answer, words_in_log  # noqa: E402
from support.faults.ollama import Ollama  # noqa: E402
from support.faults.process import Server, serving  # noqa: E402

# Seconds between the first acknowledged turn of a round and the end of the server.
SOONEST, LATEST = 0.0, 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the server under load, and count lost turns.")
    parser.add_argument("kills", nargs="?", type=int, default=100)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311 - not a secret
    started = time.monotonic()
    turns = Turns()
    with tempfile.TemporaryDirectory(prefix="llm-gpt-oss-kills-") as name, Ollama() as ollama:
        folder = Path(name)
        for number in range(1, arguments.kills + 1):
            with serving(folder, ollama.url, "--max-concurrency", str(arguments.clients)) as server:
                play_round(server, ollama, turns, arguments.clients, chance.uniform(SOONEST, LATEST))
            if number % 10 == 0:
                print(f"{number} kills, {len(turns.acknowledged):,} acknowledged turns", flush=True)
        with serving(folder, ollama.url) as server:
            server.client.get("/health")
            status = server.stop()
        statuses = words_in_log(server.log)
        server.log.check()
    return report(turns, statuses, arguments.kills, arguments.clients, time.monotonic() - started, status)


def play_round(server: Server, ollama: Ollama, turns: Turns, clients: int, seconds: float) -> None:
    "Let the clients use the server until it is killed, `seconds` after the first answer."
    before = len(turns.acknowledged)
    server.client.get("/health")

    def use() -> None:
        with suppress(OSError, HTTPException, EOFError):
            while True:
                acknowledge(server.client, ollama, turns, slow_answer())

    with ThreadPoolExecutor(clients) as executor:
        for _ in range(clients):
            executor.submit(use)
        while len(turns.acknowledged) == before:
            time.sleep(0.01)
        time.sleep(seconds)
        server.kill()


def report(
    turns: Turns, statuses: dict[str, Counter[int]], kills: int, clients: int, seconds: float, status: int
) -> int:
    acknowledged = turns.acknowledged
    lost = [word for word in acknowledged if word not in statuses]
    twice = [word for word, count in statuses.items() if count.total() > 1]
    failed = [word for word in acknowledged if word in statuses and 200 not in statuses[word]]
    interrupted = sum(500 in count for count in statuses.values())
    table = {
        "kills": kills,
        "clients": clients,
        "acknowledged turns": len(acknowledged),
        "lost": len(lost),
        "twice": len(twice),
        "logged as failed": len(failed),
        "interrupted turns in the log": interrupted,
        "minutes": round(seconds / 60),
    }
    print_table([table])
    return 1 if lost or twice or failed or status or not acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
