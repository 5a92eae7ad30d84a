"Tokens that carry a text."

from __future__ import annotations

import tracemalloc
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http.errors import ApiError
from proxy.items.encrypted_content import (
    MAX_RATIO,
    VERSION,
    checksum,
    from_encrypted_content,
    to_encrypted_content,
)


@given(st.text() | st.text(alphabet="ab", max_size=40).map(lambda text: text * 200))
def test_round_trip(text: str) -> None:
    assert from_encrypted_content(to_encrypted_content(text)) == text


def test_equal_texts_give_equal_tokens() -> None:
    assert to_encrypted_content("hm") == to_encrypted_content("hm")


def test_long_texts_are_compressed() -> None:
    assert len(to_encrypted_content("".join(f"{n} sheep. " for n in range(1000)))) < 6000


def bomb(size: int) -> str:
    text = b"0" * size
    return urlsafe_b64encode(VERSION + checksum(text) + zlib.compress(text)).decode()


def damaged() -> str:
    sealed = bytearray(urlsafe_b64decode(to_encrypted_content("What the model thought.") + "=="))
    sealed[-6] ^= 1
    return urlsafe_b64encode(sealed).decode()


def of_another_version() -> str:
    return urlsafe_b64encode(b"\x02" + urlsafe_b64decode(to_encrypted_content("hm") + "==")[1:]).decode()


def not_utf8() -> str:
    return urlsafe_b64encode(VERSION + checksum(b"\xff") + zlib.compress(b"\xff")).decode()


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("gAAAAABo", id="of another server"),
        pytest.param("What the model thought.", id="plain text"),
        pytest.param("Größe", id="beyond ASCII"),
        pytest.param("a", id="no base64"),
        pytest.param(to_encrypted_content("What the model thought.")[:-8], id="cut"),
        pytest.param(to_encrypted_content("hm") + to_encrypted_content("hm"), id="two of them"),
        pytest.param(damaged(), id="damaged"),
        pytest.param(of_another_version(), id="of another version"),
        pytest.param(not_utf8(), id="no text"),
        pytest.param(bomb(100_000), id="a bomb"),
    ],
)
def test_unknown_formats(token: str) -> None:
    with pytest.raises(ApiError) as caught:
        from_encrypted_content(token)
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "invalid_encrypted_content", "input")


def test_decompression_bombs_take_no_memory() -> None:
    token = bomb(64 * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(ApiError):
            from_encrypted_content(token)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RATIO * len(token)
    finally:
        tracemalloc.stop()
