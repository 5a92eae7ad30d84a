"""What each engine costs beside a bare client of the same server, and whether it evaluates a prompt twice.

The bare client posts the same request with httpx, splits the lines, reads the JSON and takes the text: what
any program would have to do. All ask the same server in every round, one after the other and each in its turn
first. Counted is the processor time of this process: the model runs in another one.

With Transformers, which is in this process, the bare client is its own `generate` with a streamer, and the
model is part of what is counted.

bare    that client
engine  `Engine.complete`: the request made, each event checked, errors told apart
turn    the whole turn through llm: harmony written and read, events, usage
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.completion import Completion, Done, Piece, Sampling
from llm_gpt_oss.engines.completions import requests as completions
from llm_gpt_oss.engines.embedded.gguf import read_head
from llm_gpt_oss.engines.embedded.process import Load, Loaded
from llm_gpt_oss.engines.llama_server import requests as llama_server
from llm_gpt_oss.engines.ollama import requests
from llm_gpt_oss.engines.registered import get_provider
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import ServerAddress, Settings

FILE = Path(__file__).parent.parent / "tests" / "models" / "gpt-oss-tiny.gguf"
TAG = "gpt-oss-tiny"
PROMPT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
TARGET = 1.5
# Tokens of a long answer.
LONG = 300


class Subject:
    "An engine, and what a bare client would send to the same server."

    def __init__(
        self, name: str, place: EngineBinding, server: ServerAddress, request: Callable[[Completion], Any]
    ) -> None:
        self.name = name
        self.model = BoundModel(TAG, Settings.from_env().with_engine(name), place)
        self.server, self.request = server, request

    def bare(self, wanted: Completion) -> int:
        asked = self.request(wanted)
        taken = 0
        with httpx.stream(
            "POST",
            self.server.url + asked.path,
            content=json.dumps(asked.body),
            headers=dict(self.server.headers),
            timeout=60,
            trust_env=False,
            verify=False,  # there is no TLS, and reading the authorities would cost more than all the rest
        ) as response:
            for line in response.iter_lines():
                line = line.removeprefix("data: ")
                if line and line != "[DONE]":
                    event = json.loads(line)
                    choices = event.get("choices") or [event]
                    taken += bool(
                        choices[0].get("content") or choices[0].get("response") or choices[0].get("text")
                    )
        return taken

    def engine(self, wanted: Completion) -> int:
        with get_provider(self.name).open(self.model, None) as engine:
            return sum(isinstance(item, Piece) for item in engine.complete(wanted))

    def turn(self, wanted: Completion) -> int:
        model = GptOss(TAG, self.model.settings, binding=self.model.binding)
        response = model.prompt("Count to 120", temperature=0, max_tokens=wanted.max_tokens)
        return sum(1 for _ in response.stream_events())

    def prompt_ms(self, text: str) -> float:
        wanted = Completion(TAG, text, max_tokens=1, sampling=Sampling(temperature=0))
        with get_provider(self.name).open(self.model, None) as engine:
            [done] = [item for item in engine.complete(wanted) if isinstance(item, Done)]
        return done.prompt_ms or 0.0


class InProcess(Subject):
    "Transformers: there is no server, and what a bare client would do is to generate."

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

        torch.set_num_threads(1)
        self.name = "transformers"
        place = EngineBinding("transformers", {"weights": str(folder), "context": 8192})
        self.model = BoundModel(TAG, Settings.from_env().with_engine(self.name), place)
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        self._own = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")

    def bare(self, wanted: Completion) -> int:
        import torch
        from transformers import TextStreamer

        taken: list[str] = []
        streamer = TextStreamer(self._tokenizer, skip_prompt=True)
        streamer.on_finalized_text = lambda text, stream_end=False: taken.append(text)
        ids = torch.tensor([self._tokenizer.encode(wanted.prompt, add_special_tokens=False)])
        most = wanted.max_tokens
        self._own.generate(ids, streamer=streamer, max_new_tokens=most, do_sample=False, use_cache=True)
        return len(taken)


def in_process(stack: ExitStack) -> list[Subject]:
    sys.path.append(str(FILE.parent.parent))
    from support import hugging_face

    if hugging_face.MISSING:
        print(f"transformers is left out: {hugging_face.WHY}", file=sys.stderr)
        return []
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return [InProcess(hugging_face.write(folder))]


def subjects(stack: ExitStack) -> list[Subject]:
    "Those that can be had here."
    found: list[Subject] = in_process(stack)
    ollama = Settings.from_env().server
    try:
        tags = httpx.get(ollama.url + "/api/tags", timeout=1, trust_env=False).json()["models"]
    except (httpx.HTTPError, ValueError, KeyError):
        tags = []
    if any(tag["name"].startswith(TAG) for tag in tags):
        found.append(Subject("ollama", EngineBinding(), ollama, requests.generate))
    try:
        loaded = Loaded(Load(str(FILE), 8192, threads=1, gpu_layers=0), read_head(FILE))
    except Exception as problem:
        print(f"The others are left out: {problem}", file=sys.stderr)
        return found
    stack.callback(loaded.end)
    server = loaded.server
    headers = [f"{name}: {value}" for name, value in server.headers]
    at = {"url": server.url, "headers": headers}
    embedded = EngineBinding("embedded", {"gguf": str(FILE), "context": 8192, "threads": 1, "gpu_layers": 0})
    spoken = completions.DIALECTS["llama.cpp"]
    return [
        *found,
        Subject("embedded", embedded, server, llama_server.completion),
        Subject("llama-server", EngineBinding("llama-server", at), server, llama_server.completion),
        Subject(
            "completions",
            EngineBinding("completions", {**at, "dialect": "llama.cpp"}),
            server,
            lambda wanted: completions.completion(wanted, TAG, spoken, None),
        ),
    ]


def cpu(ask: Callable[[Completion], int], tokens: int) -> float:
    "Milliseconds of this process."
    before = time.process_time()
    ask(Completion(TAG, PROMPT, max_tokens=tokens, sampling=Sampling(temperature=0)))
    return (time.process_time() - before) * 1000


def measure(subject: Subject, rounds: int) -> dict[str, dict[str, float]]:
    "For each way: the processor time of a request of one token, and of each token more. Medians."
    ways = {"bare": subject.bare, "engine": subject.engine, "turn": subject.turn}
    short: dict[str, list[float]] = {way: [] for way in ways}
    long: dict[str, list[float]] = {way: [] for way in ways}
    for ask in ways.values():
        cpu(ask, 2)
    for number in range(rounds):
        for way in list(ways)[number % 3 :] + list(ways)[: number % 3]:
            short[way].append(cpu(ways[way], 1))
            long[way].append(cpu(ways[way], LONG))
    return {
        way: {
            "request_ms": statistics.median(short[way]),
            "token_us": statistics.median(
                (b - a) / (LONG - 1) * 1000 for a, b in zip(short[way], long[way], strict=True)
            ),
        }
        for way in ways
    }


def prefix(subject: Subject) -> dict[str, float]:
    "A long conversation, asked anew and then gone on with: what its prompt takes each time."
    text = "<|start|>user<|message|>" + f"The number {time.time()}. " + "Once more. " * 450 + "<|end|>"
    more = "<|start|>assistant<|channel|>final<|message|>Yes.<|end|><|start|>user<|message|>And?<|end|>"
    opened = "<|start|>assistant"
    return {
        "first_ms": subject.prompt_ms(text + opened),
        "second_ms": subject.prompt_ms(text + more + opened),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", dest="json_")
    chosen = parser.parse_args()
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        for subject in subjects(stack):
            results[subject.name] = {**measure(subject, chosen.rounds), "prefix": prefix(subject)}
    if chosen.json_:
        print(json.dumps(results, indent=2))
        return
    head = f"{'engine':14}{'way':8}{'a token':>10}{'of bare':>9}{'a request':>12}{'of bare':>9}"
    print(head)
    for name, found in results.items():
        bare = found["bare"]
        for way in ("bare", "engine", "turn"):
            each = found[way]
            print(
                f"{name if way == 'bare' else '':14}{way:8}{each['token_us']:>7.0f} µs"
                f"{each['token_us'] / bare['token_us']:>8.2f}x{each['request_ms']:>9.1f} ms"
                f"{each['request_ms'] / bare['request_ms']:>8.2f}x"
            )
    print("\nThe prompt of a long conversation, and of its next turn:")
    for name, found in results.items():
        told = found["prefix"]
        print(f"{name:14}{told['first_ms']:>8.0f} ms, then {told['second_ms']:.0f} ms")
    slow = [
        name
        for name, found in results.items()
        if found["engine"]["token_us"] > TARGET * found["bare"]["token_us"]
    ]
    print(f"\nMore than {TARGET} times the bare client's: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
