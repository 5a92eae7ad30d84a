"""Names for parametrized cases whose values pytest would only number (`case0`)."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

MAX_LENGTH = 80
MAX_STRING = 24
MAX_DEPTH = 4


def case_id(value: object) -> str | None:
    """A short text for a value that is a container, a dataclass, an exception or another object.

    None for what pytest names well by itself. The text is the same in every process, since pytest-xdist
    compares the names that its workers collect.
    """
    if (
        value is None
        or isinstance(value, str | bytes | int | float | complex | type)
        or hasattr(value, "__name__")
    ):
        return None
    text = _text(value, 0)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _text(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        return "…"
    match value:
        case str():
            return repr(value if len(value) <= MAX_STRING else value[: MAX_STRING - 1] + "…")
        case bytes() | int() | float() | None:
            return repr(value)
        case dict():
            pairs = (f"{_text(key, depth + 1)}: {_text(item, depth + 1)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(_text(item, depth + 1) for item in value)}]"
        case set() | frozenset():
            return f"{{{', '.join(sorted(_text(item, depth + 1) for item in value))}}}"
        case BaseException():
            return f"{type(value).__name__}({', '.join(_text(item, depth + 1) for item in value.args)})"
    if is_dataclass(value) and not isinstance(value, type):
        shown = (
            _text(getattr(value, field.name), depth + 1) for field in fields(value) if _is_set(value, field)
        )
        return f"{type(value).__name__}({', '.join(shown)})"
    return getattr(value, "__name__", type(value).__name__)


def _is_set(value: Any, field: Any) -> bool:
    "Whether a dataclass's field differs from its default."
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(getattr(value, field.name) is not default and getattr(value, field.name) != default)
