"""The calls of a turn: which of those that the model wrote are passed on, and what happens to the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import BadAnswer
from ..harmony.conversation import Header, Message
from .note import Note, NoteKind
from .request import TurnRequest
from .steps import Step, closest_tool, tool_call
from .tool_arguments import parse_arguments
from .transcript import ParsedMessage, ToolCall


class PendingCalls:
    """The calls that were read and not passed on yet, in the order in which the model wrote them.

    It adds to the `notes` of the turn.
    """

    def __init__(self, request: TurnRequest, notes: list[Note]) -> None:
        self._request = request
        self._notes = notes
        self._calls: list[ParsedMessage] = []
        self._has_refused = False

    def __bool__(self) -> bool:
        return bool(self._calls)

    def clear(self) -> None:
        self._calls = []

    def take_requested(self, messages: Sequence[ParsedMessage]) -> None:
        "Put the call first whose arguments were requested once more, or that had to be made."
        self._calls[:0] = messages[:1]

    def take_after_reasoning(self, messages: Iterable[ParsedMessage]) -> None:
        "Replace the calls by those of a `think` step. Drop what cannot be passed on."
        required = self._request.required_tools
        self._calls = []
        for call in _calls(messages):
            if not call.is_certain_call:
                self._drop(call, _why_uncertain(call))
            elif required and call.tool not in required:
                self._drop(call, "another tool is required")
            else:
                self._calls.append(call)

    def take(self, messages: Iterable[ParsedMessage], *, has_answer: bool) -> list[Message]:
        """Replace the calls by those of a step in which the model opened messages itself. Drop the others.

        If there is neither a call nor an answer, one call of the turn is refused: it is returned, with the
        message that tells the model so. It can then call another tool or answer.
        """
        self._calls = []
        others: list[ParsedMessage] = []
        for call in _calls(messages):
            is_readable = call.is_certain_call or (call.tool and not has_answer)
            (self._calls if is_readable else others).append(call)
        refused = None
        if others and self._request.tools and not (self._calls or has_answer or self._has_refused):
            self._has_refused = True
            refused = others.pop(0)
        for call in others:
            self._drop(call, _why_uncertain(call))
        return self._refusal(refused) if refused else []

    def start_named(self, name: str, raw: str) -> Step:
        "Return the step for a call of the required tool with this name, or with the closest one."
        tool = closest_tool(name, self._request.required_tools)
        if name != tool:
            named = f"an unknown tool ({name})" if name else "no tool"
            self._note("renamed", f"The model named {named}; the closest match, {tool}, was called.", raw)
        return tool_call(tool, self._request.tools[tool])

    def pass_on(self, *, is_retry: bool) -> Iterator[ToolCall | Step]:
        """Yield the calls whose arguments can be used.

        If those of a call cannot be used, the last item is the step that requests them once more. Later calls
        wait for that step. Raises BadAnswer if they cannot be parsed and the first call `is_retry`.
        """
        while self._calls:
            call = self._calls.pop(0)
            name = str(call.tool)
            parameters = self._request.tools[name]
            arguments = parse_arguments(call.text, parameters, tool=name, whole_header=call.is_whole)
            error = arguments if isinstance(arguments, str) else arguments.schema_error
            if error and not is_retry:
                self._note("asked_again", f"The arguments of {name} were requested again: {error}", call.text)
                yield tool_call(name, parameters)
                return
            if isinstance(arguments, str):
                raise BadAnswer(
                    f"The model called {name} twice with arguments that cannot be parsed: {arguments}.",
                    raw=call.text,
                    remedy="Try again, or rephrase the prompt.",
                )
            if error:
                self._note("misfit", f"The arguments of {name} do not fit its schema: {error}", call.text)
            if arguments.repairs:
                repairs = ", ".join(arguments.repairs)
                self._note("repaired", f"The arguments of {name} were repaired: {repairs}", call.text)
            is_retry = False
            yield ToolCall(call.number, name, arguments)
            if self._request.single_call:
                self.drop_all((), "only one call is allowed")

    def drop_all(self, messages: Iterable[ParsedMessage], reason: str) -> None:
        "Drop the calls among these messages, and all that are pending."
        calls, self._calls = [*_calls(messages), *self._calls], []
        for call in calls:
            self._drop(call, reason)

    def _refusal(self, call: ParsedMessage) -> list[Message]:
        self._drop(call, "its tool is not on offer. The model was told so")
        result = Header("tool", "commentary", "assistant", name=call.header.recipient)
        text = f"Error: {_called(call)} is not available. Call one of the tools in functions, or answer."
        return [call.message, Message(result, text)]

    def _drop(self, call: ParsedMessage, reason: str) -> None:
        self._note("call_dropped", f"A call of {_called(call)} was left out because {reason}.", call.text)

    def _note(self, kind: NoteKind, text: str, raw: str) -> None:
        self._notes.append(Note(kind, text, raw))


def _calls(messages: Iterable[ParsedMessage]) -> Iterator[ParsedMessage]:
    return (message for message in messages if message.is_call)


def _called(call: ParsedMessage) -> str:
    return call.tool or str(call.header.recipient)


def _why_uncertain(call: ParsedMessage) -> str:
    return "its tool is not on offer" if call.tool is None else "its header is broken"
