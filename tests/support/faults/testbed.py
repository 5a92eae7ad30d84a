"""What the rows use: one Ollama and one server for all, and servers and folders of their own.

with testbed(STRICT) as bed:
    row.play(bed)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from support.faults.client import Client
from support.faults.log import Log
from support.faults.ollama import Ollama
from support.faults.process import SERVE, Ran, Server, run, serving


@dataclass(frozen=True)
class Limits:
    """How long rows may take that measure, in seconds.

    `health` is for an answer of `/health`, `answer` for one that costs more work than others, `close` until
    the engine's connection is closed after a client left.
    """

    health: float
    answer: float
    close: float


# The promise, for a machine that does nothing else.
STRICT = Limits(health=0.5, answer=10, close=0.1)
# What these rows are about took 15 seconds and more, on any machine.
GENEROUS = Limits(health=5, answer=30, close=5)


@dataclass
class Testbed:
    """`server` runs with default options, and many rows use it at once. A row that stops it, fills its log or
    needs options has one of its own, from `serving`."""

    base: Path
    ollama: Ollama
    server: Server
    limits: Limits
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def client(self) -> Client:
        return self.server.client

    @property
    def log(self) -> Log:
        return self.server.log

    def folder(self) -> Path:
        "Return a new user directory for llm."
        path = self.base / str(next(self._numbers))
        path.mkdir()
        return path

    @contextmanager
    def serving(
        self,
        *options: str,
        folder: Path | None = None,
        ollama_url: str | None = None,
        command: Sequence[str] = SERVE,
        prefix: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Iterator[Server]:
        with serving(
            folder or self.folder(),
            ollama_url or self.ollama.url,
            *options,
            command=command,
            prefix=prefix,
            variables=variables,
        ) as server:
            yield server

    def llm(self, *arguments: str | bytes, folder: Path | None = None, ollama_url: str | None = None) -> Ran:
        "Run `llm ARGUMENTS`, by default with the log of the server that all use."
        return run(folder or self.server.folder, ollama_url or self.ollama.url, *arguments)


@contextmanager
def testbed(limits: Limits) -> Iterator[Testbed]:
    with (
        tempfile.TemporaryDirectory(prefix="llm-gpt-oss-faults-") as name,
        Ollama() as ollama,
        serving(Path(name) / "shared", ollama.url, "--max-concurrency", "64") as server,
    ):
        yield Testbed(Path(name), ollama, server, limits)
