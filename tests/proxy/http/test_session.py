from __future__ import annotations

import pytest
from starlette.responses import Response

from proxy.http.api_keys import Key
from proxy.http.session import (
    COOKIE,
    SESSION_SECONDS,
    end_session,
    find_session_key,
    new_session,
    start_session,
)

NOW = 1_800_000_000.5
LAPTOP = Key("laptop", "1" * 64, admin=True, created=None, actor="laptop:1")
PHONE = Key("phone", "2" * 64, admin=False, created=None, actor="phone:2")


def test_a_session_belongs_to_its_key() -> None:
    session = new_session(PHONE, NOW)
    assert find_session_key(session, [LAPTOP, PHONE], NOW) == PHONE
    assert find_session_key(session, [LAPTOP], NOW) is None
    assert find_session_key(session, [], NOW) is None


def test_a_session_does_not_contain_the_hash() -> None:
    assert LAPTOP.sha256 not in new_session(LAPTOP, NOW)


@pytest.mark.parametrize(
    ("seconds", "valid"),
    [(0, True), (SESSION_SECONDS - 1, True), (SESSION_SECONDS, False), (-10, False)],
    ids=["now", "at its end", "after its end", "before its start"],
)
def test_expiry(seconds: int, valid: bool) -> None:
    found = find_session_key(new_session(LAPTOP, NOW), [LAPTOP], NOW + seconds)
    assert found == (LAPTOP if valid else None)


def test_an_expiry_that_somebody_changed() -> None:
    expiry, _, signature = new_session(LAPTOP, NOW).partition(".")
    assert find_session_key(f"{int(expiry) - 1}.{signature}", [LAPTOP], NOW) is None


@pytest.mark.parametrize(
    "session",
    [
        "",
        ".",
        "1",
        "x.y",
        f"{'9' * 5000}.a",
        "١٨٠٠٠٠٠٠٠١.a",
        f"{int(NOW) + 5}.",
        f"{int(NOW) + 5}.\xe9",
        LAPTOP.sha256,
    ],
    ids=["empty", "dot", "number", "letters", "digits", "other digits", "unsigned", "latin-1", "hash"],
)
def test_invalid_sessions(session: str) -> None:
    assert find_session_key(session, [LAPTOP], NOW) is None


@pytest.mark.parametrize("encrypted", [False, True])
def test_attributes_of_the_cookie(encrypted: bool) -> None:
    response = Response()
    start_session(response, "value", encrypted=encrypted)
    value, *attributes = response.headers["set-cookie"].split("; ")
    assert value == f"{COOKIE}=value"
    secure = ["Secure"] if encrypted else []
    assert sorted(attributes) == sorted(["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=strict", *secure])


def test_the_end_of_a_session() -> None:
    response = Response()
    end_session(response, encrypted=False)
    assert response.headers["set-cookie"].startswith(f'{COOKIE}=""; ')
    assert "Max-Age=0" in response.headers["set-cookie"]
