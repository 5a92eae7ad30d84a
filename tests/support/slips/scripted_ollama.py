"""An Ollama whose model writes the texts of a row, one for each completion.

with ScriptedOllama() as ollama:      # ollama.url is its address
    ollama.play(row.wrote)
    ...
    assert ollama.prompts[0].endswith("<|start|>assistant")

Like Ollama, it cuts the text at stop strings, holds tokens back while they may begin one, and sends those
that it held back as one line. The line has the log probabilities of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from support.scripted_server import Reply, Request, Scripted, answer, stream
from support.slips.row import Cut, Fails, Part, Token, generated

MODEL = "gpt-oss:20b"
TOO_MANY = Fails(400, "the row has no text for this completion")


class ScriptedOllama(Scripted):
    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[str] = []
        self._wrote: Sequence[Part] = ()

    def play(self, wrote: Sequence[Part]) -> None:
        self.prompts = []
        self._wrote = wrote

    def reply(self, request: Request) -> Reply:
        if request.path != "/api/generate":
            return answer({"details": {"family": "gptoss"}, "version": "0.24.0", "models": []})
        self.prompts.append(request.body["prompt"])
        number = len(self.prompts) - 1
        part = self._wrote[number] if number < len(self._wrote) else TOO_MANY
        if isinstance(part, Fails):
            return answer({"error": part.message}, part.status)
        return stream(*completion_lines(request.body, part))


def completion_lines(body: dict[str, Any], part: str | Cut) -> Iterator[dict[str, Any]]:
    "Yield the lines that answer the request `body` if the model writes `part`."
    stop = body.get("options", {}).get("stop") or ()
    written, found = generated(part.text if isinstance(part, Cut) else part, stop)
    for group in _groups(written, stop):
        text = "".join(token.text for token in group)
        probabilities = {"logprobs": [_logprob(token) for token in group]} if body.get("logprobs") else {}
        yield {"model": MODEL, "response": text, "done": False, **probabilities}
    reason = "length" if isinstance(part, Cut) else "stop"
    count = len(written) + (1 if found is None and reason == "stop" else 0)
    yield {
        "model": MODEL,
        "response": "",
        "done": True,
        "done_reason": reason,
        "prompt_eval_count": len(body["prompt"]) // 4 + 1,
        "eval_count": count,
    }


def _groups(written: Sequence[Token], stop: Sequence[str]) -> Iterator[list[Token]]:
    "Yield the tokens of each line: those that were held back because they might begin a stop string."
    held: list[Token] = []
    for token in written:
        held.append(token)
        text = "".join(each.text for each in held)
        if not any(text.endswith(string[:size]) for string in stop for size in range(1, len(string))):
            yield held
            held = []
    if held:
        yield held


def _logprob(token: Token) -> dict[str, Any]:
    return {"token": token.text, "logprob": -0.1, "bytes": [*token.text.encode()], "top_logprobs": []}
