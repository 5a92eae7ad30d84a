"""Parse the header of a message: the text between `<|start|>` and `<|message|>`.

`docs/format.md` of openai/harmony describes well-formed headers. The recipient may also precede the channel:

    assistant<|channel|>commentary to=functions.get_weather <|constrain|>json

Models also write headers with parts that are missing, repeated or misspelt. The parser reads a part by its
position: the word after `<|channel|>` is the channel, whatever it is called. `recipient.py` finds the tool
that a recipient means. `ParsedHeader.repairs` names all other corrections.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from .conversation import CHANNELS, Header, Role
from .markers import CHANNEL, CONSTRAIN
from .recipient import NAMESPACE, names_no_tool, tool_on_offer

CONTENT_TYPES = ("json", "code", "text", "plaintext")


@dataclass(frozen=True, slots=True)
class ParsedHeader:
    """A header that the model wrote, after all repairs.

    If the message calls a tool on offer, the recipient is `functions.NAME`. Any other recipient is as the
    model wrote it. `renamed_from` is what the model wrote in place of `to=functions.NAME`, None if it wrote
    exactly that. `repairs` names all other corrections.
    """

    header: Header
    repairs: tuple[str, ...] = ()
    renamed_from: str | None = None


def parse_header(text: str, tools: tuple[str, ...] = (), *, has_author: bool = False) -> ParsedHeader:
    """Parse a header.

    `tools` are the names of the tools that the model may call. With `has_author`, the text follows
    `<|start|>assistant`, so it cannot name another author.
    """
    parts = _Parts(text)
    content_type = parts.take_content_type()
    if not has_author:
        role, name = parts.take_author(tools, has_content_type=content_type is not None)
        if role != "assistant":
            return ParsedHeader(Header(role, parts.take_channel(), parts.recipient, content_type, name))
    channel = parts.take_channel()
    recipient, renamed_from = parts.take_recipient(channel, tools, has_content_type=content_type is not None)
    if parts.words:
        parts.repairs.append(f"unexpected text: {_excerpt(' '.join(parts.words))}")
    header = Header("assistant", channel, recipient, content_type)
    return ParsedHeader(header, tuple(parts.repairs), renamed_from)


def split_at_channels(text: str) -> list[str]:
    "Split text into headers. A second `<|channel|>` begins a new header if words come between the two."
    starts: list[int | None] = [0]
    has_channel = has_text = False
    for match in _PART.finditer(text):
        if match.lastgroup == "channel":
            if has_text:
                starts.append(match.start())
            has_channel, has_text = True, False
        elif match.lastgroup == "word" and match["word"] not in CONTENT_TYPES:
            has_text = has_channel
    return [text[start:end] for start, end in pairwise([*starts, None])]


def split_header(text: str, tools: tuple[str, ...], *, has_author: bool) -> tuple[ParsedHeader, str]:
    "Split text without `<|message|>` into the header at its beginning and the text of the message."
    end = 0
    for match in _PART.finditer(text):
        if match.lastgroup == "word":
            break
        end = match.end()
    parsed = parse_header(text[:end], tools, has_author=has_author)
    rest = text[end:]
    is_header = parsed.header.channel or parsed.header.recipient
    return parsed, _CONTENT_TYPE.sub("", rest) if is_header else rest


# The parts of a header. Models leave out the space between two of them.
_PART = re.compile(
    rf"{re.escape(CHANNEL)}[\s\"'`*:]*(?P<channel>\w*?)(?=to=|\W|$)"
    rf"|{re.escape(CONSTRAIN)}\s*(?P<type>[^\s<{{]*)"
    r"|[tT][oO]\s?=\s*(?P<to>[^\s<{]*)"
    r"|(?P<role>assistant)"
    r"|(?P<word>[^\s<]+)"
)
_CONTENT_TYPE = re.compile(r"^\s*(?:(?:json|code)\b\s*)?")
_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer", "tool": "tool"}

# A header with more words than this contains prose, in which the name of a tool is not a recipient.
_MAX_WORDS = 3


class _Parts:
    """The parts of a header. Each method removes the words that it understands from `words`.

    `recipient` is the word after `to=`, None if there is none. `has_exact_recipient` says whether it follows
    `to=` directly.
    """

    def __init__(self, text: str) -> None:
        self._parts = [(str(match.lastgroup), match[match.lastgroup or 0]) for match in _PART.finditer(text)]
        self.words = self._all("word")
        self.recipient = next(filter(None, self._all("to")), None)
        self.has_exact_recipient = f"to={self.recipient}" in text
        self.repairs = ["role named twice"] if len(self._all("role")) > 1 else []

    def _all(self, group: str) -> list[str]:
        return [text for part, text in self._parts if part == group]

    def take_author(self, tools: tuple[str, ...], *, has_content_type: bool) -> tuple[Role, str | None]:
        """Return the role and the name of the author.

        The author is not always the assistant: a model that does not stop after its message may also write
        messages of the user or of tools. The name of a tool in the author's place is a call if the tool is on
        offer and the header has a content type, because headers of results have none.
        """
        if not self.words or self._parts[0] != ("word", self.words[0]):
            return "assistant", None
        first = self.words[0]
        role, _, name = first.partition(":")
        if role in _ROLES:
            self.words.pop(0)
            return _ROLES[role], name or None
        is_tool = first.startswith(NAMESPACE) or first in tools
        is_call = has_content_type and tool_on_offer(first, tools) is not None
        if self.recipient == "assistant" or (is_tool and not is_call):
            return "tool", self.words.pop(0)
        return "assistant", None

    def take_content_type(self) -> str | None:
        if any(types := self._all("type")):
            return CONSTRAIN + next(filter(None, types))
        return next((self._take(word) for word in self.words if word in CONTENT_TYPES), None)

    def take_channel(self) -> str | None:
        names = self._all("channel")
        if not names:
            self.repairs.append("channel missing")
            return self._take(self.words[0]) if self.words and self.words[0] in CHANNELS else None
        if len(names) > 1:
            self.repairs.append("channel named twice")
        name = next(filter(None, names), "")
        if name in CHANNELS:
            return name
        known = closest_channel(name)
        self.repairs.append(f"channel {name!r} read as {known}" if name else "channel without a name")
        return known

    def take_recipient(
        self, channel: str | None, tools: tuple[str, ...], *, has_content_type: bool
    ) -> tuple[str | None, str | None]:
        """Return the recipient, and what the model wrote in place of `to=functions.NAME`, if it differs.

        Both can be None. The name of a tool may consist of several words, and `to=` may be missing.
        """
        written = self.recipient or ""
        if written and names_no_tool(written):
            self.repairs.append(f"recipient {written} is not a tool")
            return None, None
        words = self.words if len(self.words) <= _MAX_WORDS else []
        has_namespace = any(word.startswith(NAMESPACE) for word in words)
        # Without `to=`, words are a recipient only if something else in the header shows that it is a call's.
        is_call = bool(written) or has_content_type or has_namespace
        if found := self._tool(written, words if is_call or channel == "commentary" else [], tools):
            tool, name, used = found
            self.words = [word for word in self.words if word not in used]
            is_exact = self.recipient == name == NAMESPACE + tool and self.has_exact_recipient
            return NAMESPACE + tool, None if is_exact else name
        if (
            not written
            and len(words) == 1
            and (has_namespace or (has_content_type and channel == "commentary"))
        ):
            return self._take(words[0]), None
        return written or None, None

    def _tool(
        self, written: str, words: list[str], tools: tuple[str, ...]
    ) -> tuple[str, str, list[str]] | None:
        "Return a tool on offer, what the model wrote as its name, and which of the words that includes."
        if tool := tool_on_offer(written, tools):
            return tool, written, []
        name = "".join([written, *words])
        if words and not names_no_tool(name) and (tool := tool_on_offer(name, tools)):
            return tool, name, words
        # After the name of another tool, a word is not the name of a tool.
        names = [word for word in words if NAMESPACE.startswith(written) and not names_no_tool(word)]
        found = [(tool, name, [name]) for name in names if (tool := tool_on_offer(name, tools))]
        return found[0] if len(found) == 1 else None

    def _take(self, word: str) -> str:
        self.words.remove(word)
        return word


def closest_channel(name: str) -> str:
    "Return the channel with this name or a similar one, otherwise commentary, which is never the answer."
    word = name.casefold()[:40]
    same_start = [channel for channel in CHANNELS if word.startswith(channel[:5])]
    return [*same_start, *get_close_matches(word, CHANNELS, n=1, cutoff=0.75), "commentary"][0]


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
