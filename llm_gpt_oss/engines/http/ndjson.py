"The framing of every stream: one JSON object a line."

from __future__ import annotations

from collections.abc import Iterator

from pydantic_core import from_json

from ...completion import Json
from ...errors import StreamCut


class NdjsonReader:
    "Bytes in, JSON objects out, however the bytes were cut."

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes, /) -> Iterator[Json]:
        # Not iter_lines(): it also splits on U+0085 and U+2028, which JSON strings may contain.
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._read(line)

    def finish(self) -> Iterator[Json]:
        line, self._rest = self._rest, b""
        yield from self._read(line)

    def _read(self, line: bytes) -> Iterator[Json]:
        if not line.strip():
            return
        try:
            # Not json.loads(): a token's line takes that five times as long.
            value = from_json(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            excerpt = line[:80].decode(errors="replace")
            raise StreamCut(
                f"Ollama's answer breaks off, or is none: {excerpt!r} is not a line of it.",
                remedy="Ask again; if it stays so, check that OLLAMA_HOST is where an Ollama runs.",
            )
        yield value
