"Pairs the results of tools with the calls that they answer, also where clients use an id twice."

from __future__ import annotations

from dataclasses import replace

from llm.parts import ToolCallPart, ToolResultPart


class CallIds:
    """Follows a history, and finds the call of each result.

    Calls next to each other that have the same id are told apart by their order: all but the first get
    another id, and so do their results. An id may be used again after its result.
    """

    def __init__(self) -> None:
        # The calls that the next results answer, by the id that the client uses.
        self._calls: dict[str | None, list[ToolCallPart]] = {}
        self._has_result: set[str | None] = set()

    def add_call(self, call: ToolCallPart) -> ToolCallPart:
        "Return the call, with an id that no call next to it has."
        client_id = call.tool_call_id
        if client_id in self._has_result:
            self._has_result.remove(client_id)
            self._calls[client_id] = []
        calls = self._calls.setdefault(client_id, [])
        if calls:
            call = replace(call, tool_call_id=f"{client_id}_{len(calls) + 1}")
        calls.append(call)
        return call

    def call_of(self, result: ToolResultPart) -> ToolCallPart | None:
        "Return the call that this result answers, or None if it is unknown."
        calls = self._calls.get(result.tool_call_id)
        if not calls:
            return None
        self._has_result.add(result.tool_call_id)
        return calls.pop(0) if len(calls) > 1 else calls[0]
