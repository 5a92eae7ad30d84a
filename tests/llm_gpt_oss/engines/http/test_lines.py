from __future__ import annotations

import pytest

from llm_gpt_oss.engines.http.lines import MAX_LINE, LineReader
from llm_gpt_oss.engines.http.ndjson import NdjsonReader
from llm_gpt_oss.engines.http.sse import SseReader
from llm_gpt_oss.errors import StreamCut


def test_a_line_may_come_in_many_pieces() -> None:
    reader = LineReader()
    # Copying what came before for each of them would take minutes.
    lines = [line for _ in range(100_000) for line in reader.feed(b"0123456789" * 10)]
    assert lines == []
    assert [*map(len, reader.feed(b"\nab\nc"))] == [10_000_000, 2]
    assert [*reader.feed(b"\n")] == [b"c"]


@pytest.mark.parametrize("reader", [NdjsonReader(), SseReader()], ids=["ndjson", "sse"])
def test_an_endless_line_is_cut(reader: NdjsonReader | SseReader) -> None:
    piece = b"x" * 2**20
    for _ in range(MAX_LINE // len(piece)):
        assert [*reader.feed(piece)] == []
    with pytest.raises(StreamCut, match="line of more than 32 MB") as caught:
        [*reader.feed(b"x")]
    assert caught.value.remedy == "Check the address of the server."
