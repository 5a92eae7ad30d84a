"""Render a conversation as the text of a prompt.

Special tokens in the texts of people, tools and the model are neutralised here, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

from .comments import comment
from .conversation import Conversation, Developer, Header, Message, ResponseFormat, Role, System, Tool
from .markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START, neutralise
from .namespace import Namespace

# The model writes its next message after this.
OPENER = f"{START}assistant"


def render(conversation: Conversation) -> str:
    "Return the prompt without the opener. Analysis from turns with a final answer is left out."
    first = _first_messages(conversation.system, conversation.developer)
    messages = _without_past_analysis(conversation.messages)
    return "".join(map(render_message, (*first, *messages)))


def render_message(message: Message) -> str:
    "Return one message. It ends with `<|call|>` if the assistant addresses a recipient, else with `<|end|>`."
    header = message.header
    end = CALL if header.role == "assistant" and header.recipient else END
    return f"{render_header(header)}{neutralise(message.text)}{end}"


@lru_cache(maxsize=256)
def render_header(header: Header) -> str:
    "Return the header with `<|start|>` before it and `<|message|>` after it."
    recipient = f" to={neutralise(header.recipient)}" if header.recipient else ""
    channel = f"{CHANNEL}{neutralise(header.channel)}" if header.channel else ""
    # The model writes the recipient of a call after the channel. In tool results, the recipient comes first.
    address = f"{channel}{recipient}" if header.role == "assistant" else f"{recipient}{channel}"
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


def _without_past_analysis(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    "Drop the analysis before the last final answer that a user message follows."
    last_user = _last(messages, "user")
    last_final = _last(messages[:last_user], "assistant", "final")
    past = (message for message in messages[:last_final] if not _is_analysis(message.header))
    return (*past, *messages[last_final:])


def _last(messages: Sequence[Message], role: Role, channel: str | None = None) -> int:
    "Return the index of the last message with this role and channel, or 0."
    for index in range(len(messages) - 1, 0, -1):
        header = messages[index].header
        if header.role == role and header.channel == channel:
            return index
    return 0


def _is_analysis(header: Header) -> bool:
    return header.channel == "analysis" and header.role == "assistant" and header.recipient is None


def _first_messages(system: System | None, developer: Developer) -> Iterator[Message]:
    "Yield the system and the developer message. An empty one is left out."
    texts: dict[Role, str] = {
        "system": system_text(system, has_tools=bool(developer.tools)) if system else "",
        "developer": "\n\n".join(_developer_sections(developer)),
    }
    for role, text in texts.items():
        if text:
            yield Message(Header(role), text)


def system_text(system: System, *, has_tools: bool) -> str:
    "Return the text of the system message. `has_tools` says whether the developer message has any."
    return "\n\n".join(_system_sections(system, has_tools))


def _system_sections(system: System, has_tools: bool) -> Iterator[str]:
    identity_and_dates = (
        system.identity,
        f"Knowledge cutoff: {system.knowledge_cutoff}" if system.knowledge_cutoff else None,
        f"Current date: {system.current_date}" if system.current_date else None,
    )
    if any(identity_and_dates):
        yield "\n".join(filter(None, identity_and_dates))
    if system.effort:
        yield f"Reasoning: {system.effort}"
    if system.channels:
        channels = f"# Valid channels: {', '.join(system.channels)}."
        calls = "\nCalls to these tools must go to the commentary channel: 'functions'." if has_tools else ""
        yield f"{channels} Channel must be included for every message.{calls}"


def _developer_sections(developer: Developer) -> Iterator[str]:
    if developer.instructions:
        yield "# Instructions"
        yield developer.instructions
    if developer.tools:
        yield "# Tools"
        yield "## functions"
        yield "namespace functions {"
        namespace = Namespace(tool.name for tool in developer.tools)
        for tool in developer.tools:
            yield from _function_type(tool, namespace)
        yield "} // namespace functions"
    if developer.formats:
        yield "# Response Formats"
        yield from map(_response_format, developer.formats)


def _function_type(tool: Tool, namespace: Namespace) -> Iterator[str]:
    "Yield the types that the parameters add to the namespace, then the type of the function."
    parameters = {"type": "object"} if tool.parameters is None else tool.parameters
    if parameters.get("description") == tool.description:
        # OpenAI's SDK sends the description of a function twice.
        parameters = {key: value for key, value in parameters.items() if key != "description"}
    declarations, type_ = namespace.add(parameters)
    yield from declarations
    # Many callers send a schema without properties for a tool without arguments.
    argument = "" if type_ == "{\n}" else f"_: {type_}"
    yield f"{comment(tool.description or '')}type {tool.name} = ({argument}) => any;"


def _response_format(response_format: ResponseFormat) -> str:
    schema = json.dumps(response_format.schema, ensure_ascii=False, separators=(",", ":"))
    return f"## {response_format.name}\n\n{comment(response_format.description or '')}{schema}"
