"""What the plugin adds to the time of llm's commands, in paired runs.

Each command runs in three ways. Every round runs all of them one after another, and starts with another way,
so that a slow moment of the machine affects all alike:

bare       LLM_LOAD_PLUGINS=''           llm without plugins
plugin     LLM_LOAD_PLUGINS=llm-gpt-oss  llm with this plugin
installed  LLM_LOAD_PLUGINS unset        llm searches all installed packages for plugins, and finds this one
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

WAYS: dict[str, dict[str, str]] = {
    "bare": {"LLM_LOAD_PLUGINS": ""},
    "plugin": {"LLM_LOAD_PLUGINS": "llm-gpt-oss"},
    "installed": {},
}
# The prompt ends with an error, because there is no key: it costs what comes before the request.
COMMANDS: dict[str, list[str]] = {
    "llm --version": ["--version"],
    "llm models": ["models"],
    "a prompt to another model": ["-m", "gpt-4o-mini", "Hello"],
}
TARGET_MS = 15.0

# The times in milliseconds, by command and way, round by round.
Times = dict[str, dict[str, list[float]]]


def environ(way: str, user_path: str) -> dict[str, str]:
    unset = ("LLM_LOAD_PLUGINS", "OPENAI_API_KEY")
    others = {name: value for name, value in os.environ.items() if name not in unset}
    return {**others, "LLM_USER_PATH": user_path, **WAYS[way]}


def start(command: str, way: str, user_path: str) -> float:
    "Return the milliseconds of one run."
    arguments = [sys.executable, "-m", "llm", *COMMANDS[command]]
    before = time.perf_counter()
    subprocess.run(
        arguments,
        env=environ(way, user_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return (time.perf_counter() - before) * 1000


def measure(rounds: int) -> Times:
    "Run the rounds. One round before them fills the caches and is not counted."
    times: Times = {command: {way: [] for way in WAYS} for command in COMMANDS}
    with tempfile.TemporaryDirectory() as user_path:
        for number in range(rounds + 1):
            progress(f"\rround {number} of {rounds}")
            for command in COMMANDS:
                for way in list(WAYS)[number % 3 :] + list(WAYS)[: number % 3]:
                    taken = start(command, way, user_path)
                    if number:
                        times[command][way].append(taken)
    progress("\r\033[K")
    return times


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    "Return medians of one command in milliseconds. `adds` is the median of the differences in each round."
    result = {f"{way}_ms": statistics.median(taken) for way, taken in times.items()}
    for way in ("plugin", "installed"):
        pairs = zip(times[way], times["bare"], strict=True)
        result[f"{way}_adds_ms"] = statistics.median(taken - bare for taken, bare in pairs)
    return {name: round(value, 2) for name, value in result.items()}


def table(results: dict[str, dict[str, float]]) -> str:
    rows = []
    for command, result in results.items():
        rows += [f"{command:<30}{'median':>10}{'adds':>10}"]
        for way in WAYS:
            adds = result.get(f"{way}_adds_ms")
            added = "" if adds is None else f"{adds:>7.1f} ms"
            rows.append(f"{way:<30}{result[f'{way}_ms']:>7.1f} ms{added}")
        verdict = "met" if result["plugin_adds_ms"] <= TARGET_MS else "missed"
        rows.append(f"the plugin may add {TARGET_MS:.0f} ms: {verdict}\n")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="how often each command runs in each way (30)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the times of all runs")
    arguments = parser.parse_args()
    times = measure(arguments.rounds)
    results = {command: summary(runs) for command, runs in times.items()}
    print(json.dumps({"results": results, "runs_ms": times}) if arguments.json else table(results))


if __name__ == "__main__":
    main()
