"""An Ollama in which each row plays its own script, so that many rows can use one server at once.

script = ollama.play(FINAL + "Hello<|return|>")   # a text for each completion
client.chat(f"Hi {script.word}")                  # the word in the prompt selects the script
assert script.requests[0].body["truncate"] is False
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from support.faults.row import PATIENCE, Unexpected, wait_for
from support.scripted_server import Reply, Request, Scripted, answer, chunk, head, stream
from support.slips.row import Cut, Fails
from support.slips.scripted_ollama import completion_lines

MODEL = "gpt-oss:20b"
WORD = re.compile(r"script\d{5}")
DETAILS = {"family": "gptoss", "families": ["gptoss"]}
TAG = {"name": MODEL, "model": MODEL, "size": 1, "digest": "0" * 64, "details": DETAILS}
GET: dict[str, Any] = {
    "/api/version": {"version": "0.24.0"},
    "/api/tags": {"models": [TAG]},
    "/api/ps": {"models": []},
    "/api/show": {"details": DETAILS, "model_info": {"general.architecture": "gptoss"}},
}
TOO_MANY = Fails(400, "the script has no more parts")
Part = str | Cut | Fails | Reply


def token(text: str) -> dict[str, Any]:
    return {"model": MODEL, "response": text, "done": False}


BEGIN = [token(text) for text in ("<|channel|>", "final", "<|message|>", "Hello")]
END = {"model": MODEL, "done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 5}


class EndlessReply:
    "A reply that never ends and never pauses. `sent` is its length so far, in bytes."

    def __init__(self) -> None:
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        yield head(200, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
        yield from (chunk(json.dumps(each).encode() + b"\n") for each in BEGIN)
        line = chunk(json.dumps(token("word " * 200)).encode() + b"\n")
        while True:
            yield line
            self.sent += len(line)

    def wait_until_held_up(self) -> None:
        "Wait until nobody takes more of it."

        def is_held_up() -> bool:
            before = self.sent
            time.sleep(1)
            return 0 < before == self.sent

        wait_for("back-pressure", is_held_up)


class Script:
    """What the model writes for one prompt: a part for each completion.

    `requests` are the completions that were requested so far. `gone` is set when the client of one of them
    leaves before its end.
    """

    def __init__(self, word: str, parts: Sequence[Part]) -> None:
        self.word = word
        self.requests: list[Request] = []
        self.begun = threading.Event()
        self.begun_at = 0.0
        self.gone = threading.Event()
        self._parts = parts

    @property
    def prompts(self) -> list[str]:
        return [request.body["prompt"] for request in self.requests]

    def wait_until_begun(self) -> None:
        if not self.begun.wait(PATIENCE):
            raise Unexpected(f"no request for a completion came to Ollama within {PATIENCE:.0f} seconds")

    def wait_until_gone(self) -> None:
        if not self.gone.wait(PATIENCE):
            raise Unexpected(f"the connection to Ollama was still open after {PATIENCE:.0f} seconds")

    def next_reply(self, request: Request) -> Reply:
        self.requests.append(request)
        self.begun_at = time.monotonic()
        self.begun.set()
        number = len(self.requests) - 1
        part = self._parts[number] if number < len(self._parts) else TOO_MANY
        match part:
            case Fails():
                return answer({"error": part.message}, part.status)
            case Cut() | str():
                return stream(*completion_lines(request.body, part))
            case _:
                return part


def chat_reply(text: str) -> Reply:
    "The answer of `/api/chat`."
    return answer({**END, "message": {"role": "assistant", "content": text}})


class Ollama(Scripted):
    def __init__(self) -> None:
        super().__init__()
        self._scripts: dict[str, Script] = {}
        self._numbers = count(1)

    def play(self, *parts: Part) -> Script:
        script = Script(f"script{next(self._numbers):05}", parts)
        self._scripts[script.word] = script
        return script

    def forget(self, script: Script) -> None:
        "Drop a script that is over, and the requests so far, of which only scripts are read."
        self._scripts.pop(script.word, None)
        self.requests.clear()

    def reply(self, request: Request) -> Reply:
        script = self._script(request)
        if script is not None:
            return script.next_reply(request)
        if request.path in GET:
            return answer(GET[request.path])
        return answer({"error": "no script has this prompt"}, 404)

    def left(self, request: Request) -> None:
        if script := self._script(request):
            script.gone.set()

    def _script(self, request: Request) -> Script | None:
        words = WORD.findall(str(request.body))
        return self._scripts.get(words[-1]) if words else None
