"Plain pages that say why there is nothing to see. They work without Datasette."

from __future__ import annotations

from html import escape

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from ..http.errors import ApiError, error_response

UNREADABLE = "The log cannot be shown"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; margin: 10vh auto; max-width: 40rem; padding: 0 1rem }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{message}</p>
</body>
</html>
"""


def message_page(title: str, message: str, status: int) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=escape(title), message=escape(message)), status)


def error_answer(title: str, error: ApiError, scope: Scope) -> Response:
    "Return the error as a page to a browser, and in OpenAI's form to a program."
    if "text/html" in Headers(scope=scope).get("accept", "") and not scope["path"].endswith(".json"):
        page = message_page(title, error.message, error.status)
        page.headers.update(error.headers)
        return page
    return error_response(error, scope)
