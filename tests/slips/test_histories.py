"Histories as clients send them back: with `content: null` beside calls, and with one id for two calls."

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.slips.play import MODEL
from support.slips.row import FINAL, NEXT, THOUGHT
from support.slips.scripted_ollama import ScriptedOllama
from support.slips.shapes import ARGUMENTS, CALL, TWO_TOOLS

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": parameters}}
    for name, parameters in TWO_TOOLS.items()
]
ABSENT = "(absent)"
LOOK = f"<|channel|>commentary<|message|>Let me look.{NEXT}"
SUNNY = "<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>Sunny.<|end|>"
NOTED = "<|start|>functions.add_note to=assistant<|channel|>commentary<|message|>Noted.<|end|>"
FOGGY = "<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>Foggy.<|end|>"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("before", ["", LOOK], ids=["no preamble", "a preamble"])
@pytest.mark.parametrize("content", [None, "", ABSENT], ids=["null", "empty", "absent"])
def test_reasoning_is_put_back_whatever_the_content_beside_the_calls(
    content: Any, before: str, stream: bool, ollama: ScriptedOllama, client: TestClient
) -> None:
    # The question makes the thread: each case has its own.
    question = {"role": "user", "content": f"Warm? {content!r} {before} {stream}"}
    thought = f"<|channel|>analysis<|message|>Thinking of {content!r}{stream}.<|end|><|start|>assistant"
    ollama.play([thought + before + CALL, f"{FINAL}It is sunny."])
    call = _call(client, question, stream=stream)
    message: dict[str, Any] = {"role": "assistant", "tool_calls": [call]}
    if content != ABSENT:
        message["content"] = content
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Sunny."}
    answer = client.post(CHAT, json={"model": MODEL, "tools": TOOLS, "messages": [question, message, result]})
    assert answer.json()["choices"][0]["message"]["content"] == "It is sunny."
    assert thought in ollama.prompts[-1]
    assert ollama.prompts[-1].endswith(f"{SUNNY}<|start|>assistant")


def _call(client: TestClient, question: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    "Return the call that the model makes, as a client sends it back."
    body = {"model": MODEL, "tools": TOOLS, "messages": [question], "stream": stream}
    answer = client.post(CHAT, json=body)
    if not stream:
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        return dict(call)
    call = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    for line in answer.text.split("\n"):
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line.removeprefix("data: "))["choices"]:
            for delta in choice["delta"].get("tool_calls") or []:
                call["id"] += delta.get("id") or ""
                call["function"]["name"] += delta["function"].get("name") or ""
                call["function"]["arguments"] += delta["function"].get("arguments") or ""
    return call


TWO_CALLS = [("get_weather", ARGUMENTS, "Sunny."), ("add_note", '{"title":"Hi"}', "Noted.")]
THE_SAME_TOOL = [("get_weather", ARGUMENTS, "Sunny."), ("get_weather", '{"city":"Bergen"}', "Foggy.")]


def _chat(calls: list[tuple[str, str, str]]) -> dict[str, Any]:
    made = [
        {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments, _ in calls
    ]
    results = [{"role": "tool", "tool_call_id": "call_1", "content": result} for _, _, result in calls]
    question = {"role": "user", "content": "Warm in Oslo?"}
    return {
        "tools": TOOLS,
        "messages": [question, {"role": "assistant", "content": None, "tool_calls": made}, *results],
    }


def _responses(calls: list[tuple[str, str, str]]) -> dict[str, Any]:
    made = [
        {"type": "function_call", "call_id": "call_1", "name": name, "arguments": arguments}
        for name, arguments, _ in calls
    ]
    results = [
        {"type": "function_call_output", "call_id": "call_1", "output": result} for _, _, result in calls
    ]
    return {
        "tools": [{"type": "function", **tool["function"]} for tool in TOOLS],
        "input": [{"role": "user", "content": "Warm in Oslo?"}, *made, *results],
    }


@pytest.mark.parametrize(
    ("path", "build"), [(CHAT, _chat), (RESPONSES, _responses)], ids=["chat", "responses"]
)
@pytest.mark.parametrize(
    ("calls", "results"),
    [(TWO_CALLS, [SUNNY, NOTED]), (THE_SAME_TOOL, [SUNNY, FOGGY])],
    ids=["two tools", "one tool"],
)
def test_two_calls_with_one_id_are_told_apart_by_their_order_or_refused(
    calls: Any, results: list[str], path: str, build: Any, ollama: ScriptedOllama, client: TestClient
) -> None:
    ollama.play([f"{THOUGHT}{FINAL}It is sunny."])
    answer = client.post(path, json={"model": MODEL, **build(calls)})
    if answer.status_code == 400:
        assert "call_1" in answer.json()["error"]["message"]
        return
    assert answer.status_code == 200
    places = [ollama.prompts[-1].find(result) for result in results]
    assert -1 < places[0] < places[1]
