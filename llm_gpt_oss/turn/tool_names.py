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
        self._model_names: dict[str, str] = {}
        self._original_names: dict[str, str] = {}
        for name in sorted(names, key=lambda name: name != _to_model_name(name)):
            self.model_name(name)

    def model_name(self, name: str) -> str:
        "The name as the model sees it."
        if name not in self._model_names:
            plain = _to_model_name(name)
            shown, number = plain, 1
            while shown in self._original_names:
                shown, number = f"{plain}_{number + 1}", number + 1
            self._model_names[name], self._original_names[shown] = shown, name
        return self._model_names[name]

    def original_name(self, model_name: str) -> str:
        "The name that the tool really has; a name that nobody gave comes back as it is."
        return self._original_names.get(model_name, model_name)


def _to_model_name(name: str) -> str:
    return _UNFIT.sub("_", name).strip(".") or "tool"
