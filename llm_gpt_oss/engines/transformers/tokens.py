"""Text to tokens, and tokens to pieces of text. Characters and stop strings may span several tokens."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ...completion import Logprob, Piece
from ...errors import NotGptOss
from ...harmony.markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, RETURN, START

STOP_MARKERS = (RETURN, CALL, "<|endoftext|>")
MARKERS = (START, END, MESSAGE, CHANNEL, CONSTRAIN, *STOP_MARKERS)


class Encoding(Protocol):
    @property
    def ids(self) -> list[int]: ...


class AddedToken(Protocol):
    @property
    def content(self) -> str: ...


class Tokenizer(Protocol):
    "The methods of `tokenizers.Tokenizer` that this module uses."

    def encode(self, text: str, *, add_special_tokens: bool) -> Encoding: ...
    def id_to_token(self, token: int) -> str | None: ...
    def token_to_id(self, text: str) -> int | None: ...
    def get_added_tokens_decoder(self) -> Mapping[int, AddedToken]: ...


class Vocabulary:
    """A byte-level vocabulary: encodes text, and knows the bytes of each token.

    `stop_tokens` end a completion. Raises NotGptOss if the markers of harmony are missing.
    """

    def __init__(self, tokenizer: Tokenizer, path: str) -> None:
        self._tokenizer = tokenizer
        self._bytes = {
            token: added.content.encode() for token, added in tokenizer.get_added_tokens_decoder().items()
        }
        missing = [marker for marker in MARKERS if marker.encode() not in self._bytes.values()]
        if missing:
            raise NotGptOss(
                f"{path} is not gpt-oss: its vocabulary lacks {missing[0]}.",
                remedy="Add a folder of gpt-oss.",
            )
        self.stop_tokens = {token for token, text in self._bytes.items() if text.decode() in STOP_MARKERS}

    def encode(self, text: str) -> list[int]:
        "Return the tokens of the text. Each marker in it is one token."
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def token_bytes(self, token: int) -> bytes:
        "Return the bytes of a token. They are empty if the model has a logit for it, but no text."
        if token not in self._bytes:
            letters = self._tokenizer.id_to_token(token) or ""
            self._bytes[token] = bytes(LETTER_TO_BYTE[letter] for letter in letters)
        return self._bytes[token]

    def logprob(self, token: int, logprob: float, top: Sequence[Logprob] = ()) -> Logprob:
        data = self.token_bytes(token)
        return Logprob(data.decode(errors="replace"), logprob, tuple(data), tuple(top))


def _letter_to_byte() -> dict[str, int]:
    "Return the byte for each letter of byte-level vocabularies, which write bytes as GPT-2's does."
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + n): byte for n, byte in enumerate(others)}


LETTER_TO_BYTE = _letter_to_byte()
_MARKER_BYTES = {marker.encode() for marker in MARKERS}


class Detokenizer:
    """Turns the bytes of tokens into pieces, one for each token or for the tokens of a character.

    Text that may be the start of a stop string is held back until more text shows whether it is one.
    `stopped` is true after a stop string. Neither the stop string nor the text after it becomes a piece.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending: list[tuple[str, Logprob | None]] = []
        self.stopped = False

    def feed(self, data: bytes, logprob: Logprob | None = None) -> Iterator[Piece]:
        if data in _MARKER_BYTES:
            self._end_character()
        self._pending.append((self._decoder.decode(data), logprob))
        text = "".join(part for part, _ in self._pending)
        positions = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if positions and not self.stopped:
            self.stopped = True
            yield from self._flush(text[: min(positions)])
        elif text and not any(map(text.endswith, self._stop_prefixes)):
            yield from self._flush(text)

    def finish(self) -> Iterator[Piece]:
        "Yield what was held back: the start of a stop string, or an incomplete character."
        if not self.stopped:
            self._end_character()
            yield from self._flush("".join(part for part, _ in self._pending))

    def _end_character(self) -> None:
        "Add an incomplete character, if there is one, to the text of the last token."
        if rest := self._decoder.decode(b"", final=True):
            part, logprob = self._pending.pop() if self._pending else ("", None)
            self._pending.append((part + rest, logprob))

    @property
    def _stop_prefixes(self) -> Iterator[str]:
        return (stop[:length] for stop in self._stops for length in range(1, len(stop)))

    def _flush(self, text: str) -> Iterator[Piece]:
        "Yield the text as pieces, each with the log probabilities of its tokens."
        logprobs: list[Logprob] = []
        tokens = 0
        for part, logprob in self._pending:
            if not text:
                break
            tokens += 1
            logprobs += [logprob] if logprob is not None else ()
            if part:
                yield Piece(text[: len(part)], tuple(logprobs), tokens)
                text, logprobs, tokens = text[len(part) :], [], 0
        self._pending = []
