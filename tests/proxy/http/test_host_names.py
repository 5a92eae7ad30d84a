from __future__ import annotations

import pytest

from proxy.http.host_names import (
    host_in_url,
    host_of,
    host_of_origin,
    is_ip_address,
    is_local,
    is_loopback,
)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("localhost.:8000", "localhost"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("my_service.internal:80", "my_service.internal"),
        ("", None),
        (":8000", None),
        ("[::1", None),
        ("::1", None),
        ("localhost:", None),
        ("localhost:http", None),
        ("me@localhost", None),
        ("localhost/evil", None),
        ("localhost evil", None),
        ("localhost\n", None),
        ("löcalhost", None),
        ("a" * 253, "a" * 253),
        ("a" * 254, None),
    ],
)
def test_host_of(header: str, host: str | None) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("http://localhost:3000", "localhost"),
        ("https://Evil.Example", "evil.example"),
        ("https://evil.example.", "evil.example"),
        ("http://[::1]:8000", "::1"),
        ("tauri://localhost", "localhost"),
        ("chrome-extension://abc", "abc"),
        ("null", None),
        ("", None),
        ("localhost", None),
        ("file://", None),
        ("http://localhost/", None),
        ("http://localhost.evil@evil.example", None),
        ("*", None),
    ],
)
def test_host_of_origin(header: str, host: str | None) -> None:
    assert host_of_origin(header) == host


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("localhost.evil.example", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("::ffff:192.168.1.5", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
    ],
)
def test_is_local(name: str, local: bool) -> None:
    assert is_local(name) is local


def test_is_loopback_of_a_name() -> None:
    assert is_loopback("testserver") is None


@pytest.mark.parametrize(
    ("name", "address"),
    [("127.0.0.1", True), ("192.168.1.5", True), ("fd00::5", True), ("0.0.0.0", True), ("box", False)],
)
def test_is_ip_address(name: str, address: bool) -> None:
    assert is_ip_address(name) is address


def test_host_in_url() -> None:
    assert (host_in_url("::1"), host_in_url("localhost")) == ("[::1]", "localhost")
