"""Converts the text of a body to UTF-8, the encoding of JSON (RFC 8259, 8.1).

Some clients send a byte order mark, or UTF-16 (.NET), or Latin-1 and a charset that says so (old Java
libraries).
"""

from __future__ import annotations

import json
import re

from .errors import ApiError

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([\w.:-]+)', re.ASCII | re.IGNORECASE)
# As in browsers (https://encoding.spec.whatwg.org/#names-and-labels), these names mean windows-1252.
LATIN_1 = {"iso-8859-1", "iso8859-1", "latin1", "latin-1", "windows-1252", "cp1252"}


def to_utf8(body: bytes, content_type: str = "") -> bytes:
    """Return the body in UTF-8 and without a byte order mark.

    UTF-16 and UTF-32 are recognized by the body itself. `content_type` decides only about a body that is not
    valid UTF-8, because many clients name a charset that they do not use. Raises ApiError if the body is not
    valid in its encoding.
    """
    encoding: str = json.detect_encoding(body)
    if encoding == "utf-8":
        match = _CHARSET.search(content_type)
        if match is None or match[1].lower() not in LATIN_1 or _is_utf8(body):
            return body
        encoding = "windows-1252"
    try:
        return body.decode(encoding).encode()
    except UnicodeDecodeError as problem:
        message = f"The body is not valid {encoding}: {problem.reason} at byte {problem.start}. Send UTF-8."
        raise ApiError(400, message) from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
