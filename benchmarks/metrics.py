"""How much processor time `/metrics` costs: for each request, and for a scrape.

Nothing is counted for each token. So the share of a streamed token is the time for a request, divided by the
tokens of its answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import llm

from llm_gpt_oss.llm_internals import set_times
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from proxy.log.turn import RequestRecord, Turn
from proxy.metrics.counters import Counters
from proxy.metrics.server_metrics import ServerMetrics, SharedState, WorkerState

TAG, ENDPOINT = "gpt-oss:20b", "/v1/chat/completions"
TOKENS = 300
WORKERS = 4
REQUESTS, SCRAPES = 5000, 50
IDLE = WorkerState(0, 0, 0)
SHARED = SharedState("ollama", TAG, True, True, 0, 0, 0, 1)
SCOPE = {"method": "POST"}


def turn() -> Turn:
    "A turn of which everything is counted."
    model = GptOss(TAG, Settings.from_env({}))
    data = {"model": TAG, "id": "x", "prompt": {"messages": []}, "messages": []}
    response = llm.Response.from_dict(data, model=model)
    set_times(response, datetime.now(timezone.utc), 1.0)
    details = {"reasoning_tokens": 100, "tokens_per_second": 50.0}
    response.set_usage(input=1000, output=TOKENS, details=details)
    response.response_json = {"outcome": {"notes": [{"kind": "repaired", "text": "x"}]}}
    return Turn(response, RequestRecord(ENDPOINT, "{}", status=200, queue_ms=1, first_token_ms=100))


def seconds(work: Callable[[], object], times: int) -> float:
    "The processor time of one call."
    before = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - before) / times


def measure(rounds: int) -> dict[str, float]:
    "The medians: microseconds for a request, milliseconds for a scrape."
    ended = turn()

    def count(counters: Counters) -> None:
        counters.answer_began(SCOPE, 200)
        counters.turn_ended(ended)

    with tempfile.TemporaryDirectory() as folder:
        workers = [ServerMetrics(Counters([TAG]), Path(folder)) for _ in range(WORKERS)]
        counters = Counters([TAG])
        alone = ServerMetrics(counters)
        for worker in workers:
            count(worker._counters)
            worker.publish(IDLE)
        count(counters)
        figures = {
            "request": lambda: seconds(lambda: count(counters), REQUESTS) * 1e6,
            "scrape": lambda: seconds(lambda: alone.render(IDLE, SHARED, ""), SCRAPES) * 1e3,
            "workers": lambda: seconds(lambda: workers[0].render(IDLE, SHARED, ""), SCRAPES) * 1e3,
            "publish": lambda: seconds(lambda: workers[0].publish(IDLE), SCRAPES) * 1e3,
        }
        samples = [{name: figure() for name, figure in figures.items()} for _ in range(rounds)]
    return {name: round(statistics.median(each[name] for each in samples), 2) for name in figures}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{'a request and its turn':<40}{figures['request']:>8.1f} µs")
    print(f"{f'its share of each of {TOKENS} tokens':<40}{figures['request'] / TOKENS:>8.2f} µs")
    print(f"{'a scrape':<40}{figures['scrape']:>8.1f} ms")
    print(f"{f'a scrape with {WORKERS} workers':<40}{figures['workers']:>8.1f} ms")
    print(f"{'what a worker shares each second':<40}{figures['publish']:>8.1f} ms")


if __name__ == "__main__":
    main()
