"""Play the table of slips, which are mistakes that the model makes, and print the outcome of each row.

`make slips` runs this. On the engine `ollama`, a scripted Ollama writes the texts of the table. On the engine
`embedded`, gpt-oss-tiny misbehaves on command. The exit status is 1 if an outcome is not the expected one.

    make slips ARGS="--engine ollama recipient"
    make slips ARGS="--json"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENGINES = ("ollama", "embedded")
TINY = "gpt-oss-tiny"


def main() -> int:
    parser = argparse.ArgumentParser(description="Play the table of slips, and print the outcomes.")
    parser.add_argument("word", nargs="*", help="only rows with all these words in their names")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object for each row")
    parser.add_argument("--failed", action="store_true", help="only rows that fail")
    options = parser.parse_args()
    total = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        _isolate(folder)
        for engine in options.engine or ENGINES:
            for result in _results(engine, options.word):
                total += 1
                failed += not result["ok"]
                if not (options.failed and result["ok"]):
                    print(
                        json.dumps(result, ensure_ascii=False) if options.json else _line(result), flush=True
                    )
    if not options.json:
        print(f"{total - failed} of {total} ok")
    return 1 if failed or not total else 0


def _isolate(folder: str) -> None:
    "Do not use the caller's settings and log."
    for name in list(os.environ):
        if name.startswith(("OLLAMA_", "LLM_", "LOCAL_LLM_MODEL", "VLLM_")):
            del os.environ[name]
    os.environ["LLM_USER_PATH"] = folder
    sys.path.insert(0, str(ROOT / "tests"))


def _results(engine: str, words: list[str]) -> Iterator[dict[str, Any]]:
    yield from _ollama(words) if engine == "ollama" else _embedded(words)


def _ollama(words: list[str]) -> Iterator[dict[str, Any]]:
    from support.slips.play import play_plugin
    from support.slips.scripted_ollama import ScriptedOllama
    from support.slips.table import ROWS

    with ScriptedOllama() as ollama:
        os.environ["OLLAMA_HOST"] = ollama.url
        for row in _chosen(ROWS, words):
            if "plugin" not in row.skipped:
                for stream in (True, False):
                    yield _result("ollama", row, stream, play_plugin(row, ollama, stream=stream))


def _embedded(words: list[str]) -> Iterator[dict[str, Any]]:
    if find_spec("xllamacpp") is None:
        print("The engine embedded is not installed: pip install xllamacpp", file=sys.stderr)
        return
    from support import tiny
    from support.slips.misbehaviour import ROWS
    from support.slips.play import play_model

    from llm_gpt_oss.catalog import models_file
    from llm_gpt_oss.catalog.models_file import EngineBinding

    options = {"gguf": str(tiny.FILE), "context": tiny.CONTEXT, "threads": 1, "gpu_layers": 0}
    models_file.add(TINY, [], EngineBinding("embedded", options))
    for row in _chosen(ROWS, words):
        for stream in (True, False):
            yield _result("embedded", row, stream, play_model(row, TINY, stream=stream))


def _chosen(rows: list[Any], words: list[str]) -> list[Any]:
    return [row for row in rows if all(word in row.id for word in words)]


def _result(engine: str, row: Any, stream: bool, outcome: Any) -> dict[str, Any]:
    from support.slips.row import differences

    wrong = differences(row, outcome)
    came = {name: value for name, value in asdict(outcome).items() if name != "prompt" and value}
    return {"ok": not wrong, "engine": engine, "row": row.id, "stream": stream, "came": came, "wrong": wrong}


def _line(result: dict[str, Any]) -> str:
    came = result["came"]
    parts = [
        repr(came.get("text", "")),
        *(f"{name}({arguments})" for name, arguments in came.get("calls", [])),
    ]
    parts += [f"notes: {', '.join(came['notes'])}"] if came.get("notes") else []
    parts += [came["error"]] if "error" in came else []
    mark = "ok  " if result["ok"] else "FAIL"
    way = "streamed" if result["stream"] else "whole"
    line = f"{mark} {result['engine']}, {way}: {result['row']} | {' | '.join(parts)}"
    return line + "".join(f"\n       {each}" for each in result["wrong"])


if __name__ == "__main__":
    sys.exit(main())
