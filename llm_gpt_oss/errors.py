"""The errors between a prompt and its answer.

llm.ModelError
└── GptOssError               what happened, why, and what to type next
    ├── BadRequest            the request is invalid; names the parameter
    │   ├── ContextOverflow   the prompt is longer than the context
    │   └── UnusableSchema    the engine cannot constrain its output by this schema
    ├── EngineError           the engine failed; has the HTTP status if there is one
    │   ├── EngineUnreachable nothing answers at its address
    │   ├── EngineBusy        its queue is full
    │   ├── Unauthorized      it needs a key, or a different one
    │   ├── ModelMissing      it does not have the model
    │   ├── OutOfMemory       the model and its context do not fit into its memory
    │   ├── StreamCut         its answer ended in the middle
    │   └── EmptyStream       its answer was empty
    ├── NotGptOss             the model is not of the gpt-oss family
    └── BadAnswer             the model's text cannot be used; has that text
"""

from __future__ import annotations

import click
import llm


class GptOssError(llm.ModelError, click.ClickException):
    """An error with a message and a remedy. `str()` gives both, as one paragraph.

    It is also a click exception, because `llm chat` does not catch the errors of models: click then shows the
    paragraph instead of a traceback.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    format_message = __str__


class BadRequest(GptOssError):
    "The request is invalid. `param` is the option or field that has to change."

    def __init__(self, message: str, *, param: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.param = param


class ContextOverflow(BadRequest):
    """The prompt is longer than the context.

    `prompt_tokens` and `context_length` are tokens, or None if the engine did not report them.
    """

    def __init__(
        self,
        message: str,
        *,
        prompt_tokens: int | None = None,
        context_length: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, param="messages", remedy=remedy)
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class UnusableSchema(BadRequest):
    "The engine cannot turn this JSON schema into a grammar."


class EngineError(GptOssError):
    "The engine answered with an error, or not at all. `status` is the HTTP status, if there is one."

    def __init__(self, message: str, *, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class EngineUnreachable(EngineError):
    "Nothing answers at the engine's address, or a server cannot reach its own engine."


class EngineBusy(EngineError):
    "The engine's queue is full. The same request may succeed a moment later."


class Unauthorized(EngineError):
    "The engine needs an API key, or a different one."


class ModelMissing(EngineError):
    "The engine does not have the model."


class OutOfMemory(EngineError):
    "The model and its context do not fit into the engine's memory."


class StreamCut(EngineError):
    "The stream ended without the event that ends an answer."


class EmptyStream(EngineError):
    "The stream ended without any event. Ollama does this when it stops a model that repeats itself."


class NotGptOss(GptOssError):
    "The model does not use the harmony format, so this plugin cannot prompt it."


class BadAnswer(GptOssError):
    "The model wrote text that cannot be used. `raw` is that text."

    def __init__(self, message: str, *, raw: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.raw = raw
