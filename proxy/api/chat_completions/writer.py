"""Writes llm's events as chat completion chunks, and accumulates chunks to a chat completion.

Types are those of OpenAI's SDK (`types/chat/chat_completion_chunk.py`). They have no field for the model's
reasoning. OpenAI recommends `reasoning` (openai-cookbook, "handle raw CoT"), but some clients read only
`reasoning_content`, which is DeepSeek's name. So an answer can have the same text under both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator
from typing import Any

from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent

from ...generation import Finished, TokenUsage
from ...items.tools import custom_input
from ...log.ids import creation_time

Chunk = dict[str, Any]

REASONING_NAMES = ("reasoning", "reasoning_content")
TEXT_NAMES = ("content", *REASONING_NAMES)


class ChatWriter:
    """A `Translator` from `StreamEvent` and `Finished` to chunks, for the choice `index` of an answer.

    `base` has the keys that all chunks of the answer share (`base_chunk`). `custom_tools` names the tools
    that take free text. `reasoning_names` are the fields that hold the model's reasoning; without any, the
    answer does not include it. With `as_function_call` a call is a `function_call`, the answer to a request
    that has `functions`.

    Calls of custom tools are chunked as OpenAI's API does it, though its types do not have them
    (https://github.com/openai/openai-openapi/issues/576).
    """

    def __init__(
        self,
        base: Chunk,
        custom_tools: Container[str],
        index: int,
        *,
        reasoning_names: Collection[str],
        as_function_call: bool = False,
    ) -> None:
        self._base = base
        self._custom_tools = custom_tools
        self._index = index
        self._reasoning_names = reasoning_names
        self._as_function_call = as_function_call
        self._call_count = 0
        self._started = False

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]:
        """Return the chunks for an event. Raises TypeError for an event that a chat completion cannot
        represent.
        """
        chunks = self._translate(event)
        if not self._started:
            self._started = True
            chunks.insert(0, self._chunk({"role": "assistant", "content": "", "refusal": None}))
        return iter(chunks)

    def finish(self) -> Iterator[Chunk]:
        return iter(())

    def _translate(self, event: StreamEvent | Finished) -> list[Chunk]:
        if isinstance(event, Finished):
            is_call = self._as_function_call and event.reason == "tool_calls"
            chunk = self._chunk({}, finish_reason="function_call" if is_call else event.reason)
            if event.notes:
                chunk["choices"][0]["notes"] = [*event.notes]
            return [chunk]
        match event.type:
            case "text" | "reasoning" if not event.chunk:
                return []  # other plugins' models may send empty texts, which the log does not keep
            case "text":
                logprobs = event.logprobs if isinstance(event, AnswerEvent) else ()
                return [self._chunk({"content": event.chunk}, logprobs=[_token_logprob(t) for t in logprobs])]
            case "reasoning":
                delta = dict.fromkeys(self._reasoning_names, event.chunk)
                return [self._chunk(delta)] if delta else []
            case "tool_call_name" if self._as_function_call:
                return [self._chunk({"function_call": {"name": event.chunk, "arguments": ""}})]
            case "tool_call_args" if self._as_function_call:
                return [self._chunk({"function_call": {"arguments": event.chunk.strip() or "{}"}})]
            case "tool_call_name":
                self._call_count += 1
                return [self._tool_call_chunk({"id": event.tool_call_id, **self._call_start(event.chunk)})]
            case "tool_call_args":
                return [self._tool_call_chunk(self._call_arguments(event.chunk))]
        raise TypeError(f"no chat completion can hold {event!r}")

    def _tool_call_chunk(self, delta: dict[str, Any]) -> Chunk:
        return self._chunk({"tool_calls": [{"index": self._call_count - 1, **delta}]})

    def _call_start(self, name: str) -> dict[str, Any]:
        self._is_custom = name in self._custom_tools
        if self._is_custom:
            return {"type": "custom", "custom": {"name": name, "input": ""}}
        return {"type": "function", "function": {"name": name, "arguments": ""}}

    def _call_arguments(self, text: str) -> dict[str, Any]:
        arguments = text.strip() or "{}"
        if self._is_custom:
            return {"custom": {"input": custom_input(arguments)}}
        return {"function": {"arguments": arguments}}

    def _chunk(
        self, delta: dict[str, Any], finish_reason: str | None = None, logprobs: list[Any] | None = None
    ) -> Chunk:
        choice = {
            "index": self._index,
            "delta": delta,
            "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
            "finish_reason": finish_reason,
        }
        return {**self._base, "choices": [choice]}


def _token_logprob(token: Logprob) -> dict[str, Any]:
    "Return a token in the form of the SDK's `types/chat/chat_completion_token_logprob.py`."
    return {**_logprob(token), "top_logprobs": [_logprob(alternative) for alternative in token.top]}


def _logprob(token: Logprob) -> dict[str, Any]:
    token_bytes = None if token.bytes is None else list(token.bytes)
    return {"token": token.token, "logprob": token.logprob, "bytes": token_bytes}


def base_chunk(model: str, answer_id: str) -> Chunk:
    "The keys that all chunks of an answer share. `answer_id` is the id of its first turn."
    return {
        "id": f"chatcmpl-{answer_id}",
        "object": "chat.completion.chunk",
        "created": creation_time(answer_id),
        "model": model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def usage_json(usages: Iterable[TokenUsage]) -> dict[str, Any]:
    "The usage of all choices. Their prompt is the same, so its tokens count once."
    all_usages = list(usages)
    prompt = max((usage.prompt_tokens for usage in all_usages), default=0)
    completion = sum(usage.completion_tokens for usage in all_usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        # Ollama does not report which tokens it had cached.
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(usage.reasoning_tokens for usage in all_usages),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def accumulate(chunks: Iterable[Chunk], usage: dict[str, Any]) -> dict[str, Any]:
    "The chat completion that the chunks add up to."
    choices: dict[int, dict[str, Any]] = {}
    # Joined once at the end: adding each piece to the text before it takes quadratic time.
    pieces: dict[tuple[int, str], list[str]] = defaultdict(list)
    base: Chunk = {}
    for chunk in chunks:
        base = chunk
        for chunk_choice in chunk["choices"]:
            index = chunk_choice["index"]
            _add(choices.setdefault(index, _new_choice(index)), chunk_choice)
            for name in TEXT_NAMES:
                if piece := chunk_choice["delta"].get(name):
                    pieces[index, name].append(piece)
    for (index, name), texts in pieces.items():
        choices[index]["message"][name] = "".join(texts)
    for choice in choices.values():
        # Clients expect a text unless there are calls. Only then may it be null.
        if not choice["message"].keys() & {"tool_calls", "function_call"}:
            choice["message"]["content"] = choice["message"]["content"] or ""
    return {**base, "object": "chat.completion", "choices": [*choices.values()], "usage": usage}


def _new_choice(index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": None}


def _add(choice: dict[str, Any], chunk_choice: dict[str, Any]) -> None:
    "Append all but the texts of one choice of a chunk to the accumulated choice that has the same index."
    message, delta = choice["message"], chunk_choice["delta"]
    for key, text in delta.get("function_call", {}).items():
        call = message.setdefault("function_call", {})
        call[key] = call.get(key, "") + text
    for call in delta.get("tool_calls", ()):
        calls = message.setdefault("tool_calls", [])
        if "id" in call:
            calls.append({key: value for key, value in call.items() if key != "index"})
        else:
            call_type = calls[-1]["type"]
            for key, value in call[call_type].items():
                calls[-1][call_type][key] += value
    if chunk_choice["logprobs"]:
        choice["logprobs"] = choice["logprobs"] or {"content": [], "refusal": None}
        choice["logprobs"]["content"] += chunk_choice["logprobs"]["content"]
    choice["finish_reason"] = chunk_choice["finish_reason"] or choice["finish_reason"]
    if "notes" in chunk_choice:
        choice["notes"] = chunk_choice["notes"]
