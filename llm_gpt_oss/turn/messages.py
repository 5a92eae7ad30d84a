"""Translates the messages of an `llm.Prompt` to a harmony conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import llm
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from ..completion import Json
from ..errors import BadRequest
from ..harmony import conversation as harmony
from ..harmony.conversation import CHANNELS, Conversation, Developer, Effort, Header, ResponseFormat, System
from .strict_json import parse_json
from .tool_arguments import canonical_json
from .tool_names import ToolNames

# The key in a part's `provider_metadata` for how the model wrote the part, if the part does not show it. It
# is included in the message's hash in llm's log, so it contains only what belongs to the text.
METADATA = "gpt_oss"
PREAMBLE = {METADATA: {"channel": "commentary"}}
SEPARATOR = {METADATA: {"channel": "none"}}

INSTRUCTION_ROLES = ("system", "developer")
# The author of a tool's result whose call is unknown. Harmony needs a name there.
UNKNOWN_TOOL = "functions.unknown"

USER = Header("user")
# OpenAI's API refuses these characters and white space in names. In a header, some of them have a meaning.
NOT_IN_NAMES = "<>|\\/ "
MAX_NAME = 64
ASSISTANT = {channel: Header("assistant", channel) for channel in CHANNELS}


def harmony_conversation(
    messages: Sequence[Message],
    tools: Sequence[llm.Tool],
    names: ToolNames,
    date: str,
    *,
    effort: Effort,
    schema: Any = None,
) -> Conversation:
    """Return the messages as a harmony conversation, with `schema` as response format.

    The model may call only `tools`, although the history can contain calls of other tools. `date` is the
    current date for the prompt (YYYY-MM-DD). Raises BadRequest for messages that a text model cannot read.
    """
    leading = list(takewhile(_is_leading_instruction, messages))
    rest = tuple(_messages(messages[len(leading) :], names))
    instructions = [text for message in leading if (text := _text(message.parts))]
    instructions += _past_tools(rest, {f"functions.{names.model_name(tool.name)}" for tool in tools})
    return Conversation(
        System(current_date=date, effort=effort),
        Developer(
            "\n\n".join(instructions) or None,
            tuple(
                harmony.Tool(names.model_name(tool.name), tool.description, tool_parameters(tool))
                for tool in tools
            ),
            _response_formats(schema),
        ),
        rest,
    )


def name_metadata(name: str | None) -> Json | None:
    "Return the `provider_metadata` of a message whose author has a name. `_` replaces what no name may have."
    if not name:
        return None
    fitting = (char if char.isprintable() and char not in NOT_IN_NAMES else "_" for char in name.strip())
    header_name = "".join(fitting)[:MAX_NAME]
    return {METADATA: {"name": header_name}} if header_name else None


def author_name(message: Message) -> str | None:
    "Return the name of a message's author, as it is written in the header."
    if not message.provider_metadata:
        return None
    name = message.provider_metadata.get(METADATA, {}).get("name")
    return name if isinstance(name, str) else None


def _is_leading_instruction(message: Message) -> bool:
    "Whether the message is part of the instructions. One with a name needs a header of its own."
    return message.role in INSTRUCTION_ROLES and author_name(message) is None


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
                    header = Header("developer", name=author_name(message))
                    yield harmony.Message(header, f"# Instructions\n\n{text}")
            case "user":
                name = author_name(message)
                yield harmony.Message(Header("user", name=name) if name else USER, _text(message.parts))
            case "assistant":
                calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
                called |= {call.tool_call_id or "": call.name for call in calls}
                yield from _assistant(message.parts, len(calls), called, names)
            case "tool":
                for part in message.parts:
                    yield _result(part, called, names)
            case other:
                raise BadRequest(
                    f"A message has the role {other!r}, which harmony does not have.", param="messages"
                )


def _assistant(
    parts: Sequence[Part], calls: int, called: dict[str, str], names: ToolNames
) -> Iterator[harmony.Message]:
    for part in parts:
        match part:
            case ReasoningPart(text=text):
                if text:
                    yield harmony.Message(ASSISTANT["analysis"], text)
            case TextPart(text=text, provider_metadata=metadata):
                if text and metadata != SEPARATOR:
                    channel = _channel(part, before_call=calls > 0)
                    yield harmony.Message(ASSISTANT.get(channel) or Header("assistant", channel), text)
            case ToolCallPart(name=name):
                calls -= 1
                yield call_message(names.model_name(name), arguments_text(part))
            case ToolResultPart():
                yield _result(part, called, names)
            case _:
                raise _unsupported_part(part)


def _channel(part: TextPart, *, before_call: bool) -> str:
    """Return the channel of a text. Text before a call in the same message is a preamble (`commentary`).

    A final message would have ended the turn before the call.
    """
    if part.provider_metadata and (channel := part.provider_metadata.get(METADATA, {}).get("channel")):
        return str(channel)
    return "commentary" if before_call else "final"


def call_message(name: str, arguments: str) -> harmony.Message:
    "Return a call as the model writes it. `name` is the name that the model sees."
    return harmony.Message(call_header(name), arguments)


def call_header(name: str) -> Header:
    return Header("assistant", "commentary", f"functions.{name}", "<|constrain|>json")


def arguments_metadata(arguments: Json, text: str) -> Json | None:
    "Return a call's `provider_metadata`: the model's own text, or None if it is the canonical JSON."
    return None if text == canonical_json(arguments) else {METADATA: {"arguments": text}}


def tool_call_part(name: str, arguments: str | Json, call_id: str) -> ToolCallPart:
    """Return the part of a call that an OpenAI client sends back. It equals the part in the logged turn.

    The arguments are JSON text, or the object that some clients send instead.
    """
    text = arguments if isinstance(arguments, str) else canonical_json(arguments)
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    parsed = value if isinstance(value, dict) else {}
    return ToolCallPart(name, parsed, call_id, provider_metadata=arguments_metadata(parsed, text))


def arguments_text(part: ToolCallPart) -> str:
    "Return the arguments as the model wrote them, so that the prompt has the same prefix as before."
    written = (part.provider_metadata or {}).get(METADATA, {}).get("arguments")
    return written if isinstance(written, str) else canonical_json(part.arguments)


def _result(part: Part, called: dict[str, str], names: ToolNames) -> harmony.Message:
    match part:
        case ToolResultPart(name=name, tool_call_id=call_id):
            name = name or called.get(call_id or "", "")
            author = f"functions.{names.model_name(name)}" if name else UNKNOWN_TOOL
            return harmony.Message(Header("tool", "commentary", "assistant", name=author), output_text(part))
        case TextPart() | ReasoningPart() | ToolCallPart():
            raise BadRequest(
                "A message with the role tool contains something that is not a tool result.", param="messages"
            )
        case _:
            raise _unsupported_part(part)


def output_text(result: ToolResultPart) -> str:
    "Return what the tool returned, as JSON if it is not text."
    output: Any = result.output
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=repr)


def _text(parts: Sequence[Part]) -> str:
    texts = []
    for part in parts:
        if not isinstance(part, TextPart):
            raise _unsupported_part(part)
        texts.append(part.text)
    return "\n".join(texts)


def _unsupported_part(part: Part) -> BadRequest:
    what = "an attachment" if isinstance(part, AttachmentPart) else f"a {type(part).__name__}"
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
