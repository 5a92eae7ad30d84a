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
# The metadata of gpt-oss:20b as Ollama reports it: a token of context needs 24 KB.
SHOWN: dict[str, Any] = {
    "details": {"family": "gptoss"},
    "model_info": {
        "general.architecture": "gptoss",
        "general.parameter_count": 20_914_757_184,
        "gptoss.attention.head_count_kv": 8,
        "gptoss.attention.key_length": 64,
        "gptoss.attention.sliding_window": 128,
        "gptoss.attention.value_length": 64,
        "gptoss.block_count": 24,
        "gptoss.context_length": 131072,
        "gptoss.embedding_length": 2880,
    },
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gpt_oss, arguments)
