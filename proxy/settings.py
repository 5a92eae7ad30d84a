"""The proxy's settings, read once from the environment and the command line.

| variable | option | meaning |
|---|---|---|
| API_HOST | --host | the address to listen on; 127.0.0.1 without it |
| API_PORT | --port | the port, 0 for any free one; 8000 without it |
| LLM_GPT_OSS_PROXY_ALIASES | --alias | more names of models: `NAME=MODEL`, separated by spaces |
| LLM_GPT_OSS_PROXY_KEY | --key-file | a key that clients must send, and that may see and change everything |
| LOCAL_LLM_MODEL | --model | the tag that `gpt-oss` stands for; gpt-oss:20b without it |
| OLLAMA_HOST | | Ollama's address (`llm_gpt_oss.settings`) |

An option takes precedence over its variable. An alias does so over another one with its name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import llm

from .key_hash import hash_given_key

DEFAULT_MODEL = "gpt-oss:20b"
# The variable that passes all settings, as JSON, to the processes that a server starts.
WORKER_SETTINGS = "LLM_GPT_OSS_PROXY"
KEY = "LLM_GPT_OSS_PROXY_KEY"
ALIASES = "LLM_GPT_OSS_PROXY_ALIASES"

ReasoningDisplay = Literal["text", "summary", "both"]
# The names that chat completions have for the reasoning.
ReasoningField = Literal["reasoning", "reasoning_content", "both"]
LogPolicy = Literal["all", "respect-store", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server.

    With `port` 0 the system chooses a free one. `engine` runs the models that are bound to no engine.
    `aliases` are names of models that only this server knows. `all_models` serves all of llm's models, not
    only gpt-oss.

    `num_ctx` is the context length of all requests; None leaves it to the engine. Each of `workers` processes
    runs `max_concurrency` model calls at once, and `queue_size` more can wait. A stream that sends nothing
    for `keep_alive` seconds gets a comment. A connection without a request is closed after `idle_timeout`
    seconds. With `log_policy` respect-store, only turns that a client wants stored are logged.

    `key_hash` is the hash of a key that is valid for this run (`hash_key`). `allow_unauthenticated` lets
    other machines use the server without a key. `allowed_hosts` are names under which clients without a key
    may use it (`TrustedHosts`). `cors_origins` are the origins whose pages may use it (`TrustedOrigins`).
    `allow_model_changes` lets clients pull, create and delete Ollama's models. `allow_load_options` lets them
    choose the context length, and other options for which an engine loads the model again.

    `workers_folder` is where several workers share what they count for `/metrics`, and show what they run.

    `strict` refuses requests with fields that this server does not know. Otherwise it ignores them.

    `reasoning` is where `/v1/responses` shows the chain of thought. `text`: as text, or as a summary if the
    request asks for one. `summary`: always as a summary, for clients that read nothing else and do not ask
    for it. `both`: as both. `open_responses` uses the event names of Open Responses. `reasoning_field` is the
    field of `/v1/chat/completions` that holds the chain of thought; clients read one or the other.
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
    idle_timeout: int = 75
    key_hash: str | None = field(default=None, repr=False)
    allow_unauthenticated: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    all_models: bool = False
    allow_model_changes: bool = False
    allow_load_options: bool = False
    strict: bool = False
    reasoning: ReasoningDisplay = "text"
    open_responses: bool = False
    reasoning_field: ReasoningField = "both"
    workers_folder: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the variables above. Empty ones count as unset.

        Raises ValueError for an invalid port or alias, and for a key that no client can send.
        """
        environ = os.environ if environ is None else environ
        host, port, model = (
            environ.get(name, "").strip() for name in ("API_HOST", "API_PORT", "LOCAL_LLM_MODEL")
        )
        return cls(
            host=host or "127.0.0.1",
            port=_port(port or "8000"),
            model=model or DEFAULT_MODEL,
            aliases=_aliases(environ.get(ALIASES, "")),
            key_hash=_key_hash(environ.get(KEY)),
        )

    @classmethod
    def for_this_process(cls) -> Settings:
        """Return the settings that `export_to_workers` passed to this process, or else those of the
        environment."""
        exported = os.environ.get(WORKER_SETTINGS)
        return cls(**_from_json(exported)) if exported else cls.from_env()

    def export_to_workers(self) -> None:
        "Pass the settings to the processes that this one starts. They contain no secret, only a key's hash."
        os.environ[WORKER_SETTINGS] = json.dumps(asdict(self), default=str)


def _from_json(text: str) -> dict[str, Any]:
    fields = json.loads(text)
    return {
        **fields,
        "database": Path(fields["database"]),
        "workers_folder": Path(folder) if (folder := fields["workers_folder"]) else None,
        "allowed_hosts": tuple(fields["allowed_hosts"]),
        "cors_origins": tuple(fields["cors_origins"]),
    }


def user_dir() -> Path:
    "Return llm's user directory. It is created if it does not exist."
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535:
        return int(text)
    raise ValueError(f"API_PORT is {text!r}, but a port is a whole number from 0 to 65535")


def parse_aliases(texts: Iterable[str]) -> dict[str, str]:
    "Return the model of each name. Raises ValueError for a text that is not `NAME=MODEL`."
    aliases = {}
    for text in texts:
        name, _, model = text.partition("=")
        if not name or not model:
            raise ValueError(f"{text!r} should be NAME=MODEL")
        aliases[name] = model
    return aliases


def _aliases(text: str) -> dict[str, str]:
    try:
        return parse_aliases(text.split())
    except ValueError as problem:
        raise ValueError(f"{ALIASES} cannot be used: {problem}, and spaces separate several") from None


def _key_hash(key: str | None) -> str | None:
    if not key:
        return None
    try:
        return hash_given_key(key)
    except ValueError as problem:
        raise ValueError(f"{KEY} cannot be used: {problem}") from None
