"""Writes llm's events as text completion chunks, and accumulates chunks to a completion.

Types are those of OpenAI's SDK (`types/completion.py`). Chunks and completions have the same form, except
that `finish_reason` is null in all chunks of a choice but the last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent

from ...generation import Finished, TokenUsage
from ...log.ids import creation_time

Chunk = dict[str, Any]


class CompletionWriter:
    """A `Translator` from `StreamEvent` and `Finished` to chunks, for the choice `index` of an answer.

    `base` has the keys that all chunks of the answer share (`base_chunk`). `echo` is a text to put before the
    answer. `top_logprobs` is the number of alternatives for each token; None leaves log probabilities out.
    """

    def __init__(self, base: Chunk, index: int, *, echo: str = "", top_logprobs: int | None = None) -> None:
        self._base = base
        self._index = index
        self._echo = echo
        self._top_logprobs = top_logprobs
        self._length = 0

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]:
        if self._echo:
            echo, self._echo = self._echo, ""
            yield self._chunk(echo)
        match event:
            case Finished(reason=reason, notes=notes):
                chunk = self._chunk("", finish_reason=reason)
                if notes:
                    chunk["choices"][0]["notes"] = [*notes]
                yield chunk
            case AnswerEvent(chunk=text, logprobs=logprobs) if logprobs and self._top_logprobs is not None:
                yield self._chunk(text, logprobs=self._logprobs(text, logprobs))
                self._length += len(text)
            case StreamEvent(type="text", chunk=text):
                yield self._chunk(text)
                self._length += len(text)

    def finish(self) -> Iterator[Chunk]:
        return iter(())

    def _logprobs(self, text: str, logprobs: Sequence[Logprob]) -> dict[str, Any]:
        "`text_offset` is the position of each token in the choice's text."
        offsets, offset = [], self._length
        for logprob in logprobs:
            offsets.append(offset)
            # Part of a character is spelled as U+FFFD, longer than what it adds to the text.
            offset = min(offset + len(logprob.token), self._length + len(text))
        return {
            "tokens": [logprob.token for logprob in logprobs],
            "token_logprobs": [logprob.logprob for logprob in logprobs],
            "top_logprobs": [_top(logprob) for logprob in logprobs] if self._top_logprobs else None,
            "text_offset": offsets,
        }

    def _chunk(
        self, text: str, finish_reason: str | None = None, logprobs: dict[str, Any] | None = None
    ) -> Chunk:
        choice = {"text": text, "index": self._index, "logprobs": logprobs, "finish_reason": finish_reason}
        return {**self._base, "choices": [choice]}


def _top(logprob: Logprob) -> dict[str, float]:
    "The alternatives and the chosen token, which is always among them."
    return {token.token: token.logprob for token in (*logprob.top, logprob)}


def base_chunk(model: str, answer_id: str) -> Chunk:
    "The keys that all chunks of an answer share. `answer_id` is the id of its first turn."
    return {
        "id": f"cmpl-{answer_id}",
        "object": "text_completion",
        "created": creation_time(answer_id),
        "model": model,
        "system_fingerprint": None,
    }


def usage_json(usages: Sequence[TokenUsage], choices_per_prompt: int) -> dict[str, Any]:
    "The usage of all choices. Choices for the same prompt share its tokens, which count once."
    prompt = sum(usage.prompt_tokens for usage in usages[::choices_per_prompt])
    completion = sum(usage.completion_tokens for usage in usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": sum(usage.reasoning_tokens for usage in usages)},
    }


def accumulate(base: Chunk, chunks: Iterable[Chunk], usage: dict[str, Any]) -> Chunk:
    "The completion that the chunks add up to."
    choices: dict[int, dict[str, Any]] = {}
    # Joined once at the end: adding each piece to the text before it takes quadratic time.
    pieces: dict[int, list[str]] = defaultdict(list)
    for chunk_choice in (choice for chunk in chunks for choice in chunk["choices"]):
        index = chunk_choice["index"]
        empty = {"text": "", "index": index, "logprobs": None, "finish_reason": None}
        _add(choices.setdefault(index, empty), chunk_choice)
        pieces[index].append(chunk_choice["text"])
    for index, texts in pieces.items():
        choices[index]["text"] = "".join(texts)
    return {**base, "choices": list(choices.values()), "usage": usage}


def _add(choice: dict[str, Any], chunk_choice: dict[str, Any]) -> None:
    "Append all but the text of one choice of a chunk to the accumulated choice that has the same index."
    choice["finish_reason"] = chunk_choice["finish_reason"]
    if "notes" in chunk_choice:
        choice["notes"] = chunk_choice["notes"]
    logprobs = chunk_choice["logprobs"]
    if logprobs and choice["logprobs"] is None:
        choice["logprobs"] = {name: None if values is None else [] for name, values in logprobs.items()}
    for name, values in (logprobs or {}).items():
        if values is not None:
            choice["logprobs"][name] += values
