"""A conversation as the text that the model reads.

What people, tools and the model contributed is neutralised here, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

from .comments import comment
from .conversation import Conversation, Developer, Header, Message, ResponseFormat, Role, System, Tool
from .markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START, neutralise
from .typescript import typescript

OPENER = f"{START}assistant"


def render(conversation: Conversation) -> str:
    "The whole prompt, short of the opener. Analysis of turns that are over is left out."
    frame = _frame(conversation.system, conversation.developer)
    messages = _without_stale_analysis(conversation.messages)
    return "".join(map(render_message, (*frame, *messages)))


def render_message(message: Message) -> str:
    "One message, closed: by the call marker where the assistant addresses someone, else by the end marker."
    header = message.header
    closing = CALL if header.role == "assistant" and header.recipient else END
    return f"{render_header(header)}{neutralise(message.text)}{closing}"


@lru_cache(maxsize=256)
def render_header(header: Header) -> str:
    "From the start marker to the message marker, both included."
    to = f" to={neutralise(header.recipient)}" if header.recipient else ""
    channel = f"{CHANNEL}{neutralise(header.channel)}" if header.channel else ""
    # The model names whom it calls after the channel; tools are shown to it with the recipient before.
    address = f"{channel}{to}" if header.role == "assistant" else f"{to}{channel}"
    return f"{START}{_author(header)}{address}{_content_type(header.content_type)}{MESSAGE}"


def _author(header: Header) -> str:
    match header:
        case Header(name=None):
            return header.role
        case Header(role="tool", name=str(name)):
            return neutralise(name)
        case _:
            return neutralise(f"{header.role}:{header.name}")


def _content_type(content_type: str | None) -> str:
    if not content_type:
        return ""
    if content_type.startswith(CONSTRAIN):
        return f" {CONSTRAIN}{neutralise(content_type[len(CONSTRAIN) :])}"
    return f" {neutralise(content_type)}"


def _without_stale_analysis(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    "All but the reasoning that led to a final answer which the user has replied to."
    answered = over = 0
    for index, message in enumerate(messages):
        match message.header:
            case Header(role="assistant", channel="final"):
                answered = index
            case Header(role="user"):
                over = answered
    return tuple(m for i, m in enumerate(messages) if i >= over or not _is_analysis(m.header))


def _is_analysis(header: Header) -> bool:
    return header.role == "assistant" and header.channel == "analysis" and header.recipient is None


def _frame(system: System | None, developer: Developer) -> Iterator[Message]:
    "The system and the developer message, each only if there is something in it."
    roles: tuple[tuple[Role, Iterator[str]], ...] = (
        ("system", _system(system, bool(developer.tools)) if system else iter(())),
        ("developer", _developer(developer)),
    )
    for role, sections in roles:
        if text := "\n\n".join(sections):
            yield Message(Header(role), text)


def _system(system: System, with_tools: bool) -> Iterator[str]:
    top = (
        system.identity,
        f"Knowledge cutoff: {system.knowledge_cutoff}" if system.knowledge_cutoff else None,
        f"Current date: {system.current_date}" if system.current_date else None,
    )
    if any(top):
        yield "\n".join(filter(None, top))
    if system.effort:
        yield f"Reasoning: {system.effort}"
    if system.channels:
        channels = f"# Valid channels: {', '.join(system.channels)}."
        calls = "\nCalls to these tools must go to the commentary channel: 'functions'." if with_tools else ""
        yield f"{channels} Channel must be included for every message.{calls}"


def _developer(developer: Developer) -> Iterator[str]:
    if developer.instructions:
        yield "# Instructions"
        yield developer.instructions
    if developer.tools:
        yield "# Tools"
        yield "## functions"
        yield "namespace functions {"
        yield from map(_function, developer.tools)
        yield "} // namespace functions"
    if developer.formats:
        yield "# Response Formats"
        yield from map(_format, developer.formats)


def _function(tool: Tool) -> str:
    parameters = "{\n}" if tool.parameters is None else typescript(tool.parameters)
    # A schema that says nothing of any argument is how most callers spell "no arguments".
    argument = "" if parameters == "{\n}" else f"_: {parameters}"
    return f"{comment(tool.description or '')}type {tool.name} = ({argument}) => any;"


def _format(response_format: ResponseFormat) -> str:
    schema = json.dumps(response_format.schema, ensure_ascii=False, separators=(",", ":"))
    return f"## {response_format.name}\n\n{comment(response_format.description or '')}{schema}"
