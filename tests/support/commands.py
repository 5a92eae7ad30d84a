"Runs `llm gpt-oss` commands, and has Ollama's descriptions of a model."

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result

from llm_gpt_oss.cli import gpt_oss

TAG = "gpt-oss:20b"
INSTALLED = {"name": TAG, "size": 13_780_000_000}
LOADED: dict[str, Any] = {
    "name": TAG,
    "size": 14_000_000_000,
    "size_vram": 7_000_000_000,
    "context_length": 8192,
    "expires_at": "2026-11-23T04:09:35.950026915Z",
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gpt_oss, arguments)
