"A real uvicorn in this process, without lifespan and signals: only what happens to connections."

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from proxy.http.websocket_protocol import WebSocketProtocol


@asynccontextmanager
async def serving(
    app: Any, sockets: Sequence[socket.socket], http: type[Any], ws: type[Any] = WebSocketProtocol
) -> AsyncIterator[tuple[uvicorn.Server, uvicorn.Config]]:
    "Serve the app on the sockets with these protocols. The caller ends their connections."
    config = uvicorn.Config(
        app,
        http=http,
        ws=ws,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=600,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[*sockets])
    yield server, config
    # Not shutdown(), which takes a tenth of a second.
    for listener in server.servers:
        listener.close()
    for listening in sockets:
        listening.close()
