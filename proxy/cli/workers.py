"""The processes of `llm gpt-oss serve --workers` and `--reload`."""

from __future__ import annotations

import signal
import socket

from fastapi import FastAPI
from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from ..app import create_app
from ..http.hangup import is_ignored


class Workers(Multiprocess):
    "uvicorn's processes. SIGHUP stops them, instead of starting new ones."

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        ignores_hangup = is_ignored()
        super().__init__(config, sockets)
        if ignores_hangup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_hup(self) -> None:
        self.handle_term()


def worker_app() -> FastAPI:
    "Return the application of one process. uvicorn handles SIGTERM, and from now on SIGHUP in the same way."
    if not is_ignored():
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    return create_app()
