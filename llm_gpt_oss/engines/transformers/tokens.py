"Tokens to text: characters and stop strings that come in several tokens, and the pieces that are sure."

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ...completion import Logprob, Piece
from ...errors import NotGptOss
from ...harmony.markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, RETURN, START

ENDING = (RETURN, CALL, "<|endoftext|>")
MARKERS = (START, END, MESSAGE, CHANNEL, CONSTRAIN, *ENDING)


class Encoding(Protocol):
    @property
    def ids(self) -> list[int]: ...


class Added(Protocol):
    @property
    def content(self) -> str: ...


class Tokenizer(Protocol):
    "As the package `tokenizers` has it."

    def encode(self, text: str, *, add_special_tokens: bool) -> Encoding: ...
    def id_to_token(self, token: int) -> str | None: ...
    def token_to_id(self, text: str) -> int | None: ...
    def get_added_tokens_decoder(self) -> Mapping[int, Added]: ...


class Tokens:
    "A byte-level vocabulary: text to tokens, and each token's bytes. NotGptOss if it has no harmony in it."

    def __init__(self, tokenizer: Tokenizer, path: str) -> None:
        self._tokenizer = tokenizer
        self._known = {
            token: added.content.encode() for token, added in tokenizer.get_added_tokens_decoder().items()
        }
        missing = [marker for marker in MARKERS if marker.encode() not in self._known.values()]
        if missing:
            raise NotGptOss(
                f"{path} is no gpt-oss: its vocabulary lacks {missing[0]}.", remedy="Add one of gpt-oss."
            )
        self.ending = {token for token, text in self._known.items() if text.decode() in ENDING}

    def of(self, text: str) -> list[int]:
        "Markers are one token each."
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def bytes(self, token: int) -> bytes:
        if token not in self._known:
            # Models have room for more tokens than they have.
            self._known[token] = bytes(BYTES[letter] for letter in self._tokenizer.id_to_token(token) or "")
        return self._known[token]

    def logprob(self, token: int, chance: float, top: Sequence[Logprob] = ()) -> Logprob:
        data = self.bytes(token)
        return Logprob(data.decode(errors="replace"), chance, tuple(data), tuple(top))


def _letters() -> dict[str, int]:
    "The letter that GPT-2's vocabulary, and all that came after it, writes for each byte."
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


BYTES = _letters()


class TextWriter:
    """Tokens' bytes in, pieces out, one for each token where that can be.

    What may be the beginning of a stop string is held until it is sure, and leaves as one longer piece.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held: list[tuple[str, Logprob | None]] = []
        self.stopped = False

    def feed(self, data: bytes, logprob: Logprob | None = None) -> Iterator[Piece]:
        self._held.append((self._decoder.decode(data), logprob))
        text = "".join(part for part, _ in self._held)
        if (found := [at for stop in self._stops if (at := text.find(stop)) >= 0]) and not self.stopped:
            self.stopped = True
            yield from self._out(text[: min(found)])
        elif text and not any(map(text.endswith, self._beginnings)):
            yield from self._out(text)

    def finish(self) -> Iterator[Piece]:
        "What is left: it was no stop string after all, or half of a character."
        if not self.stopped:
            rest = self._decoder.decode(b"", final=True)
            yield from self._out("".join(part for part, _ in self._held) + rest)

    @property
    def _beginnings(self) -> Iterator[str]:
        return (stop[:length] for stop in self._stops for length in range(1, len(stop)))

    def _out(self, text: str) -> Iterator[Piece]:
        told, begun = [], 0
        for part, logprob in self._held:
            if logprob is not None and begun < len(text):
                told.append(logprob)
            begun += len(part)
        self._held = []
        if text:
            yield Piece(text, tuple(told))
