from __future__ import annotations

import re

import pytest

from proxy.http.login_page import (
    MAX_NEXT,
    accepts_session,
    logged_in_page,
    login_form,
    next_page,
    wants_login_page,
)


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("GET", "/live", True),
        ("HEAD", "/live", True),
        ("GET", "/live/stream", True),
        ("GET", "/logs", True),
        ("GET", "/logs/-/turn/1", True),
        ("GET", "/login", True),
        ("POST", "/live", False),
        ("GET", "/livestream", False),
        ("GET", "/logs-off", False),
        ("GET", "/login/x", False),
        ("GET", "/", False),
        ("GET", "/v1/models", False),
        ("GET", "/v1/logs/x", False),
        ("GET", "/api/tags", False),
        ("GET", "/metrics", False),
    ],
)
def test_where_a_session_is_accepted(method: str, path: str, accepted: bool) -> None:
    assert accepts_session({"type": "http", "method": method, "path": path}) is accepted


def test_not_on_a_websocket() -> None:
    assert not accepts_session({"type": "websocket", "path": "/live"})


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [(b"text/html,*/*;q=0.8", True), (b"application/json", False), (b"text/event-stream", False)],
)
def test_who_gets_the_page(accept: bytes, wanted: bool) -> None:
    scope = {"type": "http", "method": "GET", "path": "/live", "headers": [(b"accept", accept)]}
    assert wants_login_page(scope) is wanted
    assert not wants_login_page({**scope, "headers": []})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/live", "/live"),
        ("/live?app=x", "/live?app=x"),
        ("/logs/-/turn/1?a=b&c=d", "/logs/-/turn/1?a=b&c=d"),
        ("/", "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("//evil.example/logs", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/logs", "/"),
        ("/logs.evil.example", "/"),
        ("logs", "/"),
        ("/v1/models", "/"),
        ("/logout", "/"),
        ("/logs/" + "x" * MAX_NEXT, "/"),
    ],
)
def test_where_a_login_leads(address: str, expected: str) -> None:
    assert next_page(address) == expected


def test_the_page_has_no_script_and_loads_nothing() -> None:
    response = login_form('/logs/x?"><script>alert(1)</script>', problem="<b>")
    html = bytes(response.body).decode()
    assert "<script" not in html
    assert "<b>" not in html
    assert not re.search(r"\b(src|href)=\"(?!/)", html)
    assert "'unsafe" not in response.headers["content-security-policy"]


def test_names_are_text() -> None:
    assert b"<i>" not in bytes(logged_in_page("<i>").body)
