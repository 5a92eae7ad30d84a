"""What each engine costs compared with a bare client, and whether it evaluates a prompt twice.

The bare client does what every program has to do: it posts the same request with httpx, splits the lines,
parses the JSON and takes the text. In each round all ways send a request to the same server, and another way
is the first. The figures are the processor time of this process, without the server's.

Transformers runs in this process. Its bare client is its own `generate` with a streamer, and the figures
include the model.

bare    that client
engine  `Engine.complete`: make the request, check each event, detect errors
stop    the same with a stop string, for which the engine requests the tokens of the text
turn    the whole turn through llm: render and parse harmony, events, usage
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.completion import Completion, Done, Piece, Sampling
from llm_gpt_oss.engines.completions import requests as completions
from llm_gpt_oss.engines.embedded.gguf import read_header
from llm_gpt_oss.engines.embedded.process import LoadOptions, ModelProcess
from llm_gpt_oss.engines.llama_server.requests import completion_request
from llm_gpt_oss.engines.ollama import requests
from llm_gpt_oss.engines.providers import get_provider
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import ServerAddress, Settings

FILE = Path(__file__).parent.parent / "tests" / "models" / "gpt-oss-tiny.gguf"
TAG = "gpt-oss-tiny"
PROMPT = "<|start|>user<|message|>Count to 120<|end|><|start|>assistant"
# It never occurs.
STOP = ("<|never|>",)
WAYS = ("bare", "engine", "stop", "turn")
TARGET = 1.5
# Tokens of a long answer. A short one has 1.
LONG = 300


class Subject:
    "An engine, and the request that a bare client sends to the same server."

    def __init__(
        self, name: str, binding: EngineBinding, server: ServerAddress, request: Callable[[Completion], Any]
    ) -> None:
        self.name = name
        self.model = BoundModel(TAG, Settings.from_env().with_engine(name), binding)
        self.server, self.request = server, request

    def bare(self, completion: Completion) -> int:
        "Complete with a bare client, and return the number of texts."
        request = self.request(completion)
        count = 0
        with httpx.stream(
            "POST",
            self.server.url + request.path,
            content=json.dumps(request.body),
            headers=dict(self.server.headers),
            timeout=60,
            trust_env=False,
            verify=False,  # noqa: S501 (no TLS here, and loading the certificates would take longer than the request)
        ) as response:
            for line in response.iter_lines():
                line = line.removeprefix("data: ")
                if line and line != "[DONE]":
                    event = json.loads(line)
                    choices = event.get("choices") or [event]
                    count += bool(
                        choices[0].get("content") or choices[0].get("response") or choices[0].get("text")
                    )
        return count

    def stop(self, completion: Completion) -> int:
        "As `engine`, with a stop string."
        return self.engine(replace(completion, stop=STOP))

    def engine(self, completion: Completion) -> int:
        "Complete with the engine, and return the number of pieces."
        with get_provider(self.name).open(self.model, None) as engine:
            return sum(isinstance(item, Piece) for item in engine.complete(completion))

    def turn(self, completion: Completion) -> int:
        "Run a turn with llm, and return the number of events."
        model = GptOss(TAG, self.model.settings, binding=self.model.binding)
        response = model.prompt("Count to 120", temperature=0, max_tokens=completion.max_tokens)
        return sum(1 for _ in response.stream_events())

    def done(self, completion: Completion) -> Done:
        "Return the engine's own figures for a completion."
        with get_provider(self.name).open(self.model, None) as engine:
            [done] = [item for item in engine.complete(completion) if isinstance(item, Done)]
        return done

    def prompt_ms(self, text: str) -> float:
        "Return the milliseconds that the engine reports for evaluating the prompt."
        done = self.done(Completion(TAG, text, max_tokens=1, sampling=Sampling(temperature=0)))
        return done.prompt_ms or 0.0


class InProcess(Subject):
    "Transformers, whose bare client is its own `generate`."

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

        torch.set_num_threads(1)
        self.name = "transformers"
        binding = EngineBinding("transformers", {"weights": str(folder), "context": 8192})
        self.model = BoundModel(TAG, Settings.from_env().with_engine(self.name), binding)
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        self._reference = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")

    def bare(self, completion: Completion) -> int:
        import torch
        from transformers import TextStreamer

        texts: list[str] = []
        streamer = TextStreamer(self._tokenizer, skip_prompt=True)
        streamer.on_finalized_text = lambda text, stream_end=False: texts.append(text)
        ids = torch.tensor([self._tokenizer.encode(completion.prompt, add_special_tokens=False)])
        limit = completion.max_tokens
        self._reference.generate(
            ids, streamer=streamer, max_new_tokens=limit, do_sample=False, use_cache=True
        )
        return len(texts)


def in_process(stack: ExitStack) -> list[Subject]:
    "Return Transformers, if it is installed."
    sys.path.append(str(FILE.parent.parent))
    from support import hugging_face

    if hugging_face.MISSING_PACKAGES:
        print(f"transformers is left out: {hugging_face.SKIP_REASON}", file=sys.stderr)
        return []
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return [InProcess(hugging_face.write_model(folder))]


def subjects(stack: ExitStack) -> list[Subject]:
    "Return the engines that are available here."
    available: list[Subject] = in_process(stack)
    ollama = Settings.from_env().server
    try:
        tags = httpx.get(ollama.url + "/api/tags", timeout=1, trust_env=False).json()["models"]
    except (httpx.HTTPError, ValueError, KeyError):
        tags = []
    if any(tag["name"].startswith(TAG) for tag in tags):
        available.append(Subject("ollama", EngineBinding(), ollama, requests.generate))
    try:
        process = ModelProcess(LoadOptions(str(FILE), 8192, threads=1, gpu_layers=0), read_header(FILE))
    except Exception as problem:
        print(f"The others are left out: {problem}", file=sys.stderr)
        return available
    stack.callback(process.close)
    server = process.server
    headers = [f"{name}: {value}" for name, value in server.headers]
    options = {"url": server.url, "headers": headers}
    embedded = EngineBinding("embedded", {"gguf": str(FILE), "context": 8192, "threads": 1, "gpu_layers": 0})
    dialect = completions.DIALECTS["llama.cpp"]
    return [
        *available,
        Subject("embedded", embedded, server, completion_request),
        Subject("llama-server", EngineBinding("llama-server", options), server, completion_request),
        Subject(
            "completions",
            EngineBinding("completions", {**options, "dialect": "llama.cpp"}),
            server,
            lambda completion: completions.completion_request(
                completion, TAG, dialect, completion.max_tokens
            ),
        ),
    ]


def cpu(complete: Callable[[Completion], int], tokens: int) -> float:
    "Return the processor time of a completion in milliseconds."
    before = time.process_time()
    complete(Completion(TAG, PROMPT, max_tokens=tokens, sampling=Sampling(temperature=0)))
    return (time.process_time() - before) * 1000


def measure(subject: Subject, rounds: int) -> dict[str, dict[str, float]]:
    "Return medians for each way: the processor time of a request with one token, and of each further token."
    ways = {way: getattr(subject, way) for way in WAYS}
    short: dict[str, list[float]] = {way: [] for way in ways}
    long: dict[str, list[float]] = {way: [] for way in ways}
    for complete in ways.values():
        cpu(complete, 2)
    for number in range(rounds):
        first = number % len(WAYS)
        for way in (*WAYS[first:], *WAYS[:first]):
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
    "Return the milliseconds for the prompt of a long conversation, and for that of its next turn."
    text = "<|start|>user<|message|>" + f"The number {time.time()}. " + "Once more. " * 450 + "<|end|>"
    next_turn = "<|start|>assistant<|channel|>final<|message|>Yes.<|end|><|start|>user<|message|>And?<|end|>"
    opener = "<|start|>assistant"
    return {
        "first_ms": subject.prompt_ms(text + opener),
        "second_ms": subject.prompt_ms(text + next_turn + opener),
    }


def server(subject: Subject, rounds: int) -> dict[str, float]:
    "Return the microseconds that the server reports for a token, without and with a stop string."
    plain = Completion(TAG, PROMPT, max_tokens=LONG, sampling=Sampling(temperature=0))
    completions = {"plain": plain, "stop": replace(plain, stop=STOP)}
    times: dict[str, list[float]] = {name: [] for name in completions}
    for _ in range(rounds):
        for name, completion in completions.items():
            times[name].append((subject.done(completion).completion_ms or 0.0) / LONG * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", dest="json_")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        for subject in subjects(stack):
            results[subject.name] = {
                **measure(subject, arguments.rounds),
                "server": server(subject, arguments.rounds),
                "prefix": prefix(subject),
            }
    if arguments.json_:
        print(json.dumps(results, indent=2))
        return
    head = f"{'engine':14}{'way':8}{'a token':>10}{'of bare':>9}{'a request':>12}{'of bare':>9}"
    print(head)
    for name, result in results.items():
        bare = result["bare"]
        for way in WAYS:
            figures = result[way]
            print(
                f"{name if way == 'bare' else '':14}{way:8}{figures['token_us']:>7.0f} µs"
                f"{figures['token_us'] / bare['token_us']:>8.2f}x{figures['request_ms']:>9.1f} ms"
                f"{figures['request_ms'] / bare['request_ms']:>8.2f}x"
            )
    print("\nThe server's own time for a token, and with a stop string:")
    for name, result in results.items():
        times = result["server"]
        print(f"{name:14}{times['plain']:>8.0f} µs, with {times['stop']:.0f} µs")
    print("\nThe prompt of a long conversation, and of its next turn:")
    for name, result in results.items():
        times = result["prefix"]
        print(f"{name:14}{times['first_ms']:>8.0f} ms, then {times['second_ms']:.0f} ms")
    slow = [
        name
        for name, result in results.items()
        if result["engine"]["token_us"] > TARGET * result["bare"]["token_us"]
    ]
    print(f"\nMore than {TARGET} times the bare client's: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
