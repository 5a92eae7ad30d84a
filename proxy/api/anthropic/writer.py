"""Writes llm's events as the events of a Messages stream, and accumulates them to a message.

Types are those of Anthropic's SDK (`types/raw_message_stream_event.py`). The `signature` of a thinking block
holds the reasoning itself (`items/encrypted_content`), so a client that sends it back needs no log here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from llm.parts import StreamEvent
from pydantic_core import from_json

from llm_gpt_oss.turn.messages import SEPARATOR

from ...generation import Finished, TokenUsage
from ...items.encrypted_content import to_encrypted_content

Event = dict[str, Any]

# How thinking is shown: as text and signature, as a signature alone, or not at all.
ThinkingDisplay = Literal["text", "signature", "none"]

PING: Event = {"type": "ping"}
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


@dataclass
class OpenBlock:
    """The content block that events are added to. `key` tells it from another block of the same type.

    `texts` are the pieces of reasoning that it holds so far.
    """

    type: str
    key: Any
    texts: list[str] = field(default_factory=list)


class MessageWriter:
    """A `Translator` from `StreamEvent` and `Finished` to events.

    `base` is the message without its content (`base_message`). `max_tokens` is the limit of the request: an
    answer that was cut before it has filled the model's context.
    """

    def __init__(self, base: Event, thinking: ThinkingDisplay, max_tokens: int | None) -> None:
        self._base = base
        self._thinking = thinking
        self._max_tokens = max_tokens
        self._started = False
        self._block_count = 0
        self._open: OpenBlock | None = None

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Event]:
        "Yield the events for an event. Raises TypeError for an event that a message cannot represent."
        if not self._started:
            self._started = True
            yield {"type": "message_start", "message": self._base}
            yield PING
        if isinstance(event, Finished):
            yield from self._close()
            yield from self._end(event)
            return
        match event.type:
            case "text" | "reasoning" if not event.chunk:
                pass  # other plugins' models may send empty texts, which the log does not keep
            case "text":
                yield from self._text(event)
            case "reasoning":
                yield from self._reasoning(event)
            case "tool_call_name":
                yield from self._close()
                block = OpenBlock("tool_use", event.tool_call_id)
                yield self._begin(block, id=event.tool_call_id, name=event.chunk, input={})
            case "tool_call_args":
                yield self._delta("input_json_delta", partial_json=event.chunk.strip() or "{}")
            case _:
                raise TypeError(f"no message can hold {event!r}")

    def finish(self) -> Iterator[Event]:
        return iter(())

    def _text(self, event: StreamEvent) -> Iterator[Event]:
        "Texts of several messages become one block, but thinking or calls between them begin another."
        if self._open is None or self._open.type != "text":
            if event.provider_metadata == SEPARATOR:
                return
            yield from self._close()
            yield self._begin(OpenBlock("text", None), text="", citations=None)
        yield self._delta("text_delta", text=event.chunk)

    def _reasoning(self, event: StreamEvent) -> Iterator[Event]:
        if self._thinking == "none":
            return
        if self._open is None or (self._open.type, self._open.key) != ("thinking", event.part_index):
            yield from self._close()
            yield self._begin(OpenBlock("thinking", event.part_index), thinking="", signature="")
        assert self._open is not None
        self._open.texts.append(event.chunk)
        if self._thinking == "text":
            yield self._delta("thinking_delta", thinking=event.chunk)

    def _begin(self, block: OpenBlock, **content: Any) -> Event:
        self._open = block
        self._block_count += 1
        content_block = {"type": block.type, **content}
        return {"type": "content_block_start", "index": self._block_count - 1, "content_block": content_block}

    def _delta(self, delta_type: str, **delta: Any) -> Event:
        index = self._block_count - 1
        return {"type": "content_block_delta", "index": index, "delta": {"type": delta_type, **delta}}

    def _close(self) -> Iterator[Event]:
        if self._open is None:
            return
        if self._open.type == "thinking":
            reasoning = "".join(self._open.texts)
            yield self._delta("signature_delta", signature=to_encrypted_content(reasoning))
        yield {"type": "content_block_stop", "index": self._block_count - 1}
        self._open = None

    def _end(self, finished: Finished) -> Iterator[Event]:
        delta: Event = {"stop_reason": self._stop_reason(finished), "stop_sequence": None}
        if finished.notes:
            delta["notes"] = [*finished.notes]
        yield {"type": "message_delta", "delta": delta, "usage": usage_json(finished.usage)}
        yield {"type": "message_stop"}

    def _stop_reason(self, finished: Finished) -> str:
        reason = STOP_REASONS[finished.reason]
        unlimited = self._max_tokens is None or finished.usage.completion_tokens < self._max_tokens
        return "model_context_window_exceeded" if reason == "max_tokens" and unlimited else reason


def base_message(model: str, answer_id: str) -> Event:
    "The message that a stream begins with. `answer_id` is the id of its turn."
    return {
        "id": f"msg_{answer_id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_json(TokenUsage(0, 0, 0)),
    }


def usage_json(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        # Ollama does not report which tokens it had cached.
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def accumulate(events: Iterable[Event]) -> dict[str, Any]:
    "The message that the events add up to."
    message: dict[str, Any] = {}
    # Joined once at the end: adding each piece to the text before it takes quadratic time.
    pieces: dict[tuple[int, str], list[str]] = defaultdict(list)
    for event in events:
        match event["type"]:
            case "message_start":
                message = {**event["message"], "content": []}
            case "content_block_start":
                message["content"].append({**event["content_block"]})
            case "content_block_delta":
                (name,) = event["delta"].keys() - {"type"}
                pieces[event["index"], name].append(event["delta"][name])
            case "message_delta":
                message |= {**event["delta"], "usage": event["usage"]}
    for (index, name), texts in pieces.items():
        text = "".join(texts)
        message["content"][index] |= {"input": from_json(text)} if name == "partial_json" else {name: text}
    return message
