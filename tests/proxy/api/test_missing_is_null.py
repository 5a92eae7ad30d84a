"""A field that a client may leave out may be null, and the other way round: in each request, and in all it
holds.

Some libraries leave out what is empty, others send null for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import proxy.app  # noqa: F401 - it imports all requests
from proxy.http.body_model import Body

# The metadata is all that these two requests hold.
EXCEPTIONS = {"UpdateCompletion.metadata", "UpdateConversation.metadata"}


def subclasses(cls: type[Body]) -> Iterator[type[Body]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


MODELS = sorted(
    {model for model in subclasses(Body) if model.__module__.startswith("proxy.")},
    key=lambda model: (model.__module__, model.__qualname__),
)


def may_be_null(field: FieldInfo) -> bool:
    # With the field's validators, which may replace null.
    hint: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    try:
        TypeAdapter(hint).validate_python(None)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "model", [pytest.param(model, id=f"{model.__module__}.{model.__qualname__}") for model in MODELS]
)
def test_missing_is_null(model: type[Body]) -> None:
    for name, field in model.model_fields.items():
        if f"{model.__name__}.{name}" not in EXCEPTIONS:
            assert may_be_null(field) != field.is_required(), name
