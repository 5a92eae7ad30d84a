"The base class of all models of answers, and the lists of OpenAI's API."

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    "Has no other keys than its fields. A field with a default may be missing."

    model_config = ConfigDict(extra="forbid")


class ListAnswer(Answer):
    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(Answer):
    id: str
    object: str
    deleted: Literal[True]
