"""The root of all request bodies."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# What becomes of a field of OpenAI's SDK: each endpoint has a table of its own.
Decision = Literal["honoured", "no effect", "refused"]


class Body(BaseModel):
    "A JSON object that a client sends: types are taken at their word, unknown fields are refused by name."

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LenientBody(Body):
    """Part of a history. Clients send back whatever servers of all kinds once put into it (`annotations`,
    `parsed`, `reasoning_details`, `prompt_cache_breakpoint`): what is not read here asks for nothing."""

    model_config = ConfigDict(extra="ignore")
