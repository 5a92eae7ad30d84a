"""What can go wrong between a prompt and its answer.

llm.ModelError
└── GptOssError               says what happened, why, and what to type next
    ├── BadRequest            what was asked for cannot be sent; names the parameter
    │   ├── ContextOverflow   the prompt is longer than the context
    │   └── UnusableSchema    the engine cannot bind its output to this schema
    ├── EngineError           the engine failed; carries its HTTP status where it had one
    │   ├── EngineUnreachable nobody answers at its address
    │   ├── EngineBusy        it has no place in its queue
    │   ├── Unauthorized      it wants another key
    │   ├── ModelMissing      it does not have the model
    │   ├── StreamCut         its answer stopped in the middle
    │   └── EmptyStream       it answered with nothing at all
    ├── NotGptOss             the model is not of the gpt-oss family
    └── BadAnswer             the model's own text cannot be used; carries that text
"""

from __future__ import annotations

import click
import llm


class GptOssError(llm.ModelError, click.ClickException):
    """`str()` is one paragraph for a person: what happened, then the remedy to type.

    Also click's, which shows that paragraph and no traceback: `llm chat` lets the errors of a model through.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    format_message = __str__


class BadRequest(GptOssError):
    "What was asked for cannot be sent. `param` is the option or field at fault."

    def __init__(self, message: str, *, param: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.param = param


class ContextOverflow(BadRequest):
    "The prompt has `prompt_tokens` tokens, the context `context_length`; None where the engine did not say."

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
    "The engine answered with an error, or not at all. `status` is its HTTP status, if any."

    def __init__(self, message: str, *, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class EngineUnreachable(EngineError):
    "Nobody answers at the engine's address."


class EngineBusy(EngineError):
    "The engine's queue is full. Asking again in a moment may work."


class Unauthorized(EngineError):
    "The engine wants a key, or another one."


class ModelMissing(EngineError):
    "The engine does not have the model."


class StreamCut(EngineError):
    "The stream ended in the middle, without the line that ends an answer."


class EmptyStream(EngineError):
    "The stream ended without a single line (Ollama does so when it gives up on a model)."


class NotGptOss(GptOssError):
    "The model's own prompt format is not harmony, so there is no way to talk to it here."


class BadAnswer(GptOssError):
    "The model wrote something that cannot be used: `raw` is its text, as it came."

    def __init__(self, message: str, *, raw: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.raw = raw
