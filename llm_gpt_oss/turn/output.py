"""The text of a turn: it is passed on as it arrives, or held until the answer is known to be good."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..completion import Json
from .request import TurnRequest
from .schema_check import validation_error
from .transcript import Text


class TurnOutput:
    "`has_begun` is whether anything was passed on: that is never taken back."

    def __init__(self, request: TurnRequest) -> None:
        self._holds_answers = bool(request.buffer_answer and request.format)
        self._held: list[Text] = []
        self.has_begun = False

    @property
    def holds_answer(self) -> bool:
        return bool(self._held)

    def pass_on(self, texts: Iterable[Text]) -> Iterator[Text]:
        "Yield text as it arrives, but hold an answer that may have to be requested again."
        for text in texts:
            if self._holds_answers and text.channel == "final":
                self._held.append(text)
            else:
                self.has_begun = True
                yield text

    def release(self) -> Iterator[Text]:
        "Yield the text that was held."
        held, self._held = self._held, []
        self.has_begun = self.has_begun or bool(held)
        yield from held

    def discard(self) -> None:
        "Drop the text that was held."
        self._held = []


def answer_error(answer: str, schema: Json) -> str | None:
    "Return why the answer does not fit the requested schema, or None if it fits."
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return validation_error(value, schema)
