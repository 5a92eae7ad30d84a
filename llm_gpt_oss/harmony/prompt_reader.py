"""Parse a prompt that ends where the model goes on: the reverse of `prompt.py`.

Special tokens in the texts of a prompt that `prompt.py` rendered are neutralised, so every marker in it is a
marker, and every text is restored. In a prompt of another program, a marker inside a text ends a message or
begins one, because the model reads it that way.

The tools of the developer message are printed as TypeScript. Their names and descriptions are read, but not
the schemas of their parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from .conversation import Conversation, Developer, Effort, Header, Message, ResponseFormat, System, Tool
from .header import parse_header
from .markers import CALL, END, MARKER, MESSAGE, RETURN, START, restore
from .prompt import system_text

# A prompt with a longer header or system message, or with more messages, is not read.
MAX_HEADER = 500
MAX_SYSTEM = 10_000
MAX_MESSAGES = 20_000

ANY_ARGUMENTS = {"type": "object"}


@dataclass(frozen=True, slots=True)
class OpenPrompt:
    """A prompt, up to the message that the model continues or begins.

    With `header`, the prompt ends inside a message of the assistant, after `text`. Without one, it ends
    inside a header, after `header_text`, which is empty if the model writes the whole header. The system
    message and the developer message take up the first `first_length` characters of the prompt.
    """

    conversation: Conversation
    header: Header | None = None
    text: str = ""
    header_text: str = ""
    first_length: int = 0


def read_prompt(prompt: str) -> OpenPrompt | None:
    "Return the parsed prompt, or None if it is not harmony or does not end where the assistant writes."
    messages: list[Message] = []
    starts: list[int] = []
    position = 0
    while prompt.startswith(START, position) and len(messages) < MAX_MESSAGES:
        starts.append(position)
        position += len(START)
        header_end = prompt.find(MESSAGE, position, position + MAX_HEADER)
        if header_end < 0:
            return _ends_in_header(messages, starts, prompt, position)
        header = _parse_header(prompt[position:header_end])
        text_start = header_end + len(MESSAGE)
        marker = MARKER.search(prompt, text_start)
        if header is None or (marker and marker[0] not in (END, CALL, RETURN)):
            return None
        text = restore(prompt[text_start : marker.start() if marker else None])
        if marker is None:
            return _open_prompt(messages, starts, header, text) if header.role == "assistant" else None
        messages.append(Message(header, text))
        position = marker.end()
        # Prompts that people wrote by hand may have line breaks between messages.
        while prompt[position : position + 1].isspace():
            position += 1
    return None


@lru_cache(maxsize=256)
def _parse_header(text: str) -> Header | None:
    header = parse_header(text).header
    has_author = header.role != "assistant" or text.startswith("assistant")
    is_header = not any(marker in text for marker in (START, END, CALL, RETURN))
    return header if has_author and is_header else None


def _ends_in_header(
    messages: list[Message], starts: list[int], prompt: str, position: int
) -> OpenPrompt | None:
    text = prompt[position:]
    if len(text) > MAX_HEADER or not text.startswith("assistant") or _parse_header(text) is None:
        return None
    return _open_prompt(messages, starts, None, "", text.removeprefix("assistant"))


def _open_prompt(
    messages: list[Message], starts: list[int], header: Header | None, text: str, header_text: str = ""
) -> OpenPrompt:
    system, developer = None, Developer()
    rest = [*messages]
    if rest and rest[0].header == Header("system") and (read_system := _read_system(rest[0].text)):
        system = read_system
        del rest[0]
    if rest and rest[0].header == Header("developer") and (read_developer := _read_developer(rest[0].text)):
        developer = read_developer
        del rest[0]
    first = len(messages) - len(rest)
    conversation = Conversation(system, developer, tuple(rest))
    return OpenPrompt(conversation, header, text, header_text, starts[first])


_SYSTEM = re.compile(
    r"(?P<identity>(?!Knowledge cutoff: |Current date: |Reasoning: |# Valid)[^\n]+)?"
    r"(?:\n?Knowledge cutoff: (?P<cutoff>[^\n]+))?"
    r"(?:\n?Current date: (?P<date>[^\n]+))?"
    r"(?:(?:\n\n)?Reasoning: (?P<effort>low|medium|high))?"
    r"(?:(?:\n\n)?# Valid channels: (?P<channels>[a-z, ]+)\. Channel must [^\n]*"
    r"(?P<tools>\nCalls to these tools must [^\n]*)?)?"
)


def _read_system(text: str) -> System | None:
    "Return the contents of a system message, or None if rendering them does not give the same text."
    match = _SYSTEM.fullmatch(text) if len(text) <= MAX_SYSTEM else None
    if match is None:
        return None
    system = System(
        match["identity"],
        match["cutoff"],
        match["date"],
        cast(Effort | None, match["effort"]),
        tuple((match["channels"] or "").split(", ")) if match["channels"] else (),
    )
    return system if system_text(system, has_tools=match["tools"] is not None) == text else None


_INSTRUCTIONS = "# Instructions\n\n"
_TOOLS = "# Tools\n\n## functions\n\nnamespace functions {\n\n"
_TOOLS_END = "\n\n} // namespace functions"
_FORMATS = "# Response Formats\n\n"
_FORMAT = re.compile(r"## (?P<name>[^\n]*)\n\n(?P<description>(?://[^\n]*\n)*)(?P<schema>\{[^\n]*\})")
_FUNCTION = re.compile(
    r"(?P<description>(?://[^\n]*\n)*)type (?P<name>[^\s=]+) = \((?P<argument>.*)\) => any;", re.DOTALL
)


def _read_developer(text: str) -> Developer | None:
    "Return the contents of a developer message, or None if it has a section that is not known."
    text, formats_text = _split_section(text, _FORMATS)
    formats = tuple(_read_formats(formats_text)) if formats_text else ()
    if formats_text and not formats:
        return None
    tools: tuple[Tool, ...] = ()
    if text.endswith(_TOOLS_END):
        text, tools_text = _split_section(text.removesuffix(_TOOLS_END), _TOOLS)
        tools = tuple(_read_tools(tools_text))
    if not text:
        return Developer(None, tools, formats)
    if text.startswith(_INSTRUCTIONS):
        return Developer(text.removeprefix(_INSTRUCTIONS), tools, formats)
    return None


def _split_section(text: str, heading: str) -> tuple[str, str]:
    "Return the text before the last section with this heading, and the section. Instructions may quote it."
    if text.startswith(heading) and f"\n\n{heading}" not in text:
        return "", text.removeprefix(heading)
    before, found, section = text.rpartition(f"\n\n{heading}")
    return (before, section) if found else (text, "")


def _read_formats(text: str) -> Iterator[ResponseFormat]:
    for part in text.split("\n\n## "):
        match = _FORMAT.fullmatch(f"## {part.removeprefix('## ')}")
        try:
            schema = json.loads(match["schema"]) if match else None
        except (ValueError, RecursionError):
            schema = None
        if match and isinstance(schema, dict):
            yield ResponseFormat(match["name"], schema, _comment_text(match["description"]))


def _read_tools(text: str) -> Iterator[Tool]:
    for declaration in text.split("\n\n"):
        if match := _FUNCTION.fullmatch(declaration):
            yield Tool(
                match["name"],
                _comment_text(match["description"]),
                ANY_ARGUMENTS if match["argument"] else None,
            )


def _comment_text(lines: str) -> str | None:
    "Return the text of comment lines, or None if there are none."
    return "\n".join(line.removeprefix("//").removeprefix(" ") for line in lines.splitlines()) or None
