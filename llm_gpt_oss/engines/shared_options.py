"Options of `llm gpt-oss models add` that several engines take. Engines of plugins can use them too."

from __future__ import annotations

import click

from .hookspecs import EngineOption

# For engines that send requests to a server.
SERVER_MODEL = EngineOption(
    "--model", "model", "the server's name for the model  [default: TAG; proxy: gpt-oss]", "NAME"
)
SERVER_KEY = EngineOption("--key", "key", "send the server this key of `llm keys`", "NAME")
SERVER_HEADERS = EngineOption(
    "--header", "headers", "send the server this `Name: value` header", "HEADER", multiple=True
)
# For engines that load models.
CONTEXT = EngineOption("--context", "context", "context length in tokens", type=click.IntRange(256, 131072))
