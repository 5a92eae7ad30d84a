"""Play a row on a surface: the machine of the turn, the plugin, or an endpoint of the proxy.

outcome = play_machine(row, stream=True)
assert differences(row, outcome) == []
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import llm
from starlette.testclient import TestClient

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.errors import ContextOverflow, GptOssError
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings
from llm_gpt_oss.turn.run import run_turn
from support.slips.row import Call, Cut, Fails, Json, Outcome, Part, Request, Row, generated
from support.slips.scripted_ollama import ScriptedOllama

MODEL = "gpt-oss:20b"


class PiecesEngine:
    """An engine that plays a row. Each marker is a piece, and each character of other text is one.

    It obeys stop strings, and gives log probabilities where they are requested.
    """

    def __init__(self, wrote: Sequence[Part]) -> None:
        self.asked: list[Completion] = []
        self._wrote = wrote

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        self.asked.append(completion)
        assert len(self.asked) <= len(self._wrote), f"one completion too many: {completion.prompt[-200:]!r}"
        part = self._wrote[len(self.asked) - 1]
        if isinstance(part, Fails):
            raise ContextOverflow(part.message)
        text = part.text if isinstance(part, Cut) else part
        written, _ = generated(text, completion.stop, characters=True)
        for token in written:
            logprobs = (Logprob(token.text, -0.1),) if completion.top_logprobs is not None else ()
            yield Piece(token.text, logprobs)
        reason = "length" if isinstance(part, Cut) else "stop"
        yield Done(reason, len(completion.prompt) // 4 + 1, len(written) + (reason == "stop"))  # type: ignore[arg-type]


def play_machine(row: Row, *, stream: bool) -> Outcome:
    "Run the machine of the row's turn, with text that is split at every character."
    engine = PiecesEngine(row.wrote)
    model = GptOss(MODEL, Settings.from_env({}))
    options, fields = _prompt_fields(row.request)
    prompt = llm.Prompt(row.request.prompt, model, options=model.Options(**options), **fields)
    machine, writer = model.start_turn(prompt, stream=stream, date="2026-11-22")
    events, error = [], None
    try:
        for item in run_turn(machine, engine):
            events += writer.feed(item)
    except GptOssError as raised:
        error = raised
    record = _Record()
    writer.record(record)  # type: ignore[arg-type]
    text, reasoning = _joined(events)
    logprobs = record.response_json.get("logprobs")
    return Outcome(
        text,
        reasoning,
        record.calls,
        len(engine.asked),
        engine.asked[-1].prompt if engine.asked else "",
        [note.kind for note in machine.notes],
        type(error).__name__ if error else None,
        str(error or ""),
        machine.finish_reason,
        _joined_logprobs(logprobs),
    )


class _Record:
    "What a writer of events records of a turn."

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.response_json: Json = {}

    def add_tool_call(self, call: llm.ToolCall) -> None:
        self.calls.append((call.name, call.arguments))

    def set_usage(self, **_: Any) -> None:
        "Usage is not compared."

    def set_resolved_model(self, _: str) -> None:
        "The model is not compared."


def play_plugin(row: Row, ollama: ScriptedOllama, *, stream: bool) -> Outcome:
    "Prompt the plugin's model, which runs on the scripted Ollama."
    ollama.play(row.wrote)
    outcome = play_model(row, MODEL, stream=stream)
    prompts = ollama.prompts
    return replace(outcome, completions=len(prompts), prompt=prompts[-1] if prompts else "")


def play_model(row: Row, name: str, *, stream: bool) -> Outcome:
    "Prompt a model by its name. The outcome does not contain the text of the prompt."
    options, fields = _prompt_fields(row.request)
    response = llm.get_model(name).prompt(row.request.prompt, stream=stream, **fields, **options)
    events, error = [], None
    calls: list[Call] = []
    try:
        for event in response.stream_events():
            events.append(event)
        calls = [(call.name, call.arguments) for call in response.tool_calls()]
    except GptOssError as raised:
        error = raised
    text, reasoning = _joined(events)
    record = response.response_json or {}
    outcome = record.get("outcome", {})
    return Outcome(
        text,
        reasoning,
        calls,
        record.get("completions", 0),
        "",
        [note["kind"] for note in outcome.get("notes", [])],
        type(error).__name__ if error else None,
        str(error or ""),
        outcome.get("finish_reason"),
        _joined_logprobs(record.get("logprobs")),
    )


def play_chat(row: Row, ollama: ScriptedOllama, client: TestClient, *, stream: bool) -> Outcome:
    "Send the row's request to `/v1/chat/completions`."
    ollama.play(row.wrote)
    body = {
        "messages": [{"role": "user", "content": row.request.prompt}],
        "tools": [
            {"type": "function", "function": {"name": name, "parameters": parameters}}
            for name, parameters in row.request.tools.items()
        ],
        "response_format": row.request.schema
        and {"type": "json_schema", "json_schema": {"name": "answer", "schema": row.request.schema}},
        "tool_choice": _chat_choice(row.request),
        "reasoning_effort": row.request.effort,
        "reasoning": row.request.budget is not None and {"max_tokens": row.request.budget},
        "logprobs": row.request.logprobs,
        "stop": list(row.request.stop),
    }
    answer = _post(client, "/v1/chat/completions", body, stream=stream)
    if stream and answer.status_code == 200:
        chunks = [json.loads(data) for data in _sse(answer.text) if data != "[DONE]"]
        error = next((chunk["error"] for chunk in chunks if "error" in chunk), None)
        choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
        message = _fold_deltas(choice["delta"] for choice in choices)
        finish = next((choice["finish_reason"] for choice in choices if choice["finish_reason"]), None)
        probabilities = [
            each for choice in choices for each in (choice.get("logprobs") or {}).get("content") or []
        ]
    else:
        error, choices = answer.json().get("error"), answer.json().get("choices", [])
        message, finish = (choices[0]["message"], choices[0]["finish_reason"]) if choices else ({}, None)
        probabilities = ((choices[0].get("logprobs") or {}).get("content") or []) if choices else []
    return Outcome(
        message.get("content") or "",
        message.get("reasoning") or "",
        [
            (call["function"]["name"], json.loads(call["function"]["arguments"] or "{}"))
            for call in message.get("tool_calls") or []
        ],
        len(ollama.prompts),
        ollama.prompts[-1] if ollama.prompts else "",
        None,
        "HTTP" if error else None,
        json.dumps(error),
        finish,
        _joined_logprobs(probabilities),
    )


def play_responses(row: Row, ollama: ScriptedOllama, client: TestClient, *, stream: bool) -> Outcome:
    "Send the row's request to `/v1/responses`."
    ollama.play(row.wrote)
    request = row.request
    body = {
        "input": request.prompt,
        "tools": [
            {"type": "function", "name": name, "parameters": parameters}
            for name, parameters in request.tools.items()
        ],
        "text": request.schema
        and {"format": {"type": "json_schema", "name": "answer", "schema": request.schema}},
        "tool_choice": _responses_choice(request),
        "reasoning": {
            **({"effort": request.effort} if request.effort else {}),
            **({"max_tokens": request.budget} if request.budget is not None else {}),
        },
        "stop": list(request.stop),
        "include": ["message.output_text.logprobs"] if request.logprobs else [],
    }
    answer = _post(client, "/v1/responses", body, stream=stream)
    if stream and answer.status_code == 200:
        events = [json.loads(data) for data in _sse(answer.text)]
        response = events[-1].get("response", {})
        deltas = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
        assert deltas == "".join(_output_texts(response.get("output", [])))
        error = response.get("error")
    else:
        response, error = answer.json(), answer.json().get("error")
    output = response.get("output", [])
    probabilities = [
        score
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        for score in part.get("logprobs") or []
    ]
    return Outcome(
        "\n\n".join(_output_texts(output)),
        "".join(
            part["text"]
            for item in output
            if item["type"] == "reasoning"
            for part in item.get("content") or []
        ),
        [
            (item["name"], json.loads(item["arguments"] or "{}"))
            for item in output
            if item["type"] == "function_call"
        ],
        len(ollama.prompts),
        ollama.prompts[-1] if ollama.prompts else "",
        None,
        "HTTP" if error else None,
        json.dumps(error),
        None,
        _joined_logprobs(probabilities),
    )


def _post(client: TestClient, path: str, body: Json, *, stream: bool) -> Any:
    fields = {name: value for name, value in body.items() if value}
    return client.post(path, json={"model": MODEL, "stream": stream, **fields})


def _sse(text: str) -> Iterator[str]:
    "The data of server-sent events."
    for line in text.split("\n"):
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


def _fold_deltas(deltas: Iterator[Json]) -> Json:
    message: Json = {"content": "", "reasoning": "", "tool_calls": []}
    for delta in deltas:
        message["content"] += delta.get("content") or ""
        message["reasoning"] += delta.get("reasoning") or ""
        for call in delta.get("tool_calls") or []:
            if call["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({"function": {"name": "", "arguments": ""}})
            function = message["tool_calls"][call["index"]]["function"]
            function["name"] += call["function"].get("name") or ""
            function["arguments"] += call["function"].get("arguments") or ""
    return message


def _output_texts(output: Sequence[Json]) -> list[str]:
    messages = [item for item in output if item["type"] == "message"]
    return ["".join(part["text"] for part in item["content"]) for item in messages]


def _prompt_fields(request: Request) -> tuple[Json, Json]:
    "Return the options of llm's prompt, and its other fields."
    options = {
        "stop": list(request.stop) or None,
        "reasoning_effort": request.effort,
        "reasoning_tokens": request.budget,
        "tool_choice": request.tool_choice,
        "logprobs": request.logprobs or None,
        "temperature": request.temperature,
    }
    tools = [llm.Tool(name, "", parameters) for name, parameters in request.tools.items()]
    given = {name: value for name, value in options.items() if value is not None}
    return given, {"tools": tools, "schema": request.schema}


def _chat_choice(request: Request) -> object:
    if request.allowed is not None:
        tools = [{"type": "function", "function": {"name": name}} for name in request.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}
    if request.tool_choice in request.tools:
        return {"type": "function", "function": {"name": request.tool_choice}}
    return request.tool_choice


def _responses_choice(request: Request) -> object:
    if request.allowed is not None:
        tools = [{"type": "function", "name": name} for name in request.allowed]
        return {"type": "allowed_tools", "mode": "auto", "tools": tools}
    if request.tool_choice in request.tools:
        return {"type": "function", "name": request.tool_choice}
    return request.tool_choice


def _joined(events: Sequence[Any]) -> tuple[str, str]:
    "The text and the reasoning of events."
    text = "".join(event.chunk for event in events if event.type == "text")
    return text, "".join(event.chunk for event in events if event.type == "reasoning")


def _joined_logprobs(logprobs: Sequence[Json] | None) -> str | None:
    return "".join(each["token"] for each in logprobs) if logprobs is not None else None
