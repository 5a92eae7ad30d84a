"""Makes what the page of a turn or a thread shows, ready for its template.

A long conversation is divided into pages of PAGE messages. Each of them begins with the instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from llm.logs import LogStore
from markupsafe import Markup

from .blocks import Block, ShownNote, place_call_notes, show_branches, show_entry, show_note
from .conversation import Entry, entries
from .exchanges import Branch, Conversation, Exchange, load_branches
from .numbers import Rows, measures, origin
from .safe_html import Renderer
from .turn_summary import Tool, TurnSummary, load_summaries

T = TypeVar("T")

PAGE = 100
# How many messages with instructions are shown. Clients can send many.
MAX_INSTRUCTIONS = 10


@dataclass(frozen=True, slots=True)
class ShownTool:
    name: str
    description: str
    parameters: Markup


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """A turn on the page: `blocks` are the new part of its prompt and its answer. `number` counts from 1.

    `notes` are those about the answer as a whole. `origin` and `tools` are empty if they are the same as in
    the turn before. `summary` is None for messages that no turn ends with.
    """

    number: int
    summary: TurnSummary | None
    measures: Rows
    origin: Rows
    blocks: Sequence[Block]
    notes: Sequence[ShownNote]
    tools: Sequence[ShownTool]
    schema: Markup | None
    is_focus: bool


@dataclass(frozen=True, slots=True)
class Pages:
    "The messages on this page, counted from 1, and the numbers of the other pages. `last` is the last page."

    number: int
    last: int
    first_message: int
    last_message: int
    messages: int

    @property
    def earlier(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def later(self) -> int | None:
        return self.number + 1 if self.number < self.last else None


@dataclass(frozen=True, slots=True)
class View:
    "A page of a conversation. `elsewhere` are turns of the thread that the conversation does not contain."

    instructions: Sequence[Block]
    exchanges: Sequence[ShownExchange]
    pages: Pages
    elsewhere: Sequence[TurnSummary]


def view(
    log: LogStore,
    conversation: Conversation,
    page: int | None,
    focus: str | None = None,
    unlogged: Mapping[str, TurnSummary] | None = None,
) -> View:
    """Make a page of the conversation: the last one if `page` is None.

    `focus` is the id of the requested turn. `unlogged` are the summaries of turns that are not logged yet.
    """
    messages, first = conversation.messages, conversation.instructions
    pages = _pages(len(messages), first, page)
    start, end = pages.first_message - 1, pages.last_message
    shown = [each for each in conversation.exchanges if _is_on_page(each, start, end)]
    turn_ids = [exchange.turn_id for exchange in shown if exchange.turn_id]
    summaries = {**load_summaries(log, [*turn_ids, *conversation.elsewhere]), **(unlogged or {})}
    all_entries = entries([*(stored.message for stored in messages), *conversation.results])
    renderer = Renderer()
    # The requested turn is rendered first, so that the page's limits never cut it.
    made: dict[int, ShownExchange] = {}
    branches = load_branches(log, conversation, start, end)
    turns = [summaries.get(exchange.turn_id or "") for exchange in shown]
    tools = _changes([turn.tools if turn else None for turn in turns])
    origins = _changes([origin(turn) if turn else None for turn in turns])
    first_number = conversation.exchanges.index(shown[0]) + 1 if shown else 1
    for n in sorted(range(len(shown)), key=lambda n: (shown[n].turn_id != focus, n)):
        clipped = replace(shown[n], start=max(shown[n].start, start), end=min(shown[n].end, end))
        turn = turns[n]
        is_focus = focus is not None and clipped.turn_id == focus
        blocks, notes = _blocks(clipped, turn, all_entries, branches, len(messages), renderer)
        made[n] = ShownExchange(
            number=first_number + n,
            summary=turn,
            measures=measures(turn) if turn else [],
            origin=origin(turn) if turn and is_focus else origins[n] or [],
            blocks=blocks,
            notes=notes,
            tools=_show_tools(turn.tools if turn and is_focus else tools[n], renderer),
            schema=renderer.json(turn.schema) if turn and turn.schema else None,
            is_focus=is_focus,
        )
    instructions = [
        show_entry(entry, renderer) for each in all_entries[: min(first, MAX_INSTRUCTIONS)] for entry in each
    ]
    elsewhere = [summaries[turn_id] for turn_id in conversation.elsewhere if turn_id in summaries]
    return View(instructions, [made[n] for n in range(len(shown))], pages, elsewhere)


def _pages(messages: int, first: int, page: int | None) -> Pages:
    last = max(1, -(-(messages - first) // PAGE))
    number = last if page is None else min(max(1, page), last)
    start = first + (number - 1) * PAGE
    return Pages(number, last, start + 1, min(start + PAGE, messages), messages)


def _is_on_page(exchange: Exchange, start: int, end: int) -> bool:
    "Whether the page shows the turn. A turn without messages, which failed at once, is at its prompt's end."
    if exchange.start == exchange.end:
        return start < exchange.end <= end
    return exchange.start < end and exchange.end > start


def _blocks(
    exchange: Exchange,
    turn: TurnSummary | None,
    all_entries: Sequence[Sequence[Entry]],
    branches: Mapping[int, Sequence[Branch]],
    length: int,
    renderer: Renderer,
) -> tuple[list[Block], list[ShownNote]]:
    """Return the blocks of an exchange, and the notes that belong to none of them.

    `length` is the length of the conversation. What follows its last message is labelled as what came next.
    """
    notes = {
        place: [show_note(note, renderer) for note in (turn.notes_of(place) if turn else ())]
        for place in ("prompt", "call", "answer")
    }
    blocks: list[Block] = []
    answer: list[Block] = []
    for n in range(exchange.start, exchange.end):
        side = answer if n >= exchange.answer else blocks
        side += [show_entry(entry, renderer) for entry in all_entries[n]]
        if n in branches:
            side.append(show_branches(branches[n], came_next=n + 1 == length))
    if notes["prompt"]:
        blocks.append(Block("notes", "Notes", notes=notes["prompt"]))
    rest = place_call_notes(answer, notes["call"])
    return [*blocks, *answer], [*rest, *notes["answer"]]


def _changes(values: Sequence[T | None]) -> list[T | None]:
    "Replace each value that equals the last value before it by None."
    changes: list[T | None] = []
    last: T | None = None
    for value in values:
        changes.append(None if value == last else value)
        last = last if value is None else value
    return changes


def _show_tools(tools: Sequence[Tool] | None, renderer: Renderer) -> list[ShownTool]:
    return [
        ShownTool(tool.name, tool.description or "", renderer.json(tool.parameters)) for tool in tools or ()
    ]
