"""What a request goes on from: an earlier response, a conversation, items that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

from llm.parts import Message

from ...generation import Ask, Continues
from ...http.errors import ApiError
from ...log.access import Viewer
from ...log.lookup import conversation, items
from ...log.reader import Stored
from .queries import found
from .request import Context, ResponsesRequest

# The id of a response, and the conversation up to its end.
Own = Mapping[str, Sequence[Message]]


class Locks:
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
async def asked(
    request: ResponsesRequest, stored: Stored, viewer: Viewer, locks: Locks, own: Own
) -> AsyncIterator[Ask]:
    """What the model is asked; the request's conversation is held meanwhile.

    `own` are responses that the client may go on from although they are not stored. Raises ApiError for what
    is not there.
    """
    with locks.held(request.conversation_id):
        yield request.ask(await context_of(request, stored, viewer, own))


async def context_of(request: ResponsesRequest, stored: Stored, viewer: Viewer, own: Own) -> Context:
    request.check()
    recalled = await _recalled(stored, viewer, request.references())
    if request.conversation_id:
        return await _conversation(stored, viewer, request.conversation_id, recalled)
    if request.previous_response_id:
        return await _previous(stored, viewer, request.previous_response_id, own, recalled)
    return Context(recalled=recalled)


async def _recalled(stored: Stored, viewer: Viewer, ids: Collection[str]) -> Mapping[str, Message]:
    return await stored.read(lambda log: items(log, ids, viewer)) if ids else {}


async def _conversation(
    stored: Stored, viewer: Viewer, conversation_id: str, recalled: Mapping[str, Message]
) -> Context:
    thread_id = conversation_id.removeprefix("conv_")
    thread = await stored.read(lambda log: conversation(log, thread_id, viewer))
    if thread is None:
        message = f"Conversation with id '{conversation_id}' not found."
        raise ApiError(404, message, param="conversation")
    return Context(thread.messages, Continues(thread_id, thread.tip, joins=True), recalled)


async def _previous(
    stored: Stored, viewer: Viewer, response_id: str, own: Own, recalled: Mapping[str, Message]
) -> Context:
    if response_id in own:
        return Context(own[response_id], recalled=recalled)
    logged = await found(stored, viewer, response_id)
    if logged is None:
        message = f"Previous response with id '{response_id}' not found."
        raise _no_previous(message, "previous_response_not_found")
    if logged.under_way or logged.status != 200:
        how = "is still being made" if logged.under_way else "failed or was cancelled"
        raise _no_previous(f"Nothing goes on from response '{response_id}': it {how}.", "invalid_value")
    earlier = [each.message for each in (*logged.prompt, *logged.answer)][logged.added :]
    place = Continues(logged.thread_id, logged.tip) if logged.thread_id else None
    return Context(earlier, place, recalled)


def _no_previous(message: str, code: str) -> ApiError:
    return ApiError(400, message, code=code, param="previous_response_id")
