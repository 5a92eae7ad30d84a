"""Finds the turn to which an earlier completion of the same answer was logged.

A client that completes raw text may need several completions for an answer. The prompt of a later one repeats
what the earlier ones wrote, so the log can replace their turn by the whole answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from llm.logs import LogStore
from llm.parts import Message, Part, ReasoningPart

from llm_gpt_oss.log.redaction import MARKER

from .foreign_json import read_object
from .queries import load_turn
from .thread_match import hash_prompt

# Answers with more parts are not looked up, because each of their beginnings has to be hashed.
MAX_PARTS = 50
# How many turns are compared. A client may ask for several answers to the same prompt at the same time.
MAX_TURNS = 20

LATEST = """
select turns.id, turns.datetime_utc, turns.input_tokens, turns.output_tokens, turns.token_details,
    request.first_token_ms
from json_each(:visible_tips) as visible
join gpt_oss_requests as request on request.visible_tip = visible.value
join turns on turns.id = request.turn_id
where request.endpoint = :endpoint and request.actor is :actor and request.status = 200
    and turns.model = :model and request.instructions is :instructions and not request.deleted
order by turns.id desc
limit :limit
"""


class EarlierCompletion(NamedTuple):
    "The turn that holds the earlier completions of an answer, and their times and counts."

    turn_id: str
    started: datetime
    first_token_ms: int | None
    input_tokens: int | None
    output_tokens: int
    token_details: Mapping[str, Any]
    raw: Mapping[str, Any]


def find_earlier_completion(
    log: LogStore,
    endpoint: str,
    model: str,
    actor: str | None,
    prompt: Sequence[Message],
    begun: Sequence[Message],
) -> EarlierCompletion | None:
    """Return the actor's last turn that answered this prompt with the beginning of `begun`, or None.

    `begun` is the answer of `model` so far. A turn that failed is not returned.
    """
    parts = [part for message in begun for part in message.parts]
    if len(parts) > MAX_PARTS:
        return None
    hashed = hash_prompt(prompt)
    beginnings = ([Message("assistant", parts[:end])] for end in range(len(parts) + 1))
    values = {
        "visible_tips": json.dumps(list(dict.fromkeys(map(hashed.hash_with, beginnings)))),
        "endpoint": endpoint,
        "model": model,
        "actor": actor,
        "limit": MAX_TURNS,
        "instructions": hashed.instructions_hash,
    }
    for row in log.db.query(LATEST, values):
        turn = load_turn(log, row["id"])
        answer = [part for stored in turn.answer for part in stored.message.parts] if turn else []
        # What follows a redaction cannot be compared.
        if turn and _reasoning(parts).startswith(_reasoning(answer).partition(MARKER)[0]):
            return EarlierCompletion(
                row["id"],
                datetime.fromisoformat(row["datetime_utc"]),
                row["first_token_ms"],
                row["input_tokens"],
                row["output_tokens"] or 0,
                read_object(row["token_details"]),
                turn.raw,
            )
    return None


def _reasoning(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, ReasoningPart))
