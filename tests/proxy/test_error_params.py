"The `param` of an error is the path of a value in the request that was sent, on each endpoint."

from __future__ import annotations

from typing import Any

import pytest
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine, Part

from llm_gpt_oss.errors import BadRequest, ContextOverflow, UnusableSchema
from proxy.http.validation_errors import parse_path

CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
EMBEDDINGS = "/v1/embeddings"

HI = {"role": "user", "content": "Hi"}
PICTURE = {"role": "user", "content": ["Hi", {"type": "image_url", "image_url": {"url": "http://a/b.png"}}]}
MESSAGES = {"messages": [HI]}
INPUT = {"input": "Hi"}
PROMPT = {"prompt": "Hi"}
OBJECT = {"type": "object"}
BAD = {"type": "nonsense"}
FORMAT_OF_RESPONSES = {"type": "json_schema", "name": "pet", "schema": BAD}
TOO_LONG = ContextOverflow("The prompt is too long.")
UNUSABLE = UnusableSchema("This schema cannot be used.", param="schema")
NO_LIMIT = BadRequest("The limit is bad.", param="max_tokens")
NO_PENALTY = BadRequest("The penalty is bad.", param="repeat_penalty")


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", **fields}}


def format_of(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "pet", "schema": schema}}}


ROWS: list[tuple[str, dict[str, Any], str, Part | None]] = [
    # What the engine or the plugin rejects, under the name that this endpoint has for it.
    (CHAT, {**MESSAGES}, "messages", TOO_LONG),
    (CHAT, {**MESSAGES, "max_tokens": 5}, "max_tokens", NO_LIMIT),
    (CHAT, {**MESSAGES, "max_completion_tokens": 5}, "max_completion_tokens", NO_LIMIT),
    (CHAT, {**MESSAGES, "n_predict": 5}, "n_predict", NO_LIMIT),
    (CHAT, {**MESSAGES, "options": {"num_predict": 5}}, "options.num_predict", NO_LIMIT),
    (CHAT, {**MESSAGES, "repetition_penalty": 1.1}, "repetition_penalty", NO_PENALTY),
    (CHAT, {**MESSAGES, "repeat_penalty": 1.1}, "repeat_penalty", NO_PENALTY),
    (CHAT, {**MESSAGES, **format_of(OBJECT)}, "response_format.json_schema.schema", UNUSABLE),
    (
        CHAT,
        {**MESSAGES, "response_format": {"type": "json_object", "schema": OBJECT}},
        "response_format.schema",
        UNUSABLE,
    ),
    (CHAT, {**MESSAGES, "format": OBJECT}, "format", UNUSABLE),
    (CHAT, {**MESSAGES, "json_schema": OBJECT}, "json_schema", UNUSABLE),
    (CHAT, {**MESSAGES, "tools": [tool()], "tool_choice": "required"}, "tools", UNUSABLE),
    (CHAT, {**MESSAGES, "functions": [{"name": "look"}]}, "functions", UNUSABLE),
    (RESPONSES, INPUT, "input", TOO_LONG),
    (RESPONSES, MESSAGES, "messages", TOO_LONG),
    (RESPONSES, {**INPUT, "max_output_tokens": 5}, "max_output_tokens", NO_LIMIT),
    (RESPONSES, {**INPUT, "max_tokens": 5}, "max_tokens", NO_LIMIT),
    (
        RESPONSES,
        {**INPUT, "text": {"format": {"type": "json_schema", "name": "pet", "schema": OBJECT}}},
        "text.format.schema",
        UNUSABLE,
    ),
    (RESPONSES, {**INPUT, **format_of(OBJECT)}, "response_format", UNUSABLE),
    (COMPLETIONS, PROMPT, "prompt", TOO_LONG),
    (COMPLETIONS, {**PROMPT, "n_predict": 5}, "n_predict", NO_LIMIT),
    # What this server rejects.
    (CHAT, {"messages": []}, "messages", None),
    (CHAT, {"messages": [HI, PICTURE]}, "messages[1].content[0]", None),
    (CHAT, {**MESSAGES, "options": {"num_ctx": 5}}, "options.num_ctx", None),
    (CHAT, {**MESSAGES, "options": {"temperature": 9}}, "options.temperature", None),
    (CHAT, {**MESSAGES, "stop_sequences": ["a"] * 300}, "stop_sequences", None),
    (CHAT, {**MESSAGES, "max_new_tokens": -3}, "max_new_tokens", None),
    (CHAT, {**MESSAGES, **format_of(BAD)}, "response_format.json_schema.schema", None),
    (CHAT, {**MESSAGES, "format": BAD}, "format", None),
    (CHAT, {**MESSAGES, "response_format": {"type": "json_object", "value": BAD}}, "response_format", None),
    (CHAT, {**MESSAGES, "tools": [tool(parameters="x")]}, "tools[0].function.parameters", None),
    (CHAT, {**MESSAGES, "tools": [tool(), tool(description="Looks.")]}, "tools", None),
    (
        CHAT,
        {**MESSAGES, "functions": [{"name": "look"}, {"name": "look", "description": "Looks."}]},
        "functions",
        None,
    ),
    (CHAT, {**MESSAGES, "functions": [{"name": "a"}], "function_call": {"name": "b"}}, "function_call", None),
    (RESPONSES, {"messages": [PICTURE]}, "messages[0].content[0]", None),
    (RESPONSES, {**INPUT, "reasoning_effort": "x"}, "reasoning_effort", None),
    (RESPONSES, {**INPUT, "max_completion_tokens": -5}, "max_completion_tokens", None),
    (
        RESPONSES,
        {**INPUT, "text": {"format": FORMAT_OF_RESPONSES}},
        "text.format.schema",
        None,
    ),
    (RESPONSES, {**INPUT, **format_of(BAD)}, "response_format", None),
    (RESPONSES, {**INPUT, "tools": [tool(parameters="x")]}, "tools[0]", None),
    (COMPLETIONS, {"prompt": [1, 2]}, "prompt", None),
    (EMBEDDINGS, {"prompt": ""}, "prompt", None),
    (EMBEDDINGS, {"input": ["a", ""]}, "input", None),
]


def value_at(body: Any, path: str) -> Any:
    "Raises KeyError, IndexError or TypeError for a path that is not in the body."
    for step in parse_path(path):
        body = body[step]
    return body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("path", "fields", "param", "error"),
    [pytest.param(*row, id=f"{number}-{row[2]}") for number, row in enumerate(ROWS)],
)
async def test_param(path: str, fields: dict[str, Any], param: str, error: Part | None, stream: bool) -> None:
    model = "nomic-embed-text" if path == EMBEDDINGS else "gpt-oss"
    body = {"model": model, **fields, **({} if path == EMBEDDINGS else {"stream": stream})}
    async with proxied(AsyncScriptedEngine(error or HELLO)) as proxy:
        response = await proxy.post(path, body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param
    value_at(body, param)


async def test_the_param_of_an_error_in_a_stream() -> None:
    late: list[Any] = ["<|channel|>final<|message|>Hel", NO_LIMIT]
    async with proxied(AsyncScriptedEngine(late)) as proxy:
        response = await proxy.chat(user="Hi", n_predict=5, stream=True)
    assert response.status_code == 200
    assert '"param":"n_predict"' in response.text
