"""A completion request, and the generations that it asks for. `fields` lists what happens to each field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from llm.parts import Message, TextPart
from pydantic import Field

from ...generation import GenerationRequest
from ...http.field_table import FieldTable
from ...http.unknown_fields import unsupported_parameter
from ..shared_fields import OptionalEffort, Sampling, StreamOptions, TokenLimit, Whole, clamp
from ..text_inputs import TextInput, parse_texts
from .fields import FIELDS

SUFFIX_INSTRUCTION = (
    "The user's message is the beginning of a text. Write what stands between it and the following end, "
    "and nothing else: neither the beginning nor the end again.\n\n{suffix}"
)

# OpenAI's own default.
DEFAULT_MAX_TOKENS = 16


class CompletionRequest(Sampling):
    FIELDS: ClassVar[FieldTable] = FIELDS

    model: str
    prompt: TextInput
    best_of: Whole | None = None
    echo: bool | None = None
    logprobs: Annotated[Whole, Field(ge=0, le=5)] | None = None
    max_tokens: TokenLimit = None
    n: Annotated[Whole, Field(ge=1, le=16)] | None = None
    reasoning_effort: OptionalEffort = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None

    # Without effect: only its type is checked.
    user: str | None = None

    @property
    def choices_per_prompt(self) -> int:
        return self.n or 1

    @property
    def include_usage(self) -> bool:
        "Whether a stream ends with a chunk that has the usage."
        return bool(self.stream_options and self.stream_options.include_usage)

    def prompts(self) -> list[str]:
        return parse_texts(self.prompt, "prompt")

    def generation_requests(self) -> list[GenerationRequest]:
        "One request for each choice of the answer. Raises ApiError for values that are not supported."
        if self.best_of not in (None, self.choices_per_prompt):
            raise unsupported_parameter("best_of", "leave it out, or send the same number as 'n'")
        if self.echo and self.logprobs is not None:
            reason = "Ollama returns no log probabilities for a prompt, so leave out 'echo' or 'logprobs'"
            raise unsupported_parameter("echo", reason)
        options = {name: value for name, value in self._options() if value is not None}
        return [
            GenerationRequest(
                "/v1/completions",
                self.model,
                tuple(self._messages(text)),
                options={**options, **self.seed_option(choice)},
                stream=bool(self.stream),
                fields={"messages": "prompt", "repeat_penalty": "repetition_penalty"},
                added=1 if self.suffix else 0,
                default_effort="none",
            )
            for text in self.prompts()
            for choice in range(self.choices_per_prompt)
        ]

    def _messages(self, text: str) -> Iterator[Message]:
        if self.suffix:
            yield Message("developer", [TextPart(SUFFIX_INSTRUCTION.format(suffix=self.suffix))])
        yield Message("user", [TextPart(text)])

    def _options(self) -> Iterator[tuple[str, Any]]:
        yield "reasoning_effort", self.reasoning_effort
        yield "max_tokens", clamp(self.max_tokens or DEFAULT_MAX_TOKENS)
        yield "top_logprobs", self.logprobs
        # If the model calls a tool anyway, the plugin makes it answer instead.
        yield "tool_choice", "none"
        yield from self.sampling_options()
