"""Tool names as harmony can carry them, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A name stands in a header (`to=functions.NAME`) and in `type NAME = …`: no spaces, no `<`, no quotes.
# Hyphens and dots are no TypeScript, but the model reads and writes them as they are.
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


class ToolNames:
    """Two ways between the names that tools really have and the ones the model sees.

    Names that harmony can carry stay as they are. The others get theirs in the order given, so the same tools
    in the same order always look the same.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._shown: dict[str, str] = {}
        self._real: dict[str, str] = {}
        for name in sorted(names, key=lambda name: name != _plain(name)):
            self.model_name(name)

    def model_name(self, name: str) -> str:
        "The name as the model sees it."
        if name not in self._shown:
            plain = _plain(name)
            shown, number = plain, 1
            while shown in self._real:
                shown, number = f"{plain}_{number + 1}", number + 1
            self._shown[name], self._real[shown] = shown, name
        return self._shown[name]

    def original_name(self, shown: str) -> str:
        "The name that the tool really has; a name that nobody gave comes back as it is."
        return self._real.get(shown, shown)


def _plain(name: str) -> str:
    return _UNFIT.sub("_", name).strip(".") or "tool"
