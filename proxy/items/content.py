"""The parts of a message's content, as clients of both of OpenAI's APIs send them.

The SDK has these types in `types/chat/chat_completion_content_part_param.py` and
`types/responses/response_input_content_param.py`. The names of one API are understood in the other, because
clients keep one history for both. So are names of other servers that such a history may come from. Text that
is missing or null is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from llm.parts import Part, ReasoningPart, TextPart
from pydantic import Field

from llm_gpt_oss.turn.history import (
    AttachmentType,
    attachment_text,
    attachments_metadata,
    newest_user_message,
)
from llm_gpt_oss.turn.messages import METADATA

from ..http.body_model import LenientBody
from ..http.errors import ApiError

ATTACHMENT_TYPES: dict[str, AttachmentType] = {
    "audio": "audio",
    "audio_url": "audio",
    "computer_screenshot": "image",
    "document": "file",
    "file": "file",
    "image": "image",
    "image_url": "image",
    "input_audio": "audio",
    "input_file": "file",
    "input_image": "image",
    "input_video": "video",
    "video": "video",
    "video_url": "video",
}


class TextContent(LenientBody):
    type: Literal["text", "input_text", "output_text"]
    text: str | None = None


class RefusalContent(LenientBody):
    type: Literal["refusal"]
    refusal: str | None = None


class ReasoningContent(LenientBody):
    """Reasoning that clients of other servers keep in the content.

    Mistral and Anthropic write it as `thinking`, LangChain as `reasoning`, the AI SDK as `text`. Only its
    provider can read a `redacted_thinking`.
    """

    type: Literal["reasoning", "reasoning_text", "redacted_thinking", "thinking"]
    reasoning: str | None = None
    text: str | None = None
    thinking: str | list[TextContent] | None = None

    def to_part(self) -> ReasoningPart:
        thinking = joined_text(self.thinking) if isinstance(self.thinking, list) else self.thinking
        return ReasoningPart(
            thinking or self.reasoning or self.text or "", redacted=self.type == "redacted_thinking"
        )


class FileFields(LenientBody):
    filename: str | None = None


class AttachmentContent(FileFields):
    "What gpt-oss cannot read. The file's name is in the part itself, or in its field `file`."

    type: Literal[
        "audio",
        "audio_url",
        "computer_screenshot",
        "document",
        "file",
        "image",
        "image_url",
        "input_audio",
        "input_file",
        "input_image",
        "input_video",
        "video",
        "video_url",
    ]
    file: FileFields | str | None = None

    def to_text(self) -> str:
        name = self.file.filename if isinstance(self.file, FileFields) else None
        return attachment_text(ATTACHMENT_TYPES[self.type], self.filename or name)


ContentPart = Annotated[
    TextContent | RefusalContent | ReasoningContent | AttachmentContent, Field(discriminator="type")
]
Content = str | list[ContentPart] | None


def joined_text(content: str | Iterable[ContentPart] | None) -> str:
    "Return the content as one text."
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(map(_text, content))


def text_part(content: Content, metadata: Mapping[str, Any] | None = None) -> TextPart:
    "Return the content as one part, with this `provider_metadata` and what is to be known of attachments."
    if isinstance(content, str) and not metadata:
        return TextPart(content)  # nearly all messages of a long history
    return TextPart(joined_text(content), provider_metadata=content_metadata(content, metadata))


def text_parts(content: Content) -> list[TextPart]:
    "Return a part for each part of the content."
    return [text_part(content)] if isinstance(content, str) else [text_part([part]) for part in content or ()]


def assistant_parts(content: Content, metadata: Mapping[str, Any] | None = None) -> list[Part]:
    "Return the reasoning in the content, and its text as one part, if there is any."
    reasoning: list[Part] = []
    if isinstance(content, list):
        reasoning += [part.to_part() for part in content if isinstance(part, ReasoningContent)]
        content = [part for part in content if not isinstance(part, ReasoningContent)]
    text = text_part(content, metadata)
    return [*reasoning, text] if text.text else reasoning


def content_metadata(content: Content, metadata: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    "Return the `provider_metadata` of a part that holds this content."
    if not isinstance(content, list):
        return dict(metadata) if metadata else None
    marks = attachments_metadata(sum(isinstance(part, AttachmentContent) for part in content)) or {}
    merged = {**(metadata or {}).get(METADATA, {}), **marks.get(METADATA, {})}
    return {METADATA: merged} if merged else None


def refuse_attachments(messages: Sequence[tuple[str, Content]], param: str) -> None:
    """Raises ApiError if the newest user message has an attachment.

    `messages` has the role and the content of each entry of the request's field `param`.
    """
    newest = newest_user_message([role for role, _ in messages])
    content = messages[newest][1] if newest is not None else None
    if not isinstance(content, list):
        return
    for index, part in enumerate(content):
        if isinstance(part, AttachmentContent):
            message = (
                f"gpt-oss reads text only: it cannot take a part of type '{part.type}'. Leave it out, or "
                "send what it contains as text."
            )
            path = f"{param}[{newest}].content[{index}]"
            raise ApiError(400, message, code="unsupported_content_type", param=path)


def _text(part: ContentPart) -> str:
    match part:
        case TextContent(text=text) | RefusalContent(refusal=text):
            return text or ""
        case ReasoningContent():
            return part.to_part().text
        case AttachmentContent():
            return part.to_text()
