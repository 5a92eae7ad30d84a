"""A completion request: every field of OpenAI's SDK, decided on.

The fields are those of `types/completion_create_params.py`, and what clients of local models add.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from llm.parts import Message, TextPart
from pydantic import Field

from llm_gpt_oss.options import KeepAlive

from ...generation import GenerationRequest
from ...http.body_model import Body, Decision
from ...http.errors import ApiError
from ...inference.model_names import EFFORTS
from ..shared_fields import INT32, Effort, Penalty, Probability, StreamOptions
from ..text_inputs import TextInput, parse_texts

# Each field of the SDK's type, and what becomes of it. `refused` fields are refused only where they ask for
# something: null and an empty object ask for nothing.
FIELDS: dict[str, tuple[Decision, str]] = {
    "model": ("honoured", ""),
    "prompt": ("honoured", "text or texts, each a user's message; token ids are refused"),
    "best_of": ("honoured", "only where it equals n"),
    "echo": ("honoured", "not together with logprobs"),
    "frequency_penalty": ("honoured", ""),
    "logit_bias": ("refused", "Ollama has no such option"),
    "logprobs": ("honoured", "up to 5 rivals a token"),
    "max_tokens": ("honoured", "16 without it, as OpenAI has it"),
    "n": ("honoured", "up to 16, one after the other"),
    "presence_penalty": ("honoured", ""),
    "seed": ("honoured", "each choice has one of its own"),
    "stop": ("honoured", "up to 4"),
    "stream": ("honoured", ""),
    "stream_options": ("honoured", "include_usage"),
    "suffix": ("honoured", "as an instruction"),
    "temperature": ("honoured", ""),
    "top_p": ("honoured", ""),
    "user": ("no effect", ""),
    # Not OpenAI's.
    "keep_alive": ("honoured", ""),
    "min_p": ("honoured", ""),
    "reasoning_effort": ("honoured", "none without it; the reasoning is not shown, but counts as tokens"),
    "repetition_penalty": ("honoured", ""),
    "top_k": ("honoured", ""),
}

SUFFIX_INSTRUCTION = (
    "The user's message is the beginning of a text. Write what stands between it and the following end, "
    "and nothing else: neither the beginning nor the end again.\n\n{suffix}"
)

StopString = Annotated[str, Field(min_length=1)]


class CompletionRequest(Body):
    model: str
    prompt: TextInput
    best_of: int | None = None
    echo: bool | None = None
    frequency_penalty: Penalty | None = None
    keep_alive: KeepAlive | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=INT32)] | None = None
    min_p: Probability | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    presence_penalty: Penalty | None = None
    reasoning_effort: Effort | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    seed: int | None = None
    stop: StopString | Annotated[list[StopString], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: Annotated[int, Field(ge=0, le=INT32)] | None = None
    top_p: Probability | None = None

    # Without effect, whatever it holds.
    user: Any = None

    # Refused, whatever it holds.
    logit_bias: Any = None

    @property
    def choices_per_prompt(self) -> int:
        "How many choices each prompt gets."
        return self.n or 1

    @property
    def include_usage(self) -> bool:
        "Whether a stream ends with a chunk that tells the usage."
        return bool(self.stream_options and self.stream_options.include_usage)

    def prompts(self) -> list[str]:
        return parse_texts(self.prompt, "prompt")

    def generation_requests(self) -> list[GenerationRequest]:
        "One for each choice. Raises ApiError for what is refused."
        self._refuse()
        options = {name: value for name, value in self._options() if value is not None}
        return [
            GenerationRequest(
                "/v1/completions",
                self.model,
                tuple(self._messages(text)),
                options={**options, **self._seed(copy)},
                stream=bool(self.stream),
                input_field="prompt",
                added=1 if self.suffix else 0,
            )
            for text in self.prompts()
            for copy in range(self.choices_per_prompt)
        ]

    def _seed(self, copy: int) -> dict[str, int]:
        "One of its own for each choice: one for all would make them all the same."
        return {} if self.seed is None else {"seed": (self.seed + copy) % 2**31}

    def _refuse(self) -> None:
        if self.logit_bias not in (None, {}):
            raise _unsupported("logit_bias", FIELDS["logit_bias"][1])
        if self.best_of not in (None, self.choices_per_prompt):
            raise _unsupported("best_of", "other than n, no answer is compared with another")
        if self.echo and self.logprobs is not None:
            raise _unsupported("echo", "together with logprobs: Ollama does not tell those of a prompt")

    def _messages(self, text: str) -> Iterator[Message]:
        if self.suffix:
            yield Message("developer", [TextPart(SUFFIX_INSTRUCTION.format(suffix=self.suffix))])
        yield Message("user", [TextPart(text)])

    def _options(self) -> Iterator[tuple[str, Any]]:
        # A model's name may carry an effort (`catalog`), which a word here would beat.
        named = self.model.rpartition("-")[2] in EFFORTS
        yield "reasoning_effort", self.reasoning_effort or (None if named else "none")
        yield "max_tokens", self.max_tokens or 16
        # Always a list: the plugin's option reads a text such as `["a"]` as several strings.
        yield "stop", [self.stop] if isinstance(self.stop, str) else self.stop or None
        yield "repeat_penalty", self.repetition_penalty
        yield "top_logprobs", self.logprobs
        # A model that calls a tool all the same is brought to answer instead.
        yield "tool_choice", "none"
        names = ("frequency_penalty", "presence_penalty", "temperature", "top_p", "top_k", "min_p")
        for name in (*names, "keep_alive"):
            yield name, getattr(self, name)


def _unsupported(name: str, why: str) -> ApiError:
    message = f"'{name}' is not supported here: {why}."
    return ApiError(400, message, code="unsupported_parameter", param=name)
