"""The hash of an API key, which is all that the server keeps of it."""

from __future__ import annotations

import hashlib

# A web page can find out by trying whether a key is valid (`docs/decisions.md`), so nobody may guess one.
MIN_LENGTH = 16


def hash_key(key: str) -> str:
    """Return the SHA-256 hash.

    A key has 256 random bits, which nobody can guess, so one round without salt is enough. More rounds would
    slow down each request.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def hash_given_key(key: str) -> str:
    """Return the hash of a key that somebody chose.

    Raises ValueError if no client can send it, and if it is too short. The error does not contain the key.
    """
    # Clients send it in a header, which loses spaces around it.
    if not key or key != key.strip() or not (key.isascii() and key.isprintable()):
        raise ValueError("a key is plain ASCII text without spaces around it")
    if len(key) < MIN_LENGTH:
        raise ValueError(
            f"a key of {len(key)} characters can be guessed, also by web pages. Use {MIN_LENGTH} or more, "
            "such as the output of `openssl rand -hex 32`"
        )
    return hash_key(key)
