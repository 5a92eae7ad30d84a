from __future__ import annotations

import pytest

from llm_gpt_oss.turn.code_fence import CodeFence
from llm_gpt_oss.turn.transcript import Text

OBJECT = '{\n "code": "```sh\\nls\\n```" }'


def unfenced(*texts: str) -> tuple[str, bool]:
    fence = CodeFence[Text]()
    passed = [piece for text in texts for piece in fence.feed(Text(0, "final", text))]
    return "".join(piece.text for piece in [*passed, *fence.finish()]), fence.was_open


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(OBJECT, None, id="none"),
        pytest.param(f"```json\n{OBJECT}\n```", OBJECT, id="with a language"),
        pytest.param(f"```\n{OBJECT}\n```\n", OBJECT, id="without"),
        pytest.param(f"\n``` json\r\n{OBJECT}\r\n```", OBJECT, id="with spaces"),
        pytest.param(f"```json\n{OBJECT}```", OBJECT, id="on the same line"),
        pytest.param(f"```json\n{OBJECT}", OBJECT, id="never closed"),
        pytest.param(f"```json\n{OBJECT}\n```\nI hope", f"{OBJECT}\n```\nI hope", id="text behind it"),
        pytest.param("```json", None, id="nothing else"),
        pytest.param("", None, id="empty"),
        pytest.param("```not a fence```", None, id="on one line"),
        pytest.param(" " * 100 + "```json\n{}", None, id="far away"),
    ],
)
def test_a_fence_is_taken_off_however_it_is_cut(text: str, expected: str | None) -> None:
    for size in range(1, len(text) + 1):
        cut = [text[start : start + size] for start in range(0, len(text), size)]
        assert unfenced(*cut) == (text if expected is None else expected, expected is not None), size


def test_text_is_passed_on_as_it_arrives() -> None:
    fence = CodeFence[Text]()
    pieces = ["``", "`json", "\n", '{"a"', ":", " 1", "}", "\n", "```"]
    passed = [[each.text for each in fence.feed(Text(0, "final", text))] for text in pieces]
    assert passed == [[], [], [], ['{"a"'], [":"], [" 1"], ["}"], [], []]
    assert [*fence.finish()] == []
