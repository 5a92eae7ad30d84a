"""What the proxy needs to know: read once from the environment and the command line, then handed down.

| variable | option | what it holds |
|---|---|---|
| API_HOST | --host | the address to listen on; 127.0.0.1 without it |
| API_PORT | --port | the port; 8000 without it, 0 for any that is free |
| LOCAL_LLM_MODEL | --model | the tag that `gpt-oss` means; gpt-oss:20b without it |
| OLLAMA_HOST | | where Ollama answers (`llm_gpt_oss.settings`) |

An option beats its variable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import llm

DEFAULT_MODEL = "gpt-oss:20b"
# What the processes of one server get from the one that started them: all settings, as JSON.
WORKER_SETTINGS = "LLM_GPT_OSS_PROXY"

ReasoningDisplay = Literal["text", "summary", "both"]
LogPolicy = Literal["all", "respect-store", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`port` 0 lets the system choose one. `engine` is where models run that are bound to none. `aliases` are
    names for models that only the proxy knows.

    `num_ctx` is the context of every request; None is Ollama's own choice. `running` model calls go on at
    once and `waiting` more may wait, in each of `workers` processes. After `keep_alive` seconds of silence a
    stream gets a comment. `log_policy` respect-store logs only what a client asks to store.

    `key_hash` is of a key that holds for this run (`keys.hash_of`). `open` lets any client in although the
    address is not this machine's own. Pages of `cors_origins` may ask too. `all_models` serves whatever llm
    has. `allow_model_changes` lets apps pull, make and delete models of Ollama's.

    `reasoning` is where `/v1/responses` shows the chain of thought: as text, unless a request asks for a
    summary; always as a summary, for clients that read nothing else and do not ask; or as both.
    `open_responses` gives its events the names that Open Responses has.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = DEFAULT_MODEL
    engine: str | None = None
    database: Path = field(default_factory=lambda: user_dir() / "logs.db")
    log_policy: LogPolicy = "all"
    aliases: Mapping[str, str] = field(default_factory=dict)
    num_ctx: int | None = None
    max_concurrency: int = 4
    queue_size: int = 64
    workers: int = 1
    reload: bool = False
    keep_alive: float = 10.0
    key_hash: str | None = field(default=None, repr=False)
    allow_unauthenticated: bool = False
    cors_origins: tuple[str, ...] = ()
    all_models: bool = False
    allow_model_changes: bool = False
    reasoning: ReasoningDisplay = "text"
    open_responses: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        "From API_HOST, API_PORT and LOCAL_LLM_MODEL; one that is empty counts as unset."
        told = {name: value.strip() for name, value in (os.environ if environ is None else environ).items()}
        return cls(
            host=told.get("API_HOST") or "127.0.0.1",
            port=_port(told.get("API_PORT") or "8000"),
            model=told.get("LOCAL_LLM_MODEL") or DEFAULT_MODEL,
        )

    @classmethod
    def for_this_process(cls) -> Settings:
        "As they were handed down; in a process that `serve` did not start, from the environment."
        written = os.environ.get(WORKER_SETTINGS)
        return cls(**_read(json.loads(written))) if written else cls.from_env()

    def export_to_workers(self) -> None:
        "To the processes that this one starts. No secret is among them: of a key there is the hash."
        os.environ[WORKER_SETTINGS] = json.dumps(asdict(self), default=str)


def _read(written: dict[str, Any]) -> dict[str, Any]:
    paths = {"database": Path(written["database"])}
    return {**written, **paths, "cors_origins": tuple(written["cors_origins"])}


def user_dir() -> Path:
    "llm's, made if it is not there."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535:
        return int(text)
    raise ValueError(f"API_PORT is {text!r}, which is no port: it must be a whole number from 0 to 65535")
