"""`llm.Prompt` to a harmony conversation."""

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
from ..harmony.conversation import Conversation, Developer, Header, ResponseFormat, System
from ..options import GptOssOptions
from .strict_json import parse_json
from .tool_arguments import canonical_json
from .tool_names import ToolNames

# What a part's `provider_metadata` holds under this key: how the model itself wrote the part, where that
# cannot be told from the part. Part of the message's hash in llm's log, so only what belongs to the text.
METADATA = "gpt_oss"
PREAMBLE = {METADATA: {"channel": "commentary"}}
SEPARATOR = {METADATA: {"channel": "none"}}

INSTRUCTION_ROLES = ("system", "developer")


def harmony_conversation(
    prompt: llm.Prompt, tools: Sequence[llm.Tool], withheld: Sequence[llm.Tool], names: ToolNames, date: str
) -> Conversation:
    """All of `prompt.messages` as harmony has it, with `prompt.schema` as response format.

    `tools` are offered, `withheld` are not, though the history may hold calls of them. `date` is the day that
    the model is told (YYYY-MM-DD). Raises BadRequest for what a text model cannot take.
    """
    options = cast(GptOssOptions, prompt.options)
    messages = prompt.messages
    leading = list(takewhile(lambda message: message.role in INSTRUCTION_ROLES, messages))
    rest = tuple(_messages(messages[len(leading) :], names))
    instructions = [text for message in leading if (text := _text(message.parts))]
    instructions += _unavailable(rest, {f"functions.{names.model_name(tool.name)}" for tool in withheld})
    return Conversation(
        System(current_date=date, effort=options.effort),
        Developer(
            "\n\n".join(instructions) or None,
            tuple(
                harmony.Tool(names.model_name(tool.name), tool.description, tool_parameters(tool))
                for tool in tools
            ),
            _formats(prompt.schema),
        ),
        rest,
    )


def ends_in_open_message(messages: Sequence[harmony.Message]) -> bool:
    "Does the history end in the middle of the assistant's answer or reasoning, to be gone on with?"
    last = messages[-1].header if messages else Header("user")
    return last.role == "assistant" and not last.recipient


def _messages(messages: Sequence[Message], names: ToolNames) -> Iterator[harmony.Message]:
    called: dict[str, str] = {}
    for message in messages:
        match message.role:
            case "system" | "developer":
                if text := _text(message.parts):
                    yield harmony.Message(Header("developer"), f"# Instructions\n\n{text}")
            case "user":
                yield harmony.Message(Header("user"), _text(message.parts))
            case "assistant":
                called |= {p.tool_call_id or "": p.name for p in message.parts if isinstance(p, ToolCallPart)}
                yield from _assistant(message.parts, called, names)
            case "tool":
                for part in message.parts:
                    yield _result(part, called, names)
            case other:
                raise BadRequest(
                    f"A message has the role {other!r}, which gpt-oss does not know.", param="messages"
                )


def _assistant(parts: Sequence[Part], called: dict[str, str], names: ToolNames) -> Iterator[harmony.Message]:
    for position, part in enumerate(parts):
        match part:
            case ReasoningPart(text=text):
                if text:
                    yield harmony.Message(Header("assistant", "analysis"), text)
            case TextPart(text=text, provider_metadata=metadata):
                if text and metadata != SEPARATOR:
                    yield harmony.Message(Header("assistant", _channel(part, parts[position + 1 :])), text)
            case ToolCallPart(name=name):
                yield call_message(names.model_name(name), arguments_text(part))
            case ToolResultPart():
                yield _result(part, called, names)
            case _:
                raise _no_eyes(part)


def _channel(part: TextPart, following: Sequence[Part]) -> str:
    "Text that a call of the same message follows is a preamble: a final message would have ended the turn."
    told = (part.provider_metadata or {}).get(METADATA, {}).get("channel")
    if told:
        return str(told)
    return "commentary" if any(isinstance(later, ToolCallPart) for later in following) else "final"


def call_message(name: str, arguments: str) -> harmony.Message:
    "A call as the model writes it. `name` as the model sees it."
    return harmony.Message(call_header(name), arguments)


def call_header(name: str) -> Header:
    return Header("assistant", "commentary", f"functions.{name}", "<|constrain|>json")


def arguments_metadata(arguments: Json, text: str) -> Json | None:
    "What a call's `provider_metadata` keeps of the model's text: nothing, where the arguments tell it."
    return None if text == canonical_json(arguments) else {METADATA: {"arguments": text}}


def tool_call_part(name: str, text: str, call_id: str) -> ToolCallPart:
    "A call whose arguments come as text, as OpenAI's clients send it back: the same part that the turn had."
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    arguments = value if isinstance(value, dict) else {}
    return ToolCallPart(name, arguments, call_id, provider_metadata=arguments_metadata(arguments, text))


def arguments_text(part: ToolCallPart) -> str:
    "The text that the model wrote, kept where it differs, so that the prompt's prefix stays the same."
    written = (part.provider_metadata or {}).get(METADATA, {}).get("arguments")
    return written if isinstance(written, str) else canonical_json(part.arguments)


def _result(part: Part, called: dict[str, str], names: ToolNames) -> harmony.Message:
    match part:
        case ToolResultPart(attachments=[_, *_]):
            raise _no_eyes(part)
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
            raise BadRequest("A tool's message holds something that is no tool result.", param="messages")
        case _:
            raise _no_eyes(part)


def _text(parts: Sequence[Part]) -> str:
    texts = []
    for part in parts:
        match part:
            case TextPart(text=text):
                texts.append(text)
            case _:
                raise _no_eyes(part)
    return "\n".join(texts)


def _no_eyes(part: Part) -> BadRequest:
    attached = isinstance(part, AttachmentPart) or getattr(part, "attachments", None)
    what = "an attachment" if attached else f"a {type(part).__name__}"
    return BadRequest(
        f"A message holds {what}, but gpt-oss reads text only.",
        param="messages",
        remedy="Leave it out, or pass a text file's content with -f FILE.",
    )


def tool_parameters(tool: llm.Tool) -> dict[str, Any] | None:
    "None for a tool without arguments, whatever way its schema says so."
    schema = tool.input_schema or {}
    says = {key for key, value in schema.items() if _NO_ARGUMENTS.get(key) != value} - {"title", "$schema"}
    return schema if says else None


_NO_ARGUMENTS = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def _formats(schema: Any) -> tuple[ResponseFormat, ...]:
    if not schema:
        return ()
    title = schema.get("title")
    name = " ".join(title.split()) if isinstance(title, str) else ""
    return (ResponseFormat(name or "answer", schema, schema.get("description")),)


def _unavailable(messages: Sequence[harmony.Message], withheld: set[str]) -> Iterator[str]:
    "A model that sees its past calls believes that it can make them again, so what is gone is named."
    called = dict.fromkeys(message.header.recipient for message in messages)
    gone = [name for name in called if name in withheld]
    if gone:
        yield f"These tools cannot be called now: {', '.join(map(str, gone))}."
