"""Translates the messages of an `llm.Prompt` to a harmony conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, cast

import llm
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from ..completion import Json
from ..errors import BadRequest
from ..harmony import conversation as harmony
from ..harmony.conversation import CHANNELS, Conversation, Developer, Header, ResponseFormat, System
from ..options import GptOssOptions
from .strict_json import parse_json
from .tool_arguments import canonical_json
from .tool_names import ToolNames

# The key in a part's `provider_metadata` for how the model wrote the part, if the part does not show it. It
# is included in the message's hash in llm's log, so it contains only what belongs to the text.
METADATA = "gpt_oss"
PREAMBLE = {METADATA: {"channel": "commentary"}}
SEPARATOR = {METADATA: {"channel": "none"}}

INSTRUCTION_ROLES = ("system", "developer")

USER = Header("user")
ASSISTANT = {channel: Header("assistant", channel) for channel in CHANNELS}


def harmony_conversation(
    prompt: llm.Prompt, tools: Sequence[llm.Tool], names: ToolNames, date: str
) -> Conversation:
    """Return `prompt.messages` as a harmony conversation, with `prompt.schema` as response format.

    The model may call only `tools`, although the history can contain calls of other tools. `date` is the
    current date for the prompt (YYYY-MM-DD). Raises BadRequest for messages that a text model cannot read.
    """
    options = cast(GptOssOptions, prompt.options)
    messages = prompt.messages
    leading = list(takewhile(lambda message: message.role in INSTRUCTION_ROLES, messages))
    rest = tuple(_messages(messages[len(leading) :], names))
    instructions = [text for message in leading if (text := _text(message.parts))]
    instructions += _past_tools(rest, {f"functions.{names.model_name(tool.name)}" for tool in tools})
    return Conversation(
        System(current_date=date, effort=options.effort),
        Developer(
            "\n\n".join(instructions) or None,
            tuple(
                harmony.Tool(names.model_name(tool.name), tool.description, tool_parameters(tool))
                for tool in tools
            ),
            _response_formats(prompt.schema),
        ),
        rest,
    )


def ends_in_open_message(messages: Sequence[harmony.Message]) -> bool:
    "Whether the last message is the assistant's answer or reasoning, which the model then continues."
    last = messages[-1].header if messages else USER
    return last.role == "assistant" and not last.recipient


def _messages(messages: Sequence[Message], names: ToolNames) -> Iterator[harmony.Message]:
    called: dict[str, str] = {}
    for message in messages:
        match message.role:
            case "system" | "developer":
                if text := _text(message.parts):
                    yield harmony.Message(Header("developer"), f"# Instructions\n\n{text}")
            case "user":
                yield harmony.Message(USER, _text(message.parts))
            case "assistant":
                called |= {p.tool_call_id or "": p.name for p in message.parts if isinstance(p, ToolCallPart)}
                yield from _assistant(message.parts, called, names)
            case "tool":
                for part in message.parts:
                    yield _result(part, called, names)
            case other:
                raise BadRequest(
                    f"A message has the role {other!r}, which harmony does not have.", param="messages"
                )


def _assistant(parts: Sequence[Part], called: dict[str, str], names: ToolNames) -> Iterator[harmony.Message]:
    for position, part in enumerate(parts):
        match part:
            case ReasoningPart(text=text):
                if text:
                    yield harmony.Message(ASSISTANT["analysis"], text)
            case TextPart(text=text, provider_metadata=metadata):
                if text and metadata != SEPARATOR:
                    channel = _channel(part, parts[position + 1 :])
                    yield harmony.Message(ASSISTANT.get(channel) or Header("assistant", channel), text)
            case ToolCallPart(name=name):
                yield call_message(names.model_name(name), arguments_text(part))
            case ToolResultPart():
                yield _result(part, called, names)
            case _:
                raise _unsupported_part(part)


def _channel(part: TextPart, following: Sequence[Part]) -> str:
    """Return the channel of a text. Text before a call in the same message is a preamble (`commentary`).

    A final message would have ended the turn before the call.
    """
    channel = (part.provider_metadata or {}).get(METADATA, {}).get("channel")
    if channel:
        return str(channel)
    return "commentary" if any(isinstance(later, ToolCallPart) for later in following) else "final"


def call_message(name: str, arguments: str) -> harmony.Message:
    "Return a call as the model writes it. `name` is the name that the model sees."
    return harmony.Message(call_header(name), arguments)


def call_header(name: str) -> Header:
    return Header("assistant", "commentary", f"functions.{name}", "<|constrain|>json")


def arguments_metadata(arguments: Json, text: str) -> Json | None:
    "Return a call's `provider_metadata`: the model's own text, or None if it is the canonical JSON."
    return None if text == canonical_json(arguments) else {METADATA: {"arguments": text}}


def tool_call_part(name: str, text: str, call_id: str) -> ToolCallPart:
    "Return the part of a call that an OpenAI client sends back. It equals the part in the logged turn."
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    arguments = value if isinstance(value, dict) else {}
    return ToolCallPart(name, arguments, call_id, provider_metadata=arguments_metadata(arguments, text))


def arguments_text(part: ToolCallPart) -> str:
    "Return the arguments as the model wrote them, so that the prompt has the same prefix as before."
    written = (part.provider_metadata or {}).get(METADATA, {}).get("arguments")
    return written if isinstance(written, str) else canonical_json(part.arguments)


def _result(part: Part, called: dict[str, str], names: ToolNames) -> harmony.Message:
    match part:
        case ToolResultPart(attachments=[_, *_]):
            raise _unsupported_part(part)
        case ToolResultPart(name=name, output=output, tool_call_id=call_id):
            name = name or called.get(call_id or "", "")
            if not name:
                raise BadRequest(
                    f"A tool result answers the call {call_id!r}, which is not in the conversation.",
                    param="messages",
                    remedy="Send the assistant's message with that call, or name the tool in the result.",
                )
            author = f"functions.{names.model_name(name)}"
            return harmony.Message(
                Header("tool", "commentary", "assistant", name=author),
                output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=repr),
            )
        case TextPart() | ReasoningPart() | ToolCallPart():
            raise BadRequest(
                "A message with the role tool contains something that is not a tool result.", param="messages"
            )
        case _:
            raise _unsupported_part(part)


def _text(parts: Sequence[Part]) -> str:
    texts = []
    for part in parts:
        match part:
            case TextPart(text=text):
                texts.append(text)
            case _:
                raise _unsupported_part(part)
    return "\n".join(texts)


def _unsupported_part(part: Part) -> BadRequest:
    attached = isinstance(part, AttachmentPart) or getattr(part, "attachments", None)
    what = "an attachment" if attached else f"a {type(part).__name__}"
    return BadRequest(
        f"A message contains {what}, but gpt-oss reads text only.",
        param="messages",
        remedy="Leave it out, or pass a text file's content with -f FILE.",
    )


def tool_parameters(tool: llm.Tool) -> dict[str, Any] | None:
    """Return the JSON schema of a tool's arguments, or None if it takes none.

    `{"type": "object"}` alone allows any arguments.
    """
    schema = tool.input_schema or {}
    if schema.get("type") == "object" and not {"properties", "additionalProperties"} & schema.keys():
        return schema
    defined = {key for key, value in schema.items() if _NO_ARGUMENTS.get(key) != value}
    return schema if defined - {"title", "$schema"} else None


_NO_ARGUMENTS = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def _response_formats(schema: Any) -> tuple[ResponseFormat, ...]:
    if not schema:
        return ()
    title = schema.get("title")
    name = " ".join(title.split()) if isinstance(title, str) else ""
    return (ResponseFormat(name or "answer", schema),)


def _past_tools(messages: Sequence[harmony.Message], tools: set[str]) -> Iterator[str]:
    """Yield an instruction not to call tools that the history contains calls of, but that are not on offer.

    Without the instruction, the model would repeat these calls.
    """
    calls = (message.header for message in messages if message.header.role == "assistant")
    names = [name for name in dict.fromkeys(call.recipient for call in calls) if name and name not in tools]
    if names:
        yield f"These tools cannot be called now: {', '.join(names)}."
