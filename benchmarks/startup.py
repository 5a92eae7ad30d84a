"""What `llm --version` costs with the plugin and without it, in paired runs.

Each round starts llm in three ways, each of them first in every third round, so that a slow moment of the
machine affects all of them:

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
TARGET_MS = 15.0


def environ(way: str, user_path: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if name != "LLM_LOAD_PLUGINS"}
    return {**others, "LLM_USER_PATH": user_path, **WAYS[way]}


def start(way: str, user_path: str) -> float:
    "Run llm once, and return the milliseconds that it took."
    command = [sys.executable, "-m", "llm", "--version"]
    before = time.perf_counter()
    subprocess.run(command, env=environ(way, user_path), stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - before) * 1000


def measure(rounds: int) -> dict[str, list[float]]:
    "Return the milliseconds of each way, one number a round. A first round fills caches and is not counted."
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as user_path:
        for way in WAYS:
            start(way, user_path)
        for number in range(1, rounds + 1):
            progress(f"\rround {number} of {rounds}")
            for way in list(WAYS)[number % 3 :] + list(WAYS)[: number % 3]:
                times[way].append(start(way, user_path))
    progress("\r\033[K")
    return times


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    "Return medians in milliseconds: of each way, and of the differences to `bare` within a round."
    result = {f"{way}_ms": statistics.median(milliseconds) for way, milliseconds in times.items()}
    for way in ("plugin", "installed"):
        pairs = zip(times[way], times["bare"], strict=True)
        result[f"{way}_adds_ms"] = statistics.median(plugin - bare for plugin, bare in pairs)
    return {name: round(value, 2) for name, value in result.items()}


def table(result: dict[str, float]) -> str:
    rows = [f"{'':<10}{'median':>10}{'adds':>10}"]
    for way in WAYS:
        adds = result.get(f"{way}_adds_ms")
        rows.append(f"{way:<10}{result[f'{way}_ms']:>7.1f} ms" + ("" if adds is None else f"{adds:>7.1f} ms"))
    verdict = "met" if result["plugin_adds_ms"] <= TARGET_MS else "missed"
    return "\n".join([*rows, f"the plugin may add {TARGET_MS:.0f} ms: {verdict}"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="how often each way is run (30)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the times of every run")
    arguments = parser.parse_args()
    times = measure(arguments.rounds)
    result = summary(times)
    print(json.dumps({**result, "runs_ms": times}) if arguments.json else table(result))


if __name__ == "__main__":
    main()
