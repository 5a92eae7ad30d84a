"""Use one server for a long time, in every way and with faults, and check that it is as it was before.

`make soak` runs this. Clients request answers of every kind, leave, send bad requests and cancel. The engine
is cut, busy, silent or wrong, and another program locks the log now and then. Ten times the load is paused,
and the server's memory, files and tasks are counted. The exit status is 1 if the memory grows by more than
5 % once the caches are full, if there are more files or tasks than before, or if an acknowledged turn is not
in the log once.

    make soak MINUTES=30
    .venv/bin/python scripts/soak.py 10 --clients 4 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.faults.load import Turns, acknowledge, print_table, slow_answer, words_in_log  # noqa: E402
from support.faults.log_faults import locked  # noqa: E402
from support.faults.mixed_load import KINDS  # noqa: E402
from support.faults.ollama import Ollama  # noqa: E402
from support.faults.process import COUNTED, Server, serving  # noqa: E402
from support.faults.row import wait_for  # noqa: E402

SAMPLES = 10
# Caches fill until about this request. The largest are pydantic's, of the last 16,384 short strings, and that
# of hashes in `proxy/log/fingerprint.py`.
WARM = 6_000
GROWTH = 1.05
# Seconds.
LOCK_EVERY, LOCKED = 20, 2


def main() -> int:
    parser = argparse.ArgumentParser(description="Put mixed load with faults on a server for a long time.")
    parser.add_argument("minutes", nargs="?", type=float, default=30)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llm-gpt-oss-soak-") as name, Ollama() as ollama:
        with serving(Path(name), ollama.url, command=COUNTED) as server:
            soak = Soak(server, ollama, arguments.clients, arguments.seed)
            rows = soak.run(arguments.minutes * 60)
            status = server.stop()
        statuses = words_in_log(server.log)
        server.log.check()
        spooled = server.spooled()
    print_table(rows)
    print_table([{"request": name, "times": times} for name, times in sorted(soak.counts.items())])
    problems = [*growth(rows), *wrong_turns(soak.turns, statuses)]
    problems += [f"exit status {status}"] * bool(status) + [f"left in the spool: {spooled}"] * bool(spooled)
    problems += soak.problems[:10]
    print(f"\n{len(soak.turns.acknowledged):,} acknowledged turns. {'. '.join(problems) or 'No problem.'}")
    return 1 if problems else 0


class Soak:
    "`counts` says how often each kind of request was sent. `problems` are answers that were not expected."

    def __init__(self, server: Server, ollama: Ollama, clients: int, seed: int) -> None:
        self.turns = Turns()
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self._server = server
        self._ollama = ollama
        self._clients = clients
        self._seed = seed
        self._over = Event()
        self._running = Event()

    def run(self, seconds: float) -> list[dict[str, float | str]]:
        "Return a row for each sample."
        acknowledge(self._server.client, self._ollama, self.turns, slow_answer())
        started = time.monotonic()
        rows = [self._sample(0.0)]
        self._running.set()
        with ThreadPoolExecutor(self._clients + 1) as executor:
            workers = [executor.submit(self._use, number) for number in range(self._clients)]
            workers.append(executor.submit(self._lock))
            try:
                for number in range(1, SAMPLES + 1):
                    time.sleep(max(0.0, started + seconds * number / SAMPLES - time.monotonic()))
                    self._running.clear()
                    rows.append(self._sample((time.monotonic() - started) / 60))
                    print(rows[-1], flush=True)
                    self._running.set()
            finally:
                self._over.set()
                self._running.set()
        for worker in workers:
            worker.result()
        return rows

    def _use(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)  # noqa: S311 - not a secret
        kinds: dict[str, Callable[..., None]] = KINDS
        while not self._over.is_set():
            self._running.wait()
            name = chance.choice([*kinds])
            try:
                kinds[name](self._server.client, self._ollama, self.turns)
            except Exception as problem:
                self.problems.append(f"{name}: {type(problem).__name__} {problem}")
            self.counts[name] += 1

    def _lock(self) -> None:
        "Lock the log now and then, as a backup does."
        while not self._over.wait(LOCK_EVERY):
            self._running.wait()
            with locked(self._server.log.path):
                time.sleep(LOCKED)
            self.counts["the log is locked"] += 1

    def _sample(self, minute: float) -> dict[str, float | str]:
        "Count what the server has, once all requests have ended."
        idle = {"running": 0, "waiting": 0}
        wait_for("an empty queue", lambda: self._server.client.get("/health").json()["queue"] == idle)
        time.sleep(3)  # longer than a lock, and than a turn waits to be written
        return {
            "minute": round(minute, 1),
            "requests": self.counts.total(),
            "acknowledged turns": len(self.turns.acknowledged),
            "memory, MB": round(self._server.megabytes(), 1),
            "files": self._server.descriptors(),
            "tasks": self._server.tasks(),
        }


def growth(rows: list[dict[str, float | str]]) -> list[str]:
    "Return what there is more of at the end than after the caches were full."
    warm, last = next((row for row in rows[2:] if float(row["requests"]) >= WARM), rows[2]), rows[-1]
    memory = float(last["memory, MB"]) / float(warm["memory, MB"])
    problems = [f"The memory has grown by {(memory - 1) * 100:.0f} %"] * (memory > GROWTH)
    return problems + [f"More {name} than before" for name in ("files", "tasks") if last[name] > warm[name]]


def wrong_turns(turns: Turns, statuses: dict[str, Counter[int]]) -> list[str]:
    lost = sum(word not in statuses for word in turns.acknowledged)
    twice = sum(count.total() > 1 for count in statuses.values())
    return [f"{lost} turns are lost"] * bool(lost) + [f"{twice} turns are in the log twice"] * bool(twice)


if __name__ == "__main__":
    sys.exit(main())
