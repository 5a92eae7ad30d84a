"""The session of a browser that has logged in. A browser cannot send a key in a header, so it has a cookie.

The cookie has the time at which it expires, and a signature of this time with the hash of the key. So nothing
is stored: a session is valid in all processes of a server and after a restart, and ends as soon as the key is
revoked or rotated. Whoever can read the hash can make a session, but the file with the hashes is in the same
folder as the log, and as private. The key itself cannot be read from a cookie.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.responses import Response

from .api_keys import Key

COOKIE = "llm-gpt-oss"
SESSION_SECONDS = 30 * 24 * 3600
# What is signed begins with this, so that the hash of a key can sign something else, too.
PURPOSE = "llm-gpt-oss session"
_EXPIRY = re.compile(r"\d{1,12}", re.ASCII)


def new_session(key: Key, now: float) -> str:
    "Return the value of the cookie for a browser that sent this key. `now` is in seconds since 1970."
    expiry = str(int(now) + SESSION_SECONDS)
    return f"{expiry}.{_signature(expiry, key)}"


def find_session_key(session: str, keys: Iterable[Key], now: float) -> Key | None:
    "Return the key of a session that has not expired, or None."
    expiry, _, signature = session.partition(".")
    if not _EXPIRY.fullmatch(expiry) or not now < int(expiry) <= now + SESSION_SECONDS:
        return None
    sent = signature.encode()
    matches = [key for key in keys if hmac.compare_digest(sent, _signature(expiry, key).encode())]
    return matches[0] if matches else None


def sent_session(connection: HTTPConnection) -> str | None:
    "Return the value of the cookie that a browser sends."
    return connection.cookies.get(COOKIE)


def start_session(response: Response, session: str, *, encrypted: bool) -> None:
    """Set the cookie. No script can read it, and no page of another site can send it.

    `encrypted` is whether the browser came over https, and then it never sends the cookie over http.
    """
    response.set_cookie(
        COOKIE, session, SESSION_SECONDS, path="/", secure=encrypted, httponly=True, samesite="strict"
    )


def end_session(response: Response, *, encrypted: bool) -> None:
    "Delete the cookie."
    response.delete_cookie(COOKIE, path="/", secure=encrypted, httponly=True, samesite="strict")


def _signature(expiry: str, key: Key) -> str:
    return hmac.digest(key.sha256.encode(), f"{PURPOSE} {expiry}".encode(), "sha256").hex()
