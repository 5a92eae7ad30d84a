"What the client sends as prompt: rows F7, F15 and F20 to F25."

from __future__ import annotations

from typing import Any

from support.faults.answers import CALL, HELLO, calls_of, tool
from support.faults.client import CHAT, chat
from support.faults.row import expect, expect_in, row
from support.faults.testbed import Testbed
from support.scripted_server import answer
from support.slips.row import CONTEXT_FULL, THOUGHT

FOUR_K = {
    "error": {
        "code": 400,
        "message": "request (4568 tokens) exceeds the available context size (4096 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 4568,
        "n_ctx": 4096,
    }
}


@row("F7")
def a_prompt_that_is_too_long(bed: Testbed) -> str:
    "The prompt is longer than the context, and Ollama says so, in the words of v0.24 and of v0.33."
    messages = []
    for reply in (CONTEXT_FULL, answer(FOUR_K, 400)):
        script = bed.ollama.play(reply)
        came = bed.client.chat(script.word)
        expect("error", (came.status, came.error.get("code")), (400, "context_length_exceeded"))
        expect("truncate", script.requests[0].body["truncate"], False)
        messages.append(came.error["message"])
    return f"400 context_length_exceeded: {messages[-1]}"


@row("F7")
def a_prompt_that_may_be_truncated(bed: Testbed) -> str:
    "The same with `truncation: auto`: the second completion has room."
    script = bed.ollama.play(CONTEXT_FULL, HELLO)
    history = [
        {"role": "user", "content": "Old " * 50},
        {"role": "assistant", "content": "Older " * 50},
        {"role": "user", "content": script.word},
    ]
    came = bed.client.chat("", messages=history, truncation="auto")
    expect("answer", came.content, "Hello")
    expect("old messages in the second prompt", "Old Old" in script.prompts[-1], False)
    expect_in("notes", "truncated", str(bed.log.turn(script.word).notes))
    return "the oldest turns were left out; notes: ['truncated']"


@row("F15")
def tool_choice(bed: Testbed) -> str:
    "`tool_choice` is none, the name of a tool, and required, whatever the model wants."
    tools = [tool("look", a="integer"), tool("find", a="integer")]
    script = bed.ollama.play(THOUGHT + CALL.format("look", '{"a": 1}'), HELLO, HELLO)
    came = bed.client.chat(script.word, tools=tools, tool_choice="none")
    expect("calls with none", calls_of(came), [])
    named = {"type": "function", "function": {"name": "find"}}
    script = bed.ollama.play(THOUGHT, '{"a": 2}')
    came = bed.client.chat(script.word, tools=tools, tool_choice=named)
    expect("calls with a name", calls_of(came), [("find", {"a": 2})])
    script = bed.ollama.play(THOUGHT, "look", '{"a": 3}', '{"a": 3}')
    came = bed.client.chat(script.word, tools=tools, tool_choice="required")
    expect("calls with required", calls_of(came), [("look", {"a": 3})])
    return "no call, the named call, and a call"


@row("F20")
def an_unknown_previous_response(bed: Testbed) -> str:
    "`previous_response_id` names a response that never was, and one that was deleted."
    deleted = bed.client.respond(bed.ollama.play(HELLO).word).json()["id"]
    expect("deleting it", bed.client.request("DELETE", f"/v1/responses/{deleted}").status, 200)
    for id in ("resp_0123456789abcdef", deleted):
        script = bed.ollama.play(HELLO)
        came = bed.client.respond(script.word, previous_response_id=id)
        expect("error", (came.status, came.error.get("code")), (400, "previous_response_not_found"))
        expect("completions", len(script.requests), 0)
    return f"400 previous_response_not_found: {came.error['message']}"


@row("F21")
def calls_without_their_reasoning(bed: Testbed) -> str:
    "A client sends the call of a tool and its result, without the reasoning that came before the call."
    thinking = "<|channel|>analysis<|message|>The sky is deep.<|end|><|start|>assistant"
    script = bed.ollama.play(thinking + CALL.format("look", "{}"))
    tools = [tool("look")]
    first = bed.client.chat(script.word, tools=tools)
    expect("calls", calls_of(first), [("look", {})])
    message = {"role": "assistant", "tool_calls": first.json()["choices"][0]["message"]["tool_calls"]}
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "blue"}
    after = bed.ollama.play(HELLO)
    history = [{"role": "user", "content": script.word}, message, result]
    # The word that selects the script comes last, in the result.
    history[-1]["content"] = f"blue {after.word}"
    came = bed.client.chat("", messages=history, tools=tools)
    expect("answer", came.content, "Hello")
    expect_in("prompt", "The sky is deep.", after.prompts[0])
    return "the reasoning is in the prompt again, from the log"


@row("F22")
def parameters_of_every_shape(bed: Testbed) -> str:
    "The parameters of a tool are nested objects, `anyOf`, and have no type."
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {
            "place": {"type": "object", "properties": {"deep": {"type": "object", "properties": {"x": {}}}}},
            "when": {"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]},
            "free": {"description": "Anything at all"},
            "list": {"type": "array", "items": {"type": ["string", "integer"]}},
        },
    }
    arguments = '{"place": {"deep": {"x": 1}}, "when": null, "free": [], "list": ["a", 1]}'
    script = bed.ollama.play(CALL.format("plan", arguments))
    defined = {"type": "function", "function": {"name": "plan", "parameters": parameters}}
    ((_, came),) = calls_of(bed.client.chat(script.word, tools=[defined]))
    wanted = {"place": {"deep": {"x": 1}}, "when": None, "free": [], "list": ["a", 1]}
    expect("arguments", came, wanted)
    for name in ("place", "deep", "x", "when", "free", "Anything at all", "list"):
        expect_in("prompt", name, script.prompts[0])
    return "every name is in the prompt, and the arguments arrive intact"


@row("F23")
def developer_messages(bed: Testbed) -> str:
    "The instructions are in a message with the role `developer`."
    script = bed.ollama.play(HELLO)
    messages = [{"role": "developer", "content": "Speak Latin."}, {"role": "user", "content": script.word}]
    expect("status", bed.client.chat("", messages=messages).status, 200)
    expect_in("prompt", "# Instructions\n\nSpeak Latin.", script.prompts[0])
    return "the prompt has them as instructions"


@row("F24")
def unusual_histories(bed: Testbed) -> str:
    "Two assistant messages in a row, the result of a tool as an array, and `content: null`."
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for number in (1, 2)
    ]
    script = bed.ollama.play(HELLO)
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "First half."},
        {"role": "assistant", "content": "Second half."},
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "It is blue."}]},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "It is deep."}]},
        {"role": "user", "content": script.word},
    ]
    came = bed.client.chat("", messages=messages, tools=[tool("look")])
    expect("answer", came.content, "Hello")
    for text in ("First half.", "Second half.", "It is blue.", "It is deep."):
        expect_in("prompt", text, script.prompts[0])
    expect("calls in the prompt", script.prompts[0].count("to=functions.look"), 2)
    return "200, and everything is in the prompt"


@row("F25")
def stop_strings_in_the_reasoning(bed: Testbed) -> str:
    "The stop string `blue` occurs in the reasoning, and then in the answer."
    thinking = "<|channel|>analysis<|message|>It is blue, I think.<|end|><|start|>assistant"
    final = "<|channel|>final<|message|>The sky is blue today.<|return|>"
    script = bed.ollama.play(thinking + final, "The sky is blue today.<|return|>")
    with bed.client.stream(CHAT, chat(script.word, stop=["blue"])) as came:
        came.read_all()
    expect("text", came.text, "The sky is ")
    expect_in("reasoning", "It is blue, I think.", came.reasoning)
    return f"{came.text!r}, with the whole reasoning {came.reasoning!r}"
