"Renders entries and notes of a conversation as blocks of a page: a title, and HTML."

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from llm_gpt_oss.turn.note import MEANINGS

from .conversation import Attached, Called, Entry, File, Result, Returned, Speech, Thought
from .exchanges import Branch
from .safe_html import Renderer, inline
from .turn_summary import LoggedNote

ROLES = {"system": "Instructions", "user": "User", "assistant": "Answer", "tool": "Tool"}
# How many characters of a branch's first message are shown.
PREVIEW = 80


@dataclass(frozen=True, slots=True)
class ShownNote:
    kind: str
    meaning: Markup
    text: str
    raw: Markup | None


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Block:
    """One entry of the page. `kind` decides how it looks: said, thought, called, returned, attached, notes,
    branches.

    `size` is the length of its text, as people read it. `results` and `notes` belong to calls. `long` are the
    arguments with several lines, such as the text of a file: they are shown as lines, not as JSON.
    """

    kind: str
    title: str
    html: Markup = field(default_factory=Markup)
    size: str = ""
    role: str = ""
    long: Sequence[Argument] = ()
    results: Sequence[Block] = ()
    notes: list[ShownNote] = field(default_factory=list)
    branches: Sequence[Branch] = ()


def show_entry(entry: Entry, renderer: Renderer) -> Block:
    match entry:
        case Speech(role=role, text=text):
            title = ROLES.get(role, role)
            return Block("said", title, renderer.markdown(text), size_of(text), role)
        case Thought(hidden=True):
            return Block("thought", "Reasoning that the provider did not show")
        case Thought(text=text):
            return Block("thought", "Reasoning", renderer.plain(text), size_of(text))
        case Called(name=name, arguments=arguments, results=results):
            long, short = _split_arguments(arguments)
            html = renderer.json(short) if short or not long else Markup()
            lines = [Argument(key, renderer.plain(value)) for key, value in long.items()]
            shown = [_show_result(result, renderer) for result in results]
            return Block("called", name, html, long=lines, results=shown)
        case Returned(result=result):
            return _show_result(result, renderer)
        case Attached(role=role, file=file):
            return Block(
                "attached", ROLES.get(role, role), Markup("<p>{}</p>").format(_describe(file)), role=role
            )


def show_note(note: LoggedNote, renderer: Renderer) -> ShownNote:
    raw = renderer.plain(note.raw) if note.raw else None
    return ShownNote(note.kind, inline(MEANINGS.get(note.kind, note.kind)), note.text, raw)


def show_branches(branches: Sequence[Branch], *, came_next: bool) -> Block:
    shown = [
        branch._replace(role=ROLES.get(branch.role, branch.role), text=_preview(branch.text))
        for branch in branches
    ]
    return Block("branches", "What came next" if came_next else "Continued differently", branches=shown)


def place_call_notes(blocks: Sequence[Block], notes: Sequence[ShownNote]) -> list[ShownNote]:
    "Give each note to the call that it names, or else to the first call. Without calls, return all notes."
    calls = [block for block in blocks if block.kind == "called"]
    for note in notes:
        if calls:
            call = next((call for call in calls if _names(note.text, call.title)), calls[0])
            call.notes.append(note)
    return [] if calls else [*notes]


def size_of(text: str) -> str:
    return f"{len(text):,} characters"


def _show_result(result: Result, renderer: Renderer) -> Block:
    html = renderer.json_or_plain(result.output)
    if result.exception:
        html = Markup('<p class="error">{}</p>').format(result.exception) + html
    for file in result.files:
        html += Markup("<p>{}</p>").format(_describe(file))
    return Block("returned", result.name, html, size_of(result.output))


def _split_arguments(arguments: Any) -> tuple[Mapping[str, str], Any]:
    "Return the arguments with several lines of text, and the others."
    if not isinstance(arguments, dict):
        return {}, arguments
    long = {key: value for key, value in arguments.items() if isinstance(value, str) and "\n" in value}
    return long, {key: value for key, value in arguments.items() if key not in long}


def _describe(file: File) -> str:
    size = None if file.size is None else f"{file.size:,} bytes"
    return ", ".join(filter(None, ("Attachment", file.type, size, (file.source or "")[:500])))


def _preview(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW else f"{line[:PREVIEW]}…"


def _names(text: str, name: str) -> bool:
    return name in text.split()
