from __future__ import annotations

import json

from cases import CASES
from table import FEATURES, FILE, rows

OTHERS = {
    "awaited_it_says_the_same",
    "the_context_that_a_prompt_asks_for",
    "who_stops_reading_stops_the_work",
}


def test_table_has_every_test() -> None:
    tests = {test for tests in FEATURES.values() for test in tests} | {"an answer with nothing in it"}
    assert tests == {*CASES, *OTHERS} == {*json.loads(FILE.read_text())}


def test_table_has_the_results_of_the_run() -> None:
    table = {row[0]: row[1:] for row in rows()}
    assert table[""] == ["ollama", "embedded", "llama-server", "completions", "vllm", "proxy", "transformers"]
    assert table["`tool_choice`"] == ["yes"] * 7
    assert table["context length by `-o num_ctx`"][:3] == ["yes", "yes", "no: where the server is started"]
    assert table["stops when the answer is cancelled"][0] == "not tested here"
