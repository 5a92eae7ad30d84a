"""Where the proxy listens and which model it serves: read once, then handed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    "`port` 0 lets the system choose one."

    host: str
    port: int
    model: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        "From API_HOST, API_PORT and LOCAL_LLM_MODEL; one that is empty counts as unset."
        told = {name: value.strip() for name, value in (os.environ if environ is None else environ).items()}
        return cls(
            host=told.get("API_HOST") or "127.0.0.1",
            port=_port(told.get("API_PORT") or "8000"),
            model=told.get("LOCAL_LLM_MODEL") or "gpt-oss:20b",
        )


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535:
        return int(text)
    raise ValueError(f"API_PORT is {text!r}, which is no port: it must be a whole number from 0 to 65535")
