"""What each engine can do, as a run of these tests found it: `make engines` writes table.json.

The table in docs/engines.md is made from that file (`make cog`).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("table.json")


class Outcomes:
    "A plugin of pytest's: test to engine to outcome."

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and not report.skipped:
            return
        match = re.fullmatch(r".*::test_(\w+)\[([a-z]+(?:-server)?)(?:-(.*))?\]", report.nodeid)
        if match:
            test, engine, case = match.groups()
            self.found.setdefault(case or test, {})[engine] = report.outcome


def main() -> int:
    outcomes = Outcomes()
    status = pytest.main(["-q", str(Path(__file__).parent)], plugins=[outcomes])
    FILE.write_text(json.dumps(outcomes.found, indent=1) + "\n")
    return int(status)


def rows() -> list[list[str]]:
    "The table of docs/engines.md: a feature, and for each engine whether all tests of it passed."
    found = json.loads(FILE.read_text())
    engines = list(next(iter(found.values())))
    return [["", *engines]] + [
        [feature, *(_word([found[test][engine] for test in tests], feature, engine) for engine in engines)]
        for feature, tests in FEATURES.items()
    ]


def _word(outcomes: list[str], feature: str, engine: str) -> str:
    if feature == BY_PROMPT:
        from test_all import BY_PROMPT as able

        return "yes" if able[engine] else "no: where the server is started"
    if set(outcomes) == {"passed"}:
        return "yes"
    return "not tested here" if set(outcomes) == {"skipped"} else "no"


BY_PROMPT = "context length by `-o num_ctx`"
FEATURES = {
    "streams, or answers at once": ["a plain prompt", "not streamed", "awaited_it_says_the_same"],
    "every reasoning effort, none too": ["effort none", "effort low", "effort medium", "effort high"],
    "conversations and instructions": ["a conversation", "instructions"],
    "text beyond ASCII, markers spelled out": ["text beyond ASCII", "markers spelled out"],
    "tools, their results, arguments requested again": [
        "a tool and its result",
        "no arguments that fit",
        "arguments cut off",
    ],
    "`tool_choice`": ["a tool that must be called", "any tool", "no tool"],
    "schemas constrain the answer": [
        "a schema",
        "a schema, not streamed",
        "a schema without reasoning",
        "a schema, and a model that does not think",
    ],
    "stop strings": ["a stop string"],
    "`max_tokens`, `reasoning_tokens`": ["a limit", "a budget for reasoning"],
    "log probabilities, with alternatives": ["log probabilities", "rivals"],
    "seed, penalties": ["a seed", "penalties"],
    "an error for a prompt that is too long": ["a prompt that is too long"],
    BY_PROMPT: ["the_context_that_a_prompt_asks_for"],
    "stops when the answer is cancelled": ["who_stops_reading_stops_the_work"],
}


if __name__ == "__main__":
    sys.exit(main())
