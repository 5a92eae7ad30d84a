"Splits the bytes of a stream into lines, and limits how long a line may be."

from __future__ import annotations

from collections.abc import Iterator

from ...errors import StreamCut

# Far more than any server sends: the longest line holds a whole answer.
MAX_LINE = 32 * 2**20


class LineReader:
    """Yields complete lines without their line break, wherever the bytes are split.

    The time is linear, however many reads a line takes. Raises StreamCut for a line that is too long.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        # Not iter_lines(): it also splits on U+0085 and U+2028, which JSON strings may contain.
        first, *others = data.split(b"\n")
        self._parts.append(first)
        self._length += len(first)
        for line in others:
            yield self._take()
            self._parts.append(line)
            self._length = len(line)
        if self._length > MAX_LINE:
            raise StreamCut(
                f"The stream has a line of more than {MAX_LINE >> 20} MB, which no engine sends.",
                remedy="Check the address of the server.",
            )

    def _take(self) -> bytes:
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)
