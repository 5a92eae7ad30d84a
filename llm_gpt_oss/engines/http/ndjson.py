"Newline-delimited JSON, the format of Ollama's streams: one JSON object a line."

from __future__ import annotations

from collections.abc import Iterator

from pydantic_core import from_json

from ...completion import Json
from ...errors import StreamCut
from .lines import LineReader


class NdjsonReader:
    "Parses bytes to JSON objects, wherever the bytes are split."

    def __init__(self) -> None:
        self._lines = LineReader()

    def feed(self, data: bytes, /) -> Iterator[Json]:
        for line in self._lines.feed(data):
            if line and not line.isspace():
                yield parse_object(line, line)

    def finish(self) -> Iterator[Json]:
        yield from self.feed(b"\n")


def parse_object(data: bytes, line: bytes) -> Json:
    "Return the JSON object. Raises StreamCut, with the beginning of `line`, if the data is not an object."
    try:
        # Not json.loads(): it needs five times as long for the line of one token.
        value = from_json(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise damaged_stream(line[:80].decode(errors="replace"))
    return value


def damaged_stream(excerpt: str) -> StreamCut:
    message = f"The stream is damaged, or is not a stream of JSON: {excerpt!r} is not a line of it."
    return StreamCut(message, remedy="Try again. If it fails again, check the address of the server.")
