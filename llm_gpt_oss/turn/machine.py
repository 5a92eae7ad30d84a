"""One turn under way: which completion is next, and what comes of the model's text. No input, no output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from ..completion import Completion, Done, Piece
from ..errors import BadAnswer, ContextOverflow, EmptyStream, EngineBusy, GptOssError, UnusableSchema
from ..harmony.conversation import Effort, Message
from .messages import call_message
from .request import TurnRequest
from .schema_check import validation_error
from .steps import (
    ANALYSIS,
    NEXT_MESSAGE,
    Step,
    after_reasoning,
    closest_tool,
    final_answer,
    opening,
    step_prompt,
    tool_call,
    tool_name,
)
from .tool_arguments import parse_arguments
from .transcript import Note, ParsedMessage, Text, ToolCall, Transcript
from .truncation import drop_oldest_turns
from .usage import Usage

FinishReason = Literal["stop", "length", "tool_calls"]

BUSY_WAITS = (0.5, 1.0, 2.0)
LOWER: dict[Effort | None, Effort] = {"high": "medium", "medium": "low"}


class TurnMachine:
    """What the driver asks, completion by completion, until `next` says None.

    `finish_reason`, `notes` and `tally` tell how the turn went. They are right at any time, so that a turn
    which breaks off can be recorded as it stands.
    """

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self.usage = Usage()
        self.notes: list[Note] = []
        self.finish_reason: FinishReason | None = None
        self._conversation = request.conversation
        self._seed = request.defaults.sampling.seed
        self._output_started = False
        self._busy_retries = 0
        self._retried: set[str] = set()
        self._step: Step
        self._start_over()
        self._transcript = Transcript(self._step, 0, self.notes, self.usage)

    # What the driver calls.

    def next_completion(self) -> Completion | None:
        "The completion to run now; None when the turn is over."
        step, left = self._step, self._tokens_left()
        if left == 0 and not self.finish_reason:
            self._stop_at_length()
        if self.finish_reason:
            return None
        self._transcript = Transcript(step, self._transcript.number, self.notes, self.usage)
        bounds = self.request.defaults
        return replace(
            bounds,
            prompt=step_prompt(
                step,
                self._conversation,
                self._messages,
                continue_final_message=self.request.continue_final_message,
            ),
            format=step.format,
            stop=step.stop,
            max_tokens=min((limit for limit in (left, step.max_tokens) if limit is not None), default=None),
            sampling=replace(bounds.sampling, seed=self._seed),
            top_logprobs=bounds.top_logprobs if step.type in ("free", "answer") else None,
        )

    def feed(self, item: Piece | Done, /) -> Iterator[Text | ToolCall]:
        "What this item adds to the turn. Raises BadAnswer where the model's text can be no use."
        match item:
            case Piece():
                yield from self._pass_on(self._transcript.feed(item))
            case _:
                yield from self._pass_on(self._transcript.finish())
                self.usage.end_completion(item, hidden=self._hidden_tokens(item))
                yield from self._finish_step(item)

    def on_error(self, error: GptOssError) -> float:
        "How many seconds to wait before asking again. Raises `error` where asking again is of no use."
        match error:
            case EngineBusy() if self._busy_retries < len(BUSY_WAITS):
                self._busy_retries += 1
                self._note("busy", "The engine was busy and was asked again.")
                return BUSY_WAITS[self._busy_retries - 1]
            case EmptyStream() if not self._output_started and self._first_time("empty stream"):
                self._note("retried", "The engine answered with nothing at all and was asked again.")
                self._change_seed()
            case UnusableSchema() if self._step.type == "call" and self._step.format:
                self._note(
                    "unbound", f"The engine cannot bind the arguments by their schema. {error.message}"
                )
                self._step = replace(self._step, format=None, stop=(NEXT_MESSAGE,))
            case ContextOverflow() if self.request.truncate:
                self._conversation, dropped = drop_oldest_turns(self._conversation, error)
                oldest = "oldest message was" if dropped == 1 else f"{dropped} oldest messages were"
                self._note("truncated", f"The {oldest} left out: the context was full.")
            case _:
                raise error
        return 0.0

    # What comes of the model's text.

    def _pass_on(self, texts: Iterable[Text]) -> Iterator[Text]:
        "Text goes out as it comes, but for an answer that can still be asked for again."
        for text in texts:
            if self.request.buffer_answer and self.request.format and text.channel == "final":
                self._buffered.append(text)
            else:
                self._output_started = True
                yield text

    def _start_over(self) -> None:
        self._messages: list[Message] = []
        self._buffered: list[Text] = []
        self._calls: list[ParsedMessage] = []
        if not self.request.uses_reasoning and not self.request.continue_final_message:
            self._messages.append(Message(ANALYSIS, ""))
        self._step = opening(self.request)
        self.usage.restart()

    def _finish_step(self, done: Done) -> Iterator[Text | ToolCall]:
        if done.reason == "length" and self._step.max_tokens is None:
            self._stop_at_length()
            yield from self._pass_on_buffered()
            return
        match self._step.type:
            case "think":
                # What else came, behind an end that the model forgot, has no place before what is opened now.
                self._messages += [w.message for w in self._transcript.messages if w.is_reasoning]
                self._step = after_reasoning(self.request)
            case "name":
                self._start_call(tool_name(self._transcript.raw))
            case "call":
                self._calls[:0] = self._transcript.messages[:1]
                yield from self._finish_calls()
            case _:
                yield from self._finish_free_step()

    def _start_call(self, name: str) -> None:
        meant = closest_tool(name, self.request.required_tools)
        if name != meant:
            why = f"The model wanted to call {name or 'nothing'}, which it must not: {meant} was taken."
            self._note("renamed", why, self._transcript.raw)
        self._step = tool_call(meant, self.request.tools.get(meant))

    def _finish_free_step(self) -> Iterator[Text | ToolCall]:
        "The model has stopped by itself, or at something that it must not write by itself."
        written = self._transcript.messages
        self._calls = [writing for writing in written if writing.is_call]
        texts = [writing for writing in written if not writing.is_call and writing.message.text.strip()]
        self._messages += [writing.message for writing in texts]
        visible = {writing.channel for writing in texts} - {"analysis"}
        if self._calls and self.request.allow_calls:
            yield from self._pass_on_buffered()
            yield from self._finish_calls()
        elif "final" in visible or (visible and not self._step.stop):
            yield from self._finish_answer()
        elif self._step.type == "free":
            self._start_answer()
        elif self.request.stop:
            self._note("empty", "The answer is empty: a stop string came first.")
            self.finish_reason = "stop"
        else:
            self._on_empty_answer()

    def _finish_calls(self) -> Iterator[ToolCall]:
        "Each call with arguments that can be used; where they can not, that one is asked for again, once."
        asked_again = self._step.type == "call"
        while self._calls:
            writing = self._calls.pop(0)
            name = _tool_name(writing)
            read = parse_arguments(writing.text, self.request.tools.get(name))
            flaw = read if isinstance(read, str) else read.schema_error
            if flaw and not asked_again:
                self._note(
                    "asked_again", f"The arguments of {name} were asked for again: {flaw}", writing.text
                )
                self._step = tool_call(name, self.request.tools.get(name))
                return
            if isinstance(read, str):
                raise _bad_call(name, read, writing.text)
            if flaw:
                self._note("misfit", f"The arguments of {name} do not fit its schema: {flaw}", writing.text)
            if read.repairs:
                self._note(
                    "repaired",
                    f"The arguments of {name} were repaired: {', '.join(read.repairs)}",
                    writing.text,
                )
            asked_again = False
            self._messages.append(call_message(name, read.text))
            self._output_started = True
            yield ToolCall(writing.number, name, read)
            if self.request.single_call:
                self._drop_calls()
        self.finish_reason = "tool_calls"

    def _drop_calls(self) -> None:
        for writing in self._calls:
            self._note(
                "call_dropped",
                f"{_tool_name(writing)} was called too, but one call was wanted.",
                writing.text,
            )
        self._calls.clear()

    def _finish_answer(self) -> Iterator[Text]:
        flaw = self._answer_error()
        if flaw and self._buffered and self._tokens_left() != 0 and self._first_time("misfit"):
            self._note(
                "retried",
                f"The answer did not fit its schema and was asked for again: {flaw}",
                self._transcript.raw,
            )
            self._messages = [message for message in self._messages if message.header.channel != "final"]
            self._buffered.clear()
            self._change_seed()
            self._step = self._step if self._step.type == "answer" else final_answer(self.request)
            return
        if flaw:
            self._note("misfit", f"The answer does not fit its schema: {flaw}")
        yield from self._pass_on_buffered()
        self.finish_reason = "stop"

    def _answer_error(self) -> str | None:
        "What is wrong with the answer under the format that was asked for."
        if self.request.format is None:
            return None
        answer = next(m.text for m in reversed(self._messages) if m.header.channel == "final")
        try:
            value = json.loads(answer)
        except (ValueError, RecursionError) as error:
            return f"it is no JSON: {error}"
        return validation_error(value, self.request.format)

    def _start_answer(self) -> None:
        if self._calls:
            self._note(
                "call_dropped",
                "The model called a tool although it must not; the answer was opened for it.",
                self._transcript.raw,
            )
        elif not self._step.stop:
            self._note("answer_opened", "The model stopped without an answer; the answer was opened for it.")
        self._step = final_answer(self.request)

    def _on_empty_answer(self) -> None:
        system = self._conversation.system
        if self._output_started or not self._first_time("nothing said"):
            raise BadAnswer(
                "The model ended its answer without writing anything.",
                raw=self._transcript.raw,
                remedy="Ask again, in other words or with another -o reasoning_effort.",
            )
        self._note(
            "retried", "The model answered with nothing and was asked again, at a lower effort if it has one."
        )
        if system and system.effort in LOWER:
            self._conversation = replace(
                self._conversation, system=replace(system, effort=LOWER[system.effort])
            )
        self._change_seed()
        self._start_over()

    def _stop_at_length(self) -> None:
        self.finish_reason = "length"
        limit = self.request.defaults.max_tokens
        if limit is not None and self._tokens_left() == 0:
            why, remedy = f"-o max_tokens {limit} is used up", "Raise it"
        else:
            why, remedy = "the context is full", "Raise -o num_ctx"
        room = "was cut" if self._has_visible_text() else "had no room, all went into reasoning"
        self._note("length", f"The answer {room}: {why}. {remedy}, or lower -o reasoning_effort.")

    def _has_visible_text(self) -> bool:
        messages = [*self._messages, *(writing.message for writing in self._transcript.messages)]
        return any(m.text.strip() for m in messages if m.header.channel != "analysis")

    def _pass_on_buffered(self) -> Iterator[Text]:
        held, self._buffered = self._buffered, []
        self._output_started = self._output_started or bool(held)
        yield from held

    # Small things.

    def _tokens_left(self) -> int | None:
        limit = self.request.defaults.max_tokens
        return None if limit is None else max(0, limit - self.usage.completion_tokens)

    def _hidden_tokens(self, done: Done) -> int:
        "The marker at the end, or the two tokens of the stop strings that we set ourselves."
        return 0 if done.reason == "length" else 2 if self._step.stop else 1

    def _first_time(self, what: str) -> bool:
        "True the first time."
        fresh = what not in self._retried
        self._retried.add(what)
        return fresh

    def _change_seed(self) -> None:
        self._seed = max(self._seed or 0, 0) + 1

    def _note(self, kind: str, text: str, raw: str | None = None) -> None:
        self.notes.append(Note(kind, text, raw))


def _tool_name(writing: ParsedMessage) -> str:
    return str(writing.header.recipient).removeprefix("functions.")


def _bad_call(name: str, why: str, raw: str) -> BadAnswer:
    return BadAnswer(
        f"The model called {name} with arguments that cannot be read, twice: {why}.",
        raw=raw,
        remedy="Ask again, or in other words.",
    )
