"""Serves paths that come from a base URL which is almost right: `/v1/v1/models`, `//v1/models`, `/models`.

A client appends its own path to the base URL that a user typed. Azure's clients also put the model into the
path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

_DEPLOYMENT = "deployment"


class CanonicalPaths:
    """ASGI middleware that replaces a path that can mean only one route by the path of this route.

    `routes` are the paths of the server's own routes. This belongs before the checks of hosts and keys, since
    these have to see the path that the router sees.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[str]) -> None:
        self._app = app
        names = [route.split("/")[1:] for route in routes]
        openai = "|".join({re.escape(name[1]) for name in names if name[0] == "v1"})
        others = "|".join({re.escape(name[0]) for name in names if name[0] != "v1"})
        # Base URLs of others end with /openai (Azure), /openai/v1 (Groq) and /api/v1 (OpenRouter).
        # DOTALL: a match that fails at a line break would be tried again from each /models before it.
        self._openai = re.compile(
            rf"(?:/v1|/openai|/api/v1)*(?:/deployments/(?P<deployment>.+?))?(?P<path>/(?:{openai})(?:/.*)?)",
            re.DOTALL,
        )
        self._others = re.compile(rf"(?:/v1|/openai)*(?P<path>/(?:{others})(?:/.*)?)", re.DOTALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            path = re.sub("//+", "/", scope["path"]).rstrip("/") or "/"
            if match := self._openai.fullmatch(path):
                params = {_DEPLOYMENT: match[1]} if match[1] else {}
                scope = {**scope, "path": f"/v1{match['path']}", "path_params": params}
            elif match := self._others.fullmatch(path):
                scope = {**scope, "path": match["path"]}
        await self._app(scope, receive, send)


def deployment(connection: HTTPConnection) -> str | None:
    "Return the model that Azure's clients name in the path."
    name: str | None = connection.path_params.get(_DEPLOYMENT)
    return name
