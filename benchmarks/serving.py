"""What the proxy costs: processor time, memory, and the time that it takes to start.

Each round puts the same load on the proxy (`llm gpt-oss serve`, with the log) and on the floor, a server that
only forwards the bytes of the same Ollama. So a slow moment of the machine affects both. The figures are the
processor time of the server's process, which other programs on the machine affect least. `--before` adds the
proxy of another checkout to each round.
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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rig.load import Client, stream_all
from rig.process import Process, free_port, running

STREAMS, PACE = 16, 100
AT_ONCE, ANSWER, ANSWER_PACE = 16, 120, 125
CHAT, RESPONSES, GENERATE = "/v1/chat/completions", "/v1/responses", "/api/generate"
SERVE = ["-m", "llm", "gpt-oss", "serve"]
MODULE = ["-m", "proxy"]
LLM_VERSION = ["-m", "llm", "--version"]
SHORT = "Say 10 tokens"
LONG = f"Say {ANSWER} tokens at {ANSWER_PACE} a second"
SOME, MANY = 200, 1000
ANSWERS, SCRAPES = 10, 50
OFF = {"X-LLM-Log": "off"}


class Row(NamedTuple):
    "A row of the table. `target` is the limit for the proxy, in times the floor if it is `relative`."

    title: str
    unit: str
    target: float | None = None
    relative: bool = False


ROWS = {
    "token": Row(f"streamed token, {STREAMS} streams at {PACE}/s", "µs", 1.3, relative=True),
    "event": Row(f"event of a response, {STREAMS} streams at {PACE}/s", "µs", 1.3, relative=True),
    "plain": Row("plain request, logged", "ms"),
    "unlogged": Row("plain request, not logged", "ms"),
    "at_once": Row(f"plain request, logged, {AT_ONCE} at a time", "ms", 3.0, relative=True),
    "answer": Row(f"plain request, logged, {ANSWER} tokens at {ANSWER_PACE}/s", "ms", 8.0),
    "some": Row(f"plain request after {SOME} messages, logged", "ms"),
    "many": Row(f"plain request after {MANY:,} messages, logged", "ms", 30.0),
    "known": Row("each known message", "µs", 25.0),
    "scrape": Row("GET /metrics", "ms"),
    "memory": Row("peak memory", "MiB"),
    "serve": Row("ready: llm gpt-oss serve (floor: llm --version)", "s", 1.0),
    "module": Row("ready: python -m proxy", "s", 1.0),
}


class Sample(NamedTuple):
    "The figures of a row in one round. `floor` is None for a row without one, `before` without `--before`."

    floor: float | None
    before: float | None
    proxy: float


Figures = dict[str, list[Sample]]


class Bench:
    "The floor and the proxies, in front of the same Ollama. `before` is the proxy of another checkout."

    def __init__(
        self, floor: Process, before: Process | None, proxy: Process, tokens: int, requests: int
    ) -> None:
        self._floor = floor
        self._proxies = [server for server in (before, proxy) if server is not None]
        self._tokens = tokens
        self._requests = requests
        self._conversations = 0

    def round(self) -> Iterator[tuple[str, Sample]]:
        "Yield a name in ROWS, and its figures."
        floor_token = self._token(self._floor, GENERATE)
        yield "token", self._sample(lambda server: self._token(server, CHAT), floor_token)
        yield "event", self._sample(lambda server: self._token(server, RESPONSES), floor_token)
        floor = self._plain(self._floor, GENERATE)
        yield "plain", self._sample(lambda server: self._plain(server, CHAT), floor)
        yield "unlogged", self._sample(lambda server: self._plain(server, CHAT, OFF), floor)
        at_once = self._at_once(self._floor, GENERATE)
        yield "at_once", self._sample(lambda server: self._at_once(server, CHAT), at_once)
        answer = self._answer(self._floor, GENERATE)
        yield "answer", self._sample(lambda server: self._answer(server, CHAT), answer)
        some = self._sample(lambda server: self._conversation(server, SOME), None)
        yield "some", some
        many = self._sample(lambda server: self._conversation(server, MANY), None)
        yield "many", many
        before = None if some.before is None or many.before is None else _each(some.before, many.before)
        yield "known", Sample(None, before, _each(some.proxy, many.proxy))
        yield "scrape", Sample(None, None, self._scrape(self._proxies[-1]))
        yield "memory", self._sample(Process.memory, self._floor.memory())

    def _sample(self, measure_server: Callable[[Process], float], floor: float | None) -> Sample:
        *before, proxy = map(measure_server, self._proxies)
        return Sample(floor, before[0] if before else None, proxy)

    def _token(self, server: Process, path: str) -> float:
        "Return the microseconds for a token, with its share of the request."
        text = f"Say {self._tokens} tokens at {PACE} a second"
        body = {GENERATE: self._prompt, CHAT: self._chat, RESPONSES: self._response}[path]
        bodies = [body(text) for _ in range(STREAMS)]
        before = server.cpu()
        asyncio.run(stream_all(server.port, path, bodies))
        return (server.cpu() - before) / (STREAMS * self._tokens) * 1e6

    def _plain(self, server: Process, path: str, headers: dict[str, str] | None = None) -> float:
        "Return the milliseconds for a request whose answer is short, one after the other."
        client, body = Client(server.port), self._prompt if path == GENERATE else self._chat
        return self._request(server, lambda: client.post(path, body(SHORT), headers), self._requests)

    def _at_once(self, server: Process, path: str) -> float:
        "Return the milliseconds for such a request, with as many connections as AT_ONCE."
        body = self._prompt if path == GENERATE else self._chat
        bodies = [body(SHORT) for _ in range(AT_ONCE * (self._requests // AT_ONCE + 1))]

        def post_share(first: int) -> None:
            client = Client(server.port)
            for each in bodies[first::AT_ONCE]:
                client.post(path, each)

        before = server.cpu()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(post_share, range(AT_ONCE)))
        return (server.cpu() - before) / len(bodies) * 1000

    def _answer(self, server: Process, path: str) -> float:
        "Return the milliseconds for a request whose answer takes a second and is not streamed."
        client = Client(server.port)

        def send() -> None:
            client.post(path, self._prompt(LONG) if path == GENERATE else self._chat(LONG, stream=False))

        return self._request(server, send, ANSWERS)

    def _request(self, server: Process, send: Callable[[], object], count: int) -> float:
        "Return the milliseconds for each of `count` requests, after a first one."
        send()
        before = server.cpu()
        for _ in range(count):
            send()
        return (server.cpu() - before) / count * 1000

    def _scrape(self, server: Process) -> float:
        "Return the milliseconds for what Prometheus asks every few seconds."
        client = Client(server.port)
        return self._request(server, lambda: client.get("/metrics"), SCRAPES)

    def _conversation(self, server: Process, messages: int) -> float:
        "Return the milliseconds for the next request of a conversation, with all messages before it."
        client, body = Client(server.port), self._chat(SHORT)
        texts = {"user": "Tell me about the sea. " * 20, "assistant": "It is wide, and it is deep. " * 18}
        history = [
            {"role": role, "content": f"{index}. {text}"}
            for index in range(messages // 2)
            for role, text in texts.items()
        ]
        body["messages"] = [*history, *body["messages"]]

        def send() -> None:
            answer = json.loads(client.post(CHAT, body))["choices"][0]["message"]
            body["messages"] += [answer, *self._chat(SHORT)["messages"]]

        return self._request(server, send, self._requests // 4)

    def _chat(self, text: str, stream: bool | None = None) -> dict[str, Any]:
        "Return a chat request that starts a new conversation. By default it streams if `text` has a pace."
        self._conversations += 1
        content = f"This is number {self._conversations}. {text}"
        return {
            "model": "gpt-oss",
            "stream": " at " in text if stream is None else stream,
            "messages": [{"role": "user", "content": content}],
        }

    def _response(self, text: str) -> dict[str, Any]:
        return {"model": "gpt-oss", "stream": True, "input": self._chat(text)["messages"]}

    def _prompt(self, text: str) -> dict[str, Any]:
        return {"model": "gpt-oss:20b", "prompt": text, "raw": True, "stream": True}


def measure(rounds: int, starts: int, tokens: int, requests: int, before: str | None) -> Figures:
    "Run the benchmark. A first round fills caches and is not counted. `before` is the Python of a checkout."
    figures: Figures = {name: [] for name in ROWS}
    with ExitStack() as stack:
        rig = Path(__file__).with_name("rig").resolve()
        port, floor_port = free_port(), free_port()
        ollama = [sys.executable, str(rig / "ollama.py"), str(port)]
        stack.enter_context(running(ollama, port, "/api/version"))
        environ = {**os.environ, "OLLAMA_HOST": f"127.0.0.1:{port}"}

        def environ_with_log() -> dict[str, str]:
            return {**environ, "LLM_USER_PATH": stack.enter_context(tempfile.TemporaryDirectory())}

        def serve(python: str, environ: dict[str, str]) -> Process:
            port = free_port()
            command = [python, *SERVE, "--port", str(port), "--max-concurrency", str(STREAMS)]
            return stack.enter_context(running(command, port, "/health", environ))

        proxies = {python: environ_with_log() for python in (before, sys.executable) if python}
        for number in range(starts + 1):
            progress(f"start {number} of {starts}")
            seconds = [start(python, environ) for python, environ in proxies.items()]
            for name in ("serve", "module"):
                *others, (floor_start, proxy_start) = [each[name] for each in seconds]
                sample = Sample(floor_start, others[0][1] if others else None, proxy_start)
                figures[name] += [sample] * bool(number)
        floor = [sys.executable, str(rig / "floor.py"), str(floor_port), f"http://127.0.0.1:{port}"]
        servers = [serve(python, environ) for python, environ in proxies.items()]
        bench = Bench(
            stack.enter_context(running(floor, floor_port, "/health")),
            servers[0] if before else None,
            servers[-1],
            tokens,
            requests,
        )
        for number in range(rounds + 1):
            for name, sample in bench.round():
                progress(f"round {number} of {rounds}: {ROWS[name].title}")
                figures[name] += [sample] * bool(number)
    progress("")
    return figures


def start(python: str, environ: dict[str, str]) -> dict[str, tuple[float | None, float]]:
    "Return the seconds from each command to a response of /health, with those of `llm --version`."
    before = time.perf_counter()
    subprocess.run(
        [python, *LLM_VERSION], env=environ, cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL, check=True
    )
    llm_version = time.perf_counter() - before
    seconds = []
    for command in (SERVE, MODULE):
        port = free_port()
        with running([python, *command, "--port", str(port)], port, "/health", environ) as process:
            seconds.append(process.seconds)
    return {"serve": (llm_version, seconds[0]), "module": (None, seconds[1])}


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def summary(figures: Figures) -> dict[str, dict[str, Any]]:
    "Return medians. `times` is the median of the ratios of proxy to floor in each round."
    result = {}
    for name, samples in figures.items():
        row = ROWS[name]
        medians = {
            "floor": _median(sample.floor for sample in samples),
            "before": _median(sample.before for sample in samples),
            "proxy": _median(sample.proxy for sample in samples),
            "times": _median(sample.proxy / sample.floor for sample in samples if sample.floor),
        }
        figure = medians["times" if row.relative else "proxy"]
        result[name] = {
            **medians,
            "unit": row.unit,
            "target": row.target,
            "met": None if row.target is None or figure is None else figure <= row.target,
        }
    return result


def table(result: dict[str, dict[str, Any]]) -> str:
    before = any(values["before"] is not None for values in result.values())
    sides = ("floor", "before", "proxy") if before else ("floor", "proxy")
    lines = [f"{'':<50}{''.join(f'{side:>12}' for side in sides)}{'times':>7}  target"]
    for name, row in ROWS.items():
        values = result[name]
        figures = "".join(f"{_figure(values[side], row.unit):>12}" for side in sides)
        times = f"{values['times']:.2f}" if values["times"] else ""
        lines.append(f"{row.title:<50}{figures}{times:>7}  {_verdict(row, values['met'])}".rstrip())
    return "\n".join(lines)


def _each(some: float, many: float) -> float:
    "Return the microseconds that each further message of a conversation adds to its next request."
    return (many - some) / (MANY - SOME) * 1000


def _median(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return round(statistics.median(known), 3) if known else None


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
    parser.add_argument(
        "--before", metavar="PYTHON", help="the Python of another checkout, which is also measured"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with the figures of every round")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        parser.exit(0, "The benchmark reads processor time from /proc, which only Linux has.\n")
    figures = measure(
        arguments.rounds, arguments.starts, arguments.tokens, arguments.requests, arguments.before
    )
    result = summary(figures)
    print(json.dumps({**result, "rounds": figures}) if arguments.json else table(result))


if __name__ == "__main__":
    main()
