"""The process of `served_app.py`. Its standard input is the socket that listens.

python -m support.served_app_process DATABASE KEEP_ALIVE GRACE
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import uvicorn

from proxy.app import create_app
from proxy.http.protocol import HTTP11Protocol
from proxy.http.server import QuietServer
from proxy.http.server_stop import CLEAN_UP_SECONDS
from proxy.http.websocket_protocol import WebSocketProtocol
from proxy.settings import Settings

database, keep_alive, grace = sys.argv[1:]
# uvicorn ends itself by the signal that stopped it, once all is done.
for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, lambda *_: sys.exit(0))
config = uvicorn.Config(
    create_app(Settings(database=Path(database), model="gpt-oss-tiny", keep_alive=float(keep_alive))),
    http=HTTP11Protocol,
    ws=WebSocketProtocol,
    log_level="warning",
    timeout_graceful_shutdown=int(float(grace) + CLEAN_UP_SECONDS),
)
QuietServer(config).run(sockets=[socket.socket(fileno=0)])
