"An engine that refuses, is missing or cannot be reached: rows F8 to F10, F30 and F33, finding 19."

from __future__ import annotations

import time

from support.faults.answers import HELLO
from support.faults.client import CHAT, MESSAGES, RESPONSES, Json, chat, response
from support.faults.ollama import MODEL, chat_reply
from support.faults.row import Unexpected, expect, expect_at_most, expect_in, row
from support.faults.testbed import Testbed
from support.scripted_server import Dropping, Refusing
from support.slips.row import Fails

BUSY = Fails(503, "server busy, please try again.  maximum pending requests exceeded")


@row("F8")
def a_busy_engine(bed: Testbed) -> str:
    "Ollama answers 503 once, then always."
    script = bed.ollama.play(BUSY, HELLO)
    expect("answer", bed.client.chat(script.word).content, "Hello")
    script = bed.ollama.play(*[BUSY] * 8)
    came = bed.client.chat(script.word)
    expect("error", (came.status, came.error.get("code")), (503, "engine_busy"))
    if "retry-after" not in came.headers:
        raise Unexpected("no Retry-After")
    expect("completions", len(script.requests), 4)
    wait = came.headers["retry-after"]
    return f"'Hello'; after 4 attempts 503, Retry-After: {wait}: {came.error['message']}"


@row("F9")
def a_missing_model(bed: Testbed) -> str:
    "Ollama answers 404: it does not have the model."
    script = bed.ollama.play(Fails(404, "model 'gpt-oss:20b' not found"))
    came = bed.client.chat(script.word)
    expect("error", (came.status, came.error.get("code")), (404, "model_not_found"))
    expect_in("message", "ollama pull gpt-oss:20b", came.error["message"])
    return f"404 model_not_found: {came.error['message']}"


@row("F10")
def an_engine_that_cannot_be_reached(bed: Testbed) -> str:
    "Nobody listens at OLLAMA_HOST, or packets are dropped: a prompt, and a command that needs no engine."
    outcomes = []
    for unreachable in (Refusing(), Dropping()):
        with unreachable as host, bed.serving(ollama_url=host) as server:
            expect("status of /health", server.client.get("/health").status, 200)
            started = time.monotonic()
            came = server.client.chat("Hi")
            seconds = time.monotonic() - started
            expect("error", (came.status, came.error.get("code")), (503, "engine_unreachable"))
            expect_in("message", "ollama serve", came.error["message"])
            expect_at_most("seconds", seconds, 20)
            ran = bed.llm("models", folder=server.folder, ollama_url=host)
            expect("exit status of `llm models`", ran.status, 0)
            outcomes.append(f"503 after {seconds:.1f} s")
    return f"{', '.join(outcomes)}: {came.error['message']} `llm models` needs no engine"


@row("F30")
def several_context_sizes(bed: Testbed) -> str:
    "The server has --num-ctx 8192, and apps send requests to all endpoints that say nothing about it."
    sizes = []
    with bed.serving("--num-ctx", "8192") as server:
        for path in (CHAT, RESPONSES, MESSAGES, "/api/chat"):
            script = bed.ollama.play(chat_reply("Hello") if path == "/api/chat" else HELLO)
            request = response(script.word) if path == RESPONSES else chat(script.word, max_tokens=16)
            came = server.client.post(path, request)
            expect(f"status of {path}", (came.status, came.error), (200, {}))
            sizes.append(script.requests[0].body["options"]["num_ctx"])
    expect("context sizes that Ollama gets", {*sizes}, {8192})
    return f"{len(sizes)} requests, all with num_ctx 8192"


@row("F33")
def options_of_a_wrong_type(bed: Testbed) -> str:
    "Fields have a wrong type; Ollama complains about an option, and about a schema."
    wrong = {"temperature": "hot", "max_tokens": "many", "seed": 1.5, "top_p": [], "num_ctx": "long"}
    for name, value in wrong.items():
        script = bed.ollama.play(HELLO)
        came = bed.client.chat(script.word, **{name: value})
        expect("error", (came.status, came.error.get("param")), (400, name))
        expect("completions", len(script.requests), 0)
    script = bed.ollama.play(Fails(500, 'option "num_predict" must be of type integer'))
    came = bed.client.chat(script.word)
    expect("status of an option that Ollama rejects", came.status, 400)
    script = bed.ollama.play(Fails(500, "failed to parse JSON schema"))
    came = bed.client.chat(script.word)
    rejected = (came.status, came.error.get("code"))
    expect("error of a schema that Ollama rejects", rejected, (400, "invalid_json_schema"))
    return f"400 with param before anything is sent; Ollama's own complaints are 400: {came.error['message']}"


@row("19")
def a_changed_context_size(bed: Testbed) -> str:
    "F30: apps request other context sizes, at `/api/*` and `/v1/*`, with and without --allow-load-options."
    requests: dict[str, Json] = {
        "/api/chat": {"options": {"num_ctx": 4096}},
        "/api/generate": {"options": {"num_ctx": 4096}},
        CHAT: {"num_ctx": 4096},
        RESPONSES: {"num_ctx": 4096},
    }
    for options, size in (((), 8192), (("--allow-load-options",), 4096)):
        with bed.serving("--num-ctx", "8192", *options) as server:
            for path, fields in requests.items():
                reply = chat_reply("Hello") if path == "/api/chat" else HELLO
                script = bed.ollama.play(reply)
                request = response(script.word) if path == RESPONSES else chat(script.word)
                if path == "/api/generate":
                    request = {"model": MODEL, "prompt": script.word}
                came = server.client.post(path, {**request, "stream": False, **fields})
                sent = script.requests[0].body["options"]["num_ctx"]
                expect(f"status and num_ctx of {path} with {options}", (came.status, sent), (200, size))
                ignored = came.headers.get("x-llm-ignored", "")
                expect(f"x-llm-ignored of {path} with {options}", "num_ctx" in ignored, size == 8192)
    return "8192 for all, named in x-llm-ignored; 4096 only with --allow-load-options"


@row("19")
def the_field_of_the_request(bed: Testbed) -> str:
    "F33: Ollama complains about `num_predict`, which each API has under another name."
    params = []
    for path, name in (
        (CHAT, "max_tokens"),
        (CHAT, "max_completion_tokens"),
        (RESPONSES, "max_output_tokens"),
    ):
        script = bed.ollama.play(*[Fails(500, 'option "num_predict" must be of type integer')] * 4)
        request = response(script.word) if path == RESPONSES else chat(script.word)
        came = bed.client.post(path, {**request, name: 50})
        expect("error", (came.status, came.error.get("param")), (400, name))
        params.append(name)
    return f"400 with param {', '.join(params)}"
