"An HTTP request as a value, with the function that parses its answer."

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...completion import Json

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Request(Generic[T_co]):
    """An HTTP request: POST with a JSON body, or GET without a body.

    `parse` converts one JSON object: the whole answer, or one object of a stream. KeyError, TypeError and
    AttributeError of `parse` mean that the object has an unexpected form.
    `model` is the model that error messages name.
    """

    path: str
    parse: Callable[[Json], T_co]
    body: Json | None = None
    model: str | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"
