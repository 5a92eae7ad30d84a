"Reads a raw completion of a harmony conversation, and makes the turn for the log from it."

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import llm
from llm.parts import StreamEvent

from llm_gpt_oss.completion import Done, Json, Piece
from llm_gpt_oss.engines.ollama.reader import GenerateReader
from llm_gpt_oss.harmony.conversation import Message
from llm_gpt_oss.harmony.recipient import NAMESPACE
from llm_gpt_oss.turn.events import EventWriter
from llm_gpt_oss.turn.note import Note
from llm_gpt_oss.turn.tool_arguments import Arguments, parse_arguments
from llm_gpt_oss.turn.tool_names import ToolNames
from llm_gpt_oss.turn.transcript import ParsedMessage, Text, ToolCall, Transcript
from llm_gpt_oss.turn.usage import Usage

from .harmony_request import HarmonyRequest
from .reader import ForwardedReader


class RawReader(ForwardedReader):
    """Reads the completion in the same way as the plugin that requested it, so that both logs agree.

    The answer begins with what the model had written before in this turn. It satisfies
    `llm_gpt_oss.turn.events.TurnState`.
    """

    def __init__(self, request: HarmonyRequest, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.request = request.turn
        self.usage = Usage()
        self.notes: list[Note] = []
        self.finish_reason = None
        self._step = request.step
        self._pieces = GenerateReader(request.turn.defaults)
        self._has_call = False
        self._writer = EventWriter(
            self, ToolNames(()), lambda: f"call_{secrets.token_hex(12)}", lambda: clock() * 1000
        )
        for number, message in zip(count(), request.begun):
            self.events += self._begun_events(number, message)
        self._transcript = Transcript(request.turn, request.step, len(request.begun), self.notes, self.usage)
        if request.step.prefix:
            number, header = len(request.begun), request.step.header
            channel = (header.channel if header else None) or "final"
            if not (header and header.recipient):
                self.events += self._writer.feed(Text(number, channel, request.step.prefix))
        for text in request.header_pieces:
            self.events += self._events(self._transcript.feed(Piece(text)))

    def _translate(self, data: Json) -> Iterator[Iterable[StreamEvent]]:
        if data.get("error") is not None:
            return
        for item in self._pieces.feed(data):
            if isinstance(item, Piece):
                yield self._events(self._transcript.feed(item))
            else:
                yield self._end(item)

    def _finish(self) -> Iterable[StreamEvent]:
        return () if self.usage.completions else self._end(None)

    def _end(self, done: Done | None) -> Iterator[StreamEvent]:
        "Yield what the end of the completion makes complete. Without a Done, it broke off."
        yield from self._events(self._transcript.finish())
        may_answer = self._step.type == "free" and not self._step.answer_follows
        if may_answer and (answer := self._transcript.text_without_header()):
            yield from self._writer.feed(answer)
        for message in self._transcript.messages:
            if message.is_call:
                yield from self._call_events(message, is_cut=done is None or done.reason == "length")
        if done:
            self.usage.end_completion(done, hidden=0 if done.reason == "length" else 1)
            self.finish_reason = "tool_calls" if self._has_call else done.reason

    def _events(self, texts: Iterable[Text]) -> Iterator[StreamEvent]:
        for text in texts:
            yield from self._writer.feed(text)

    def _call_events(self, call: ParsedMessage, *, is_cut: bool) -> Iterator[StreamEvent]:
        "Yield a call, if its arguments can be read. The plugin requests others once more."
        name = (call.header.recipient or "").removeprefix(NAMESPACE)
        arguments = self._arguments(name, call.prefix + call.text, is_whole=call.is_whole)
        if is_cut or isinstance(arguments, str):
            reason = "the completion was cut" if is_cut else "its arguments cannot be read"
            text = f"A call of {name} was left out because {reason}."
            self.notes.append(Note("call_dropped", text, call.prefix + call.text))
            return
        self._has_call = True
        yield from self._writer.feed(ToolCall(call.number, name, arguments))

    def _begun_events(self, number: int, message: Message) -> Iterator[StreamEvent]:
        header = message.header
        if header.recipient:
            name = header.recipient.removeprefix(NAMESPACE)
            arguments = self._arguments(name, message.text, is_whole=True)
            if not isinstance(arguments, str):
                yield from self._writer.feed(ToolCall(number, name, arguments))
        elif message.text:
            yield from self._writer.feed(Text(number, header.channel or "final", message.text))

    def _arguments(self, name: str, text: str, *, is_whole: bool) -> Arguments | str:
        parameters = self.request.tools.get(name, {"type": "object"})
        return parse_arguments(text, parameters, tool=name, whole_header=is_whole)

    def _record(self, response: llm.Response) -> None:
        self._writer.record(response)
