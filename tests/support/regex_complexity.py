"""Tells whether matching a regular expression can take more than linear time.

Python's `re` tries one way to match after the other. That takes more than linear time if the number of ways
to read the beginning of a text grows with its length. `slow_part` finds that in the automaton of the pattern,
by the criteria of Weber and Seidl ("On the degree of ambiguity of finite automata", 1991). The packages on
PyPI that look for slow patterns find cubic or exponential ones only.

Look-around, word boundaries and references are ignored, and a repetition that has a limit counts as one of at
most two. So the answer is a careful guess. It errs on the side of slow.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import permutations
from typing import Any

# The parser of `re` has another name since Python 3.11.
parser = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

# Stand-ins for all characters. The last two are the beginning and the end of the text.
ALPHABET = [*map(chr, range(0x180)), "Ж", "日", "\u2028", "\u2060", "\U0001f30d"]
BEGINNING, END = "^^", "$$"
CATEGORIES = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"}


@dataclass(frozen=True, slots=True)
class Part:
    "A part of a pattern: the positions where it can begin and end, and whether it matches the empty text."

    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    is_empty: bool = True


@dataclass
class Automaton:
    "`characters` has what each position matches, `steps` how many ways lead from one position to the next."

    flags: int
    characters: list[frozenset[str]] = field(default_factory=list)
    steps: Counter[tuple[int, int]] = field(default_factory=Counter)

    def position(self, characters: Iterable[str]) -> Part:
        self.characters.append(frozenset(characters))
        only = frozenset({len(self.characters) - 1})
        return Part(only, only, is_empty=False)

    def sequence(self, nodes: Any) -> Part:
        whole = Part()
        for operation, argument in nodes:
            whole = self.join(whole, self.part(str(operation), argument))
        return whole

    def join(self, one: Part, other: Part) -> Part:
        self.connect(one, other)
        return Part(
            one.first | other.first if one.is_empty else one.first,
            other.last | one.last if other.is_empty else other.last,
            one.is_empty and other.is_empty,
        )

    def connect(self, one: Part, other: Part) -> None:
        self.steps.update((last, first) for last in one.last for first in other.first)

    def part(self, operation: str, argument: Any) -> Part:
        match operation:
            case "LITERAL" | "NOT_LITERAL" | "IN" | "ANY" | "RANGE" | "CATEGORY":
                return self.position(self.matching(operation, argument))
            case "AT" if str(argument) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                return self.position({BEGINNING})
            case "AT" if str(argument) in ("AT_END", "AT_END_STRING"):
                return self.position({END})
            case "SUBPATTERN" | "ATOMIC_GROUP":
                return self.sequence(argument[-1] if operation == "SUBPATTERN" else argument)
            case "BRANCH":
                parts = [self.sequence(branch) for branch in argument[1]]
                return Part(
                    frozenset().union(*(part.first for part in parts)),
                    frozenset().union(*(part.last for part in parts)),
                    any(part.is_empty for part in parts),
                )
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self.repetition(*argument)
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return Part()
        raise ValueError(f"{operation} is not supported")

    def repetition(self, minimum: int, maximum: Any, nodes: Any) -> Part:
        if maximum == parser.MAXREPEAT:
            part = self.sequence(nodes)
            self.connect(part, part)
            return Part(part.first, part.last, part.is_empty or minimum == 0)
        whole = self.sequence(nodes) if maximum else Part()
        if maximum > 1:
            second = self.sequence(nodes)
            whole = self.join(whole, Part(second.first, second.last, second.is_empty or minimum < 2))
        return Part(whole.first, whole.last, whole.is_empty or minimum == 0)

    def matching(self, operation: str, argument: Any) -> Iterator[str]:
        return (char for char in ALPHABET if self.matches(operation, argument, char))

    def matches(self, operation: str, argument: Any, char: str) -> bool:
        match operation:
            case "LITERAL" if self.flags & re.IGNORECASE:
                return char.lower() == chr(argument).lower()
            case "LITERAL":
                # A character that is none of ours is like the last of ours.
                return char == (chr(argument) if chr(argument) in ALPHABET else ALPHABET[-1])
            case "NOT_LITERAL":
                return not self.matches("LITERAL", argument, char)
            case "ANY":
                return bool(self.flags & re.DOTALL) or char != "\n"
            case "RANGE":
                cases = {char, char.lower(), char.upper()} if self.flags & re.IGNORECASE else {char}
                return any(len(each) == 1 and argument[0] <= ord(each) <= argument[1] for each in cases)
            case "CATEGORY":
                name = str(argument)
                is_in = re.match(CATEGORIES[name.replace("_NOT_", "_")], char, self.flags & re.ASCII)
                return bool(is_in) != ("_NOT_" in name)
        negated = str(argument[0][0]) == "NEGATE"
        found = any(self.matches(str(name), each, char) for name, each in argument[negated:])
        return found != negated


def slow_part(pattern: re.Pattern[Any], *, searches: bool, whole: bool = False) -> str | None:
    """Return characters that slow the pattern down if a text repeats them; None if its time is linear.

    `searches` says that a match may begin anywhere, `whole` that it has to end at the end of the text.
    """
    automaton = Automaton(pattern.flags)
    begin = automaton.position(ALPHABET) if searches else Part()
    if searches:
        automaton.connect(begin, begin)
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    part = automaton.sequence(parser.parse(source, pattern.flags))
    automaton.connect(begin, part)
    following: dict[int, list[int]] = {}
    for one, other in automaton.steps:
        following.setdefault(one, []).append(other)
    loops = [at for at in range(len(automaton.characters)) if _reaches(at, at, following)]

    def matches(at: int) -> bool:
        "Whether a text that repeats itself here matches in any case, so that no other way is tried."
        anything = frozenset(ALPHABET)
        return any(
            end == at or (_reaches(at, end, following) and _reaches(end, at, following))
            for end in part.last
            if not whole or automaton.characters[end] == anything
        )

    for (one, other), ways in automaton.steps.items():
        if ways > 1 and _reaches(other, one, following):
            return _sample(automaton.characters[other])
    for one, other in permutations(loops, 2):
        if not matches(other) and _reaches(one, other, following):
            text = _common_text(one, other, automaton.characters, following)
            if text is not None:
                return text
    return None


def _reaches(start: int, end: int, following: dict[int, list[int]]) -> bool:
    seen, pending = set(), [*following.get(start, ())]
    while pending:
        if (at := pending.pop()) not in seen:
            seen.add(at)
            pending += following.get(at, ())
    return end in seen


def _common_text(
    one: int, other: int, characters: list[frozenset[str]], following: dict[int, list[int]]
) -> str | None:
    "Return a text that leads from `one` to itself, from `one` to `other`, and from `other` to itself."
    start, goal = (one, one, other), (one, other, other)
    pending = deque([(start, "")])
    seen = set()
    while pending:
        (first, second, third), text = pending.popleft()
        for a in following.get(first, ()):
            for b in following.get(second, ()):
                for c in following.get(third, ()):
                    common = characters[a] & characters[b] & characters[c]
                    if common and (a, b, c) not in seen:
                        if (a, b, c) == goal:
                            return text + _sample(common)
                        seen.add((a, b, c))
                        pending.append(((a, b, c), text + _sample(common)))
    return None


def _sample(characters: frozenset[str]) -> str:
    return min(characters)
