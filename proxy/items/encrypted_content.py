"""`encrypted_content`: an opaque token that carries a whole text, so that the server stores nothing for it.

The token is not secret: the client has received the text in it. It is base64url of a version byte, a checksum
and the zlib-compressed text.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

from ..http.errors import ApiError

VERSION = b"\x01"
CHECKSUM_BYTES = 8
# Compress by at most 16x, otherwise store uncompressed, so that decompression can reject bombs.
MAX_RATIO = 16


def to_encrypted_content(text: str) -> str:
    data = text.encode()
    compressed = zlib.compress(data)
    if len(data) > MAX_RATIO * len(compressed):
        compressed = zlib.compress(data, level=0)
    return urlsafe_b64encode(VERSION + checksum(data) + compressed).decode().rstrip("=")


def read_encrypted_content(token: str) -> str | None:
    "Return the text that a token contains, or None if `to_encrypted_content` did not make all of it."
    try:
        return _decompress(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, zlib.error):
        return None


def from_encrypted_content(token: str) -> str:
    """Return the text that a token contains.

    Raises ApiError for a token that `to_encrypted_content` did not make.
    """
    text = read_encrypted_content(token)
    if text is None:
        message = (
            "An item has an 'encrypted_content' that this server did not create, or only part of one. "
            "Leave the item out, or send its text as 'content'."
        )
        raise ApiError(400, message, code="invalid_encrypted_content", param="input")
    return text


def _decompress(data: bytes) -> str:
    "Return the text of a decoded token. Raises ValueError or zlib.error if the token is invalid."
    expected_checksum, compressed = data[1 : 1 + CHECKSUM_BYTES], data[1 + CHECKSUM_BYTES :]
    stream = zlib.decompressobj()
    text = stream.decompress(compressed, MAX_RATIO * len(compressed) + 1)
    complete = stream.eof and not stream.unused_data
    if data[:1] != VERSION or not complete or checksum(text) != expected_checksum:
        raise ValueError
    return text.decode()


def checksum(data: bytes) -> bytes:
    return blake2b(data, digest_size=CHECKSUM_BYTES).digest()
