"""The content blocks of messages, typed as in Anthropic's SDK (`types/beta/beta_content_block_param.py`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from llm.parts import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from llm_gpt_oss.turn.history import attachment_text, attachments_metadata

from ...http.body_model import LenientBody
from ...items.encrypted_content import read_encrypted_content


class ReadableBlock(LenientBody):
    "Content that the model gets as text."

    @abstractmethod
    def read(self) -> str: ...

    @property
    def attachments(self) -> int:
        "The number of images and files that the text only stands for."
        return 0

    def to_part(self) -> TextPart:
        return TextPart(self.read(), provider_metadata=attachments_metadata(self.attachments))


class TextBlock(ReadableBlock):
    type: Literal["text"]
    text: str | None = None

    def read(self) -> str:
        return self.text or ""


class SearchResultBlock(ReadableBlock):
    type: Literal["search_result"]
    title: str | None = None
    source: str | None = None
    content: list[TextBlock] | None = None

    def read(self) -> str:
        return _lines(self.title, self.source, *map(_read, self.content or ()))


class ImageBlock(ReadableBlock):
    type: Literal["image"]

    def read(self) -> str:
        return attachment_text("image")

    @property
    def attachments(self) -> int:
        return 1


class DocumentSource(LenientBody):
    "Only text can be read: `data` of the type `text`, and the `content` of the type `content`."

    type: str
    data: str | None = None
    content: str | list[Annotated[TextBlock | ImageBlock, Field(discriminator="type")]] | None = None


class DocumentBlock(ReadableBlock):
    type: Literal["document"]
    title: str | None = None
    context: str | None = None
    source: DocumentSource

    def read(self) -> str:
        match self.source:
            case DocumentSource(type="text", data=text):
                return _lines(self.title, self.context, text)
            case DocumentSource(type="content", content=content):
                return _lines(self.title, self.context, *map(_read, content_blocks(content)))
        return attachment_text("file", self.title)

    @property
    def attachments(self) -> int:
        if self.source.type == "content":
            return count_attachments(content_blocks(self.source.content))
        return 0 if self.source.type == "text" else 1


class ToolReferenceBlock(ReadableBlock):
    type: Literal["tool_reference"]
    tool_name: str

    def read(self) -> str:
        return self.tool_name


UserBlock = TextBlock | SearchResultBlock | ImageBlock | DocumentBlock
ResultBlock = Annotated[UserBlock | ToolReferenceBlock, Field(discriminator="type")]


class ToolResultBlock(LenientBody):
    type: Literal["tool_result"]
    tool_use_id: str | None = None
    content: str | list[ResultBlock] | None = None
    is_error: bool | None = None

    def to_part(self) -> ToolResultPart:
        blocks = content_blocks(self.content)
        text = "\n".join(map(_read, blocks))
        return ToolResultPart(
            "",
            f"Error: {text}" if self.is_error else text,
            self.tool_use_id or "",
            provider_metadata=attachments_metadata(count_attachments(blocks)),
        )


class ThinkingBlock(LenientBody):
    "`signature` holds the whole reasoning. `thinking` may be empty, or another model's."

    type: Literal["thinking"]
    thinking: str | None = None
    signature: str | None = None

    def to_part(self) -> ReasoningPart:
        return _reasoning_part(read_encrypted_content(self.signature or "") or self.thinking)


class RedactedThinkingBlock(LenientBody):
    type: Literal["redacted_thinking"]
    data: str | None = None

    def to_part(self) -> ReasoningPart:
        return _reasoning_part(read_encrypted_content(self.data or ""))


class ToolUseBlock(LenientBody):
    type: Literal["tool_use"]
    id: str | None = None
    name: str
    input: dict[str, Any] | None = None

    def to_part(self) -> ToolCallPart:
        return ToolCallPart(self.name, self.input or {}, self.id or "")


class SkippedBlock(LenientBody):
    "A tool that Anthropic's servers ran, or its result. The answer that follows reports what they found."

    type: Literal[
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "fallback",
        "mcp_tool_listing",
        "mcp_tool_result",
        "mcp_tool_use",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    ]


def content_blocks(content: str | Iterable[Any] | None) -> Sequence[Any]:
    "Return the blocks of some content. A text stands for one block, an empty one for none."
    if content is None or isinstance(content, str):
        return [TextBlock(type="text", text=content)] if content else []
    return [*content]


def count_attachments(blocks: Iterable[ReadableBlock]) -> int:
    return sum(block.attachments for block in blocks)


def _read(block: ReadableBlock) -> str:
    return block.read()


def _lines(*texts: str | None) -> str:
    return "\n".join(filter(None, texts))


def _reasoning_part(text: str | None) -> ReasoningPart:
    "Return the reasoning. Without a text, only the provider that encrypted it can read it."
    return ReasoningPart(text) if text else ReasoningPart("", redacted=True)
