"""What the proxy costs: processor time, memory, and how long it takes to start.

In every round the same load goes to the proxy (`llm gpt-oss serve`, logging) and to the floor, a server that
passes the bytes of the same Ollama on and does nothing else. So a slow moment of the machine hits both. What
counts is the processor time of the server's process, which others on the machine disturb least.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rig.load import Client, streamed
from rig.process import Process, free_port, running

STREAMS, PACE = 16, 100
CHAT, RESPONSES, GENERATE = "/v1/chat/completions", "/v1/responses", "/api/generate"
SERVE = [sys.executable, "-m", "llm", "gpt-oss", "serve"]
MODULE = [sys.executable, "-m", "proxy"]
BARE = [sys.executable, "-m", "llm", "--version"]
SHORT = "Say 10 tokens"
HISTORY = 200


class Row(NamedTuple):
    "`target` is the most that the proxy may take; times the floor if it is `relative`. None: only told."

    what: str
    unit: str
    target: float | None = None
    relative: bool = False


ROWS = {
    "token": Row(f"streamed token, {STREAMS} streams at {PACE}/s", "µs", 1.5, relative=True),
    "event": Row(f"event of a response, {STREAMS} streams at {PACE}/s", "µs", 200),
    "plain": Row("plain request, logged", "ms", 3.0),
    "unlogged": Row("plain request, not logged", "ms"),
    "long": Row(f"plain request after {HISTORY} messages, logged", "ms"),
    "memory": Row("memory, at its most", "MiB", 90.0),
    "serve": Row("ready: llm gpt-oss serve (floor: llm --version)", "s", 1.0),
    "module": Row("ready: python -m proxy", "s", 1.0),
}

# Of each row, round by round: the floor's figure, if it has one, and the proxy's.
Figures = dict[str, list[tuple[float | None, float]]]


class Bench:
    "The proxy and the floor, side by side before one Ollama."

    def __init__(self, proxy: Process, floor: Process, tokens: int, requests: int) -> None:
        self._proxy = proxy
        self._floor = floor
        self._tokens = tokens
        self._requests = requests
        self._asked = 0

    def round(self) -> Iterator[tuple[str, float | None, float]]:
        passed = self._token(self._floor, GENERATE)
        yield "token", passed, self._token(self._proxy, CHAT)
        yield "event", passed, self._token(self._proxy, RESPONSES)
        floor, proxy = Client(self._floor.port), Client(self._proxy.port)
        plain = self._each(self._floor, lambda: floor.post(GENERATE, self._prompt(SHORT)))
        yield "plain", plain, self._each(self._proxy, lambda: proxy.post(CHAT, self._chat(SHORT)))
        off = {"X-LLM-Log": "off"}
        yield "unlogged", plain, self._each(self._proxy, lambda: proxy.post(CHAT, self._chat(SHORT), off))
        yield "long", None, self._each(self._proxy, self._conversation(proxy), 4)
        yield "memory", self._floor.memory(), self._proxy.memory()

    def _token(self, server: Process, path: str) -> float:
        "Microseconds of a token, what its request takes included."
        text = f"Say {self._tokens} tokens at {PACE} a second"
        of = {GENERATE: self._prompt, CHAT: self._chat, RESPONSES: self._response}[path]
        bodies = [of(text) for _ in range(STREAMS)]
        before = server.cpu()
        asyncio.run(streamed(server.port, path, bodies))
        return (server.cpu() - before) / (STREAMS * self._tokens) * 1e6

    def _each(self, server: Process, ask: Callable[[], object], share: int = 1) -> float:
        "Milliseconds of a request, over the `share`th part of the requests. The first one is not counted."
        ask()
        before = server.cpu()
        for _ in range(self._requests // share):
            ask()
        return (server.cpu() - before) / (self._requests // share) * 1000

    def _conversation(self, client: Client) -> Callable[[], object]:
        "Goes on with itself: each request brings all that was said before."
        body = self._chat(SHORT)
        said = {"user": "Tell me about the sea. " * 10, "assistant": "It is wide, and it is deep. " * 10}
        told = [
            {"role": role, "content": f"{index}. {text}"}
            for index in range(HISTORY // 2)
            for role, text in said.items()
        ]
        body["messages"] = [*told, *body["messages"]]

        def ask() -> None:
            answer = json.loads(client.post(CHAT, body))["choices"][0]["message"]
            body["messages"] += [answer, *self._chat(SHORT)["messages"]]

        return ask

    def _chat(self, text: str) -> dict[str, Any]:
        "Each begins a conversation of its own."
        self._asked += 1
        content = f"This is number {self._asked}. {text}"
        return {
            "model": "gpt-oss",
            "stream": " at " in text,
            "messages": [{"role": "user", "content": content}],
        }

    def _response(self, text: str) -> dict[str, Any]:
        return {"model": "gpt-oss", "stream": True, "input": self._chat(text)["messages"]}

    def _prompt(self, text: str) -> dict[str, Any]:
        return {"model": "gpt-oss:20b", "prompt": text, "raw": True, "stream": True}


def measure(rounds: int, starts: int, tokens: int, requests: int) -> Figures:
    "One round before those that count warms everything up."
    figures: Figures = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as user_path, ExitStack() as stack:
        rig = Path(__file__).with_name("rig")
        port = free_port()
        ollama = [sys.executable, str(rig / "ollama.py"), str(port)]
        stack.enter_context(running(ollama, port, "/api/version"))
        environ = {**os.environ, "LLM_USER_PATH": user_path, "OLLAMA_HOST": f"127.0.0.1:{port}"}
        for number in range(starts + 1):
            progress(f"start {number} of {starts}")
            for name, took in start(environ).items():
                figures[name] += [took] * bool(number)
        floor_port, proxy_port = free_port(), free_port()
        floor = [sys.executable, str(rig / "floor.py"), str(floor_port), f"http://127.0.0.1:{port}"]
        serve = [*SERVE, "--port", str(proxy_port), "--max-concurrency", str(STREAMS)]
        bench = Bench(
            stack.enter_context(running(serve, proxy_port, "/health", environ)),
            stack.enter_context(running(floor, floor_port, "/health")),
            tokens,
            requests,
        )
        for number in range(rounds + 1):
            for name, passed, ours in bench.round():
                progress(f"round {number} of {rounds}: {ROWS[name].what}")
                figures[name] += [(passed, ours)] * bool(number)
    progress("")
    return figures


def start(environ: dict[str, str]) -> dict[str, tuple[float | None, float]]:
    "Seconds until /health answers."
    before = time.perf_counter()
    subprocess.run(BARE, env=environ, stdout=subprocess.DEVNULL, check=True)
    bare = time.perf_counter() - before
    took = []
    for command in (SERVE, MODULE):
        port = free_port()
        with running([*command, "--port", str(port)], port, "/health", environ) as process:
            took.append(process.seconds)
    return {"serve": (bare, took[0]), "module": (None, took[1])}


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def summary(figures: Figures) -> dict[str, dict[str, Any]]:
    "Medians; `times` is the median of what the proxy takes to what the floor took in the same round."
    result = {}
    for name, pairs in figures.items():
        row = ROWS[name]
        floors = [floor for floor, _ in pairs if floor is not None]
        proxy = statistics.median(ours for _, ours in pairs)
        times = statistics.median(ours / floor for floor, ours in pairs if floor) if floors else None
        reached = times if row.relative else proxy
        result[name] = {
            "floor": round(statistics.median(floors), 3) if floors else None,
            "proxy": round(proxy, 3),
            "unit": row.unit,
            "times": round(times, 2) if times else None,
            "target": row.target,
            "met": None if row.target is None or reached is None else reached <= row.target,
        }
    return result


def table(result: dict[str, dict[str, Any]]) -> str:
    lines = [f"{'':<50}{'floor':>12}{'proxy':>12}{'times':>7}  target"]
    for name, row in ROWS.items():
        got = result[name]
        floor, proxy = (_figure(got[side], row.unit) for side in ("floor", "proxy"))
        times = f"{got['times']:.2f}" if got["times"] else ""
        lines.append(f"{row.what:<50}{floor:>12}{proxy:>12}{times:>7}  {_verdict(row, got['met'])}".rstrip())
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.2f} {unit}" if unit in ("s", "ms") else f"{value:.0f} {unit}"


def _verdict(row: Row, met: bool | None) -> str:
    if row.target is None:
        return ""
    wanted = f"{row.target:g} times" if row.relative else f"{row.target:g} {row.unit}"
    return f"{wanted}: {'met' if met else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each load is put on (3)")
    parser.add_argument("--starts", type=int, default=5, help="how often each command is started (5)")
    parser.add_argument("--tokens", type=int, default=300, help="of each stream (300)")
    parser.add_argument("--requests", type=int, default=100, help="of each kind in a round (100)")
    parser.add_argument("--json", action="store_true", help="print JSON, the figures of every round included")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        parser.exit(0, "It reads what a process has cost in /proc, which only Linux has.\n")
    figures = measure(arguments.rounds, arguments.starts, arguments.tokens, arguments.requests)
    result = summary(figures)
    print(json.dumps({**result, "rounds": figures}) if arguments.json else table(result))


if __name__ == "__main__":
    main()
