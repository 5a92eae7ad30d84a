"""The root of all request bodies."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    "A JSON object that a client sends: types are taken at their word, unknown fields are refused by name."

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
