"""The root of all request bodies."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# What becomes of a field of OpenAI's SDK: each endpoint has a table of its own.
Decision = Literal["honoured", "no effect", "refused"]


class Body(BaseModel):
    "A JSON object that a client sends: types are taken at their word, unknown fields are refused by name."

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
