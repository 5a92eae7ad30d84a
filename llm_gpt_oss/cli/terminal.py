"What people see: sizes, times, columns, and how far long work is."

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType

import click

from ..setup.progress import Progress

_BAR = 16


def size(count: int) -> str:
    "Bytes as Ollama writes them: `13.8 GB`."
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(time: str) -> str:
    "A time as Ollama writes it, nanoseconds and all, on this machine's clock."
    seconds, zone = time[:19], "+00:00" if time.endswith("Z") else time[-6:]
    return datetime.fromisoformat(seconds + zone).astimezone().strftime("%Y-%m-%d %H:%M")


def memory(used: int, on_gpu: int) -> str:
    share = "on the CPU" if not on_gpu else f"{100 * on_gpu // used} % on the GPU"
    return f"{size(used)} {share}"


def columns(rows: Iterable[tuple[str, str]]) -> str:
    "Labels and what they stand for, aligned."
    rows = list(rows)
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {text}".rstrip() for label, text in rows)


class ProgressLine:
    "A Report on standard error: one line redrawn on a terminal, elsewhere a line a step and a tenth."

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._label, self._text = "", ""

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def __call__(self, progress: Progress) -> None:
        text = _drawn(progress) if self._terminal else _plain(progress)
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


def _drawn(progress: Progress) -> str:
    if not progress.total:
        return progress.label
    done = progress.done or 0
    filled = _BAR * done // progress.total
    bar = "█" * filled + "░" * (_BAR - filled)
    percent = 100 * done // progress.total
    return f"{progress.label}  {bar}  {percent:3d} %  {size(done)} of {size(progress.total)}"


def _plain(progress: Progress) -> str:
    if not progress.total:
        return progress.label
    tenths = 10 * (progress.done or 0) // progress.total
    return f"{progress.label}: {10 * tenths} % of {size(progress.total)}"
