"Makes prompts of a given length that no engine has in its cache."

from __future__ import annotations

from itertools import cycle, islice
from typing import NamedTuple

STORY = """
The sea is wide and the harbour is small, so every ship that comes home in the evening has to wait for the
tide. Old people sit on the wall, count the lights, and tell each other which one is late.
"""
QUESTION = "How does this story go on?"


class Lengths(NamedTuple):
    "The tokens of a prompt: `fixed` ones, and `per_word` for each word of its story."

    fixed: float
    per_word: float

    @classmethod
    def measured(cls, few: int, few_tokens: int, many: int, many_tokens: int) -> Lengths:
        "Compute the lengths from two prompts, one with `few` words and one with `many`, and their tokens."
        per_word = max((many_tokens - few_tokens) / (many - few), 0.5)
        return cls(few_tokens - few * per_word, per_word)

    def words(self, tokens: int) -> int:
        "Return how many words a prompt with about this many tokens has."
        return max(1, round((tokens - self.fixed) / self.per_word))


def prompt_text(nonce: str, words: int) -> str:
    """Return a prompt that begins with `nonce` and has this many words of a story.

    An engine caches a prompt up to the first difference. So it has to read all of a prompt with a new nonce,
    except for the system message before it.
    """
    return f"{nonce}. {' '.join(islice(cycle(STORY.split()), words))}\n\n{QUESTION}"
