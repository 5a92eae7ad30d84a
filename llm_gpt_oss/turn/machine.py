"""The state machine of one turn: which completion comes next, and what the model's text adds to the turn.

It does no input or output: `turn.run` sends its completions to an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from ..completion import Completion, Done, Piece
from ..errors import BadAnswer, ContextOverflow, EmptyStream, EngineBusy, GptOssError, UnusableSchema
from ..harmony.conversation import Conversation, Effort, Message
from .calls import PendingCalls
from .messages import call_message
from .note import Note, NoteKind
from .output import TurnOutput, answer_error
from .progress import Progress
from .request import TurnRequest
from .steps import (
    ANALYSIS,
    FINAL,
    NEXT_MESSAGE,
    Step,
    after_reasoning,
    can_reason,
    conversation_text,
    final_answer,
    opening,
    step_prompt,
    tool_name,
)
from .transcript import Text, ToolCall, Transcript
from .truncation import drop_oldest_turns
from .usage import Usage

FinishReason = Literal["stop", "length", "tool_calls"]

# Seconds to wait before each retry of a busy engine.
BUSY_WAITS = (0.5, 1.0, 2.0)
# How many tokens of reasoning may precede a call if reasoning is turned off, or its budget is used up.
MAX_THOUGHT = 100
# How many tokens to read after the answer. Engines count the prompt's tokens when the completion ends.
MAX_REST = 100
LOWER_EFFORT: dict[Effort | None, Effort] = {"high": "medium", "medium": "low"}


class TurnMachine:
    """Returns one completion after another, and reads the engine's answer to each.

    `finish_reason`, `notes` and `usage` are always up to date, so that an interrupted turn can be logged.
    `completion_is_over` says that the caller can stop the current completion: its rest is not needed.
    """

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self.completion_is_over = False
        self.usage = Usage()
        self.notes: list[Note] = [*request.notes]
        self.finish_reason: FinishReason | None = None
        self._conversation = request.conversation
        # The conversation that was rendered last, and its text.
        self._rendered: tuple[Conversation | None, str] = (None, "")
        self._seed = request.defaults.sampling.seed
        self._output = TurnOutput(request)
        self._busy_retries = 0
        self._retried: set[str] = set()
        self._calls = PendingCalls(request, self.notes)
        self._step: Step
        self._start_over()
        self._transcript = Transcript(request, self._step, 0, self.notes, self.usage)

    # Called by `turn.run`.

    def next_completion(self) -> Completion | None:
        "Return the completion to run now, or None if the turn is over."
        step, left = self._step, self._tokens_left()
        if left == 0 and not self.finish_reason:
            self._stop_at_length()
        if self.finish_reason:
            return None
        self._transcript = Transcript(self.request, step, self._transcript.number, self.notes, self.usage)
        self.completion_is_over = False
        defaults = self.request.defaults
        return replace(
            defaults,
            prompt=step_prompt(step, self._conversation_text(), self._messages),
            format=step.format,
            stop=step.stop,
            max_tokens=min((limit for limit in (left, step.max_tokens) if limit is not None), default=None),
            sampling=replace(defaults.sampling, seed=self._seed),
            top_logprobs=defaults.top_logprobs if step.type in ("free", "answer") else None,
        )

    def feed(self, item: Piece | Done, /) -> Iterator[Text | ToolCall]:
        "Yield what this item adds to the turn. Raises BadAnswer if the model's text cannot be used."
        if isinstance(item, Piece):
            yield from self._output.pass_on(self._transcript.feed(item))
            if self._transcript.is_answered:
                yield from self._limit_rest()
            elif self._step.type == "free" and not can_reason(self.request):
                yield from self._limit_thought()
        elif self._transcript.is_answered:
            yield from self._end_completion(replace(item, reason="stop"), self._hidden_tokens(item))
        else:
            yield from self._end_completion(item, self._hidden_tokens(item))

    def progress(self) -> Progress:
        "Return what the model is writing at the moment."
        return self._transcript.progress()

    def on_error(self, error: GptOssError) -> float:
        "Return how many seconds to wait before the next completion. Raises `error` if a retry cannot help."
        match error:
            case EngineBusy() if self._busy_retries < len(BUSY_WAITS):
                self._busy_retries += 1
                self._note("busy", "The engine was busy, so the request was sent again.")
                return BUSY_WAITS[self._busy_retries - 1]
            case EmptyStream() if not self._output.has_begun and self._first_time("empty stream"):
                self._note("retried", "The engine returned nothing, so the request was sent again.")
                self._change_seed()
            case UnusableSchema() if self._step.type == "call" and self._step.format:
                reason = f"The engine cannot constrain the arguments by their schema. {error.message}"
                self._note("unbound", reason)
                self._step = replace(self._step, format=None, stop=(NEXT_MESSAGE,))
            case ContextOverflow() if self.request.truncate:
                self._conversation, dropped = drop_oldest_turns(self._conversation, error)
                oldest = "oldest message was" if dropped == 1 else f"{dropped} oldest messages were"
                self._note("truncated", f"The {oldest} left out because the context was full.")
            case ContextOverflow() if self.usage.completions:
                self._stop_at_length()  # what the model wrote in this turn filled the context
            case _:
                raise error
        return 0.0

    # How the turn continues after the model's text.

    def _end_completion(self, done: Done, hidden: int) -> Iterator[Text | ToolCall]:
        yield from self._output.pass_on(self._transcript.finish())
        self.usage.end_completion(done, hidden=hidden)
        yield from self._finish_step(done)

    def _start_over(self) -> None:
        "Go back to the first step, and discard everything that the model wrote."
        self._messages: list[Message] = []
        self._output.discard()
        self._calls.clear()
        if not self.request.uses_reasoning and not self.request.continue_final_message:
            self._messages.append(Message(ANALYSIS, ""))
        self._step = opening(self.request)
        self.usage.restart()

    def _finish_step(self, done: Done) -> Iterator[Text | ToolCall]:
        answer_without_header = self._take_answer_without_header()
        if done.reason == "length" and self._step.max_tokens is None:
            yield from self._output.pass_on(answer_without_header)
            self._calls.drop_all(self._transcript.messages, "the turn was cut")
            self._stop_at_length()
            yield from self._output.release()
            return
        match self._step.type:
            case "think":
                yield from self._finish_think_step()
            case "name":
                raw = self._transcript.raw
                self._step = self._calls.start_named(tool_name(raw), raw)
            case "call":
                self._calls.take_requested(self._transcript.messages)
                yield from self._finish_calls()
            case _:
                yield from self._finish_free_step(answer_without_header)

    def _finish_think_step(self) -> Iterator[ToolCall]:
        """Keep the reasoning, and calls that follow it without `<|start|>`, which would have ended the step.

        Drop everything else, which cannot precede the message that is opened next.
        """
        messages = self._transcript.messages
        self._messages += [parsed.message for parsed in messages if parsed.shown_as]
        self._calls.take_after_reasoning(messages)
        if self._calls:
            yield from self._finish_calls()
        else:
            self._step = after_reasoning(self.request)

    def _limit_thought(self) -> Iterator[Text | ToolCall]:
        "End the completion if the model reasons at length although it may not."
        if self._transcript.reasoning_tokens > MAX_THOUGHT:
            self.completion_is_over = True
            self._note("reasoning_cut", "The model reasoned beyond its limit, so the rest was left out.")
            yield from self._end_completion(Done("stop"), hidden=0)

    def _limit_rest(self) -> Iterator[Text | ToolCall]:
        "End the completion after the answer, as soon as the engine has counted the prompt's tokens."
        if self.usage.prompt_tokens is not None or self._transcript.ignored_tokens > MAX_REST:
            self.completion_is_over = True
            yield from self._end_completion(Done("stop"), hidden=0)

    def _finish_free_step(self, answer_without_header: list[Text]) -> Iterator[Text | ToolCall]:
        """Finish a step in which the model wrote an answer or opened messages itself.

        Yield its calls or its answer. If there is neither, tell the model that its call is refused, or start
        a step for the answer. If such a step wrote nothing, request the answer again, or end the turn if a
        stop string came first.
        """
        parsed = self._transcript.messages
        texts = [message for message in parsed if not message.is_call and message.message.text.strip()]
        self._messages += [text.message for text in texts]
        has_answer = any(text.shown_as == "final" for text in texts)
        if refusal := self._calls.take(parsed, has_answer=has_answer):
            self._messages += refusal
            self._step = after_reasoning(self.request)
        elif self._calls:
            yield from self._finish_calls()
        elif answer_without_header or has_answer:
            yield from self._output.pass_on(answer_without_header)
            yield from self._finish_answer()
        elif self._step.type == "free":
            self._start_answer()
        elif self.request.stop:
            self._note("empty", "The answer is empty because a stop string came first.")
            self.finish_reason = "stop"
        else:
            self._on_empty_answer()

    def _take_answer_without_header(self) -> list[Text]:
        "Return the answer if the model wrote no header at all. Otherwise add a note for the text left out."
        may_answer = self._step.type == "free" and not self._step.answer_follows
        if may_answer and (answer := self._transcript.text_without_header()):
            self._note("mended", "The header of a message was repaired: header missing")
            self._messages.append(Message(FINAL, answer.text))
            return [answer]
        for stray in self._transcript.dropped:
            self._note("text_dropped", "Text that belongs to no message was left out.", stray.text)
        return []

    def _finish_calls(self) -> Iterator[ToolCall]:
        for call in self._calls.pass_on(is_retry=self._step.type == "call"):
            if isinstance(call, Step):
                self._step = call
                return
            self._messages.append(call_message(call.name, call.arguments.text))
            self._output.has_begun = True
            yield call
        self.finish_reason = "tool_calls"

    def _finish_answer(self) -> Iterator[Text]:
        error = self._answer_error()
        if error and self._output.holds_answer and self._tokens_left() != 0 and self._first_time("misfit"):
            reason = f"The answer did not fit its schema and was requested again: {error}"
            self._note("retried", reason, self._transcript.raw)
            self._messages = [message for message in self._messages if message.header.channel != "final"]
            self._output.discard()
            self._change_seed()
            return
        if error:
            self._note("misfit", f"The answer does not fit its schema: {error}")
        yield from self._output.release()
        self.finish_reason = "stop"

    def _answer_error(self) -> str | None:
        "Return why the answer does not fit the requested schema, or None if it fits."
        if self.request.format is None:
            return None
        answer = next(m.text for m in reversed(self._messages) if m.header.channel == "final")
        return answer_error(answer, self.request.format)

    def _start_answer(self) -> None:
        if not self._step.answer_follows:
            self._retried.add("no answer")
            if not self.completion_is_over:  # otherwise there is a note about its end
                note = "The model stopped without an answer, so the answer was started for it."
                self._note("answer_opened", note)
        self._step = final_answer(self.request)

    def _on_empty_answer(self) -> None:
        """Request the answer once more. If there was no output yet, start over, with less reasoning.

        Raises BadAnswer the second time. An answer that was started for the model counts as a second one if
        there was output before.
        """
        is_second = self._output.has_begun and "no answer" in self._retried
        if is_second or not self._first_time("empty answer"):
            raise BadAnswer(
                "The model ended its answer without writing anything.",
                raw=self._transcript.raw,
                remedy="Rephrase the prompt, or try another -o reasoning_effort.",
            )
        self._change_seed()
        if self._output.has_begun:
            self._note("retried", "The answer was empty and was requested again.")
            return
        note = "The model wrote nothing and was prompted again, at a lower reasoning effort if there is one."
        self._note("retried", note)
        system = self._conversation.system
        if system and system.effort in LOWER_EFFORT:
            system = replace(system, effort=LOWER_EFFORT[system.effort])
            self._conversation = replace(self._conversation, system=system)
        self._start_over()

    def _stop_at_length(self) -> None:
        self.finish_reason = "length"
        limit = self.request.defaults.max_tokens
        if limit is not None and self._tokens_left() == 0:
            reason, remedy = f"-o max_tokens {limit} is used up", "Raise it"
        else:
            reason, remedy = "the context is full", "Raise -o num_ctx"
        if self._has_visible_text():
            result = f"The answer was cut: {reason}."
        else:
            result = f"The reasoning left no room for an answer: {reason}."
        self._note("length", f"{result} {remedy}, or lower -o reasoning_effort.")

    def _has_visible_text(self) -> bool:
        messages = [*self._messages, *(parsed.message for parsed in self._transcript.messages)]
        return any(m.text.strip() for m in messages if m.header.channel != "analysis")

    # Helpers of the methods above.

    def _conversation_text(self) -> str:
        "Return the text of the conversation, which takes long to make if there are many tools or messages."
        conversation, _ = self._rendered
        if conversation is not self._conversation:
            continues = self.request.continue_final_message
            text = conversation_text(self._conversation, continue_final_message=continues)
            self._rendered = self._conversation, text
        return self._rendered[1]

    def _tokens_left(self) -> int | None:
        limit = self.request.defaults.max_tokens
        return None if limit is None else max(0, limit - self.usage.completion_tokens)

    def _hidden_tokens(self, done: Done) -> int:
        "How many generated tokens no piece contains: a marker, or the two tokens of the answer's opener."
        return 0 if done.reason == "length" else 2 if self._step.answer_follows else 1

    def _first_time(self, problem: str) -> bool:
        "Whether this problem has not caused a retry in this turn yet."
        is_first = problem not in self._retried
        self._retried.add(problem)
        return is_first

    def _change_seed(self) -> None:
        self._seed = max(self._seed or 0, 0) + 1

    def _note(self, kind: NoteKind, text: str, raw: str | None = None) -> None:
        self.notes.append(Note(kind, text, raw))
