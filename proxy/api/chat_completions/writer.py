"""llm's events to chat completion chunks; the whole answer is the fold of them.

Types as in OpenAI's SDK, `types/chat/chat_completion_chunk.py`. `reasoning` is the field for the chain of
thought (openai-cookbook, "handle raw CoT").
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent

from ...generation import Finished, TokenUsage
from ...items.tools import custom_input
from ...log.ids import creation_time

Chunk = dict[str, Any]


class ChatWriter:
    """A `flow.Translator` from `StreamEvent` and `Finished` to chunks, for choice `index` of an answer.

    `head` is what all chunks of one answer share; `custom` names the tools whose one argument is free text;
    `reasoning` says whether the chain of thought is shown.
    OpenAI's types know no custom call in a chunk, though its API sends them
    (https://github.com/openai/openai-openapi/issues/576): they are sent as it sends them.
    """

    def __init__(self, head: Chunk, custom: Container[str], index: int, *, reasoning: bool) -> None:
        self._head = head
        self._custom = custom
        self._index = index
        self._reasoning = reasoning
        self._calls = 0
        self._begun = False

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]:
        if not self._begun:
            self._begun = True
            yield self._chunk({"role": "assistant", "content": "", "refusal": None})
        match event:
            case Finished(reason=reason):
                yield self._chunk({}, finish_reason=reason)
            case StreamEvent(type="text" | "reasoning", chunk=""):
                # Only from models that are not ours, and no part of what the log keeps.
                return
            case StreamEvent(type="reasoning", chunk=text):
                if self._reasoning:
                    yield self._chunk({"reasoning": text})
            case AnswerEvent(chunk=text, logprobs=logprobs) if logprobs:
                yield self._chunk({"content": text}, logprobs=[_token_logprob(given) for given in logprobs])
            case StreamEvent(type="text", chunk=text):
                yield self._chunk({"content": text})
            case StreamEvent(type="tool_call_name", chunk=name, tool_call_id=call_id):
                self._calls += 1
                yield self._call({"id": call_id, **self._named(name)})
            case StreamEvent(type="tool_call_args", chunk=arguments):
                yield self._call(self._arguments(arguments))
            case _:
                raise TypeError(f"no place in a chat completion for {event!r}")

    def finish(self) -> Iterator[Chunk]:
        return iter(())

    def _call(self, delta: dict[str, Any]) -> Chunk:
        return self._chunk({"tool_calls": [{"index": self._calls - 1, **delta}]})

    def _named(self, name: str) -> dict[str, Any]:
        self._is_custom = name in self._custom
        if self._is_custom:
            return {"type": "custom", "custom": {"name": name, "input": ""}}
        return {"type": "function", "function": {"name": name, "arguments": ""}}

    def _arguments(self, text: str) -> dict[str, Any]:
        text = text.strip() or "{}"
        if self._is_custom:
            return {"custom": {"input": custom_input(text)}}
        return {"function": {"arguments": text}}

    def _chunk(
        self, delta: dict[str, Any], finish_reason: str | None = None, logprobs: list[Any] | None = None
    ) -> Chunk:
        choice = {
            "index": self._index,
            "delta": delta,
            "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
            "finish_reason": finish_reason,
        }
        return {**self._head, "choices": [choice]}


def _token_logprob(given: Logprob) -> dict[str, Any]:
    "`types/chat/chat_completion_token_logprob.py`"
    return {**_logprob(given), "top_logprobs": [_logprob(rival) for rival in given.top]}


def _logprob(given: Logprob) -> dict[str, Any]:
    spelled = None if given.bytes is None else list(given.bytes)
    return {"token": given.token, "logprob": given.logprob, "bytes": spelled}


def base_chunk(model: str, answer_id: str) -> Chunk:
    "What all chunks of one answer share. `answer_id` is the id of its first turn."
    return {
        "id": f"chatcmpl-{answer_id}",
        "object": "chat.completion.chunk",
        "created": creation_time(answer_id),
        "model": model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def usage_json(usages: Iterable[TokenUsage]) -> dict[str, Any]:
    "Prompt tokens count once, whatever the number of choices: they are the same."
    given = list(usages)
    prompt = max((usage.prompt_tokens for usage in given), default=0)
    completion = sum(usage.completion_tokens for usage in given)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        # Ollama does not say what it had in its cache.
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(usage.reasoning_tokens for usage in given),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def accumulate(chunks: Iterable[Chunk], usage: dict[str, Any]) -> dict[str, Any]:
    "The answer that the chunks add up to."
    choices: dict[int, dict[str, Any]] = {}
    shared: Chunk = {}
    for chunk in chunks:
        shared = chunk
        for part in chunk["choices"]:
            _add(choices.setdefault(part["index"], _empty(part["index"])), part)
    for choice in choices.values():
        # Null is for an answer that calls: other clients take it that there is a text.
        if "tool_calls" not in choice["message"]:
            choice["message"]["content"] = choice["message"]["content"] or ""
    return {**shared, "object": "chat.completion", "choices": [*choices.values()], "usage": usage}


def _empty(index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": None}


def _add(choice: dict[str, Any], part: dict[str, Any]) -> None:
    message, delta = choice["message"], part["delta"]
    for key in ("content", "reasoning"):
        if delta.get(key):
            message[key] = (message.get(key) or "") + delta[key]
    for call in delta.get("tool_calls", ()):
        calls = message.setdefault("tool_calls", [])
        if "id" in call:
            calls.append({key: value for key, value in call.items() if key != "index"})
        else:
            kind = calls[-1]["type"]
            for key, value in call[kind].items():
                calls[-1][kind][key] += value
    if part["logprobs"]:
        choice["logprobs"] = choice["logprobs"] or {"content": [], "refusal": None}
        choice["logprobs"]["content"] += part["logprobs"]["content"]
    choice["finish_reason"] = part["finish_reason"] or choice["finish_reason"]
