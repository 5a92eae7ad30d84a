"""A log as an app leaves it that was used for an hour: with tools, repairs, failures and branches.

The proxy writes it, with an engine that plays a script.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from llm_gpt_oss.errors import EngineUnreachable
from proxy.app import create_app
from proxy.settings import Settings
from support.scripted_engine import AsyncScriptedEngine, Part, cut

INSTRUCTIONS = (
    "You are the assistant of a small **garden**. Answer briefly, in Markdown.\n\n- Metric units\n- No brands"
)
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "forecast",
        "description": "The weather of the coming days at a place",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["place"],
        },
    },
}
WRITE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "write_note",
        "description": "Write a note into the garden's diary",
        "parameters": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "text": {"type": "string"}},
            "required": ["title", "text"],
        },
    },
}
THOUGHT = (
    "<|channel|>analysis<|message|>The person asks whether to water tomorrow. I need the forecast for their "
    "place, so I call the tool first.\n\nThey said Oslo earlier.<|end|><|start|>assistant"
)
FORECAST = {"place": "Oslo", "days": [{"day": "Tue", "rain_mm": 0.2}, {"day": "Wed", "rain_mm": 11.5}]}
ANSWER = """**No need to water on Wednesday.**

| day | rain |
|---|---|
| Tuesday | 0.2 mm |
| Wednesday | 11.5 mm |

1. Water the *tomatoes* on Tuesday evening, about `2 l` each.
2. Leave the rest to the rain.

```python
litres = 2 * tomatoes
```

More about it at [the institute](https://www.met.no/en)."""


def call_of(name: str, arguments: str, thought: str = THOUGHT) -> str:
    return (
        f"{thought}<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{arguments}<|call|>"
    )


def answer_of(text: str, thought: str = "") -> str:
    return f"{thought}<|channel|>final<|message|>{text}<|return|>"


def household_script() -> list[Part]:
    return [
        answer_of("Gladly. Where is it?"),
        call_of("forecast", "{'place': 'Oslo', 'days': 2,}"),
        answer_of(ANSWER, "<|channel|>analysis<|message|>Rain on Wednesday.<|end|><|start|>assistant"),
        call_of(
            "write_note",
            json.dumps(
                {
                    "title": "Watering",
                    "text": "Tuesday: tomatoes, 2 l each.\nWednesday: nothing, 11.5 mm of rain.",
                }
            ),
            "",
        ),
        answer_of("I wrote it down."),
        answer_of("Then only the beds in the greenhouse."),
        cut("<|channel|>final<|message|>Compost is made of leaves, grass and"),
        EngineUnreachable(
            "Ollama does not answer at http://127.0.0.1:11434.", remedy="Start it with `ollama serve`."
        ),
    ]


def write_household_log(path: Path) -> None:
    app = create_app(
        Settings(database=path, host="testserver"), engine=AsyncScriptedEngine(*household_script())
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["user-agent"] = "GardenApp/2.1 (OpenAI/Python 3.54)"
        _garden(client)
        _failures(client)


def _garden(client: TestClient) -> None:
    tools = [WEATHER, WRITE]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": "Can you help me with the garden?"},
    ]

    def ask(*more: dict[str, Any]) -> None:
        messages.extend(more)
        body = {"model": "gpt-oss:20b", "messages": messages, "tools": tools, "reasoning_effort": "low"}
        answer = client.post("/v1/chat/completions", json=body).json()
        messages.append(answer["choices"][0]["message"])

    def result(output: Any) -> dict[str, Any]:
        call = messages[-1]["tool_calls"][0]["id"]
        return {"role": "tool", "tool_call_id": call, "content": json.dumps(output)}

    ask()
    ask({"role": "user", "content": "In Oslo. Do I need to water *tomorrow*, or will it rain?"})
    ask(result(FORECAST))
    fork = [*messages]
    ask({"role": "user", "content": "Please write that into the diary."})
    ask(result({"written": True}))
    messages[:] = fork
    ask({"role": "user", "content": "And if it stays dry?"})


def _failures(client: TestClient) -> None:
    client.headers["user-agent"] = "curl/8.5.0"
    for question in ("What is compost?", "Is anybody there?"):
        body = {"model": "gpt-oss:20b", "input": question, "max_output_tokens": 4000}
        client.post("/v1/responses", json=body)
