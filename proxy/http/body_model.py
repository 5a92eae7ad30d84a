"""The base classes of all request bodies."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# What an endpoint does with a field of OpenAI's SDK. Each endpoint has a table of them.
Decision = Literal["honoured", "no effect", "refused"]


class Body(BaseModel):
    "A JSON object that a client sends. Types are not converted, and unknown fields are errors."

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LenientBody(Body):
    """Part of a conversation's history, where unknown fields are ignored.

    Clients send back what other servers once added to it (`annotations`, `parsed`, `reasoning_details`,
    `prompt_cache_breakpoint`), and none of these fields requests anything.
    """

    model_config = ConfigDict(extra="ignore")
