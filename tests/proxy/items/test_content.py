"Parts of content, whichever API or server a client has them from."

from __future__ import annotations

from typing import Any, get_args

import pytest
from llm.parts import ReasoningPart, TextPart
from pydantic import TypeAdapter, ValidationError

from llm_gpt_oss.turn.messages import PREAMBLE
from proxy.http.errors import ApiError
from proxy.items.content import (
    ATTACHMENT_TYPES,
    AttachmentContent,
    Content,
    assistant_parts,
    content_metadata,
    joined_text,
    refuse_attachments,
    text_part,
    text_parts,
)

READER: TypeAdapter[Any] = TypeAdapter(Content)
UNSEEN = "[image: this model cannot see it]"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "auto"}}


def parse(content: Any) -> Any:
    return READER.validate_python(content, strict=True)


def test_each_attachment_has_a_type() -> None:
    assert {*get_args(AttachmentContent.model_fields["type"].annotation)} == ATTACHMENT_TYPES.keys()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        pytest.param({"type": "text", "text": "Hi"}, "Hi", id="text"),
        pytest.param({"type": "input_text", "text": "Hi"}, "Hi", id="input_text"),
        pytest.param({"type": "output_text", "text": "Hi", "annotations": []}, "Hi", id="output_text"),
        pytest.param({"type": "refusal", "refusal": "No."}, "No.", id="refusal"),
        pytest.param({"type": "thinking", "thinking": "Hm", "signature": "…"}, "Hm", id="thinking"),
        pytest.param({"type": "redacted_thinking", "data": "…"}, "", id="redacted_thinking"),
        pytest.param(IMAGE, UNSEEN, id="image_url"),
        pytest.param({"type": "input_image", "image_url": None, "file_id": "f"}, UNSEEN, id="input_image"),
        pytest.param({"type": "image", "source": {"type": "base64"}}, UNSEEN, id="image"),
        pytest.param({"type": "computer_screenshot", "file_id": "f"}, UNSEEN, id="computer_screenshot"),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "…", "format": "wav"}},
            "[audio: this model cannot hear it]",
            id="input_audio",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "x"}}, "[video: this model cannot see it]", id="video"
        ),
        pytest.param(
            {"type": "file", "file": {"file_id": "f"}}, "[file: this model cannot read it]", id="file"
        ),
        pytest.param(
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "…"}},
            "[file a.pdf: this model cannot read it]",
            id="file of a chat",
        ),
        pytest.param(
            {"type": "input_file", "filename": "a.pdf", "file_data": "…"},
            "[file a.pdf: this model cannot read it]",
            id="file of a response",
        ),
        pytest.param(
            {"type": "file", "file": "file-1", "filename": None}, "[file: this model cannot read it]", id="id"
        ),
    ],
)
def test_texts(part: dict[str, Any], text: str) -> None:
    content = parse([part])
    assert joined_text(content) == text
    assert [each.text for each in text_parts(content)] == [text]


@pytest.mark.parametrize(
    ("content", "text", "texts"),
    [
        pytest.param("Hi", "Hi", ["Hi"], id="string"),
        pytest.param("", "", [""], id="empty"),
        pytest.param(None, "", [], id="null"),
        pytest.param([], "", [], id="no parts"),
        pytest.param([{"type": "text"}, IMAGE], f"\n{UNSEEN}", ["", UNSEEN], id="parts"),
    ],
)
def test_contents(content: Any, text: str, texts: list[str]) -> None:
    parsed = parse(content)
    assert joined_text(parsed) == text_part(parsed).text == text
    assert [each.text for each in text_parts(parsed)] == texts


@pytest.mark.parametrize(
    ("content", "metadata", "expected"),
    [
        pytest.param("Hi", None, None, id="text"),
        pytest.param([{"type": "text"}], PREAMBLE, PREAMBLE, id="a preamble"),
        pytest.param([IMAGE, IMAGE], None, {"gpt_oss": {"attachments": 2}}, id="attachments"),
        pytest.param(
            [IMAGE], PREAMBLE, {"gpt_oss": {"channel": "commentary", "attachments": 1}}, id="of a preamble"
        ),
    ],
)
def test_metadata(content: Any, metadata: Any, expected: Any) -> None:
    assert content_metadata(parse(content), metadata) == expected
    assert PREAMBLE == {"gpt_oss": {"channel": "commentary"}}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param("", [], id="empty"),
        pytest.param("Hi", [TextPart("Hi")], id="text"),
        pytest.param([{"type": "thinking", "thinking": "Hm"}], [ReasoningPart("Hm")], id="reasoning alone"),
        pytest.param(
            [{"type": "text", "text": "Hi"}, {"type": "reasoning", "text": "Hm"}],
            [ReasoningPart("Hm"), TextPart("Hi")],
            id="reasoning after the text",
        ),
    ],
)
def test_assistant_parts(content: Any, parts: list[Any]) -> None:
    assert assistant_parts(parse(content)) == parts


@pytest.mark.parametrize("content_type", ATTACHMENT_TYPES)
def test_refused_attachments(content_type: str) -> None:
    content = parse([{"type": "text"}, {"type": content_type}])
    with pytest.raises(ApiError) as caught:
        refuse_attachments([("system", content), ("user", content)], "input")
    error = caught.value
    assert (error.code, error.param) == ("unsupported_content_type", "input[1].content[1]")
    assert f"'{content_type}'" in error.message


@pytest.mark.parametrize("content", [None, "Hi", [], [{"type": "text"}]])
def test_nothing_to_refuse(content: Any) -> None:
    refuse_attachments([("user", parse(content))], "input")
    refuse_attachments([], "input")


@pytest.mark.parametrize(
    "part", [{"type": "hologram"}, {"text": "Hi"}, {"type": None}, "Hi", None, {"type": "text", "text": 5}]
)
def test_invalid_parts(part: Any) -> None:
    with pytest.raises(ValidationError):
        parse([part])
