"Pairs tool results with the calls that they answer, even if a client uses an id twice."

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from llm.parts import ToolCallPart, ToolResultPart


@dataclass(slots=True)
class _Call:
    part: ToolCallPart
    has_result: bool = False


class _Queue(deque[_Call]):
    "Calls in their order. A call leaves the front once it has a result, unless it is the last one."

    def first(self) -> _Call | None:
        "Return the first call without a result, or the last one if all have results."
        while len(self) > 1 and self[0].has_result:
            self.popleft()
        return self[0] if self else None


class CallIds:
    """Follows a history in order, and finds the call of each result.

    If several calls have the same id before the first result arrives, their order tells them apart. All but
    the first get another id, and so do their results. After a result, its id may be used for a new call. A
    result without an id answers the first call without a result, or the first of the tool that it names.
    """

    def __init__(self) -> None:
        self._all = _Queue()
        self._by_name: dict[str, _Queue] = {}
        # By the ids that the client uses.
        self._by_id: dict[str, _Queue] = {}

    def add_call(self, part: ToolCallPart) -> ToolCallPart:
        "Return the call, with another id if a call before it has the same one and no result yet."
        client_id = part.tool_call_id or ""
        same_id = self._by_id.setdefault(client_id, _Queue())
        if same_id and same_id[0].has_result:
            same_id.clear()
        if same_id:
            part = replace(part, tool_call_id=f"{client_id}_{len(same_id) + 1}")
        call = _Call(part)
        for queue in (self._all, self._by_name.setdefault(part.name, _Queue()), same_id):
            queue.append(call)
        return part

    def call_of(self, result: ToolResultPart) -> ToolCallPart | None:
        "Return the call that the result answers, or None if there is none."
        call = self._find(result)
        if call is None:
            return None
        call.has_result = True
        return call.part

    def _find(self, result: ToolResultPart) -> _Call | None:
        if result.tool_call_id:
            same_id = self._by_id.get(result.tool_call_id)
            return same_id.first() if same_id else None
        same_tool = self._by_name.get(result.name) if result.name else self._all
        call = same_tool.first() if same_tool else None
        return None if call is None or call.has_result else call
