"""Report the time of loading a model with the completion that waited for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ...completion import Done, Piece
from .model_pool import LoadedModel

Item = TypeVar("Item", bound="Piece | Done | None")


class LoadTime:
    "Takes the load time from a model, so that later completions do not report it again."

    def __init__(self, model: LoadedModel) -> None:
        self._load_ms, model.load_ms = model.load_ms, None

    def add_to(self, item: Item) -> Item:
        "Return the item. A `Done` gets the load time, if there is one."
        return replace(item, load_ms=self._load_ms) if isinstance(item, Done) and self._load_ms else item
