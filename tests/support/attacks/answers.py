"""What a bad engine writes: the bytes of its answers to `/api/generate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

MEGABYTE = 2**20
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 5}
FINAL = ("<|channel|>", "final", "<|message|>")
ANALYSIS = ("<|channel|>", "analysis", "<|message|>")
CALL = ("<|channel|>", "commentary to=functions.x", "<|constrain|>", "json", "<|message|>")


def lines(*pieces: str) -> Iterator[bytes]:
    for piece in pieces:
        yield json.dumps({"model": "gpt-oss:20b", "response": piece, "done": False}).encode() + b"\n"
    yield json.dumps({"model": "gpt-oss:20b", "response": "", **DONE}).encode() + b"\n"


def _endless(start: bytes, size: int) -> Iterator[bytes]:
    yield start
    for _ in range(size // 65_536):
        yield b"a" * 65_536


# Ordinary ones, which get a request through to its end.
HELLO = "an answer"
CALLS = {
    "a call": '{"a":"x"}',
    "a call with a text that patterns try": json.dumps({"a": "a" * 40 + "!"}),
    "a call with many values": json.dumps({"a": [*range(20_000)]}),
    "a call with many objects": json.dumps({"a": [{"b": n} for n in range(10_000)]}),
    "a call with many keys": json.dumps({f"k{n}": 1 for n in range(20_000)}),
    "a call with nests": '{"a":' * 100 + "1" + "}" * 100,
}
ORDINARY: Mapping[str, Callable[[], Iterable[bytes]]] = {
    HELLO: lambda: lines(*FINAL, "Hello"),
    **{name: lambda text=text: lines(*CALL, text) for name, text in CALLS.items()},
}
# With a line that never ends, a connection ends after that many bytes.
BAD: Mapping[str, Callable[[], Iterable[bytes]]] = {
    "a line that never ends": lambda: _endless(b'{"model":"gpt-oss:20b","response":"', 64 * MEGABYTE),
    "a text of 8 MB in one piece": lambda: lines(*FINAL, "a" * (8 * MEGABYTE)),
    "a text of 8 MB in 8 pieces": lambda: lines(*FINAL, *["a " * (MEGABYTE // 2)] * 8),
    "a text of 8 MB in pieces of 80": lambda: lines(*FINAL, *["a" * 80] * (8 * MEGABYTE // 80)),
    "100,000 tiny pieces": lambda: lines(*FINAL, *["a"] * 100_000),
    "100,000 tiny pieces of thought": lambda: lines(*ANALYSIS, *["a"] * 100_000),
    "100,000 tiny pieces of arguments": lambda: lines(*CALL, '{"a":"', *["a"] * 100_000, '"}'),
    "100,000 empty pieces": lambda: lines(*FINAL, *[""] * 100_000, "Hello"),
    "100,000 spaces": lambda: lines(*FINAL, *[" "] * 100_000, "x"),
    "100,000 line breaks": lambda: lines(*FINAL, *["\n"] * 100_000, "x"),
    "20,000 markers": lambda: lines(*FINAL, *["<|message|>"] * 20_000),
    "20,000 messages": lambda: lines(*[*FINAL, "x", "<|end|>", "<|start|>", "assistant"] * 3_000),
    "20,000 thoughts": lambda: lines(*[*ANALYSIS, "x", "<|end|>", "<|start|>", "assistant"] * 3_000),
    "3,000 calls": lambda: lines(*[*CALL, "{}", "<|call|>", "<|start|>", "assistant"] * 3_000),
    "markers in one piece": lambda: lines(*FINAL, "<|start|>assistant<|channel|>final<|message|>" * 25_000),
    "a header of 1 MB": lambda: lines("<|channel|>", "a" * MEGABYTE, "<|message|>", "x"),
    "a header in 100,000 pieces": lambda: lines("<|channel|>", *["a"] * 100_000, "<|message|>", "x"),
    "a header without an end": lambda: lines("<|channel|>", *["final "] * 50_000),
    "a call to a name of 1 MB": lambda: lines(
        "<|channel|>", "commentary to=functions." + "x" * MEGABYTE, "<|message|>", "{}"
    ),
    "arguments of 1 MB": lambda: lines(*CALL, json.dumps({"a": "x" * MEGABYTE})),
    "arguments without an end": lambda: lines(*CALL, '{"a": "' + "x" * MEGABYTE),
    "careless arguments": lambda: lines(*CALL, "{a:'b'," * 50_000),
    "arguments of brackets": lambda: lines(*CALL, "[" * MEGABYTE),
    "arguments of quotes": lambda: lines(*CALL, '"' * MEGABYTE),
    "arguments of backslashes": lambda: lines(*CALL, '{"a":"' + "\\" * MEGABYTE),
    "arguments of line breaks": lambda: lines(*CALL, '{"a":"' + "\n" * MEGABYTE + '"}'),
    "a fence that never ends": lambda: lines(*FINAL, "```json\n" + "{" * MEGABYTE),
    "fences": lambda: lines(*FINAL, "```\n" * 100_000),
    "no markers at all": lambda: lines("a" * MEGABYTE),
    "lines of no JSON": lambda: (b"{}\n" for _ in range(100_000)),
    "a line of nests": lambda: [b'{"response":' + b"[" * MEGABYTE + b"]" * MEGABYTE + b"}\n"],
    "an error of 1 MB": lambda: [json.dumps({"error": "x" * MEGABYTE}).encode() + b"\n"],
    "an error of nested JSON": lambda: [json.dumps({"error": '{"error":' * 50_000}).encode() + b"\n"],
}
