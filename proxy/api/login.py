"""`/login` and `/logout`: a browser sends a key once, and gets a cookie with which it can read the pages."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from ..http.api_keys import KeyRing, find_key
from ..http.auth import current_keys
from ..http.errors import ApiError
from ..http.host_names import is_remote
from ..http.login_page import LOGIN, LOGOUT, logged_in_page, login_form, next_page, no_login_page
from ..http.request_body import read_bytes
from ..http.session import end_session, find_session_key, new_session, sent_session, start_session
from ..http.trusted_origins import is_same_origin

# How many wrong keys all browsers together may send in a while. An app can try more, but a page of the web
# cannot read the answers to it.
MAX_FAILURES = 10
FAILURE_SECONDS = 60.0
# A form with a key and an address is shorter.
MAX_FORM = 8192

log = logging.getLogger("uvicorn.error")
router = APIRouter()


class Login:
    """The login of one process. `clock` returns seconds since 1970.

    After MAX_FAILURES wrong keys in FAILURE_SECONDS no key is accepted for a while, not even a valid one.
    """

    def __init__(self, ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._ring = ring
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)

    def is_needed(self, *, remote: bool) -> bool:
        return self._ring.requires_key(remote=remote)

    def name_of(self, session: str | None) -> str | None:
        "Return the name of the key with which a browser has logged in."
        key = session and find_session_key(session, current_keys(self._ring), self._clock())
        return key.name if key else None

    def seconds_to_wait(self) -> int:
        "Return after how many seconds the next key may be sent."
        if len(self._failures) < MAX_FAILURES:
            return 0
        return max(0, math.ceil(self._failures[0] + FAILURE_SECONDS - self._clock()))

    def session(self, text: str) -> str | None:
        "Return a session for the key, or None if there is no such key."
        if key := find_key(text, current_keys(self._ring)):
            return new_session(key, self._clock())
        self._failures.append(self._clock())
        if self.seconds_to_wait():
            log.warning("Browsers sent %d wrong keys, so /login waits for a while", MAX_FAILURES)
        return None


async def show(request: Request) -> Response:
    login: Login = request.app.state.login
    if not login.is_needed(remote=is_remote(request.scope)):
        return no_login_page()
    if name := login.name_of(sent_session(request)):
        return logged_in_page(name)
    return login_form(request.query_params.get("next", ""), 200)


async def log_in(request: Request) -> Response:
    login: Login = request.app.state.login
    form = await _form(request)
    address = next_page(form.get("next", ""))
    if not is_same_origin(request.headers):
        return login_form(address, 403, "The key came from a page of another server. Type it here.")
    if seconds := login.seconds_to_wait():
        problem = f"Too many wrong keys were sent. Try again in {seconds} seconds."
        return login_form(address, 429, problem, {"Retry-After": str(seconds)})
    session = login.session(form.get("key", "").strip())
    if session is None:
        return login_form(address, 401, "This server does not know this key.")
    response = RedirectResponse(address, 303, {"Cache-Control": "no-store"})
    start_session(response, session, encrypted=request.url.scheme == "https")
    return response


async def log_out(request: Request) -> Response:
    if not is_same_origin(request.headers):
        raise ApiError(403, "Only a page of this server can log out. Open /login.", code="forbidden")
    response = RedirectResponse(LOGIN, 303, {"Cache-Control": "no-store"})
    end_session(response, encrypted=request.url.scheme == "https")
    return response


async def _form(request: Request) -> dict[str, str]:
    raw, _ = await read_bytes(request, request.app.state.proxy.body_budget)
    if len(raw) > MAX_FORM:
        raise ApiError(413, "The form of the login is too long.", code="request_too_large")
    return dict(parse_qsl(raw.decode("utf-8", "replace")))


# Not of the API, so its description does not have them.
router.add_route(LOGIN, show, ["GET"])
router.add_route(LOGIN, log_in, ["POST"])
router.add_route(LOGOUT, log_out, ["POST"])
