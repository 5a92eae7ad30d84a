"""What the page of a turn or a thread shows, ready for its template.

A long conversation is shown in pages of PAGE messages. Instructions stand on each of them.
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
# How many messages of instructions are shown: clients can send many.
MAX_INSTRUCTIONS = 10


@dataclass(frozen=True, slots=True)
class ShownTool:
    name: str
    description: str
    parameters: Markup


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """`summary` is None for messages that no turn ends with.

    `blocks` is the prompt's new part and the answer, `notes` are those about the answer as a whole. `origin`
    and `tools` are given where they differ from those of the turn before. `number` counts from 1.
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
    "Which messages this page shows, counted from 1, and the numbers of other pages. There may be only one."

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
    "`elsewhere` are turns of the thread that this conversation does not contain."

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

    The turn `focus` is the one that was asked for. `unlogged` are the summaries of turns that
    are not in the log yet.
    """
    messages, first = conversation.messages, conversation.instructions
    pages = _pages(len(messages), first, page)
    start, end = pages.first_message - 1, pages.last_message
    shown = [each for each in conversation.exchanges if _is_on_page(each, start, end)]
    turn_ids = [exchange.turn_id for exchange in shown if exchange.turn_id]
    summaries = {**load_summaries(log, [*turn_ids, *conversation.elsewhere]), **(unlogged or {})}
    all_entries = entries([*(stored.message for stored in messages), *conversation.results])
    renderer = Renderer()
    # The turn that was asked for must not be what the page cannot afford: it is rendered first.
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
    "A turn without messages of its own, which failed at once, is where its prompt ends."
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
    """The blocks of an exchange, and the notes that belong to none of them.

    `length` is that of the conversation: what follows its last message came next, and is no other branch.
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
    "None for a value that is the same as the last one before it."
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
