from __future__ import annotations

import pytest

from llm_gpt_oss.engines.http.ndjson import NdjsonReader
from llm_gpt_oss.errors import StreamCut
from llm_gpt_oss.streaming import translate

# Characters that str.splitlines() takes for the end of a line, and some of several bytes.
ODD = "a\u0085b\u2028c\u2029d\u00e9\u4e16\U0001f30d"
BODY = f'''{{"response":"<|channel|>","done":false}}
{{"response":"{ODD}"}}\r

{{"response":"","done":true}}
'''.encode()
LINES = [{"response": "<|channel|>", "done": False}, {"response": ODD}, {"response": "", "done": True}]


@pytest.mark.parametrize("body", [BODY, BODY[:-1]], ids=["whole", "no newline at the end"])
def test_bytes_may_be_split_anywhere(body: bytes) -> None:
    for size in range(1, len(body) + 1):
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        assert list(translate(pieces, NdjsonReader())) == LINES


def test_a_line_is_parsed_as_soon_as_it_is_complete() -> None:
    reader = NdjsonReader()
    assert list(reader.feed(b'{"response":"a"}\n{"resp')) == [{"response": "a"}]
    assert list(reader.feed(b'onse":"b"}')) == []
    assert list(reader.finish()) == [{"response": "b"}]
    assert list(reader.finish()) == []


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\n"])
def test_empty_lines(body: bytes) -> None:
    assert list(translate([body], NdjsonReader())) == []


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        pytest.param(b'{"response":"a"}\n{"respo', '{"respo', id="cut"),
        pytest.param(b"<html>502</html>\n", "<html>502</html>", id="HTML"),
        pytest.param(b"[1, 2]\n", "[1, 2]", id="list"),
        pytest.param(b"\xff\xfe{}\n", "\ufffd\ufffd{}", id="not UTF-8"),
        pytest.param(b"x" * 200, "x" * 80, id="long"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, '{"a":' * 16, id="deep"),
    ],
)
def test_invalid_lines(body: bytes, excerpt: str) -> None:
    with pytest.raises(StreamCut) as caught:
        list(translate([body], NdjsonReader()))
    assert f"{excerpt!r} is not a line of it" in str(caught.value)
    assert "Try again" in str(caught.value)
