"Yields the lines of an export one by one. However long the log is, only one turn is in memory."

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import llm
from condense_json import UncondenseError
from llm.logs import LogStore

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.log.response_json import to_bytes

from ..log.foreign_json import read_object
from ..log.queries import load_turn
from .chat_format import chat_line
from .conversations import conversation_ends
from .harmony_format import harmony_line
from .responses_format import responses_line
from .seen_keys import SeenKeys, temporary_database
from .selection import Selection, turn_ids
from .turn_format import turn_line

Format = Literal["chat", "harmony", "responses", "turns"]
# The formats with a line for each conversation. The others have one for each turn.
CONVERSATIONS = ("chat", "harmony")
# The errors for turns that other programs have written wrongly, or whose attachments the model cannot read.
UNREADABLE = (GptOssError, UncondenseError, LookupError, RecursionError, TypeError, ValueError)

TOOLS = """
select tools.* from turn_tools join tools on tools.id = turn_tools.tool_id
where turn_tools.turn_id = ? order by turn_tools.rowid
"""


def export_lines(
    log: LogStore,
    selection: Selection,
    format: Format,
    *,
    reasoning: bool = False,
    on_problem: Callable[[str, Exception], None],
) -> Iterator[bytes]:
    """Yield the selected turns as lines of JSON, the oldest first. Each ends with a newline.

    `reasoning` includes the reasoning in the format chat. A turn that cannot be written in this format is
    left out, and its id and the error are given to `on_problem`.
    """
    find = conversation_ends if format in CONVERSATIONS else turn_ids
    with temporary_database() as database:
        writer = _LineWriter(log, format, reasoning, SeenKeys(database))
        for turn_id in find(log, selection):
            try:
                line = writer.line(turn_id)
            except UNREADABLE as problem:
                on_problem(turn_id, problem)
                continue
            if line:
                yield to_bytes(line) + b"\n"


@dataclass(frozen=True, slots=True)
class _LineWriter:
    log: LogStore
    format: Format
    reasoning: bool
    written: SeenKeys

    def line(self, turn_id: str) -> dict[str, Any] | None:
        "Return the turn as a line, or None if it was pruned meanwhile."
        if self.format == "turns":
            return turn_line(self.log, turn_id, self._tools(turn_id), self.written)
        turn = load_turn(self.log, turn_id)
        if turn is None:
            return None
        match self.format:
            case "chat":
                return chat_line(turn, self._tools(turn_id), reasoning=self.reasoning)
            case "harmony":
                return harmony_line(self.log, turn)
            case "responses":
                return responses_line(self.log, turn)

    def _tools(self, turn_id: str) -> list[llm.Tool]:
        return [
            llm.Tool(row["name"], row["description"], read_object(row["input_schema"]), plugin=row["plugin"])
            for row in self.log.db.query(TOOLS, [turn_id])
        ]
