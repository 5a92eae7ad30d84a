from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from proxy.http.trusted_origins import TrustedOrigins, is_origin_pattern


def trusted(origin: str, *patterns: str, host: str = "127.0.0.1:8000") -> bool:
    return TrustedOrigins(patterns).trust(Headers({"host": host, "origin": origin}))


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "https://LOCALHOST",
        "http://app.localhost:8080",
        "http://127.0.0.1",
        "http://127.8.8.8:1",
        "http://[::1]:1",
        "http://0.0.0.0:5173",
        "capacitor://localhost",
        "app://obsidian.md",
        "app://-",
        "file://",
        "tauri://localhost",
        "vscode-file://vscode-app",
        "vscode-webview://0j5ln4h0f8aul2c3pb5ie2o1gcd0pjs5b8gpufn1d5m6l0a3q7ib",
    ],
)
def test_origins_that_need_no_flag(origin: str) -> None:
    assert trusted(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://192.168.1.5",
        "http://app",
        "https://app://",
        "chrome-extension://abc",
        "moz-extension://abc",
        "xapp://obsidian.md",
        "http://localhost@evil.example",
        "http://localhost, https://evil.example",
    ],
)
def test_origins_that_need_a_flag(origin: str) -> None:
    assert not trusted(origin)


def test_a_request_without_an_origin_is_from_no_page() -> None:
    assert not TrustedOrigins(("*",)).trust(Headers({"host": "localhost"}))


@pytest.mark.parametrize(
    ("host", "same"),
    [("192.168.1.5:8000", True), ("192.168.1.5", True), ("192.168.1.6", False), ("[bad", False)],
)
def test_pages_of_the_same_host(host: str, same: bool) -> None:
    assert trusted("http://192.168.1.5:3000", host=host) is same


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        ("*", "https://evil.example", True),
        ("*", "null", True),
        ("null", "null", True),
        ("null", "https://null", False),
        ("https://app.example", "https://app.example", True),
        ("https://App.example", "https://app.EXAMPLE", True),
        ("https://app.example", "http://app.example", False),
        ("https://app.example", "https://app.example:8443", False),
        ("https://app.example", "https://app.example.evil", False),
        ("https://app.example", "https://appxexample", False),
        ("https://app.example:*", "https://app.example:8443", True),
        ("https://*.app.example", "https://a.b.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("https://*.app.example", "https://evilapp.example", False),
        ("chrome-extension://*", "chrome-extension://abcdefghijklmnop", True),
        ("chrome-extension://abc", "chrome-extension://abd", False),
        ("moz-extension://*", "moz-extension://5f0b5a0e-7f3c-4c5a-9a57-0e5d3a1f0b11", True),
        ("http://[fd00::5]:3000", "http://[fd00::5]:3000", True),
    ],
)
def test_patterns(pattern: str, origin: str, matches: bool) -> None:
    assert trusted(origin, pattern) is matches


def test_a_longer_text_is_no_origin() -> None:
    assert trusted("https://" + "a" * 292, "https://*")
    assert not trusted("https://" + "a" * 293, "https://*")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("*", True),
        ("null", True),
        ("https://app.example", True),
        ("http://localhost:3000", True),
        ("http://[::1]:3000", True),
        ("https://*.app.example:*", True),
        ("file://", True),
        ("app://*", True),
        ("chrome-extension://*", True),
        ("vscode-webview://*", True),
        ("", False),
        ("app.example", False),
        ("https://app.example/", False),
        ("https://app.example/chat", False),
        ("https://a.example https://b.example", False),
        ("https://a.example\n", False),
        ("nullnull", False),
    ],
)
def test_is_origin_pattern(text: str, valid: bool) -> None:
    assert is_origin_pattern(text) is valid
