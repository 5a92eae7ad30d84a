"Describes how the APIs of servers differ, so that one HTTP client can call them all."

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...completion import Json
from ...errors import EngineError
from ...streaming import Translator
from .openai_errors import RULES, no_completion_api
from .server_errors import Rule
from .sse import SseReader


@dataclass(frozen=True, slots=True)
class ServerApi:
    """How a server answers.

    `stream_reader` makes a parser for the bytes of a stream, `error_rules` convert error answers.
    `wrong_api` takes a reason, and returns the error for a server that does not have this API.
    """

    stream_reader: Callable[[], Translator[bytes, Json]]
    error_rules: tuple[Rule, ...]
    wrong_api: Callable[[str], EngineError]


OPENAI_STYLE = ServerApi(SseReader, RULES, no_completion_api)
