"Which of our errors one of a server's means: the first rule that fits says it."

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ...errors import GptOssError


class Problem(Protocol):
    "An error as a server put it: its number, if it has one, and its text."

    @property
    def code(self) -> int | None: ...

    @property
    def text(self) -> str: ...


P = TypeVar("P", bound=Problem)


@dataclass(frozen=True, slots=True)
class Rule(Generic[P]):
    "Codes (none: whatever the code), what the text has to contain, and what both together mean."

    codes: tuple[int, ...]
    pattern: str
    means: Callable[[P], GptOssError]

    def matches(self, problem: P) -> bool:
        return (not self.codes or problem.code in self.codes) and bool(re.search(self.pattern, problem.text))
