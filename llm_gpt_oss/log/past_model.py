"""A model of LLM for a turn that is over."""

from __future__ import annotations

from typing import Any

import llm
from pydantic import ConfigDict


class _AnyOptions(llm.Options):
    model_config = ConfigDict(extra="allow")


class PastModel(llm.Model):
    "Stands for the model of a turn that is over. It takes any options, and cannot be run."

    Options = _AnyOptions  # type: ignore[assignment]
    can_stream = True
    supports_schema = True
    supports_tools = True

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def execute(self, *_: Any) -> Any:
        raise NotImplementedError
