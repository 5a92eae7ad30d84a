"""A logged turn as the events that it was made of, so that one writer serves both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice, pairwise, repeat
from typing import Any

from llm.parts import Message, ReasoningPart, StreamEvent, TextPart, ToolCallPart

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent
from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR, arguments_text

from ..generation import Finished


class PieceLengths:
    """Records how a turn's texts were cut, while it streams.

    `lengths` has one list for each part with text, in order: how long its pieces were. Where there were log
    probabilities one more follows: how many came with each piece of the answer.
    """

    def __init__(self) -> None:
        self._parts: dict[int | None, list[int]] = {}
        self._logprobs: list[int] = []

    def feed(self, event: StreamEvent) -> None:
        if event.type in ("text", "reasoning") and event.chunk:
            self._parts.setdefault(event.part_index, []).append(len(event.chunk))
        if isinstance(event, AnswerEvent) and event.chunk:
            self._logprobs.append(len(event.logprobs))

    @property
    def lengths(self) -> list[list[int]]:
        lengths = [*self._parts.values()]
        return [*lengths, self._logprobs] if any(self._logprobs) else lengths


def replay_events(
    answer: Sequence[Message],
    *,
    pieces: Sequence[Sequence[int]] | None,
    logprobs: Sequence[Mapping[str, Any]] | None,
    finished: Finished | None,
) -> Iterator[StreamEvent | Finished]:
    """The events of the turn that came to `answer`.

    `pieces` are `Pieces.lengths`, `logprobs` are as the log has them (`events.as_openai`). Without `pieces`
    each text is one event. `finished` comes last, if the turn was finished. What else a model that is not
    ours put into its answer is left out: no writer has a place for it.
    """
    parts = [part for message in answer for part in message.parts]
    texts = [part for part in parts if isinstance(part, TextPart | ReasoningPart) and part.text]
    cuts, counts = (pieces or ())[: len(texts)], (pieces or ())[len(texts) :]
    lengths = iter(cuts)
    tokens = map(_logprob, logprobs or ())
    shares = iter(counts[0]) if counts else repeat(len(logprobs or ()))
    for place, part in enumerate(parts):
        match part:
            case ReasoningPart(text=text) if text:
                for piece in _cut(text, next(lengths, ())):
                    yield StreamEvent("reasoning", piece, part_index=place)
            case TextPart(text=text, provider_metadata=metadata) if text:
                for piece in _cut(text, next(lengths, ())):
                    event = AnswerEvent("text", piece, part_index=place, provider_metadata=metadata)
                    if metadata not in (PREAMBLE, SEPARATOR):
                        event.logprobs = tuple(islice(tokens, next(shares, 0)))
                    yield event
            case ToolCallPart():
                yield from _call(part, place)
    if finished:
        yield finished


def _cut(text: str, lengths: Sequence[int]) -> Iterator[str]:
    "What the lengths do not reach is a piece too."
    for start, end in pairwise([0, *accumulate(lengths), len(text)]):
        if piece := text[start:end]:
            yield piece


def _call(part: ToolCallPart, place: int) -> Iterator[StreamEvent]:
    name = StreamEvent("tool_call_name", part.name, provider_metadata=part.provider_metadata)
    for event in (name, StreamEvent("tool_call_args", arguments_text(part))):
        event.part_index, event.tool_call_id = place, part.tool_call_id
        yield event


def _logprob(given: Mapping[str, Any]) -> Logprob:
    spelled = given["bytes"]
    return Logprob(
        given["token"],
        given["logprob"],
        None if spelled is None else tuple(spelled),
        tuple(_logprob(rival) for rival in given["top_logprobs"]),
    )
