"Writes a turn as the Responses API returns it: `GET /v1/responses/{id}`, and its `/input_items`."

from __future__ import annotations

from typing import Any

from llm.logs import LogStore

from ..api.responses.logged_responses import logged_response
from ..log.items import input_entries
from ..log.logged_turn import LoggedTurn
from ..settings import Settings


def responses_line(log: LogStore, turn: LoggedTurn) -> dict[str, Any]:
    items = [entry.item() for entry in input_entries(log, turn)]
    return {"response": logged_response(turn, Settings()), "input": items}
