"Which server and which model a command is about."

from __future__ import annotations

import llm

from ..engines.ollama.client import Client
from ..registry import Entry, entries, read, resolve
from ..settings import Server, Settings


def server() -> Server:
    "The one that a prompt would ask, with the key that it would send."
    key = llm.get_key(alias="ollama", env="OLLAMA_API_KEY")
    return Settings.from_env().server.with_key(key)


def connect() -> Client:
    return Client(server(), silence=Settings.from_env().silence)


def known() -> list[Entry]:
    return entries(Settings.from_env().model, read())


def tag(name: str | None) -> str:
    "What a TAG argument means: a tag, an alias, or left out."
    return resolve(name, known())
