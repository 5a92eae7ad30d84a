"""Tool names that harmony can express, and the original names that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..harmony.recipient import is_name_character


class ToolNames:
    """Maps the original names of tools to the names that the model sees, and back.

    Valid names stay as they are. Other names are mapped in order, so that the same tools in the same order
    always get the same names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._model_names: dict[str, str] = {}
        self._original_names: dict[str, str] = {}
        self._last_numbers: dict[str, int] = {}
        for name in sorted(names, key=lambda name: name != _valid_name(name)):
            self.model_name(name)

    def model_name(self, name: str) -> str:
        "Return the name that the model sees. A name that is new here is added."
        if name not in self._model_names:
            valid = _valid_name(name)
            unique, number = valid, self._last_numbers.get(valid, 1)
            while unique in self._original_names:
                number += 1
                unique = f"{valid}_{number}"
            self._last_numbers[valid] = number
            self._model_names[name], self._original_names[unique] = unique, name
        return self._model_names[name]

    def original_name(self, model_name: str) -> str:
        "Return the original name of a tool. A name that the model made up comes back unchanged."
        return self._original_names.get(model_name, model_name)


def _valid_name(name: str) -> str:
    # A name is part of a header (`to=functions.NAME`) and of `type NAME = …`, so no spaces, `<` or quotes.
    valid = "".join(char if is_name_character(char) else " " for char in name)
    return re.sub(" +", "_", valid).strip(".") or "tool"
