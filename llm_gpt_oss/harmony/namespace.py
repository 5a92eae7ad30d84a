"""The types of a TypeScript namespace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .schema import RESERVED_NAMES
from .typescript import typescript


class Namespace:
    "The types that a namespace declares. Each name is declared once, and equal declarations are shared."

    def __init__(self, names: Iterable[str]) -> None:
        "`names` are those that the caller declares itself."
        self._reserved = RESERVED_NAMES.union(names)
        self._declarations: dict[str, str] = {}
        self._taken = {*self._reserved}
        self._numbers: dict[str, int] = {}

    def add(self, schema: Any) -> tuple[list[str], str]:
        "Return the declarations that the schema adds to the namespace, and its type."
        type_, declarations, numbers = typescript(schema, self._reserved)
        shared = declarations.keys() & self._declarations.keys()
        if any(declarations[name] != self._declarations[name] for name in shared):
            # Declarations may refer to each other by name, so all of them get new names.
            type_, declarations, numbers = typescript(schema, self._taken, self._numbers)
        added = [text for name, text in declarations.items() if name not in self._declarations]
        self._declarations |= declarations
        self._taken.update(declarations)
        for name, number in numbers.items():
            self._numbers[name] = max(number, self._numbers.get(name, 1))
        return added, type_
