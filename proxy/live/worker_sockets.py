"""How the processes of one server ask each other: each answers at a Unix socket in a private folder.

A question and its answer are one line of JSON each. The socket of a process that was killed refuses
connections, so nobody has to tell whether a process still lives.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Seconds that a process has for its answer, unless the caller has more. One that is busy is left out.
PATIENCE = 2.0
# The longest line, in bytes: the rows of a process that has a long queue.
MAX_LINE = 4 * 2**20

logger = logging.getLogger(__name__)


class WorkerSockets:
    """The sockets of all processes in `folder`, which is private to their owner. None stands for one process.

    Where the system has no Unix sockets, each process is alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._name = f"{secrets.token_hex(8)}.sock"
        self._server: asyncio.AbstractServer | None = None

    async def open(self, answer: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
        "Answer the questions of other processes with what `answer` returns for them."
        if self._folder is None or not hasattr(asyncio, "start_unix_server"):
            return

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, ValueError):
                question = json.loads(await reader.readline())
                writer.write(json.dumps(await answer(question)).encode() + b"\n")
                await writer.drain()
            writer.close()

        try:
            self._server = await asyncio.start_unix_server(connected, self._folder / self._name)
        except OSError as problem:
            logger.warning("/live shows the requests of one process only: %s", problem)

    async def ask(self, question: dict[str, Any], patience: float | None = None) -> list[Any]:
        "Return the answers of all other processes that answer in time."
        if self._folder is None or self._server is None:
            return []
        paths = [path for path in self._folder.glob("*.sock") if path.name != self._name]
        seconds = PATIENCE if patience is None else patience
        answers = await asyncio.gather(*(self._ask(path, question, seconds) for path in paths))
        return [answer for answer in answers if answer is not None]

    async def close(self) -> None:
        if self._folder and self._server:
            self._server.close()
            (self._folder / self._name).unlink(missing_ok=True)

    async def _ask(self, path: Path, question: dict[str, Any], patience: float) -> Any:
        "Return the answer of the process that has this socket, or None."
        try:
            return await asyncio.wait_for(_answer(path, question), patience)
        except (OSError, ValueError, asyncio.TimeoutError):
            return None  # it was killed, or is busy


async def _answer(path: Path, question: dict[str, Any]) -> Any:
    reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE)
    try:
        writer.write(json.dumps(question).encode() + b"\n")
        return json.loads(await reader.readline())
    finally:
        writer.close()
