"""The base classes of all request bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from .field_table import FieldTable


class Body(BaseModel):
    """A JSON object that a client sends. Types are not converted.

    Fields that it does not have are kept, so that `unknown_fields` can name them. The body of a request has a
    table that decides on its fields and on those of the objects in it.
    """

    FIELDS: ClassVar[FieldTable] = FieldTable()

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    def unused_fields(self) -> Iterator[str]:
        "Yield the fields that have no effect in this body, because of what other fields hold."
        yield from ()


class LenientBody(Body):
    """Part of a conversation's history, where unknown fields are ignored.

    Clients send back what other servers once added to it (`annotations`, `parsed`, `reasoning_details`,
    `prompt_cache_breakpoint`), and none of these fields requests anything.
    """

    model_config = ConfigDict(extra="ignore")
