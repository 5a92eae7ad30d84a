"""The page on which a browser logs in with a key, and which requests get it instead of an error."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import Scope

from .trusted_origins import is_same_origin

LOGIN, LOGOUT = "/login", "/logout"
# The pages of this server, for which a session is as good as a key. The API is not among them: a session that
# leaked could otherwise use the models.
_PAGES = re.compile(r"/(?:live|logs)(?:/.*)?|/login", re.DOTALL)
_STOP = re.compile(r"/live/runs/[^/]+/stop")
# Where a browser may go after it has logged in: to a page of this server.
_NEXT = re.compile(r"/(?:(?:live|logs)(?:[/?].*)?)?", re.DOTALL)
# A longer address is dropped. The form would repeat it.
MAX_NEXT = 4000

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#c9ccd1, #44484f); --soft: light-dark(#5b616b, #a3a9b3);
  --accent: light-dark(#0b57d0, #8ab4f8); --on-accent: light-dark(#fff, #0b1a33);
  --bad: light-dark(#b3261e, #f2b8b5) }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f6f7f9, #15171a);
  color: light-dark(#1b1d21, #e7e9ec) }
main { width: 100%; max-width: 26rem; padding: 2rem; border: 1px solid var(--line); border-radius: .75rem;
  background: light-dark(#fff, #1d2024) }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; font-weight: 650 }
p { margin: 0 0 1.25rem; color: var(--soft) }
p:last-child { margin: 1.25rem 0 0; font-size: .875rem }
p[role=alert] { color: var(--bad); font-weight: 550 }
code { font: .875em ui-monospace, monospace }
a { color: var(--accent) }
label { display: block; margin-bottom: .25rem; font-weight: 550 }
input, button { width: 100%; padding: .6rem .75rem; border-radius: .4rem; font: inherit }
input { border: 1px solid var(--soft); background: transparent; color: inherit }
button { margin-top: 1rem; border: 0; background: var(--accent); color: var(--on-accent); font-weight: 600;
  cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
"""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} · llm-gpt-oss</title>
<style>{style}</style>
<main>
<h1>{title}</h1>
{body}
</main>
</html>
"""
FORM = """{problem}<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="key">Key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus{described}>
<button>Log in</button>
</form>
<p>Make one on the machine of the server: <code>llm gpt-oss keys add NAME --admin</code></p>"""
PROBLEM = '<p role="alert" id="problem">{problem}</p>\n'
HINT = "<p>Type a key of this server. The log at /logs needs the key of an admin.</p>\n"
LOGGED_IN = """<p>This browser is logged in with the key <strong>{name}</strong>.</p>
<form method="post" action="/logout"><button>Log out</button></form>
<p><a href="/live">Live requests</a> · <a href="/">Home</a></p>"""
NOT_NEEDED = """<p>This server asks for no key.</p>
<p><a href="/live">Live requests</a> · <a href="/">Home</a></p>"""

# The page loads nothing. Its form needs a Referrer-Policy that leaves the Origin in the request.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src "
        f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Accept, Cookie",
}


def accepts_session(scope: Scope) -> bool:
    """Whether a session may take the place of a key in this request.

    It may if the request reads a page of this server, or if such a page stops a run.
    """
    if scope["type"] != "http":
        return False
    if scope["method"] == "POST":
        return _STOP.fullmatch(scope["path"]) is not None and is_same_origin(Headers(scope=scope))
    return _reads_page(scope)


def wants_login_page(scope: Scope) -> bool:
    "Whether a person gets to see the answer to this request: a browser opens a page of this server."
    return (
        scope["type"] == "http"
        and _reads_page(scope)
        and "text/html" in Headers(scope=scope).get("accept", "")
    )


def _reads_page(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") and _PAGES.fullmatch(scope["path"]) is not None


def requested_address(scope: Scope) -> str:
    "Return the path and the query of the request, as the browser has them in its address bar."
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def next_page(address: str) -> str:
    "Return the address if it is that of a page of this server, or else that of its first page."
    return address if len(address) <= MAX_NEXT and _NEXT.fullmatch(address) else "/"


def login_form(
    address: str, status: int = 401, problem: str = "", headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    "Return the page that asks for a key and then leads to `address`. `problem` says why it asks again."
    body = FORM.format(
        problem=PROBLEM.format(problem=escape(problem)) if problem else HINT,
        described=' aria-describedby="problem" aria-invalid="true"' if problem else "",
        next=escape(next_page(address)),
    )
    response = _page("Log in", body, status)
    response.headers.update(headers or {})
    return response


def logged_in_page(name: str) -> HTMLResponse:
    return _page("Logged in", LOGGED_IN.format(name=escape(name)))


def no_login_page() -> HTMLResponse:
    return _page("No login needed", NOT_NEEDED)


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=title, style=STYLE, body=body), status, HEADERS)
