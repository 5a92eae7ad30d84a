"""Loads the prompt of a turn in llm's log, and renders prompts without sending them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import llm
import sqlite_utils
from llm.logs import LogStore
from llm.parts import Message, ToolResultPart

from .completion import Completion
from .errors import BadRequest
from .harmony.markers import END, RETURN
from .harmony.prompt import render
from .models import GptOss


def load_prompt(database: sqlite_utils.Database, turn_id: str) -> tuple[llm.Prompt, str]:
    """Return the prompt of a turn, and the date of the turn (YYYY-MM-DD, in local time).

    The tools of the prompt have descriptions but no code. Raises BadRequest if there is no such turn, or if
    its model is not a gpt-oss model.
    """
    store = LogStore(database)  # type: ignore[no-untyped-call]
    row = next(database.query("select * from turns where id = ?", [turn_id]), None)
    if row is None:
        raise BadRequest(
            f"There is no turn {turn_id!r} in the log.",
            param="turn",
            remedy="`llm logs list` shows the id of each turn.",
        )
    model = _model(row["model"])
    day = datetime.fromisoformat(row["datetime_utc"]).astimezone().date().isoformat()
    messages = store.load_chain(row["parent_message_hash"])
    prompt = llm.Prompt(  # type: ignore[no-untyped-call]
        None,
        model,
        messages=messages,
        tool_results=_results(messages),
        tools=_tools(database, turn_id),
        schema=_schema(database, row["schema_id"]),
        options=model.Options(**json.loads(row["options_json"] or "{}")),
    )
    return prompt, day


def first_completion(prompt: llm.Prompt, date: str | None = None) -> Completion:
    """Return the first request to the engine that a prompt would cause. `date` is today if it is None.

    Raises BadRequest for a prompt that the model cannot answer, and if it is not a gpt-oss model.
    """
    model = prompt.model
    if not isinstance(model, GptOss):
        raise BadRequest(f"{model.model_id} is not a gpt-oss model: it has no harmony prompt.")
    machine, _ = model.start_turn(prompt, stream=True, date=date)
    completion = machine.next_completion()
    assert completion, "a new turn needs at least one completion"
    return completion


def conversation_text(prompt: llm.Prompt, answer: Sequence[Message], date: str | None = None) -> str:
    """Return the harmony text of a conversation: the prompt, and the answer as the model ends it.

    Past reasoning is left out as in a prompt, but that of the answer is not. Raises BadRequest like
    `first_completion`.
    """
    from .turn.request import turn_request

    model = prompt.model
    if not isinstance(model, GptOss):
        raise BadRequest(f"{model.model_id} is not a gpt-oss model: it has no harmony prompt.")
    whole = llm.Prompt(  # type: ignore[no-untyped-call]
        None,
        model,
        messages=[*prompt.messages, *answer],
        tool_results=prompt.tool_results,
        tools=prompt.tools,
        schema=prompt.schema,
        options=prompt.options,
    )
    day = model.settings.date or date or datetime.now().date().isoformat()
    request, _ = turn_request(whole, model.model_id, stream=True, date=day)
    text = render(request.conversation)
    return text.removesuffix(END) + RETURN if text.endswith(END) else text


def _results(messages: Sequence[Message]) -> list[llm.ToolResult]:
    """Return the tool results in the last message of the prompt.

    There are some in the later rounds of a chain, whose prompts end with the results of the round before.
    """
    parts = [part for message in messages[-1:] for part in message.parts]
    return [
        llm.ToolResult(part.name, part.output, tool_call_id=part.tool_call_id)
        for part in parts
        if isinstance(part, ToolResultPart)
    ]


def _model(tag: str) -> GptOss:
    try:
        model = llm.get_model(tag)
    except llm.UnknownModelError:
        raise BadRequest(
            f"That turn used the model {tag}, which llm no longer has.",
            param="turn",
            remedy=f"Type `llm gpt-oss models add {tag}` if it is a gpt-oss model.",
        ) from None
    if isinstance(model, GptOss):
        return model
    raise BadRequest(f"That turn used the model {tag}, which is not a gpt-oss model.", param="turn")


def _tools(database: sqlite_utils.Database, turn_id: str) -> list[llm.Tool]:
    rows = database.query(
        "select tools.* from turn_tools join tools on tools.id = turn_tools.tool_id"
        " where turn_tools.turn_id = ? order by turn_tools.rowid",
        [turn_id],
    )
    return [llm.Tool(row["name"], row["description"], json.loads(row["input_schema"])) for row in rows]


def _schema(database: sqlite_utils.Database, schema_id: str | None) -> dict[str, object] | None:
    rows = database.query("select content from schemas where id = ?", [schema_id])
    return next((json.loads(row["content"]) for row in rows), None)
