"""Decodes bodies that are compressed: `Content-Encoding: gzip`, `deflate`, `br`, `zstd`, or several in a row.

RFC 9110, 8.4. Small data can decompress to a lot, so everything is decoded in small steps and counted.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

from .errors import ApiError

STEP = 2**16
# More is an attack: each encoding can expand its data a thousand times.
MAX_ENCODINGS = 4
# gzip and zstd allow several compressed parts in a row. Each costs time, even if it is empty.
MAX_PARTS = 100
# RFC 9659: a larger window would need more memory than a server should spend on one body.
ZSTD_WINDOW_LOG = 23


class Decompressor(Protocol):
    """Decompresses one stream, as Python's bz2, lzma and zstd do.

    While `needs_input` is false, it has more output, and `decompress` is called with no data.
    """

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class BodyDecoder:
    """Decodes a body part by part. `headers` are the request's Content-Encoding headers.

    Raises ApiError: 415 for an encoding that is not in `DECOMPRESSORS`, 400 for data that is damaged or
    incomplete, and 413 if it has more than `limit` bytes as it was sent, or after any of its encodings is
    decoded.
    """

    def __init__(self, headers: Iterable[str], limit: int) -> None:
        names = [name.strip().lower() for header in headers for name in header.split(",")]
        encodings = [name for name in names if name not in ("", "identity")]
        if len(encodings) > MAX_ENCODINGS or not DECOMPRESSORS.keys() >= {*encodings}:
            raise _unsupported(encodings)
        self._stages = [EncodingDecoder(name) for name in reversed(encodings)]
        self._limit = limit
        self._lengths = [0] * (len(encodings) + 1)

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        pieces = self._limited(0, (data,))
        for number, stage in enumerate(self._stages, 1):
            pieces = self._limited(number, chain.from_iterable(map(stage.feed, pieces)))
        return pieces

    def finish(self) -> None:
        for stage in self._stages:
            stage.finish()

    def _limited(self, number: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._lengths[number] += len(piece)
            if self._lengths[number] > self._limit:
                when = " when it is decompressed" if number else ""
                message = f"The body is longer than {self._limit // 2**20} MiB{when}."
                raise ApiError(413, message, code="request_too_large")
            yield piece


class EncodingDecoder:
    "Decodes one encoding. An empty body is valid in each."

    def __init__(self, name: str) -> None:
        self._name = name
        self._new, self._has_parts = DECOMPRESSORS[name]
        self._stream: Decompressor | None = None
        self._parts = 0

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        try:
            for start in range(0, len(data), STEP):
                yield from self._decompress(data[start : start + STEP])
        except ApiError:
            raise
        except Exception as problem:  # each library has its own error
            raise self._error(str(problem)) from problem

    def finish(self) -> None:
        if self._stream and not self._stream.eof:
            raise self._error("it ends too early")

    def _decompress(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream is None or self._stream.eof:
                self._stream = self._next_part(data)
            yield self._stream.decompress(data, STEP)
            while not (self._stream.eof or self._stream.needs_input):
                yield self._stream.decompress(b"", STEP)
            data = self._stream.unused_data

    def _next_part(self, data: bytes) -> Decompressor:
        self._parts += 1
        if self._parts > (MAX_PARTS if self._has_parts else 1):
            has_many = f"it has more than {MAX_PARTS} compressed parts"
            raise self._error(has_many if self._has_parts else "there is more data after its end")
        return self._new(data)

    def _error(self, reason: str) -> ApiError:
        message = (
            f"The body is not valid {self._name}: {reason}. Compress it again, or send it without "
            "Content-Encoding."
        )
        return ApiError(400, message, code="invalid_encoding")


class _Inflate:
    "zlib's decompressor."

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # Even if all data was read, the rest of its output may not have fitted.
        self.needs_input = not self._stream.unconsumed_tail and len(output) < max_length
        return output


class _Brotli:
    "brotli's decompressor. It raises an error for data after the end."

    unused_data = b""

    def __init__(self) -> None:
        import brotli

        self._stream: Any = brotli.Decompressor()
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output: bytes = self._stream.process(data, output_buffer_limit=max_length)
        self.needs_input = self._stream.can_accept_more_data() and len(output) < max_length
        return output


def _gzip(data: bytes) -> Decompressor:
    return _Inflate(zlib.MAX_WBITS | 16)


def _deflate(data: bytes) -> Decompressor:
    "Decompress zlib's format, which RFC 9110 means, or plain deflate, which some clients send."
    is_zlib = data[0] & 15 == 8  # RFC 1950, 2.2: the compression method
    return _Inflate(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _br(data: bytes) -> Decompressor:
    return _Brotli()


def _zstd(data: bytes) -> Decompressor:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    decompressor: Decompressor = zstd.ZstdDecompressor(options=options)
    return decompressor


# For each encoding: what makes a decompressor for data that begins like this, and whether several compressed
# parts can follow each other.
DECOMPRESSORS: dict[str, tuple[Callable[[bytes], Decompressor], bool]] = {
    "gzip": (_gzip, True),
    "x-gzip": (_gzip, True),
    "deflate": (_deflate, False),
    "br": (_br, False),
    "zstd": (_zstd, True),
}


def _unsupported(encodings: list[str]) -> ApiError:
    "Return the error with the header that RFC 9110, 15.5.16 recommends."
    accepted = [name for name in DECOMPRESSORS if not name.startswith("x-")]
    message = (
        f"The Content-Encoding '{', '.join(encodings)[:100]}' is not supported. Compress the body with "
        f"{', '.join(accepted[:-1])} or {accepted[-1]}, or send it without Content-Encoding."
    )
    headers = {"Accept-Encoding": ", ".join(accepted)}
    return ApiError(415, message, code="unsupported_content_encoding", headers=headers)
