"Exports of a log, and imports into one, without the command line."

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any, get_args

from llm.logs import LogStore
from llm.parts import Message

from proxy.log.llm_store import ChainStore
from proxy.log.turn import Turn
from proxy.transfer.export import Format, export_lines
from proxy.transfer.log_import import Outcome, import_lines, read_lines
from proxy.transfer.selection import Selection
from support.turn_logs import TurnLog

FORMATS: tuple[Format, ...] = get_args(Format)
MODEL = "gpt-oss:20b"


def export_text(log: LogStore, format: Format, *, reasoning: bool = False, **selection: Any) -> bytes:
    "The export of these turns. Fails if one of them cannot be exported."

    def fail(turn_id: str, problem: Exception) -> None:
        raise AssertionError(f"{turn_id} was left out") from problem

    lines = export_lines(log, Selection(**selection), format, reasoning=reasoning, on_problem=fail)
    return b"".join(lines)


def exported(log: LogStore, format: Format, **options: Any) -> list[Any]:
    return [json.loads(line) for line in export_text(log, format, **options).splitlines()]


def import_text(log: ChainStore, text: bytes, known: LogStore | None = None) -> list[Outcome]:
    return [*import_lines(read_lines(io.BytesIO(text)), log, MODEL, known)]


def import_values(log: ChainStore, values: Iterable[Any]) -> list[Outcome]:
    return import_text(log, b"".join(json.dumps(value).encode() + b"\n" for value in values))


def write_next(log: TurnLog, *messages: Message, **fields: Any) -> Turn:
    "Write a turn whose history is restored from the log, as the server does."
    return log.write(*log.restore(*messages), **fields)
