"OpenAI's own types, and what they do not know of a value."

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel

# Each type of event is of one class: the union itself would report what is wrong with all the others.
EVENTS: dict[str, type[BaseModel]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}


def strange(value: Any) -> Iterator[str]:
    "The keys that its type does not have, with the name of the type."
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{type(value).__name__}.{name}"
        for name in value.model_fields_set - set(value.model_extra or ()):
            yield from strange(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from strange(each)
