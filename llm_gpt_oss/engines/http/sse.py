"Server-sent events with JSON data, the format of the streams of llama.cpp's server and of OpenAI's API."

from __future__ import annotations

from collections.abc import Iterator

from ...completion import Json
from .lines import LineReader
from .ndjson import parse_object

LAST_DATA = b"[DONE]"


class SseReader:
    "Parses bytes to JSON objects, wherever the bytes are split. Skips comments and the last event."

    def __init__(self) -> None:
        self._lines = LineReader()

    def feed(self, data: bytes, /) -> Iterator[Json]:
        for line in self._lines.feed(data):
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
