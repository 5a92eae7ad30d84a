"""Replays a logged turn as the events that it consisted of, so that one writer serves both."""

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
    """Records how a turn's texts are split into pieces, while it streams.

    `lengths` has a list for each part with text, in order: the length of each piece. If there were log
    probabilities, one more list has the number that came with each piece of the answer.
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
    """The events of the turn that produced `answer`, with `finished` at the end, if that is given.

    `pieces` are `PieceLengths.lengths`; without them each text is one event. `logprobs` are as in the log
    (`events.logprob_json`). Other parts, which another plugin's model may produce, are left out: no writer
    supports them.
    """
    parts = [part for message in answer for part in message.parts]
    texts = [part for part in parts if isinstance(part, TextPart | ReasoningPart) and part.text]
    piece_lengths, counts = (pieces or ())[: len(texts)], (pieces or ())[len(texts) :]
    lengths = iter(piece_lengths)
    tokens = map(_logprob, logprobs or ())
    logprob_counts = iter(counts[0]) if counts else repeat(len(logprobs or ()))
    for index, part in enumerate(parts):
        match part:
            case ReasoningPart(text=text) if text:
                for piece in _split(text, next(lengths, ())):
                    yield StreamEvent("reasoning", piece, part_index=index)
            case TextPart(text=text, provider_metadata=metadata) if text:
                for piece in _split(text, next(lengths, ())):
                    event = AnswerEvent("text", piece, part_index=index, provider_metadata=metadata)
                    if metadata not in (PREAMBLE, SEPARATOR):
                        event.logprobs = tuple(islice(tokens, next(logprob_counts, 0)))
                    yield event
            case ToolCallPart():
                yield from _call_events(part, index)
    if finished:
        yield finished


def _split(text: str, lengths: Sequence[int]) -> Iterator[str]:
    "The pieces of a text with these lengths; the rest of the text is the last piece."
    for start, end in pairwise([0, *accumulate(lengths), len(text)]):
        if piece := text[start:end]:
            yield piece


def _call_events(part: ToolCallPart, index: int) -> Iterator[StreamEvent]:
    name = StreamEvent("tool_call_name", part.name, provider_metadata=part.provider_metadata)
    for event in (name, StreamEvent("tool_call_args", arguments_text(part))):
        event.part_index, event.tool_call_id = index, part.tool_call_id
        yield event


def _logprob(data: Mapping[str, Any]) -> Logprob:
    token_bytes = data["bytes"]
    return Logprob(
        data["token"],
        data["logprob"],
        None if token_bytes is None else tuple(token_bytes),
        tuple(_logprob(alternative) for alternative in data["top_logprobs"]),
    )
