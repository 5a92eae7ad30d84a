"""A row of the table of slips: what the model wrote, what was requested, and the expected outcome.

Row("a plain answer", [FINAL + "Yes.<|return|>"], Want("Yes.", notes=NONE))

Markers in these texts are special tokens. `spelled` makes text in which the model spells out the markers as
ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from llm_gpt_oss.harmony.markers import MARKER, WORD_JOINER

Json = dict[str, Any]
Call = tuple[str, Json]
Surface = Literal["machine", "plugin", "chat", "responses"]
SURFACES: tuple[Surface, ...] = ("machine", "plugin", "chat", "responses")

THOUGHT = "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant"
NEXT = "<|end|><|start|>assistant"

# This character is between the `<` and the `|` of a spelled-out marker in a row's text.
_SPELLED = "\ue000"
_SPLIT = re.compile(f"({MARKER.pattern})")


def spelled(text: str) -> str:
    "Return the text with its markers spelled out."
    return text.replace("<|", f"<{_SPELLED}|")


def disguised(text: str) -> str:
    "Return the text with its markers neutralised, as the prompt shows them to the model."
    return text.replace("<|", f"<{WORD_JOINER}|")


class Cut(NamedTuple):
    "A text that was cut by a limit, of the step or of the context."

    text: str


class Fails(NamedTuple):
    "An error of the engine instead of a text, in Ollama's words."

    status: int
    message: str


Part = str | Cut | Fails
CONTEXT_FULL = Fails(400, "the input length exceeds the context length")


class Token(NamedTuple):
    text: str
    is_marker: bool


def tokens(text: str, *, characters: bool = False) -> list[Token]:
    """Return the tokens of a text. A marker is one token, and other text is split into short ones.

    With `characters`, each character of other text is a token.
    """
    words = re.compile("." if characters else r"\s?[^\s<|>]{1,6}|\s+|.", re.DOTALL)
    cut: list[Token] = []
    for part in _SPLIT.split(text):
        if MARKER.fullmatch(part):
            cut.append(Token(part, True))
        else:
            plain = part.replace(_SPELLED, "")
            cut += [Token(word, False) for word in words.findall(plain)]
    return cut


def generated(text: str, stop: Sequence[str], *, characters: bool = False) -> tuple[list[Token], str | None]:
    """Return what an engine passes on of a text, and the stop string that ended it, if any.

    The text before the stop string, or before `<|return|>` or `<|call|>`, is passed on.
    """
    written: list[Token] = []
    for token in tokens(text, characters=characters):
        if token.is_marker and token.text in ("<|return|>", "<|call|>"):
            break
        written.append(token)
        joined = "".join(each.text for each in written)
        for string in stop:
            if string in joined:
                return _first_characters(written, joined.index(string)), string
    return written, None


def _first_characters(written: Sequence[Token], length: int) -> list[Token]:
    kept: list[Token] = []
    for token in written:
        if length <= 0:
            break
        kept.append(token if len(token.text) <= length else Token(token.text[:length], False))
        length -= len(token.text)
    return kept


@dataclass(frozen=True, slots=True)
class Request:
    """What was requested. `tools` are names of tools with the JSON schemas of their parameters.

    `allowed` are the tools that may be called (OpenAI's `allowed_tools`). `budget` limits the reasoning.
    """

    tools: Mapping[str, Json] = field(default_factory=dict)
    schema: Json | None = None
    stop: tuple[str, ...] = ()
    effort: str | None = None
    budget: int | None = None
    tool_choice: str | None = None
    allowed: tuple[str, ...] | None = None
    logprobs: bool = False
    temperature: float | None = None
    prompt: str = "Hi"

    @property
    def completions(self) -> int:
        "How many completions the turn takes at most if the model makes no mistake."
        can_reason = self.effort != "none"
        required = len(self.tools) if self.tool_choice == "required" else self.tool_choice in self.tools
        if required:
            return can_reason + (2 if required > 1 else 1)
        thinks = can_reason and self.budget is not None
        return thinks + 1 + bool(self.schema or self.stop)


NONE: tuple[str, ...] = ()
SOME = ("*",)
Notes = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Want:
    """The expected outcome of a row.

    `text` is the whole text, or a pattern that the whole text matches. If `reasoning` is None, it is not
    checked. `notes` are kinds of notes. The turn must have at least one of them. SOME means a note of any
    kind, NONE means no notes, and None means that notes are not checked. `error` is the name of a class of
    `errors.py`. The last prompt must contain the texts in `in_prompt`.
    """

    text: str | re.Pattern[str] = ""
    calls: Sequence[Call] = ()
    reasoning: str | None = None
    notes: Notes = SOME
    error: str | None = None
    finish_reason: str | None = None
    in_prompt: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A text for each completion (`wrote`), and the expected outcome (`wants`), or several possible ones.

    `mistakes` is how many slips the model makes. Each may cost one completion. `skipped` gives the reason for
    each surface that cannot express the row. With `machine_only`, only the machine plays the row, because it
    differs from others in spelling alone.
    """

    id: str
    wrote: Sequence[Part]
    wants: Want | Sequence[Want]
    request: Request = Request()
    mistakes: int = 1
    skipped: Mapping[Surface, str] = field(default_factory=dict)
    machine_only: bool = False

    @property
    def accepted(self) -> Sequence[Want]:
        return [self.wants] if isinstance(self.wants, Want) else self.wants

    @property
    def most_completions(self) -> int:
        return self.request.completions + self.mistakes


def spread(rows: Sequence[Row], step: int) -> list[Row]:
    "Return the rows. Every `step`-th one is played on all surfaces, the others on the machine only."
    return [replace(row, machine_only=position % step != 0) for position, row in enumerate(rows)]


@dataclass(frozen=True, slots=True)
class Outcome:
    "The outcome of a row on a surface. A field that the surface does not show is None."

    text: str
    reasoning: str
    calls: list[Call]
    completions: int
    prompt: str
    notes: list[str] | None = None
    error: str | None = None
    error_text: str = ""
    finish_reason: str | None = None
    logprobs: str | None = None


def differences(row: Row, outcome: Outcome) -> list[str]:
    "Return what is wrong with an outcome, compared with the closest expected one."
    wrong = min((list(_differences(want, outcome)) for want in row.accepted), key=len)
    if outcome.completions > row.most_completions:
        wrong.append(f"{outcome.completions} completions, but at most {row.most_completions} are allowed")
    if outcome.logprobs is not None and row.request.logprobs and outcome.logprobs != outcome.text:
        wrong.append(f"log probabilities of {outcome.logprobs!r}")
    if any(not name for name, _ in outcome.calls):
        wrong.append("a call without a name")
    return wrong


def _differences(want: Want, outcome: Outcome) -> Sequence[str]:
    wrong = []
    text = want.text
    if isinstance(text, re.Pattern):
        text = outcome.text if text.fullmatch(outcome.text) else text.pattern
    checks = (
        ("text", text, outcome.text),
        ("calls", list(want.calls), outcome.calls),
        ("reasoning", want.reasoning, outcome.reasoning),
        ("finish reason", want.finish_reason, outcome.finish_reason),
    )
    for name, wanted, came in checks:
        optional = name in ("reasoning", "finish reason")
        if wanted != came and not (optional and (wanted is None or came is None)):
            wrong.append(f"{name} {came!r} instead of {wanted!r}")
    if bool(want.error) != bool(outcome.error) or (want.error and outcome.error not in (want.error, "HTTP")):
        wrong.append(f"error {outcome.error} ({outcome.error_text}) instead of {want.error}")
    if outcome.notes is not None and want.notes is not None and not _has_notes(want.notes, outcome.notes):
        wrong.append(f"notes {outcome.notes} instead of {list(want.notes)}")
    wrong += [f"{text!r} is not in the prompt" for text in want.in_prompt if text not in outcome.prompt]
    return wrong


def _has_notes(wanted: Sequence[str], notes: Sequence[str]) -> bool:
    if wanted == NONE:
        return not notes
    return bool(notes) if wanted == SOME else bool({*wanted} & {*notes})
