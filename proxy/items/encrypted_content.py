"""`encrypted_content`: a text as a token that carries all of it, so that nothing has to be kept for it.

It hides nothing: who may read the token has been sent the text. base64url of a version byte, a checksum, and
the text by zlib.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

from ..http.errors import ApiError

VERSION = b"\x01"
CHECKSUM = 8
# A text that shrinks to less is not sealed as that: so what claims to is none of ours, and a request never
# comes to more than so many times its length.
RATIO = 16


def seal(text: str) -> str:
    given = text.encode()
    packed = zlib.compress(given)
    if len(given) > RATIO * len(packed):
        packed = zlib.compress(given, level=0)
    return urlsafe_b64encode(VERSION + digest(given) + packed).decode().rstrip("=")


def unseal(token: str) -> str:
    "Raises ApiError for what `seal` did not make."
    try:
        return _text(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, zlib.error):
        message = (
            "An item's encrypted_content is none that this server has made, or not all of it. "
            "Leave the item out, or send what it holds in plain words."
        )
        raise ApiError(400, message, code="invalid_encrypted_content", param="input") from None


def _text(sealed: bytes) -> str:
    checksum, packed = sealed[1 : 1 + CHECKSUM], sealed[1 + CHECKSUM :]
    stream = zlib.decompressobj()
    text = stream.decompress(packed, RATIO * len(packed) + 1)
    if sealed[:1] != VERSION or not stream.eof or stream.unused_data or digest(text) != checksum:
        raise ValueError
    return text.decode()


def digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=CHECKSUM).digest()
