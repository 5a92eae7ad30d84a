"""llm's events to text completion chunks; the whole answer is the fold of them.

Types as in OpenAI's SDK, `types/completion.py`: a chunk and the whole answer have one form, but that
`finish_reason` is null in all chunks of a choice save its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent

from ...generation import Finished, TokenUsage
from ...log.ids import creation_time

Chunk = dict[str, Any]


class CompletionWriter:
    """A `flow.Translator` from `StreamEvent` and `Finished` to chunks, for choice `index` of an answer.

    `head` is what all chunks of one answer share, `echo` the text that comes before the answer's own.
    `rivals` is how many of each token's rivals are shown; None where no log probabilities are.
    """

    def __init__(self, head: Chunk, index: int, *, echo: str = "", top_logprobs: int | None = None) -> None:
        self._head = head
        self._index = index
        self._echo = echo
        self._rivals = top_logprobs
        self._length = 0

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]:
        if self._echo:
            echo, self._echo = self._echo, ""
            yield self._chunk(echo)
        match event:
            case Finished(reason=reason):
                yield self._chunk("", finish_reason=reason)
            case AnswerEvent(chunk=text, logprobs=logprobs) if logprobs and self._rivals is not None:
                yield self._chunk(text, logprobs=self._legacy(text, logprobs, self._rivals))
                self._length += len(text)
            case StreamEvent(type="text", chunk=text):
                yield self._chunk(text)
                self._length += len(text)

    def finish(self) -> Iterator[Chunk]:
        return iter(())

    def _legacy(self, text: str, logprobs: Sequence[Logprob], rivals: int) -> dict[str, Any]:
        "`text_offset` is where each token begins in the choice's text."
        offsets, place = [], self._length
        for logprob in logprobs:
            offsets.append(place)
            # A token that is no whole character is spelled longer than what it adds to the text.
            place = min(place + len(logprob.token), self._length + len(text))
        return {
            "tokens": [logprob.token for logprob in logprobs],
            "token_logprobs": [logprob.logprob for logprob in logprobs],
            "top_logprobs": [_top(logprob) for logprob in logprobs] if rivals else None,
            "text_offset": offsets,
        }

    def _chunk(
        self, text: str, finish_reason: str | None = None, logprobs: dict[str, Any] | None = None
    ) -> Chunk:
        choice = {"text": text, "index": self._index, "logprobs": logprobs, "finish_reason": finish_reason}
        return {**self._head, "choices": [choice]}


def _top(logprob: Logprob) -> dict[str, float]:
    "The token that was drawn is always among them."
    return {rival.token: rival.logprob for rival in (*logprob.top, logprob)}


def base_chunk(model: str, answer_id: str) -> Chunk:
    "What all chunks of one answer share. `answer_id` is the id of its first turn."
    return {
        "id": f"cmpl-{answer_id}",
        "object": "text_completion",
        "created": creation_time(answer_id),
        "model": model,
        "system_fingerprint": None,
    }


def usage_json(usages: Sequence[TokenUsage], choices_per_prompt: int) -> dict[str, Any]:
    "Of `copies` choices for each prompt. Their prompt's tokens count once: they are the same."
    prompt = sum(usage.prompt_tokens for usage in usages[::choices_per_prompt])
    completion = sum(usage.completion_tokens for usage in usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": sum(usage.reasoning_tokens for usage in usages)},
    }


def accumulate(head: Chunk, chunks: Iterable[Chunk], usage: dict[str, Any]) -> Chunk:
    "The answer that the chunks add up to."
    choices: dict[int, dict[str, Any]] = {}
    for part in (part for chunk in chunks for part in chunk["choices"]):
        empty = {"text": "", "index": part["index"], "logprobs": None, "finish_reason": None}
        _add(choices.setdefault(part["index"], empty), part)
    return {**head, "choices": list(choices.values()), "usage": usage}


def _add(choice: dict[str, Any], part: dict[str, Any]) -> None:
    choice["text"] += part["text"]
    choice["finish_reason"] = part["finish_reason"]
    if part["logprobs"] and choice["logprobs"]:
        for name, values in part["logprobs"].items():
            choice["logprobs"][name] = values and [*choice["logprobs"][name], *values]
    else:
        choice["logprobs"] = choice["logprobs"] or part["logprobs"]
