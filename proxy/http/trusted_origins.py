"""The origins whose web pages may use the server, without a flag and with one."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

from .host_names import host_of, host_of_origin, is_local
from .wildcards import matches

# Only installed apps have these origins: no browser gives one to a page of the web. Ollama allows the same
# ones (AllowedOrigins in its envconfig/config.go).
APP_ORIGINS = ("app://*", "file://*", "tauri://*", "vscode-file://*", "vscode-webview://*")
# The longest origin of a page has a name of 253 characters.
MAX_ORIGIN = 300
# A page on any port of this address is on this machine.
UNSPECIFIED = "0.0.0.0"  # noqa: S104 (compared, not listened on)
_PATTERN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s]*", re.ASCII | re.IGNORECASE)


class TrustedOrigins:
    """Decides whether pages of an origin may use the server.

    They may if they are on this machine, on the host that the request names, in an installed app, or if one
    of `patterns` matches their origin. In a pattern, `*` stands for any text.
    """

    def __init__(self, patterns: Collection[str]) -> None:
        self._patterns = (*APP_ORIGINS, *patterns)

    def trust(self, headers: Headers) -> bool:
        "Return whether the request is from a page of a trusted origin. False if it has no Origin header."
        # A request with several Origin headers is from no browser. Joined, they are no origin.
        origin = ", ".join(headers.getlist("origin"))
        if not origin or len(origin) > MAX_ORIGIN:
            return False
        if any(matches(pattern, origin) for pattern in self._patterns):
            return True
        name = host_of_origin(origin)
        if name is None:
            return False
        return is_local(name) or name == UNSPECIFIED or name == host_of(headers.get("host", ""))


def is_same_origin(headers: Headers) -> bool:
    """Whether a page of this server sent the request, on the same host and port.

    The browser sends a cookie for pages of other ports, too, so a cookie alone does not allow a change.
    Browsers send `Sec-Fetch-Site` to https and to this machine, and `Origin` with every POST.
    """
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    _, separator, host = headers.get("origin", "").lower().partition("://")
    return bool(separator) and host == headers.get("host", "").lower()


def is_origin_pattern(text: str) -> bool:
    "Whether this is an origin, `null`, `*`, or an origin in which `*` stands for any text."
    return _PATTERN.fullmatch(text) is not None


def is_origin(text: str) -> bool:
    "Whether this can be the origin of a page: `null`, or one without `*`."
    return len(text) <= MAX_ORIGIN and "*" not in text and is_origin_pattern(text)


def is_preflight(scope: Scope, headers: Headers) -> bool:
    "Whether a browser asks if a page may send a request. See https://fetch.spec.whatwg.org/#cors-preflight-fetch."
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and "origin" in headers
        and "access-control-request-method" in headers
    )
