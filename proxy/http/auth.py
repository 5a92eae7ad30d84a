"""Authentication: the client is identified by its API key. Without keys, this machine's clients need none."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_gpt_oss.errors import GptOssError

from .api_keys import Key, KeyRing, find_key
from .errors import NO_RETRY, SERVER, ApiError, error_response
from .trusted_hosts import is_remote

# These paths need no key, since they show nothing of the log. All others do, including routes of plugins.
PUBLIC = {"/", "/health"}
HOW = "Send a key in a header (Authorization: Bearer KEY): OpenAI's clients take it from OPENAI_API_KEY."
MAKE = "`llm gpt-oss keys add NAME` makes one, on the machine of this server."
UNREADABLE = "The server cannot read its keys, so it accepts none. Its own output shows the reason."

log = logging.getLogger("uvicorn.error")


class Auth:
    """ASGI middleware that answers 401 to clients without a valid key.

    A key is required once there are any keys, and from clients of other machines unless
    `allow_unauthenticated` is set. While none is required, any key is accepted: OpenAI's clients always send
    one.

    It sets `request.state.actor` to the name of the key, or None, and `request.state.admin` to whether the
    client may do everything.
    """

    def __init__(self, app: ASGIApp, ring: KeyRing, *, allow_unauthenticated: bool) -> None:
        self._app = app
        self._ring = ring
        self._allow_unauthenticated = allow_unauthenticated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"] not in PUBLIC:
            try:
                key = self._authenticate(scope)
            except ApiError as error:
                await error_response(error)(scope, receive, send)
                return
            state = scope.setdefault("state", {})
            state["actor"] = key.name if key else None
            state["admin"] = key.admin if key else not is_remote(scope)
        await self._app(scope, receive, send)

    def _authenticate(self, scope: Scope) -> Key | None:
        "Return the client's key, or None if it needs none. Raises ApiError for a missing or unknown key."
        keys = self._keys()
        if not self._ring.has_keys and (self._allow_unauthenticated or not is_remote(scope)):
            return None
        scheme, _, text = Headers(scope=scope).get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unauthorized(f"You did not send a key. {HOW} {MAKE}", None)
        if key := find_key(text.strip(), keys):
            return key
        raise _unauthorized(f"This server does not know the key that you sent. {MAKE}", "invalid_api_key")

    def _keys(self) -> tuple[Key, ...]:
        try:
            return self._ring.current()
        except GptOssError as problem:
            log.error("%s", problem)
            raise ApiError(500, UNREADABLE, SERVER, headers=NO_RETRY) from problem


def _unauthorized(message: str, code: str | None) -> ApiError:
    return ApiError(401, message, code=code, headers={"WWW-Authenticate": "Bearer"})
