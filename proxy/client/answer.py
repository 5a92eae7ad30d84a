"What the server answers, as values."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_gpt_oss.completion import Json


@dataclass(frozen=True, slots=True)
class ToolCall:
    "A tool call. `arguments` is JSON text."

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    "Counts of tokens. `completion_tokens` includes `reasoning_tokens`."

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer.

    `finish_reason` is `stop`, `length` (cut by a limit) or `tool_calls`. `id` identifies the answer on the
    server. `Client.respond` takes the `id` of its earlier answer as `previous`.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    id: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)

    @property
    def message(self) -> Json:
        "The answer as a message of the history that the next `chat` sends."
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in self.tool_calls
        ]
        return {"role": "assistant", "content": self.text, **({"tool_calls": calls} if calls else {})}


@dataclass(frozen=True, slots=True)
class Delta:
    "A piece of an answer. The last one has the whole `answer`."

    text: str = ""
    reasoning: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Model:
    "A model of the server. `id` is a name that the client's methods take as `model`."

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the server.

    `status` is `ok`, or `degraded` if a prompt would fail now or if there are `problems`, which keep turns
    from being logged. `model` is the server's default model, `engine` the state of its engine, and `loaded`
    is whether it is in memory.
    """

    status: str
    engine: str
    model: str
    loaded: bool
    version: str
    problems: Sequence[str] = ()


class ChatAnswer:
    "Collects the chunks of a chat completion. https://platform.openai.com/docs/api-reference/chat-streaming"

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish_reason: str | None = None
        self._last: Json = {}
        self._usage = Usage()

    def feed(self, chunk: Json) -> Iterator[Delta]:
        """Yield the text and the reasoning that the chunk adds.

        Raises KeyError, TypeError or AttributeError for a chunk of an unexpected form.
        """
        self._last = chunk
        if usage := chunk.get("usage"):
            details = usage.get("completion_tokens_details") or {}
            counts = usage["prompt_tokens"], usage["completion_tokens"]
            self._usage = Usage(*counts, details.get("reasoning_tokens") or 0)
        for choice in chunk["choices"]:
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            delta = choice["delta"]
            for number, call in enumerate(delta.get("tool_calls") or ()):
                self._add_call(call.get("index", number), call)
            text = _text(delta, "content")
            # The server sends both names, or the one that it was told to send.
            reasoning = _text(delta, "reasoning_content", "reasoning")
            if text or reasoning:
                self._texts.append(text)
                self._reasoning.append(reasoning)
                yield Delta(text, reasoning)

    def _add_call(self, index: int, part: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] += part.get("id") or ""
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    @property
    def is_complete(self) -> bool:
        return self._finish_reason is not None

    @property
    def answer(self) -> Answer:
        return Answer(
            "".join(self._texts),
            "".join(self._reasoning),
            tuple(ToolCall(**call) for call in self._calls.values()),
            self._finish_reason,
            str(self._last.get("id", "")),
            str(self._last.get("model", "")),
            self._usage,
        )


def _text(delta: Json, *names: str) -> str:
    "Return the text of the first of these fields that has one. Raises TypeError if it is not a string."
    value = next(filter(None, map(delta.get, names)), "")
    if not isinstance(value, str):
        raise TypeError(f"{names[0]} is not a string: {value!r}")
    return value


def chat_answer(completion: Json) -> Answer:
    "Return the answer of a chat completion, which is a stream of one chunk."
    answer = ChatAnswer()
    choices = [{**choice, "delta": choice["message"]} for choice in completion["choices"]]
    for _ in answer.feed({**completion, "choices": choices}):
        pass
    return answer.answer


def response_answer(response: Json) -> Answer:
    "Return the answer of a response. https://platform.openai.com/docs/api-reference/responses/object"
    items: Sequence[Json] = response["output"]
    calls = tuple(
        ToolCall(item["call_id"], item["name"], item["arguments"])
        for item in items
        if item["type"] == "function_call"
    )
    reason = (response.get("incomplete_details") or {}).get("reason")
    usage = response.get("usage") or {}
    details = usage.get("output_tokens_details") or {}
    return Answer(
        "".join(_texts(items, "message", "content")),
        "".join(_texts(items, "reasoning", "content")) or "".join(_texts(items, "reasoning", "summary")),
        calls,
        "length" if reason == "max_output_tokens" else reason or ("tool_calls" if calls else "stop"),
        response["id"],
        response["model"],
        Usage(
            usage.get("input_tokens", 0), usage.get("output_tokens", 0), details.get("reasoning_tokens", 0)
        ),
    )


def _texts(items: Sequence[Json], type_: str, key: str) -> Iterator[str]:
    for item in items:
        if item["type"] == type_:
            yield from (part["text"] for part in item.get(key) or () if "text" in part)
