"Prompts of a given length that no engine has in its cache."

from __future__ import annotations

from itertools import cycle, islice
from typing import NamedTuple

STORY = """
The sea is wide and the harbour is small, so every ship that comes home in the evening has to wait for the
tide. Old people sit on the wall, count the lights, and tell each other which one is late.
"""
QUESTION = "How does this story go on?"


class Lengths(NamedTuple):
    "How many tokens a prompt has: `fixed`, and so many more `per_word`."

    fixed: float
    per_word: float

    @classmethod
    def measured(cls, few: int, few_tokens: int, many: int, many_tokens: int) -> Lengths:
        "From the tokens of a prompt with `few` words, and of one with `many`."
        per_word = max((many_tokens - few_tokens) / (many - few), 0.5)
        return cls(few_tokens - few * per_word, per_word)

    def words(self, tokens: int) -> int:
        "The number of words of a prompt with about so many tokens."
        return max(1, round((tokens - self.fixed) / self.per_word))


def prompt_text(nonce: str, words: int) -> str:
    """Return a prompt with so many words of a story.

    It begins with `nonce`. An engine keeps what it has read up to the first difference, so with a new one it
    reads the whole prompt again, except for the few words that all prompts begin with.
    """
    return f"{nonce}. {' '.join(islice(cycle(STORY.split()), words))}\n\n{QUESTION}"
