from __future__ import annotations

import pytest

from proxy.http.charset import to_utf8
from proxy.http.errors import ApiError

TEXT = '{"name": "é€ 😀"}'
LATIN = '{"name": "é “x”"}'


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_unicode_is_recognized(encoding: str) -> None:
    assert to_utf8(TEXT.encode(encoding), "application/json") == TEXT.encode()


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("application/json;charset=ISO-8859-1", id="the name in Java"),
        pytest.param('text/plain; a=b; Charset = "latin1"', id="quoted"),
        pytest.param("application/json; charset=windows-1252", id="the name in Windows"),
    ],
)
def test_latin_1_is_believed_if_the_body_is_not_utf_8(content_type: str) -> None:
    assert to_utf8(LATIN.encode("windows-1252"), content_type) == LATIN.encode()
    assert to_utf8(LATIN.encode(), content_type) == LATIN.encode()


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "application/json; charset=utf-8", "application/json; charset=unicode_escape"],
)
def test_other_charsets_change_nothing(content_type: str) -> None:
    body = LATIN.encode("windows-1252")
    assert to_utf8(body, content_type) == body
    assert to_utf8(b"", content_type) == b""


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        pytest.param(
            "{}".encode("utf-16")[:-1],
            "",
            "The body is not valid utf-16: truncated data at byte 4. Send UTF-8.",
            id="half a character",
        ),
        pytest.param(
            b"{\x81\xff}",
            "a/b; charset=latin1",
            "The body is not valid windows-1252: character maps to <undefined> at byte 1. Send UTF-8.",
            id="not in the charset",
        ),
    ],
)
def test_invalid_text(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(ApiError) as error:
        to_utf8(body, content_type)
    assert (error.value.status, error.value.message) == (400, message)
