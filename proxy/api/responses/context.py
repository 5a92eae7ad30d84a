"""What a request goes on from: an earlier response, a conversation, items that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

from llm.parts import Message

from ...generation import GenerationRequest, ThreadPosition
from ...http.errors import ApiError
from ...log.access import Viewer
from ...log.lookup import find_items, load_conversation
from ...log.reader import LogReader
from .queries import find_response
from .request import RequestContext, ResponsesRequest

# The id of a response, and the conversation up to its end.
Own = Mapping[str, Sequence[Message]]


class ConversationLocks:
    "A conversation takes one response at a time, as at OpenAI: each goes on from the one before."

    def __init__(self) -> None:
        self._held: set[str] = set()

    @contextmanager
    def held(self, conversation_id: str | None) -> Iterator[None]:
        "Raises ApiError for one that is held already. None is held by nobody."
        if conversation_id is None:
            yield
            return
        if conversation_id in self._held:
            message = "Another response is being made in this conversation. Ask again when it is over."
            raise ApiError(409, message, code="conversation_locked", param="conversation")
        self._held.add(conversation_id)
        try:
            yield
        finally:
            self._held.discard(conversation_id)


@asynccontextmanager
async def locked_generation(
    request: ResponsesRequest, stored: LogReader, viewer: Viewer, locks: ConversationLocks, own: Own
) -> AsyncIterator[GenerationRequest]:
    """What the model is asked; the request's conversation is held meanwhile.

    `own` are responses that the client may go on from although they are not stored. Raises ApiError for what
    is not there.
    """
    with locks.held(request.conversation_id):
        yield request.generation_request(await load_context(request, stored, viewer, own))


async def load_context(
    request: ResponsesRequest, stored: LogReader, viewer: Viewer, own: Own
) -> RequestContext:
    request.check()
    recalled = await _recalled(stored, viewer, request.item_references())
    if request.conversation_id:
        return await _conversation(stored, viewer, request.conversation_id, recalled)
    if request.previous_response_id:
        return await _previous(stored, viewer, request.previous_response_id, own, recalled)
    return RequestContext(referenced=recalled)


async def _recalled(stored: LogReader, viewer: Viewer, ids: Collection[str]) -> Mapping[str, Message]:
    return await stored.read(lambda log: find_items(log, ids, viewer)) if ids else {}


async def _conversation(
    stored: LogReader, viewer: Viewer, conversation_id: str, recalled: Mapping[str, Message]
) -> RequestContext:
    thread_id = conversation_id.removeprefix("conv_")
    thread = await stored.read(lambda log: load_conversation(log, thread_id, viewer))
    if thread is None:
        message = f"Conversation with id '{conversation_id}' not found."
        raise ApiError(404, message, param="conversation")
    return RequestContext(thread.messages, ThreadPosition(thread_id, thread.tip, append=True), recalled)


async def _previous(
    stored: LogReader, viewer: Viewer, response_id: str, own: Own, recalled: Mapping[str, Message]
) -> RequestContext:
    if response_id in own:
        return RequestContext(own[response_id], referenced=recalled)
    logged = await find_response(stored, viewer, response_id)
    if logged is None:
        message = f"Previous response with id '{response_id}' not found."
        raise _no_previous(message, "previous_response_not_found")
    if logged.in_progress or logged.status != 200:
        how = "is still being made" if logged.in_progress else "failed or was cancelled"
        raise _no_previous(f"Nothing goes on from response '{response_id}': it {how}.", "invalid_value")
    earlier = [each.message for each in (*logged.prompt, *logged.answer)][logged.added :]
    place = ThreadPosition(logged.thread_id, logged.tip) if logged.thread_id else None
    return RequestContext(earlier, place, recalled)


def _no_previous(message: str, code: str) -> ApiError:
    return ApiError(400, message, code=code, param="previous_response_id")
