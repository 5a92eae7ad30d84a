"Who is asking: the holder of a key, or anybody on this machine as long as there are no keys."

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_gpt_oss.errors import GptOssError

from .api_keys import Key, KeyRing, find_key
from .errors import NO_RETRY, SERVER, ApiError, error_response
from .trusted_hosts import is_remote

# What needs no key: it shows nothing of what was asked. All else does, other plugins' routes too.
PUBLIC = {"/", "/health"}
HOW = "Send a key in a header (Authorization: Bearer KEY): OpenAI's clients take it from OPENAI_API_KEY."
MAKE = "`llm gpt-oss keys add NAME` makes one, on the machine of this server."
UNREADABLE = "The keys of this server cannot be read, so nobody is let in. Its own output says why."

log = logging.getLogger("uvicorn.error")


class Auth:
    """ASGI middleware. Routes find in `state` who asks: `actor` is the name of the key, or None; `admin` is
    whether they may do all.

    A key is wanted where there are any, and of who comes from outside unless the server is `open`. Without
    keys whatever is sent as one is taken: OpenAI's clients always send something.
    """

    def __init__(self, app: ASGIApp, ring: KeyRing, *, open: bool) -> None:
        self._app = app
        self._ring = ring
        self._open = open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"] not in PUBLIC:
            try:
                actor = self._actor(scope)
            except ApiError as error:
                await error_response(error)(scope, receive, send)
                return
            state = scope.setdefault("state", {})
            state["actor"] = actor.name if actor else None
            state["admin"] = actor.admin if actor else not is_remote(scope)
        await self._app(scope, receive, send)

    def _actor(self, scope: Scope) -> Key | None:
        keys = self._keys()
        if not self._ring.wanted and (self._open or not is_remote(scope)):
            return None
        scheme, _, key = Headers(scope=scope).get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise _unauthorized(f"You did not send a key. {HOW} {MAKE}", None)
        if actor := find_key(key.strip(), keys):
            return actor
        raise _unauthorized(f"The key that you sent is none of this server's. {MAKE}", "invalid_api_key")

    def _keys(self) -> tuple[Key, ...]:
        try:
            return self._ring.current()
        except GptOssError as problem:
            log.error("%s", problem)
            raise ApiError(500, UNREADABLE, SERVER, headers=NO_RETRY) from problem


def _unauthorized(message: str, code: str | None) -> ApiError:
    return ApiError(401, message, code=code, headers={"WWW-Authenticate": "Bearer"})
