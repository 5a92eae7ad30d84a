"Server-sent events with JSON data, the format of the streams of llama.cpp's server and of OpenAI's API."

from __future__ import annotations

from collections.abc import Iterator

from ...completion import Json
from .ndjson import parse_object

LAST_DATA = b"[DONE]"


class SseReader:
    "Parses bytes to JSON objects, wherever the bytes are split. Skips comments and the last event."

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes, /) -> Iterator[Json]:
        # Not iter_lines(): it also splits on U+0085 and U+2028, which JSON strings may contain.
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            field, _, content = line.strip().partition(b":")
            content = content.strip()
            if content == LAST_DATA:
                continue
            if field == b"data":
                yield parse_object(content, line)
            elif field == b"error":  # as older versions of llama.cpp send errors
                yield {"error": parse_object(content, line)}

    def finish(self) -> Iterator[Json]:
        yield from self.feed(b"\n")
