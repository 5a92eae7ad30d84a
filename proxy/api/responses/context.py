"""What a response continues: an earlier response, a conversation, or items that it refers to by id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from llm.parts import Message
from starlette.requests import HTTPConnection

from ...generation import GenerationRequest, ThreadPosition
from ...http.errors import ApiError
from ...inference.client_request import ClientRequest
from ...items.messages import LoggedItem
from ...log.access import Viewer
from ...log.lookup import find_items, find_thread, load_conversation, parse_conversation_id
from ...log.reader import LogReader
from ...log.shared_locks import SharedLocks
from .logged_responses import find_response
from .request import RequestContext, ResponsesRequest

# The ids of responses that are not in the log, and the conversation of each up to its end.
UnstoredResponses = Mapping[str, Sequence[Message]]


class ConversationLocks:
    """Locks conversations, so that each has only one response in progress at a time, as in OpenAI's API.

    Each response continues the one before it. All processes of this server share the locks (`SharedLocks`).
    """

    def __init__(self, folder: Path) -> None:
        self._locks = SharedLocks(folder, "conversation")

    @contextmanager
    def lock(self, conversation_id: str | None) -> Iterator[None]:
        "Raises ApiError if the conversation is locked already. Without an id, nothing is locked."
        if not conversation_id:
            yield
            return
        lock = self._locks.acquire(conversation_id)
        if lock is None:
            raise _locked_error()
        try:
            yield
        finally:
            lock.release()


def _locked_error() -> ApiError:
    message = "Another response is in progress in this conversation. Try again when it has ended."
    return ApiError(409, message, code="conversation_locked", param="conversation")


async def _locks(connection: HTTPConnection) -> ConversationLocks:
    locks: ConversationLocks = connection.app.state.locks
    return locks


LocksDep = Annotated[ConversationLocks, Depends(_locks)]


@asynccontextmanager
async def locked_generation(
    client: ClientRequest[ResponsesRequest],
    log_reader: LogReader,
    locks: ConversationLocks,
    unstored: UnstoredResponses,
) -> AsyncIterator[GenerationRequest]:
    """Lock the request's conversation, and yield the generation request with what it continues.

    `unstored` are responses that this client may continue though they are not in the log. Raises ApiError for
    a conversation, response or item that does not exist.
    """
    body = client.body.model
    with locks.lock(body.conversation_id):
        context = await load_context(body, log_reader, client.viewer, unstored)
        yield await client.read(partial(ResponsesRequest.generation_request, context=context))


async def load_context(
    body: ResponsesRequest, log_reader: LogReader, viewer: Viewer, unstored: UnstoredResponses
) -> RequestContext:
    "Load what the request continues. Raises ApiError for what does not exist."
    body.check()
    items = await _items(log_reader, viewer, body.item_references())
    if body.conversation_id:
        return await _conversation(log_reader, viewer, body.conversation_id, items)
    if body.previous_response_id:
        return await _previous_response(log_reader, viewer, body.previous_response_id, unstored, items)
    return RequestContext(referenced=items)


async def _items(log_reader: LogReader, viewer: Viewer, ids: Collection[str]) -> Mapping[str, LoggedItem]:
    return await log_reader.read(lambda log: find_items(log, ids, viewer)) if ids else {}


async def _conversation(
    log_reader: LogReader, viewer: Viewer, conversation_id: str, items: Mapping[str, LoggedItem]
) -> RequestContext:
    thread_id = parse_conversation_id(conversation_id)
    thread = await log_reader.read(lambda log: load_conversation(log, thread_id, viewer))
    if thread is None:
        raise _conversation_not_found(conversation_id)
    return RequestContext(thread.messages, ThreadPosition(thread.thread_id, thread.tip, append=True), items)


async def check_conversation(body: ResponsesRequest, log_reader: LogReader, viewer: Viewer) -> None:
    """Raises ApiError if the request names a conversation that does not exist for this client.

    Call this before `locked_generation`: nobody should find out whether another client's conversation is
    locked.
    """
    if not body.conversation_id:
        return
    body.check()
    thread_id = parse_conversation_id(body.conversation_id)
    if await log_reader.read(lambda log: find_thread(log, thread_id, viewer)) is None:
        raise _conversation_not_found(body.conversation_id)


def _conversation_not_found(conversation_id: str) -> ApiError:
    message = f"Conversation with id '{conversation_id[:100]}' not found."
    return ApiError(404, message, param="conversation")


async def _previous_response(
    log_reader: LogReader,
    viewer: Viewer,
    response_id: str,
    unstored: UnstoredResponses,
    items: Mapping[str, LoggedItem],
) -> RequestContext:
    if response_id in unstored:
        return RequestContext(unstored[response_id], referenced=items)
    logged = await find_response(log_reader, viewer, response_id)
    if logged is None:
        message = f"Previous response with id '{response_id}' not found."
        raise _previous_response_error(message, "previous_response_not_found")
    if logged.in_progress or logged.status != 200:
        reason = "is still in progress" if logged.in_progress else "failed or was cancelled"
        message = f"Response '{response_id}' cannot be continued: it {reason}."
        raise _previous_response_error(message, "invalid_value")
    messages = [each.message for each in (*logged.prompt, *logged.answer)][logged.added :]
    position = ThreadPosition(logged.thread_id, logged.tip) if logged.thread_id else None
    return RequestContext(messages, position, items)


def _previous_response_error(message: str, code: str) -> ApiError:
    return ApiError(400, message, code=code, param="previous_response_id")
