"Writes an exported turn (`turn_format`) to the log, with its id and in its thread."

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import llm
from llm.parts import AttachmentPart, Message, Part, ToolResultPart

from llm_gpt_oss.log.response_json import to_response

from ..log.custom_calls import copy_custom_calls, insert_custom_calls
from ..log.llm_store import ChainStore, StoredPrefix
from ..log.logged_turn import StoredMessage
from ..log.tables import insert_request
from ..log.turn_json import from_fields
from .turn_check import check_turn


def own_messages(line: Mapping[str, Any]) -> list[Message]:
    """Return the messages that this line contains.

    Raises ValueError for an attachment that is not a file, and KeyError or TypeError for a line in another
    format.
    """
    response = line["response"]
    messages = [Message.from_dict(each) for each in (*response["prompt"]["messages"], *response["messages"])]
    _check_files(messages)
    return messages


def write_turn(log: ChainStore, line: Mapping[str, Any], before: Sequence[StoredMessage]) -> None:
    """Write the turn of a line. `before` are the messages up to the one that the line names as `after`.

    Call `own_messages` first, which checks attachments. Call this in a transaction, and roll it back if this
    raises: KeyError, TypeError, ValueError and others for a line in another format.
    """
    check_turn(line)
    turn = from_fields(line) if line["request"] is not None else None
    response = turn.response if turn else to_response(line)
    if before:
        _continue(response, [stored.message for stored in before])
    failed = turn.request.status != 200 if turn else "error" in (line["response_json"] or {})
    stored = StoredPrefix(len(before), before[-1].hash) if before else None
    _log(log, response, line["thread"], stored, failed)
    if turn:
        insert_request(
            log.db.conn,
            turn,
            covered=len(turn.prompt),
            instructions=line["request"]["instructions"],
            visible_tip=line["request"]["visible_tip"],
            redaction=log.redaction,
        )
        insert_custom_calls(log.db.conn, line["thread"]["id"], turn.request.custom_calls)


def _continue(response: llm.Response, before: Sequence[Message]) -> None:
    "Put these messages before those of the response's prompt."
    prompt = response.prompt
    response.prompt = llm.Prompt(  # type: ignore[no-untyped-call]
        None,
        response.model,
        messages=[*before, *prompt.messages],
        tools=prompt.tools,
        schema=prompt.schema,
        options=prompt.options,
    )


def _log(
    log: ChainStore,
    response: llm.Response,
    thread: Mapping[str, Any],
    stored: StoredPrefix | None,
    failed: bool,
) -> None:
    "Log the response in its thread, which gets the exported thread's last message once the log has that."
    id, name, forked_from, last = (thread[key] for key in ("id", "name", "forked_from", "tip"))
    if not (isinstance(id, str) and id):
        raise ValueError("the thread has no id")
    tip = None
    if _has(log, "threads", "id", id):
        tip = log.thread_tip(id)
    else:
        parent = forked_from if _has(log, "threads", "id", forked_from) else None
        log.create_thread(log.redaction.value(name), forked_from=parent, id=id)
        if parent:
            copy_custom_calls(log.db.conn, parent, id)
    log.log(response, id, stored)
    if _has(log, "messages", "hash", last):
        log.db["threads"].update(id, {"tip_message_hash": last})
    elif failed:
        log.db["threads"].update(id, {"tip_message_hash": tip})


def _has(log: ChainStore, table: str, column: str, value: object) -> bool:
    return value is not None and bool(log.db[table].count_where(f"{column} = ?", [value]))


def _check_files(messages: Sequence[Message]) -> None:
    """Raise ValueError for an attachment that is not a file, such as a pipe, or an address without a type.

    llm reads attachments to hash a message, which could block forever on a pipe. For an address without a
    type, it asks that server.
    """
    for attachment in (each for message in messages for part in message.parts for each in _attachments(part)):
        path = attachment.path and Path(attachment.path)
        if path and path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("an attachment is not a file")
        if not attachment.type and not path:
            raise ValueError("an attachment has no type")


def _attachments(part: Part) -> Sequence[llm.Attachment]:
    match part:
        case AttachmentPart(attachment=llm.Attachment() as attachment):
            return [attachment]
        case ToolResultPart(attachments=attachments):
            return attachments
    return []
