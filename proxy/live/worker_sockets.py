"""Lets the processes of one server ask each other, over Unix sockets in a private folder.

A question and its answer are one line of JSON each. The socket of a killed process refuses connections, so
the others skip it.
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

# Seconds that a process has to answer, by default. A process that takes longer is left out.
PATIENCE = 2.0
# The longest line, in bytes. The rows of a process with a long queue fit into it.
MAX_LINE = 4 * 2**20

logger = logging.getLogger(__name__)


class WorkerSockets:
    """The sockets of all processes, in a `folder` that only their user can open.

    Without a folder, or on a system without Unix sockets, there are no other processes to ask.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._name = f"{secrets.token_hex(8)}.sock"
        self._server: asyncio.AbstractServer | None = None

    async def open(self, answer: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
        "Answer each question of another process with what `answer` returns for it."
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
