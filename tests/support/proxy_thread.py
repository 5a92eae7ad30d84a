"""The proxy on a free port of this machine, in a thread of the test's process.

with proxy_thread(create_app(settings)) as url:
    ...  # http://127.0.0.1:PORT
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from proxy.http.protocol import HTTP11Protocol
from proxy.http.server_stop import CLEAN_UP_SECONDS


@contextmanager
def proxy_thread(app: FastAPI) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=HTTP11Protocol, log_level="warning", timeout_graceful_shutdown=5 + CLEAN_UP_SECONDS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    # The system queues connections until the server accepts them.
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
