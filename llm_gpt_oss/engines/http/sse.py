"The framing of streams that are server-sent events: one JSON object each."

from __future__ import annotations

import json
from collections.abc import Iterator

from ...completion import Json
from ...errors import StreamCut

END = b"[DONE]"


class SseReader:
    "Bytes in, JSON objects out, however the bytes were cut. Comments and the end mark are passed over."

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes, /) -> Iterator[Json]:
        # Not iter_lines(): it also splits on U+0085 and U+2028, which JSON strings may contain.
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            # A plain function: this runs for each token.
            if (event := _read(line)) is not None:
                yield event

    def finish(self) -> Iterator[Json]:
        line, self._rest = self._rest, b""
        if (event := _read(line)) is not None:
            yield event


def _read(line: bytes) -> Json | None:
    field, _, data = line.strip().partition(b":")
    data = data.strip()
    # An older llama.cpp has errors in a field of their own.
    if field not in (b"data", b"error") or data == END:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        excerpt = line[:80].decode(errors="replace")
        raise StreamCut(
            f"The answer breaks off, or is none: {excerpt!r} is not a line of it.", remedy="Ask again."
        )
    return value if field == b"data" else {"error": value}
