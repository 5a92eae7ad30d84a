"""What the plugin adds to the processor time of llm's commands, in paired runs.

Each command runs in three ways. Every round runs all of them one after another, and starts with another way,
so that a slow moment of the machine affects all alike:

bare       LLM_LOAD_PLUGINS=''           llm without plugins
plugin     LLM_LOAD_PLUGINS=llm-gpt-oss  llm with this plugin
installed  LLM_LOAD_PLUGINS unset        llm searches all installed packages for plugins, and finds this one

Python's start and the packages that llm imports take most of a command's time, and vary by more than what the
plugin adds. They are the same in all ways, so each run is a fork of this process, which has imported them
already. Each run imports llm itself, its default plugins and this plugin.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WAYS: dict[str, dict[str, str]] = {
    "bare": {"LLM_LOAD_PLUGINS": ""},
    "plugin": {"LLM_LOAD_PLUGINS": "llm-gpt-oss"},
    "installed": {},
}
COMMANDS: dict[str, list[str]] = {
    "llm --version": ["--version"],
    "llm models": ["models"],
    "llm logs": ["logs"],
    "a prompt to another model": ["-m", "echo", "Hello"],
}
TARGET_MS = 15.0
IMPORT_RUNS = 5

# The processor times in milliseconds, by command and way, round by round.
Times = dict[str, dict[str, list[float]]]


def import_llms_packages() -> None:
    "Import what llm imports without plugins, but nothing of llm."
    code = "import sys, runpy, llm.cli; print(*sys.modules)"
    environ = {**os.environ, "LLM_LOAD_PLUGINS": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    for name in done.stdout.split():
        if name.partition(".")[0] not in ("__main__", "llm"):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def run_llm(arguments: Sequence[str]) -> None:
    "Run llm's command line in this process, with a model `echo` of another plugin, which needs no network."
    import llm
    from llm.plugins import pm

    class Echo(llm.Model):
        model_id = "echo"

        def execute(self, prompt: llm.Prompt, **_: Any) -> list[str]:
            return [prompt.prompt]

    class Plugin:
        @llm.hookimpl
        def register_models(self, register: Any) -> None:
            register(Echo())

    pm.register(Plugin())
    sys.argv = ["llm", *arguments]
    runpy.run_module("llm", run_name="__main__")


def environ(way: str, user_path: str) -> dict[str, str]:
    # Without its compiled files, Python would compile this package for each run, but not an installed one.
    unset = ("LLM_LOAD_PLUGINS", "PYTHONDONTWRITEBYTECODE")
    others = {name: value for name, value in os.environ.items() if name not in unset}
    return {**others, "LLM_USER_PATH": user_path, **WAYS[way]}


def start(command: str, way: str, user_path: str) -> float:
    "Return the milliseconds of processor time of one run."
    child = os.fork()
    if not child:
        try:
            os.environ.clear()
            os.environ.update(environ(way, user_path))
            sys.dont_write_bytecode = False
            silence()
            run_llm(COMMANDS[command])
        except SystemExit as end:
            os._exit(1 if end.code else 0)
        finally:
            os._exit(2)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{command} fails {way}: {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)


def measure(rounds: int, user_path: str) -> Times:
    "Run the rounds. One round before them fills the caches and is not counted."
    times: Times = {command: {way: [] for way in WAYS} for command in COMMANDS}
    # The prompts come first: the log has to be there.
    for command in reversed(COMMANDS):
        for number in range(rounds + 1):
            progress(f"\r{command}: round {number} of {rounds}")
            for way in list(WAYS)[number % 3 :] + list(WAYS)[: number % 3]:
                taken = start(command, way, user_path)
                if number:
                    times[command][way].append(taken)
    progress("\r\033[K")
    return times


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def import_ms(command: str, user_path: str) -> float:
    """The milliseconds that importing this plugin's modules takes, which is a part of what it adds.

    The time is elapsed time, so it is that of the fastest of several runs.
    """
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.append({folder!r}); import startup; startup.run_llm({COMMANDS[command]})"
    runs = []
    for _ in range(IMPORT_RUNS):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code],
            env=environ("plugin", user_path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:")]
        ours = [row for row in rows if row[2].strip().partition(".")[0] in ("llm_gpt_oss", "proxy")]
        runs.append(sum(int(row[0].removeprefix("import time:")) for row in ours) / 1000)
    return min(runs)


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    "Return medians of one command in milliseconds. `adds` is the median of the differences in each round."
    result = {f"{way}_ms": statistics.median(taken) for way, taken in times.items()}
    for way in ("plugin", "installed"):
        pairs = zip(times[way], times["bare"], strict=True)
        result[f"{way}_adds_ms"] = statistics.median(taken - bare for taken, bare in pairs)
    return result


def table(results: dict[str, dict[str, float]]) -> str:
    rows = []
    for command, result in results.items():
        rows += [f"{command:<30}{'median':>10}{'adds':>10}"]
        for way in WAYS:
            adds = result.get(f"{way}_adds_ms")
            added = "" if adds is None else f"{adds:>7.1f} ms"
            rows.append(f"{way:<30}{result[f'{way}_ms']:>7.1f} ms{added}")
        verdict = "met" if result["plugin_adds_ms"] <= TARGET_MS else "missed"
        rows += [
            f"{'importing the plugin':<40}{result['import_ms']:>7.1f} ms",
            f"the plugin may add {TARGET_MS:.0f} ms: {verdict}\n",
        ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="how often each command runs in each way (30)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the times of all runs")
    arguments = parser.parse_args()
    import_llms_packages()
    with tempfile.TemporaryDirectory() as user_path:
        times = measure(arguments.rounds, user_path)
        results = {
            command: {**summary(runs), "import_ms": import_ms(command, user_path)}
            for command, runs in times.items()
        }
    print(json.dumps({"results": results, "runs_ms": times}) if arguments.json else table(results))


if __name__ == "__main__":
    main()
