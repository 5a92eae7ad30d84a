"""What the proxy costs: processor time, memory, and the time that it takes to start.

Each round puts the same load on the proxy (`llm gpt-oss serve`, with the log) and on the floor, a server that
only forwards the bytes of the same Ollama. So a slow moment of the machine affects both. The figures are the
processor time of the server's process, which other programs on the machine affect least.
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

from rig.load import Client, stream_all
from rig.process import Process, free_port, running

STREAMS, PACE = 16, 100
CHAT, RESPONSES, GENERATE = "/v1/chat/completions", "/v1/responses", "/api/generate"
SERVE = [sys.executable, "-m", "llm", "gpt-oss", "serve"]
MODULE = [sys.executable, "-m", "proxy"]
LLM_VERSION = [sys.executable, "-m", "llm", "--version"]
SHORT = "Say 10 tokens"
HISTORY = 200


class Row(NamedTuple):
    "A row of the table. `target` is the limit for the proxy, in times the floor if it is `relative`."

    title: str
    unit: str
    target: float | None = None
    relative: bool = False


ROWS = {
    "token": Row(f"streamed token, {STREAMS} streams at {PACE}/s", "µs", 1.5, relative=True),
    "event": Row(f"event of a response, {STREAMS} streams at {PACE}/s", "µs", 200),
    "plain": Row("plain request, logged", "ms", 3.0),
    "unlogged": Row("plain request, not logged", "ms"),
    "long": Row(f"plain request after {HISTORY} messages, logged", "ms"),
    "memory": Row("peak memory", "MiB", 90.0),
    "serve": Row("ready: llm gpt-oss serve (floor: llm --version)", "s", 1.0),
    "module": Row("ready: python -m proxy", "s", 1.0),
}

# The figures of each row, a pair for each round: of the floor, if it has one, and of the proxy.
Figures = dict[str, list[tuple[float | None, float]]]


class Bench:
    "The proxy and the floor, in front of the same Ollama."

    def __init__(self, proxy: Process, floor: Process, tokens: int, requests: int) -> None:
        self._proxy = proxy
        self._floor = floor
        self._tokens = tokens
        self._requests = requests
        self._conversations = 0

    def round(self) -> Iterator[tuple[str, float | None, float]]:
        "Yield a name in ROWS, and the figures of the floor and the proxy."
        floor_token = self._token(self._floor, GENERATE)
        yield "token", floor_token, self._token(self._proxy, CHAT)
        yield "event", floor_token, self._token(self._proxy, RESPONSES)
        floor, proxy = Client(self._floor.port), Client(self._proxy.port)
        plain = self._request(self._floor, lambda: floor.post(GENERATE, self._prompt(SHORT)))
        yield "plain", plain, self._request(self._proxy, lambda: proxy.post(CHAT, self._chat(SHORT)))
        off = {"X-LLM-Log": "off"}
        yield "unlogged", plain, self._request(self._proxy, lambda: proxy.post(CHAT, self._chat(SHORT), off))
        yield "long", None, self._request(self._proxy, self._growing_conversation(proxy), 4)
        yield "memory", self._floor.memory(), self._proxy.memory()

    def _token(self, server: Process, path: str) -> float:
        "Return the microseconds for a token, with its share of the request."
        text = f"Say {self._tokens} tokens at {PACE} a second"
        body = {GENERATE: self._prompt, CHAT: self._chat, RESPONSES: self._response}[path]
        bodies = [body(text) for _ in range(STREAMS)]
        before = server.cpu()
        asyncio.run(stream_all(server.port, path, bodies))
        return (server.cpu() - before) / (STREAMS * self._tokens) * 1e6

    def _request(self, server: Process, send: Callable[[], object], divisor: int = 1) -> float:
        "Return the milliseconds for a request, after a first one. `divisor` reduces the number of requests."
        send()
        before = server.cpu()
        count = self._requests // divisor
        for _ in range(count):
            send()
        return (server.cpu() - before) / count * 1000

    def _growing_conversation(self, client: Client) -> Callable[[], object]:
        "Return a function that sends the next request of a conversation, with all messages before it."
        body = self._chat(SHORT)
        texts = {"user": "Tell me about the sea. " * 10, "assistant": "It is wide, and it is deep. " * 10}
        history = [
            {"role": role, "content": f"{index}. {text}"}
            for index in range(HISTORY // 2)
            for role, text in texts.items()
        ]
        body["messages"] = [*history, *body["messages"]]

        def send() -> None:
            answer = json.loads(client.post(CHAT, body))["choices"][0]["message"]
            body["messages"] += [answer, *self._chat(SHORT)["messages"]]

        return send

    def _chat(self, text: str) -> dict[str, Any]:
        "Return a chat request that starts a new conversation."
        self._conversations += 1
        content = f"This is number {self._conversations}. {text}"
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
    "Run the benchmark. A first round, which fills caches, is not counted."
    figures: Figures = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as user_path, ExitStack() as stack:
        rig = Path(__file__).with_name("rig")
        port = free_port()
        ollama = [sys.executable, str(rig / "ollama.py"), str(port)]
        stack.enter_context(running(ollama, port, "/api/version"))
        environ = {**os.environ, "LLM_USER_PATH": user_path, "OLLAMA_HOST": f"127.0.0.1:{port}"}
        for number in range(starts + 1):
            progress(f"start {number} of {starts}")
            for name, seconds in start(environ).items():
                figures[name] += [seconds] * bool(number)
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
            for name, floor_figure, proxy_figure in bench.round():
                progress(f"round {number} of {rounds}: {ROWS[name].title}")
                figures[name] += [(floor_figure, proxy_figure)] * bool(number)
    progress("")
    return figures


def start(environ: dict[str, str]) -> dict[str, tuple[float | None, float]]:
    "Return the seconds from each command to a response of /health, with those of `llm --version`."
    before = time.perf_counter()
    subprocess.run(LLM_VERSION, env=environ, stdout=subprocess.DEVNULL, check=True)
    llm_version = time.perf_counter() - before
    seconds = []
    for command in (SERVE, MODULE):
        port = free_port()
        with running([*command, "--port", str(port)], port, "/health", environ) as process:
            seconds.append(process.seconds)
    return {"serve": (llm_version, seconds[0]), "module": (None, seconds[1])}


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def summary(figures: Figures) -> dict[str, dict[str, Any]]:
    "Return medians. `times` is the median of the ratios of proxy to floor in each round."
    result = {}
    for name, pairs in figures.items():
        row = ROWS[name]
        floors = [floor for floor, _ in pairs if floor is not None]
        proxy = statistics.median(figure for _, figure in pairs)
        times = statistics.median(figure / floor for floor, figure in pairs if floor) if floors else None
        figure = times if row.relative else proxy
        result[name] = {
            "floor": round(statistics.median(floors), 3) if floors else None,
            "proxy": round(proxy, 3),
            "unit": row.unit,
            "times": round(times, 2) if times else None,
            "target": row.target,
            "met": None if row.target is None or figure is None else figure <= row.target,
        }
    return result


def table(result: dict[str, dict[str, Any]]) -> str:
    lines = [f"{'':<50}{'floor':>12}{'proxy':>12}{'times':>7}  target"]
    for name, row in ROWS.items():
        values = result[name]
        floor, proxy = (_figure(values[side], row.unit) for side in ("floor", "proxy"))
        times = f"{values['times']:.2f}" if values["times"] else ""
        lines.append(
            f"{row.title:<50}{floor:>12}{proxy:>12}{times:>7}  {_verdict(row, values['met'])}".rstrip()
        )
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.2f} {unit}" if unit in ("s", "ms") else f"{value:.0f} {unit}"


def _verdict(row: Row, met: bool | None) -> str:
    if row.target is None:
        return ""
    limit = f"{row.target:g} times" if row.relative else f"{row.target:g} {row.unit}"
    return f"{limit}: {'met' if met else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each load is repeated (3)")
    parser.add_argument("--starts", type=int, default=5, help="how often each command is started (5)")
    parser.add_argument("--tokens", type=int, default=300, help="tokens of each stream (300)")
    parser.add_argument("--requests", type=int, default=100, help="requests of each type in a round (100)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the figures of every round")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        parser.exit(0, "The benchmark reads processor time from /proc, which only Linux has.\n")
    figures = measure(arguments.rounds, arguments.starts, arguments.tokens, arguments.requests)
    result = summary(figures)
    print(json.dumps({**result, "rounds": figures}) if arguments.json else table(result))


if __name__ == "__main__":
    main()
