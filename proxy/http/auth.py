"""Authentication: the client is identified by its API key. Without keys, this machine's clients need none."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_gpt_oss.errors import GptOssError

from .api_keys import OUTSIDE, Key, KeyRing, find_key
from .errors import NO_RETRY, SERVER, ApiError, error_response
from .host_names import is_remote
from .login_page import LOGIN, LOGOUT, accepts_session, login_form, requested_address, wants_login_page
from .session import find_session_key, sent_session

# These paths need no key. `/health` shows more to a client that has one. All others need one, including
# routes of plugins.
PUBLIC = {"/", "/health", LOGIN, LOGOUT}
HOW = (
    "Send a key in a header (Authorization: Bearer KEY, api-key: KEY, or x-api-key: KEY). "
    "OpenAI's clients take it from OPENAI_API_KEY, Anthropic's from ANTHROPIC_API_KEY."
)
MAKE = "`llm gpt-oss keys add NAME` makes one, on the machine of this server."
UNREADABLE = "The server cannot read its keys, so it accepts none. Its own output shows the reason."

# How many keys of one request are tried. More are guesses.
MAX_KEYS = 8
# What precedes a key in the name of a subprotocol of a WebSocket.
KEY_SUBPROTOCOL = "openai-insecure-api-key."
# RFC 6455, 7.4.1 and 5.5: a reason has up to 123 bytes.
POLICY_VIOLATION = 1008
MAX_REASON = 123

log = logging.getLogger("uvicorn.error")


class Auth:
    """ASGI middleware that answers 401 to clients without a valid key.

    `ring` decides whether one is required. While none is, any key is accepted: OpenAI's clients always send
    one. A client that sends several keys needs a valid one among the first `MAX_KEYS`. A browser that reads a
    page of this server needs a session instead (`session.py`), and gets the page to log in if it has none.

    It sets `request.state.actor` to the actor of the key, or None for a client on this machine without one,
    and `request.state.admin` to whether the client may do everything. Clients of other machines without a key
    are one actor. `request.state.known` is false for a client that should have sent a key, but asks for what
    needs none. An answer that takes long can ask `request.state.is_authenticated()` whether the key is still
    valid.

    A WebSocket is closed when its client sends something after its key was revoked.
    """

    def __init__(self, app: ASGIApp, ring: KeyRing) -> None:
        self._app = app
        self._ring = ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        try:
            key = self._authenticate(scope)
        except ApiError as error:
            if scope["path"] not in PUBLIC:
                await _refusal(error, scope)(scope, receive, send)
                return
            state.update(actor=None, admin=False, known=False)
        else:
            remote = is_remote(scope)
            actor = key.actor if key else OUTSIDE if remote else None
            state.update(actor=actor, admin=key.admin if key else not remote, known=True)
            # Without the state, which would refer to itself and keep the request's body.
            state["is_authenticated"] = partial(self._is_authenticated, {**scope, "state": {}})
        if accepts_session(scope):
            send = _without_caches(send)
        if scope["type"] == "websocket":
            receive = self._while_authenticated(scope, receive, send)
        await self._app(scope, receive, send)

    def _while_authenticated(self, scope: Scope, receive: Receive, send: Send) -> Receive:
        "Return a `receive` that ends when the client's key is no longer valid."

        async def checked() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                self._authenticate(scope)
            except ApiError as error:
                reason = error.message[:MAX_REASON]
                await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            return message

        return checked

    def _is_authenticated(self, scope: Scope) -> bool:
        try:
            self._authenticate(scope)
        except ApiError:
            return False
        return True

    def _authenticate(self, scope: Scope) -> Key | None:
        "Return the client's key, or None if it needs none. Raises ApiError for a missing or unknown key."
        keys = current_keys(self._ring)
        if not self._ring.requires_key(remote=is_remote(scope)):
            return None
        sent = list(islice(sent_keys(Headers(scope=scope)), MAX_KEYS))
        if not sent:
            if accepts_session(scope) and (key := _session_key(scope, keys)):
                return key
            raise _unauthorized(f"You did not send a key. {HOW} {MAKE}", None)
        for text in sent:
            if key := find_key(text, keys):
                return key
        raise _unauthorized(f"This server does not know the key that you sent. {MAKE}", "invalid_api_key")


def current_keys(ring: KeyRing) -> tuple[Key, ...]:
    "Return all keys. Raises ApiError, which says nothing about the reason, if their file cannot be used."
    try:
        return ring.current()
    except GptOssError as problem:
        log.error("%s", problem)
        raise ApiError(500, UNREADABLE, SERVER, headers=NO_RETRY) from problem


def sent_keys(headers: Headers) -> Iterator[str]:
    """Yield the keys that a client sends: as OpenAI's clients do, then Azure's, then Anthropic's.

    An empty header counts as none, and so does another scheme than Bearer: it is for a proxy in front of this
    server. A page cannot set headers of a WebSocket, so it offers its key as a subprotocol, as for OpenAI's
    Realtime API.
    """
    for value in headers.getlist("authorization"):
        scheme, _, key = value.strip().partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            yield key.strip()
    for name in ("api-key", "x-api-key"):
        yield from filter(None, map(str.strip, headers.getlist(name)))
    for name in ", ".join(headers.getlist("sec-websocket-protocol")).split(","):
        if name.strip().startswith(KEY_SUBPROTOCOL):
            yield name.strip().removeprefix(KEY_SUBPROTOCOL)


def _session_key(scope: Scope, keys: tuple[Key, ...]) -> Key | None:
    session = sent_session(HTTPConnection(scope))
    return find_session_key(session, keys, time.time()) if session else None


def _without_caches(send: Send) -> Send:
    "Return a `send` for an answer that a cache could give to somebody else, since it depends on a cookie."

    async def send_uncached(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Cache-Control"] = "no-store"
        await send(message)

    return send_uncached


def _refusal(error: ApiError, scope: Scope) -> Response:
    if error.status == 401 and wants_login_page(scope):
        return login_form(requested_address(scope), headers=error.headers)
    return error_response(error, scope)


def _unauthorized(message: str, code: str | None) -> ApiError:
    return ApiError(401, message, code=code, headers={"WWW-Authenticate": "Bearer"})
