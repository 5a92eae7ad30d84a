"""Raw completions on an engine that is not Ollama: `POST /api/generate` with `raw: true`.

Programs that speak harmony themselves, such as the engine `proxy`, complete raw text through Ollama's API.
The engine of the model answers them in Ollama's form, so they need not know which engine that is.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from llm_gpt_oss.completion import AsyncEngine, Completion, Done, Json, Logprob, Piece, Sampling
from llm_gpt_oss.engines.ollama.forward import ForwardedResponse
from llm_gpt_oss.engines.ollama.wire import GenerateLine, TokenLogprob
from llm_gpt_oss.errors import EmptyStream, EngineBusy, GptOssError
from llm_gpt_oss.harmony.markers import MARKER, MARKERS

from ...inference.queue import Queue

NANOSECONDS = 1_000_000  # in a millisecond

# Ollama takes one string as a list of one.
StopStrings = Annotated[
    list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class RawOptions(BaseModel):
    "Those of Ollama's options that all engines have. A `num_predict` below 1 means no limit."

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    num_predict: int | None = None
    num_ctx: int | None = None
    stop: StopStrings | None = None


class RawBody(BaseModel):
    "The fields of `/api/generate` that raw completions use."

    model: str
    prompt: str
    raw: Literal[True]
    stream: bool | None = None
    format: dict[str, Any] | Literal["json", ""] | None = None
    options: RawOptions | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    keep_alive: str | int | float | None = None

    def to_completion(self, tag: str, context_length: int | None = None) -> Completion:
        """Return the completion to run with the model `tag`.

        `context_length` is the one that it has if the request has none.
        """
        options = self.options or RawOptions()
        names = Sampling.__dataclass_fields__
        return Completion(
            tag,
            self.prompt,
            format=self.format or None,
            stop=tuple(options.stop or ()),
            max_tokens=options.num_predict if (options.num_predict or 0) > 0 else None,
            top_logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            context_length=options.num_ctx or context_length,
            keep_alive=self.keep_alive,
            sampling=Sampling(**{name: getattr(options, name) for name in names}),
        )


def is_raw(data: Any) -> bool:
    "Whether this body, as JSON, is that of a raw completion, valid or not."
    return isinstance(data, dict) and data.get("raw") is True and bool(data.get("prompt"))


@asynccontextmanager
async def complete(
    engine: AsyncEngine, completion: Completion, queue: Queue, *, model: str, stream: bool
) -> AsyncIterator[ForwardedResponse]:
    """Run the completion, and return the answer in Ollama's form as soon as it begins.

    `model` is the model's name in the answer. Raises the errors of the engine that come before its text, and
    EngineBusy if the queue is full.
    """
    async with aclosing(_queued(engine, completion, queue)) as items:
        try:
            first = await anext(items)
        except EmptyStream:
            yield _response(stream, _nothing())  # as Ollama does, so that clients ask once more
            return
        lines = _lines(first, items, model)
        yield _response(stream, _encoded(lines if stream else _joined(lines)))


async def _queued(
    engine: AsyncEngine, completion: Completion, queue: Queue
) -> AsyncGenerator[Piece | Done, None]:
    if queue.is_full:
        raise EngineBusy(f"{queue.waiting} requests are waiting already.", remedy="Try again in a moment.")
    async with queue.slot(), aclosing(engine.complete(completion)) as items:
        async for item in items:
            yield item


def _response(stream: bool, body: AsyncIterator[bytes]) -> ForwardedResponse:
    content_type = b"application/x-ndjson" if stream else b"application/json"
    return ForwardedResponse(200, [(b"content-type", content_type)], body)


async def _nothing() -> AsyncIterator[bytes]:
    lines: tuple[bytes, ...] = ()
    for line in lines:
        yield line


async def _lines(
    first: Piece | Done, items: AsyncIterator[Piece | Done], model: str
) -> AsyncGenerator[Json, None]:
    "Yield the lines of a stream. An error of the engine is the last line."
    yield _line(first, model)
    try:
        async for item in items:
            yield _line(item, model)
    except GptOssError as error:
        yield {"error": str(error)}


async def _joined(lines: AsyncIterator[Json]) -> AsyncGenerator[Json, None]:
    "Yield the answer that is not streamed: the last line, with the text and the tokens of all lines."
    texts: list[str] = []
    logprobs: list[Any] = []
    line: Json = {}
    async for line in lines:
        texts.append(line.get("response", ""))
        logprobs += line.get("logprobs", ())
    yield {**line, "response": "".join(texts), **({"logprobs": logprobs} if logprobs else {})}


async def _encoded(lines: AsyncIterator[Json]) -> AsyncGenerator[bytes, None]:
    async for line in lines:
        yield json.dumps(line).encode() + b"\n"


def _line(item: Piece | Done, model: str) -> Json:
    line: GenerateLine
    if isinstance(item, Done):
        line = {
            "response": "",
            "done": True,
            "done_reason": item.reason,
            **_counts(item),  # type: ignore[typeddict-item]
        }
    else:
        line = {"response": item.text, "done": False}
        if item.logprobs:
            line["logprobs"] = [_token(logprob) for logprob in item.logprobs]
        if item.text in MARKERS:
            if item.logprobs:
                # llama.cpp does not report the text of special tokens, which tells them from such text.
                line["logprobs"][0]["token"] = item.text
        elif MARKER.search(item.text):
            line["logprobs"] = _tokens_without_markers(item)
    return {"model": model, "created_at": datetime.now(timezone.utc).isoformat(), **line}


def _tokens_without_markers(piece: Piece) -> list[TokenLogprob]:
    """Return tokens of a text that spells out a marker, none of which is or has a marker.

    The engine may have reported the whole text as one token. A client would take the marker in it for real.
    """
    logprob = piece.logprobs[0].logprob if piece.logprobs else 0.0
    texts = [text for text in re.split("(?<=<)", piece.text) if text]
    return [{"token": text, "logprob": logprob} for text in texts]


def _counts(done: Done) -> dict[str, int]:
    counts = {
        "load_duration": _nanoseconds(done.load_ms),
        "prompt_eval_count": done.prompt_tokens,
        "prompt_eval_duration": _nanoseconds(done.prompt_ms),
        "eval_count": done.completion_tokens,
        "eval_duration": _nanoseconds(done.completion_ms),
    }
    return {name: count for name, count in counts.items() if count}


def _nanoseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds * NANOSECONDS)


def _token(logprob: Logprob) -> TokenLogprob:
    token: TokenLogprob = {"token": logprob.token, "logprob": logprob.logprob}
    if logprob.bytes is not None:
        token["bytes"] = list(logprob.bytes)
    if logprob.top:
        token["top_logprobs"] = [_token(alternative) for alternative in logprob.top]
    return token
