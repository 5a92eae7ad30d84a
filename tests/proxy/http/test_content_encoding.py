from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import brotli
import pytest

from proxy.http.content_encoding import MAX_PARTS, STEP, BodyDecoder
from proxy.http.errors import ApiError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b'{"number": %d}' % number for number in range(20_000))
LIMIT = 2**20


def br(data: bytes) -> bytes:
    return brotli.compress(data, quality=4)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "br": br,
    "zstd": zstd.compress,
}
FORMS = [pytest.param(form.split()[-1], pack, id=form) for form, pack in PACK.items()]


def decoded(body: bytes | Iterable[bytes], *encodings: str, limit: int = LIMIT) -> bytes:
    decoder = BodyDecoder(encodings, limit)
    data = b"".join(
        piece for part in ([body] if isinstance(body, bytes) else body) for piece in decoder.feed(part)
    )
    decoder.finish()
    return data


def refused(*arguments: Any, **named: Any) -> ApiError:
    with pytest.raises(ApiError) as error:
        decoded(*arguments, **named)
    return error.value


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
def test_encoding(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert decoded(pack(TEXT), encoding) == TEXT
    assert decoded(pack(b""), encoding) == b""
    assert decoded(b"", encoding) == b""
    packed = pack(TEXT[:1000])
    assert decoded([packed[at : at + 1] for at in range(len(packed))], encoding) == TEXT[:1000]


# A long repetition: zlib and brotli have read all of the data before they have written all of the text.
@pytest.mark.parametrize(("encoding", "pack"), FORMS)
@pytest.mark.parametrize("length", [STEP - 1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 100, LIMIT])
def test_text_that_is_much_longer_than_its_data(
    encoding: str, pack: Callable[[bytes], bytes], length: int
) -> None:
    assert decoded(pack(b"a" * length), encoding) == b"a" * length


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param((), TEXT, id="no header"),
        pytest.param(("",), TEXT, id="empty header"),
        pytest.param(("identity",), TEXT, id="identity"),
        pytest.param((" GZIP ",), gzip.compress(TEXT), id="upper case and spaces"),
        pytest.param(("gzip, br",), br(gzip.compress(TEXT)), id="two"),
        pytest.param(("gzip, identity", "br"), br(gzip.compress(TEXT)), id="two headers"),
        pytest.param(
            ("zstd, deflate, gzip, br",),
            br(gzip.compress(zlib.compress(zstd.compress(TEXT)))),
            id="four",
        ),
    ],
)
def test_several_encodings(headers: tuple[str, ...], body: bytes) -> None:
    assert decoded(body, *headers) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_parts_follow_each_other(encoding: str) -> None:
    parts = [PACK[encoding](b"a"), PACK[encoding](b""), PACK[encoding](b"b")]
    assert decoded(parts, encoding) == decoded(b"".join(parts), encoding) == b"ab"
    error = refused(PACK[encoding](b"") * (MAX_PARTS + 1), encoding)
    assert error.message.startswith(
        f"The body is not valid {encoding}: it has more than 100 compressed parts."
    )


@pytest.mark.parametrize("form", ["deflate", "raw deflate", "br"])
def test_other_encodings_have_one_part(form: str) -> None:
    part = PACK[form](b"a")
    for parts in ([part + part], [part, part]):
        error = refused(parts, form.split()[-1])
        assert error.code == "invalid_encoding"
        assert form == "br" or "there is more data after its end" in error.message


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
def test_invalid_data(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    for body in (TEXT, b"\xff" * 100, packed[:-1], packed[: len(packed) // 2], packed[:1]):
        error = refused(body, encoding)
        assert (error.status, error.code) == (400, "invalid_encoding")
        assert error.message.startswith(f"The body is not valid {encoding}: ")
    for parts in ([packed + b"{}"], [packed, b"{}"]):
        assert refused(parts, encoding).status == 400


def test_message_about_incomplete_data() -> None:
    assert refused(gzip.compress(TEXT)[:-1], "gzip").message == (
        "The body is not valid gzip: it ends too early. "
        "Compress it again, or send it without Content-Encoding."
    )


@pytest.mark.parametrize("damaged", [0, 1])
def test_invalid_data_names_its_encoding(damaged: int) -> None:
    bodies = [br(TEXT), gzip.compress(TEXT)]
    error = refused(bodies[damaged], "gzip, br")
    assert error.message.startswith(f"The body is not valid {('gzip', 'br')[damaged]}: ")


def test_checksum_of_gzip() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-5] ^= 1
    assert "incorrect data check" in refused(bytes(packed), "gzip").message


def test_zstd_that_needs_much_memory_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 24}
    packed = zstd.compress(b"a" * 2**25, options=options)
    assert "memory" in refused(packed, "zstd").message


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        pytest.param(["compress"], "compress", id="unknown"),
        pytest.param(["gzip", "aes128gcm"], "gzip, aes128gcm", id="one is unknown"),
        pytest.param(["gzip, gzip, gzip, gzip, gzip"], "gzip, gzip, gzip, gzip, gzip", id="too many"),
    ],
)
def test_unsupported_encodings(headers: list[str], named: str) -> None:
    error = refused(TEXT, *headers)
    assert (error.status, error.code) == (415, "unsupported_content_encoding")
    assert error.headers == {"Accept-Encoding": "gzip, deflate, br, zstd"}
    assert error.message == (
        f"The Content-Encoding '{named}' is not supported. Compress the body with gzip, deflate, br or zstd, "
        "or send it without Content-Encoding."
    )


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
def test_bomb(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(b"a" * 2**24)
    decoder = BodyDecoder([encoding], LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(ApiError) as error:
            for _ in decoder.feed(bomb):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (error.value.status, error.value.code) == (413, "request_too_large")
    assert error.value.message == "The body is longer than 1 MiB when it is decompressed."
    assert peak < LIMIT


def test_bomb_between_two_encodings() -> None:
    "Empty blocks: 16 MiB that are next to nothing before, and nothing afterwards."
    empty_blocks = b"\0\0\0\xff\xff" * (2**24 // 5)
    assert refused(gzip.compress(empty_blocks), "deflate, gzip").status == 413


@pytest.mark.parametrize("encoding", [pytest.param((), id="plain"), pytest.param(("gzip",), id="gzip")])
def test_data_that_is_too_long_as_it_was_sent(encoding: tuple[str, ...]) -> None:
    error = refused(b"a" * (LIMIT + 1), *encoding)
    assert (error.status, error.message) == (413, "The body is longer than 1 MiB.")
