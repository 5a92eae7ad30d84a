from __future__ import annotations

import pytest

from llm_gpt_oss.engines.http.sse import SseReader
from llm_gpt_oss.errors import StreamCut
from llm_gpt_oss.streaming import translate

BODY = (
    b': a comment\n\ndata: {"text": "a\xc2\x85b\xe2\x80\xa8c"}\n\nevent: x\r\n\r\n'
    b'data:{"n": 2}\r\n\r\nerror: {"code": 500}\n\ndata: {"last": true}\n\ndata: [DONE]\n\n'
)
EVENTS = [{"text": "a\u0085b\u2028c"}, {"n": 2}, {"error": {"code": 500}}, {"last": True}]


@pytest.mark.parametrize("size", range(1, len(BODY) + 1))
def test_bytes_may_be_split_anywhere(size: int) -> None:
    pieces = [BODY[i : i + size] for i in range(0, len(BODY), size)]
    assert list(translate(pieces, SseReader())) == EVENTS


def test_the_last_line_needs_no_line_break() -> None:
    assert list(translate([b'data: {"a": 1}'], SseReader())) == [{"a": 1}]


@pytest.mark.parametrize("data", [b"data: {", b"data: [1]", b"data: " + b"[" * 100_000])
def test_invalid_data_is_named(data: bytes) -> None:
    with pytest.raises(StreamCut, match="is not a line of it"):
        list(translate([data], SseReader()))
