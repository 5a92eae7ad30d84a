"""The messages of a Messages request, and their conversion to llm's messages.

Typed as in Anthropic's SDK (`types/beta/beta_content_block_param.py`). There the results of tools come in a
message of the user, before its text. llm has a message of its own for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from ...http.body_model import LenientBody
from ...http.errors import ApiError
from ...items.call_ids import CallIds
from ...items.encrypted_content import from_encrypted_content
from ...items.messages import BLANK_LINE

# Claude Code sends it as the first block of `system`. It differs between requests, and with it at the
# beginning of the prompt the engine could not use its cache.
BILLING_HEADER = "x-anthropic-billing-header:"


class TextBlock(LenientBody):
    type: Literal["text"]
    text: str | None = None

    def read(self) -> str:
        return self.text or ""


class SearchResultBlock(LenientBody):
    type: Literal["search_result"]
    title: str | None = None
    source: str | None = None
    content: list[TextBlock] | None = None

    def read(self) -> str:
        return _lines(self.title, self.source, *(block.read() for block in self.content or ()))


class ImageBlock(LenientBody):
    type: Literal["image"]

    def read(self) -> str:
        return "[image: this model cannot see it]"


class DocumentSource(LenientBody):
    "Only text can be read: `data` of the type `text`, and the `content` of the type `content`."

    type: str
    data: str | None = None
    content: str | list[Annotated[TextBlock | ImageBlock, Field(discriminator="type")]] | None = None


class DocumentBlock(LenientBody):
    type: Literal["document"]
    title: str | None = None
    context: str | None = None
    source: DocumentSource

    @property
    def is_text(self) -> bool:
        return self.source.type in ("text", "content")

    def read(self) -> str:
        if not self.is_text:
            return f"[file{f' {self.title}' if self.title else ''}: this model cannot read it]"
        content = self.source.data if self.source.type == "text" else None
        return _lines(self.title, self.context, content, *map(_read, _blocks(self.source.content)))


class ThinkingBlock(LenientBody):
    "`signature` holds the whole reasoning. `thinking` may be empty, or another model's."

    type: Literal["thinking"]
    thinking: str | None = None
    signature: str | None = None

    def reasoning(self) -> str:
        return _signed_reasoning(self.signature) or self.thinking or ""


class RedactedThinkingBlock(LenientBody):
    type: Literal["redacted_thinking"]
    data: str | None = None

    def reasoning(self) -> str:
        return _signed_reasoning(self.data)


class ToolUseBlock(LenientBody):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any] | None = None


class ToolReferenceBlock(LenientBody):
    type: Literal["tool_reference"]
    tool_name: str

    def read(self) -> str:
        return self.tool_name


ReadableBlock = TextBlock | SearchResultBlock | ImageBlock | DocumentBlock


class ToolResultBlock(LenientBody):
    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[Annotated[ReadableBlock | ToolReferenceBlock, Field(discriminator="type")]] | None = (
        None
    )
    is_error: bool | None = None

    def to_part(self) -> ToolResultPart:
        text = "\n".join(map(_read, _blocks(self.content)))
        return ToolResultPart("", f"Error: {text}" if self.is_error else text, self.tool_use_id)


class SkippedBlock(LenientBody):
    "What Anthropic's servers did. The answer after it reports what they found."

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


Content = str | list[Annotated[ReadableBlock | ToolResultBlock | SkippedBlock, Field(discriminator="type")]]
AnswerContent = (
    str
    | list[
        Annotated[
            TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | SkippedBlock,
            Field(discriminator="type"),
        ]
    ]
)


class UserMessage(LenientBody):
    role: Literal["user"]
    content: Content | None = None

    def to_messages(self) -> Iterator[Message]:
        blocks = _blocks(self.content)
        results: list[Part] = [block.to_part() for block in blocks if isinstance(block, ToolResultBlock)]
        texts: list[Part] = [
            TextPart(block.read())
            for block in blocks
            if not isinstance(block, ToolResultBlock | SkippedBlock)
        ]
        if results:
            yield Message("tool", results)
        if texts or not results:
            yield Message("user", texts)


class AssistantMessage(LenientBody):
    role: Literal["assistant"]
    content: AnswerContent | None = None

    def to_messages(self) -> Iterator[Message]:
        parts: list[Part] = []
        for block in _blocks(self.content):
            match block:
                case TextBlock():
                    if any(isinstance(part, TextPart) for part in parts):
                        parts.append(BLANK_LINE)
                    parts.append(TextPart(block.read()))
                case ThinkingBlock() | RedactedThinkingBlock():
                    if reasoning := block.reasoning():
                        parts.append(ReasoningPart(reasoning))
                case ToolUseBlock(name=name, input=arguments, id=call_id):
                    parts.append(ToolCallPart(name, arguments or {}, call_id))
        yield Message("assistant", parts)


class SystemMessage(LenientBody):
    role: Literal["system"]
    content: str | list[TextBlock] | None = None

    def to_messages(self) -> Iterator[Message]:
        yield from system_messages(self.content)


AnyMessage = Annotated[UserMessage | AssistantMessage | SystemMessage, Field(discriminator="role")]


class History(NamedTuple):
    "`message_of_entry` has the index of the last message that each entry became."

    messages: list[Message]
    message_of_entry: tuple[int, ...]


def to_history(system: Sequence[Message], entries: Sequence[AnyMessage]) -> History:
    """Return llm's messages: those of `system`, then those of the entries.

    Results of tools get the names of their calls. Raises ApiError for an image or a file in the newest
    message of the user.
    """
    _check_newest(entries)
    call_ids = CallIds()
    messages = [*system]
    message_of_entry = []
    for entry in entries:
        for message in entry.to_messages():
            for index, part in enumerate(message.parts):
                if isinstance(part, ToolCallPart):
                    message.parts[index] = call_ids.add_call(part)
                elif isinstance(part, ToolResultPart) and (call := call_ids.call_of(part)):
                    part.name, part.tool_call_id = call.name, call.tool_call_id
            messages.append(message)
        message_of_entry.append(len(messages) - 1)
    return History(messages, tuple(message_of_entry))


def system_messages(content: str | Iterable[TextBlock] | None) -> Iterator[Message]:
    "Yield the message with these instructions, if there are any."
    texts = [block.read() for block in _blocks(content)]
    parts: list[Part] = [TextPart(text) for text in texts if text and not text.startswith(BILLING_HEADER)]
    if parts:
        yield Message("system", parts)


def _check_newest(entries: Sequence[AnyMessage]) -> None:
    "Raises ApiError for what the model cannot read, if the assistant has not answered it yet."
    for index in reversed(range(len(entries))):
        entry = entries[index]
        if isinstance(entry, AssistantMessage):
            return
        if isinstance(entry, UserMessage):
            for position, block in enumerate(_blocks(entry.content)):
                if isinstance(block, ImageBlock) or (isinstance(block, DocumentBlock) and not block.is_text):
                    place = f"messages[{index}].content[{position}]"
                    message = f"gpt-oss reads text only, but '{place}' is of type '{block.type}'."
                    raise ApiError(
                        400, f"{message} Leave it out.", code="unsupported_content_type", param=place
                    )


def _blocks(content: Any) -> Sequence[Any]:
    if content is None or isinstance(content, str):
        return [TextBlock(type="text", text=content)] if content else []
    return [*content]


def _read(block: Any) -> str:
    text: str = block.read()
    return text


def _lines(*texts: str | None) -> str:
    return "\n".join(filter(None, texts))


def _signed_reasoning(signature: str | None) -> str:
    "Return the reasoning in a signature. It is empty if this server did not make the signature."
    try:
        return from_encrypted_content(signature or "")
    except ApiError:
        return ""
