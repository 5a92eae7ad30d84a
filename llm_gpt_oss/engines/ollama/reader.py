"The stream of Ollama's `/api/generate`: its lines in, pieces and the end of the completion out."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from ...completion import Completion, Done, Json, Logprob, Piece
from ..http.counts import milliseconds, token_count
from ..http.server_errors import empty_stream, unexpected_event, unfinished_stream
from ..http.token_splitter import Token, TokenSplitter
from .errors import context_overflow

T = TypeVar("T")


class GenerateReader:
    """A `Translator` from lines to pieces and one Done. `wire.GenerateLine` describes a line.

    Raises StreamCut for a line of an unexpected form and for a stream without a last line, EmptyStream for
    one without any line, ContextOverflow if the last line reports that the prompt is too long.
    """

    def __init__(self, completion: Completion) -> None:
        self._splitter = TokenSplitter(completion)
        self._has_lines = self._has_text = self._is_done = False

    def feed(self, line: Json, /) -> Iterator[Piece | Done]:
        self._has_lines = True
        try:
            if text := _typed(line, "response", str):
                self._has_text = True
                # A line has the text of all its tokens. But if Ollama joins text, it drops an incomplete
                # character and everything after it, including markers. The tokens restore them.
                yield from self._splitter.feed(text, _tokens(line))
                yield from self._splitter.restore()
                yield from self._splitter.flush()
            if _typed(line, "done", bool):
                self._is_done = True
                yield self._done(line)
        except (TypeError, KeyError) as error:
            raise unexpected_event("Ollama", line) from error

    def finish(self) -> Sequence[Piece | Done]:
        if not self._has_lines:
            # Ollama does so when it gives up on a model that repeats itself.
            raise empty_stream("Ollama")
        if not self._is_done:
            raise unfinished_stream("Ollama")
        return ()

    def _done(self, line: Json) -> Done:
        reason: Literal["stop", "length"] = (
            "length" if _typed(line, "done_reason", str) == "length" else "stop"
        )
        prompt_tokens, completion_tokens = _count(line, "prompt_eval_count"), _count(line, "eval_count")
        if reason == "length" and not self._has_text and not completion_tokens:
            # This is how v0.24 reports that the prompt fills the context. It counts only the tokens that it
            # kept.
            raise context_overflow(context_length=prompt_tokens)
        return Done(
            reason,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            load_ms=_milliseconds(line, "load_duration"),
            prompt_ms=_milliseconds(line, "prompt_eval_duration"),
            completion_ms=_milliseconds(line, "eval_duration"),
        )


def _tokens(line: Json) -> list[Token]:
    return [Token(logprob.token, logprob) for logprob in map(_logprob, _typed(line, "logprobs", list) or ())]


def _logprob(data: object, *, is_top: bool = False) -> Logprob:
    "Parse a token. An alternative (`is_top`) has no alternatives of its own."
    if not isinstance(data, dict):
        raise TypeError("a token must be an object")
    values = _typed(data, "bytes", list)
    if any(type(byte) is not int for byte in values or ()):
        raise TypeError("bytes must be integers")
    top = () if is_top else _typed(data, "top_logprobs", list) or ()
    token, logprob = data["token"], data["logprob"]
    if not isinstance(token, str) or type(logprob) not in (int, float):
        raise TypeError("a token must have a text and a number")
    return Logprob(
        token,
        logprob,
        None if values is None else tuple(values),
        tuple(_logprob(alternative, is_top=True) for alternative in top),
    )


def _typed(data: Mapping[str, object], name: str, type_: type[T]) -> T | None:
    value = data.get(name)
    if value is not None and type(value) is not type_:  # isinstance() would accept a bool as an int
        raise TypeError(f"{name} must be of type {type_.__name__}")
    return value


def _count(line: Json, name: str) -> int | None:
    return token_count(_typed(line, name, int))


def _milliseconds(line: Json, name: str) -> float | None:
    nanoseconds = _typed(line, name, int)
    if nanoseconds is None or milliseconds(nanoseconds // 10**6) is None:
        return None
    return nanoseconds / 1e6
