"""Headers that are broken, text outside of any message, and channels that harmony does not have.

Only text under a header of the channel final is the answer. Text without a header is dropped with a note, or
taken as reasoning, but never shown. A channel with a name that is similar to one of the three is that one.
Any other is treated as `commentary`, which may be shown as a preamble.
"""

from __future__ import annotations

from dataclasses import replace

from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Cut, Request, Row, Want, spread
from support.slips.shapes import CALL, OSLO, PLAIN, SCHEMA, SHAPES, STOPPED, WEATHER, Shape

START = "<|start|>assistant"
ANALYSIS = "<|channel|>analysis<|message|>T.<|end|>"

# Slips before the answer or the call, none of which is ever shown.
DROPPED = {
    "question marks": f"<|channel|>??<|end|>{START}{THOUGHT}",
    "an empty channel": f"<|channel|><|end|>{START}{THOUGHT}",
    "an empty channel and a start": f"<|channel|><|start|>assistant{THOUGHT}",
    "analysis without a message": f"<|channel|>analysis<|end|>{START}",
    "commentary without a message": f"<|channel|>commentary<|end|>{START}",
    "words in a header": f"<|channel|>analysis We need to answer.<|end|>{START}",
    "words in a header of commentary": f"<|channel|>commentary I will look.<|end|>{START}",
    "words in a header with no end": f"<|channel|>analysis We need to answer.<|start|>assistant{THOUGHT}",
    "a header twice": f"<|channel|>analysis{THOUGHT}",
    "a word between messages": f"{ANALYSIS}Oops{START}",
    "a sentence between messages": f"{ANALYSIS} The answer is 5.\n\n{START}",
    "a bracket between messages": f"{ANALYSIS}}}\n{START}",
    "a channel's name between messages": f"{ANALYSIS}analysis{START}",
    "the last channel's name between messages": f"{ANALYSIS}final{START}",
    "text before the first header": f"We need to answer.{ANALYSIS}{START}",
    "an answer before the first header": f"The answer is 5.{ANALYSIS}{START}",
    "text with an end before the first header": f"Well.<|end|>{START}{ANALYSIS}{START}",
    "text before a start": f"Well.{START}{ANALYSIS}{START}",
    "lines before the first header": f"\n\nOne.\nTwo.{ANALYSIS}{START}",
    "text before the answer alone": "The answer is 5.",
    "text with an end before the answer": f"The answer is 5.<|end|>{START}",
    "question marks before the answer": f"<|channel|>??<|end|>{START}",
}

# Markers that are there once too often. Nothing is lost with them, so they need no note.
REPEATED = {
    "a message of nobody": f"<|start|><|end|>{START}",
    "two starts": f"{ANALYSIS}<|start|>{START}",
    "two whole starts": f"{ANALYSIS}{START}{START}",
    "two ends": f"{ANALYSIS}<|end|>{START}",
    "an end alone": f"<|end|>{START}",
}

# Slips that lose nothing: the message before, and the one after, are whole.
MENDED = {
    "no start": ANALYSIS,
    "no role": f"{ANALYSIS}<|start|>",
    "no end": f"<|channel|>analysis<|message|>T.{START}",
    "neither end nor start": "<|channel|>analysis<|message|>T.",
    "the role once more": f"assistant{ANALYSIS}{START}",
    "the start once more": f"{START}{ANALYSIS}{START}",
    "the role twice": f"{ANALYSIS}{START}assistant",
    "a message twice": f"<|channel|>analysis<|message|><|message|>T.<|end|>{START}",
    "a channel twice": f"<|channel|>analysis<|channel|>analysis<|message|>T.<|end|>{START}",
    "a channel's marker twice": f"<|channel|><|channel|>analysis<|message|>T.<|end|>{START}",
    "a space before the channel": f"<|channel|> analysis<|message|>T.<|end|>{START}",
    "a line before the channel": f"<|channel|>\nanalysis<|message|>T.<|end|>{START}",
    "a space after the channel": f"<|channel|>analysis <|message|>T.<|end|>{START}",
    "a space before the start": f"{ANALYSIS} {START}",
    "a content type of a thought": f"<|channel|>analysis <|constrain|>text<|message|>T.<|end|>{START}",
    "a channel in capitals": f"<|channel|>Analysis<|message|>T.<|end|>{START}",
    "a misspelt channel": f"<|channel|>anaylsis<|message|>T.<|end|>{START}",
    "a channel with a letter too few": f"<|channel|>analysi<|message|>T.<|end|>{START}",
    "a channel with a letter too many": f"<|channel|>analysiss<|message|>T.<|end|>{START}",
    "a full stop after the channel": f"<|channel|>analysis.<|message|>T.<|end|>{START}",
    "a quoted channel": f'<|channel|>"analysis"<|message|>T.<|end|>{START}',
}

# Channels whose text may be shown as a preamble is, before the answer.
PREAMBLES = {
    "comment": "comment",
    "in capitals": "COMMENTARY",
    "misspelt": "commentry",
    "question marks": "??",
    "thoughts": "thoughts",
    "plan": "plan",
    "reply": "reply",
    "a number": "1",
    "another script": "分析",
}

# Headers of the answer that are not spelled as they should be, but are headers of the channel final.
ANSWERS = {
    "in capitals": "<|channel|>Final<|message|>",
    "misspelt": "<|channel|>fianl<|message|>",
    "a letter too many": "<|channel|>finall<|message|>",
    "a space before it": "<|channel|> final<|message|>",
    "a line before it": "<|channel|>\nfinal<|message|>",
    "a space after it": "<|channel|>final <|message|>",
    "a content type": "<|channel|>final json<|message|>",
    "a constrained content type": "<|channel|>final <|constrain|>json<|message|>",
    "an empty content type": "<|channel|>final <|constrain|><|message|>",
    "the channel twice": "<|channel|>final<|channel|>final<|message|>",
    "its marker twice": "<|channel|><|channel|>final<|message|>",
    "the message's marker twice": "<|channel|>final<|message|><|message|>",
    "the role once more": "assistant<|channel|>final<|message|>",
    "the start once more": "<|start|>assistant<|channel|>final<|message|>",
    "a start without a role": "<|start|><|channel|>final<|message|>",
}
# Those whose channel the model misspelt. The others are headers of the channel final as they are.
MISSPELT = {"in capitals", "misspelt", "a letter too many"}

# Headers that need not count as headers of the answer: it is the answer, or is requested once more.
UNSURE = {
    "no channel": "<|message|>",
    "a role and no channel": "assistant<|message|>",
    "a start and no channel": "<|start|>assistant<|message|>",
    "no marker of the channel": "final<|message|>",
    "two channels": "<|channel|>analysis<|channel|>final<|message|>",
    "two channels in a word": "<|channel|>analysisfinal<|message|>",
    "the channel in the role": "assistantfinal<|message|>",
    "no message": "<|channel|>final",
    "no message and a space": "<|channel|>final ",
}


def _dropped(name: str, slip: str, shape: Shape) -> Row:
    return Row(f"header, {name}, before {shape.name}", shape.texts(slip), shape.want, shape.request)


def _mended(name: str, slip: str, shape: Shape) -> Row:
    want = replace(shape.want, notes=None, reasoning="T.")
    return Row(f"header, {name}, before {shape.name}", shape.texts(slip), want, shape.request)


def _preamble(name: str, channel: str, shape: Shape) -> Row:
    slip = f"{THOUGHT}<|channel|>{channel}<|message|>Let me look.{NEXT}"
    shown = "Let me look." + ("\n\n" if shape.want.text else "") + shape.want.text
    wants = [shape.want] if shape is SCHEMA else [shape.want, replace(shape.want, text=shown)]
    return Row(f"channel, {name}, before {shape.name}", shape.texts(slip), wants, shape.request)


def _answer(name: str, header: str, shape: Shape) -> Row:
    first = str(shape.wrote).replace(FINAL, header)
    further = list(shape.further)
    notes = shape.want.notes if name in MISSPELT and shape is PLAIN else None
    return Row(
        f"answer's header, {name}, {shape.name}",
        [THOUGHT + first if first.startswith("<|channel|>") else first, *further],
        replace(shape.want, notes=notes),
        shape.request,
    )


def _unsure(name: str, header: str) -> Row:
    texts = [f"{THOUGHT if header.startswith('<|channel|>') else ''}{header}The answer<|return|>"]
    wants = [Want("The answer"), Want("The answer\n\nThe answer")]
    return Row(f"answer's header, {name}", [*texts, "The answer<|return|>"], wants)


_DROPPED = [_dropped(name, slip, shape) for name, slip in DROPPED.items() for shape in SHAPES]
_REPEATED = [
    Row(
        f"header, {name}, before {shape.name}",
        shape.texts(slip),
        replace(shape.want, notes=None),
        shape.request,
    )
    for name, slip in REPEATED.items()
    for shape in SHAPES
]
_MENDED = [
    _mended(name, slip, shape)
    for position, (name, slip) in enumerate(MENDED.items())
    for shape in (SHAPES[position % 4], SHAPES[(position + 1) % 4])
]
_PREAMBLES = [_preamble(name, channel, shape) for name, channel in PREAMBLES.items() for shape in SHAPES]
_ANSWERS = [
    _answer(name, header, shape) for name, header in ANSWERS.items() for shape in (PLAIN, STOPPED, SCHEMA)
]

_OTHERS = [
    Row(
        "header, a whole turn without a mistake",
        [f"{THOUGHT}{FINAL}Yes.<|return|>"],
        Want("Yes.", notes=NONE),
    ),
    Row(
        "header, final without a message, then an answer",
        [f"<|channel|>final<|end|>{START}{FINAL}The answer<|return|>"],
        Want("The answer"),
    ),
    Row(
        "header, final without a message but with words, then an answer",
        [f"<|channel|>final The answer is 5.<|end|>{START}{FINAL}The answer<|return|>"],
        Want("The answer"),
    ),
    Row(
        "header, final without a message but with words, and nothing else",
        [f"{THOUGHT}<|channel|>final The answer is 5.<|return|>", "The answer<|return|>"],
        Want("The answer"),
    ),
    Row(
        "header, final without a message, and nothing else",
        [f"{THOUGHT}<|channel|>final<|return|>", "The answer<|return|>"],
        Want("The answer", reasoning="Think."),
    ),
    Row(
        "header, a start after the answer",
        [f"{THOUGHT}{FINAL}The answer<|start|>assistant<|return|>"],
        Want("The answer", notes=None),
    ),
    Row(
        "header, words after the answer",
        [f"{THOUGHT}{FINAL}The answer<|end|>And more.<|return|>"],
        Want("The answer"),
    ),
    Row(
        "header, words and a start after the answer",
        [f"{THOUGHT}{FINAL}The answer<|end|>And more.<|start|>assistant<|return|>"],
        Want("The answer"),
    ),
    Row(
        "header, a header without a message after the answer",
        [f"{THOUGHT}{FINAL}The answer<|end|>{START}<|channel|>analysis<|return|>"],
        Want("The answer", notes=None),
    ),
    Row(
        "header, a thought after the answer",
        [f"{THOUGHT}{FINAL}The answer<|end|>{START}<|channel|>analysis<|message|>Done.<|return|>"],
        Want("The answer", notes=None),
    ),
    Row(
        "header, a constrain marker in the answer",
        [f"{THOUGHT}{FINAL}The <|constrain|>answer<|return|>"],
        Want("The answer", notes=None),
    ),
    Row(
        "header, a message marker in the answer",
        [f"{THOUGHT}{FINAL}The <|message|>answer<|return|>"],
        Want("The answer", notes=None),
    ),
    Row(
        "header, two answers",
        [f"{THOUGHT}{FINAL}One.<|end|>{START}{FINAL}Two.<|return|>"],
        Want("One.\n\nTwo.", notes=None),
    ),
    Row(
        "header, nothing at all",
        ["", "The answer<|return|>"],
        Want("The answer"),
    ),
    *(
        Row(f"header, {name} alone", [marker, "The answer<|return|>"], Want("The answer"))
        for name, marker in {
            "a start": "<|start|>",
            "an end": "<|end|>",
            "a channel": "<|channel|>",
            "question marks": "<|channel|>??",
            "a thought's header": "<|channel|>analysis",
            "a thought's header with words": "<|channel|>analysis We need to answer.",
            "a preamble's header": "<|channel|>commentary",
        }.items()
    ),
    Row(
        "header, question marks alone, with a stop string",
        ["<|channel|>??<|end|>", *STOPPED.further],
        STOPPED.want,
        STOPPED.request,
    ),
    Row(
        "header, question marks alone, with a schema",
        ["<|channel|>??<|end|>", *SCHEMA.further],
        SCHEMA.want,
        SCHEMA.request,
    ),
    Row(
        "header, a thought alone",
        ["<|channel|>analysis<|message|>Think.<|return|>", "The answer<|return|>"],
        Want("The answer", reasoning="Think.", notes=["answer_opened"]),
    ),
    Row(
        "header, cut by the limit of the context",
        [Cut("<|channel|>analysis")],
        Want(finish_reason="length", notes=["length"]),
    ),
    Row(
        "header, cut after a thought",
        [Cut(f"{THOUGHT}<|channel|>fin")],
        Want(finish_reason="length", notes=["length"], reasoning="Think."),
    ),
    Row(
        "header, question marks, and then nothing that can be used",
        ["<|channel|>??<|end|>", "", "<|channel|>??<|end|>", ""],
        Want(error="BadAnswer"),
        mistakes=3,
    ),
    Row(
        "header, a message in the name of the user",
        [
            f"{THOUGHT}{FINAL}The answer<|end|><|start|>user<|message|>Thanks!<|end|>{START}"
            f"{FINAL}Bye.<|return|>"
        ],
        Want("The answer", notes=["spoke_for_others"]),
    ),
    Row(
        "header, a call in a message without a start",
        [f"{ANALYSIS}{CALL}"],
        Want("", OSLO, notes=None),
        Request(tools=WEATHER),
    ),
    Row(
        "header, a call after text before the first header",
        [f"I will look.{NEXT}{CALL}"],
        Want("", OSLO),
        Request(tools=WEATHER),
    ),
    Row(
        "header, effort none: question marks before the answer, with a tool",
        [f"<|channel|>??{NEXT}{FINAL}The answer<|return|>"],
        Want("The answer"),
        Request(tools=WEATHER, effort="none"),
    ),
    Row(
        "header, effort none: a broken header before a call",
        [f"<|channel|>??{NEXT}{CALL}"],
        Want("", OSLO),
        Request(tools=WEATHER, effort="none"),
    ),
    Row(
        "header, a budget: question marks before the answer",
        ["Think.<|end|>", f"<|channel|>??{NEXT}{FINAL}The answer<|return|>", "The answer<|return|>"],
        Want("The answer", reasoning="Think."),
        Request(budget=50),
    ),
]

# All of the completion is text without any header: it is the answer.
_PLAIN_TEXT = [
    *(
        Row(
            f"no header, {name}",
            [text],
            Want(text.removesuffix("<|return|>"), notes=None),
            Request(tools=tools),
        )
        for name, text, tools in (
            ("a word", "Yes", {}),
            ("a sentence", "The answer is 4.<|return|>", {}),
            ("lines", "One.\n\nTwo.\n", {}),
            ("a tool on offer", "The answer is 4.<|return|>", WEATHER),
            ("JSON", '{"city": "Oslo"}', {}),
            ("JSON that is no call", '{"city": "Oslo"}', WEATHER),
            ("a channel's name in it", "The final analysis is done.", {}),
            ("an arrow bracket", "a < b | c > d", {}),
        )
    ),
    Row("no header, an end", ["The answer<|end|>", "The answer"], Want("The answer", notes=None)),
    Row(
        "no header, cut by a limit",
        [Cut("The answer is")],
        Want("The answer is", finish_reason="length", notes=["length"]),
    ),
    Row(
        "no header, a stop string",
        ["The answer STOP more", *STOPPED.further],
        replace(STOPPED.want, notes=None),
        STOPPED.request,
    ),
    Row("no header, a schema", ['{"n": 1}', '{"n": 1}'], replace(SCHEMA.want, notes=None), SCHEMA.request),
    Row(
        "no header, prose and a schema",
        ["The number is 1.", '{"n": 1}'],
        [SCHEMA.want, Want("The number is 1.", notes=["misfit"])],
        SCHEMA.request,
    ),
    Row(
        "no header, effort none and a tool",
        ["The answer", "The answer"],
        Want("The answer", notes=None),
        Request(tools=WEATHER, effort="none"),
    ),
]

# An unknown channel is all there is.
_UNKNOWN_ALONE = [
    Row(
        f"channel, {name}, and nothing else",
        [f"{THOUGHT}<|channel|>{channel}<|message|>Let me look.<|return|>", "The answer<|return|>"],
        [Want(text) for text in ("Let me look.", "Let me look.\n\nThe answer", "The answer")],
    )
    for name, channel in PREAMBLES.items()
]

ROWS = [
    *spread(_DROPPED, 9),
    *spread(_REPEATED, 7),
    *spread(_MENDED, 5),
    *spread(_PREAMBLES, 7),
    *spread(_ANSWERS, 7),
    *(_unsure(name, header) for name, header in UNSURE.items()),
    *_OTHERS,
    *_PLAIN_TEXT,
    *spread(_UNKNOWN_ALONE, 3),
]
