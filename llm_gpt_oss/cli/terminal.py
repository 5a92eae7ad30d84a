"Text for terminals: sizes, times, aligned columns, progress."

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType

import click

from ..setup.progress import Progress

_BAR_WIDTH = 16


def printable(text: str) -> str:
    "Replace control characters by `?`: a terminal would obey them, and tabs would end a column."
    return "".join(char if char.isprintable() else "?" for char in text)


def format_size(size: int) -> str:
    "A number of bytes, as Ollama formats it: `13.8 GB`."
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def format_time(time: str) -> str:
    "A time of Ollama's API, which has nanoseconds, in this machine's time zone: `2026-11-23 05:09`."
    seconds, zone = time[:19], "+00:00" if time.endswith("Z") else time[-6:]
    return datetime.fromisoformat(seconds + zone).astimezone().strftime("%Y-%m-%d %H:%M")


def format_memory(used: int, on_gpu: int) -> str:
    "Bytes of memory, and how many of them are on the GPU: `14.0 GB 50 % on the GPU`."
    share = "on the CPU" if not on_gpu else f"{100 * on_gpu // used} % on the GPU"
    return f"{format_size(used)} {share}"


def columns(rows: Iterable[tuple[str, str]]) -> str:
    "Align labels and their texts in two columns."
    rows = list(rows)
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {text}".rstrip() for label, text in rows)


class ProgressLine:
    """A `Report` that writes to standard error.

    On a terminal it redraws one line. Elsewhere it writes a line for each step, and for each tenth of a step.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._label, self._text = "", ""

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def __call__(self, progress: Progress) -> None:
        text = _progress_bar(progress) if self._terminal else _tenths(progress)
        if text == self._text:
            return
        if not self._terminal:
            click.echo(text, err=True)
        else:
            if progress.label != self._label:
                self._end_line()
            click.echo(f"\r\033[K{text}", err=True, nl=False)
        self._label, self._text = progress.label, text

    def _end_line(self) -> None:
        if self._terminal and self._text:
            click.echo(err=True)
        self._label, self._text = "", ""


def _progress_bar(progress: Progress) -> str:
    if not progress.total:
        return progress.label
    done = progress.done or 0
    filled = _BAR_WIDTH * done // progress.total
    bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
    percent = 100 * done // progress.total
    return f"{progress.label}  {bar}  {percent:3d} %  {format_size(done)} of {format_size(progress.total)}"


def _tenths(progress: Progress) -> str:
    if not progress.total:
        return progress.label
    tenths = 10 * (progress.done or 0) // progress.total
    return f"{progress.label}: {10 * tenths} % of {format_size(progress.total)}"
