"Pair the results of tools with the calls that they answer, even if a client uses an id twice."

from __future__ import annotations

from dataclasses import replace

from llm.parts import ToolCallPart, ToolResultPart


class CallIds:
    """Follows a history in order, and finds the call of each result.

    If several calls have the same id before the first result arrives, their order tells them apart. All but
    the first get another id, and so do their results. After a result, its id may be used for a new call. A
    result without an id answers the first call without a result, or the first of the tool that it names.
    """

    def __init__(self) -> None:
        # The calls that the next results answer, by the ids that the client uses.
        self._calls: dict[str, list[ToolCallPart]] = {}
        self._has_result: set[str] = set()

    def add_call(self, call: ToolCallPart) -> ToolCallPart:
        "Return the call, with another id if a call before it has the same one and no result yet."
        client_id = call.tool_call_id or ""
        if client_id in self._has_result:
            self._has_result.remove(client_id)
            del self._calls[client_id]
        calls = self._calls.setdefault(client_id, [])
        if calls:
            call = replace(call, tool_call_id=f"{client_id}_{len(calls) + 1}")
        calls.append(call)
        return call

    def call_of(self, result: ToolResultPart) -> ToolCallPart | None:
        "Return the call that the result answers, or None if there is none."
        client_id = result.tool_call_id or self._unanswered_id(result.name)
        calls = self._calls.get(client_id)
        if not calls:
            return None
        self._has_result.add(client_id)
        return calls.pop(0) if len(calls) > 1 else calls[0]

    def _unanswered_id(self, name: str) -> str:
        "Return the client's id of the first call that has no result, if it is a call of this tool."
        unanswered = (id for id in self._calls if id not in self._has_result)
        if not name:
            return next(unanswered, "")
        return next((id for id in unanswered if self._calls[id][0].name == name), "")
