"""Converts values in the form of the Responses API, or of Anthropic's, to the form of chat completions.

Some clients send one API's fields to the other's address. Values in any other form are returned as they are,
so that validation reports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]

FUNCTION_KEYS = ("name", "description", "parameters", "strict")
SCHEMA_KEYS = ("name", "description", "schema", "strict")


def chat_tools(tools: Any) -> Any:
    return [chat_tool(tool) for tool in tools] if isinstance(tools, list) else tools


def chat_tool(tool: Any) -> Any:
    match tool:
        case {"function": dict()} | {"custom": dict()}:
            kind = "function" if "function" in tool else "custom"
            return tool if tool.get("type") else {**tool, "type": kind}
        case {"name": _, "input_schema": schema}:  # Anthropic's
            flat = {key: value for key, value in tool.items() if key != "input_schema"}
            return _nest("function", {**flat, "parameters": schema}, FUNCTION_KEYS)
        case {"type": "function", "name": _}:
            return _nest("function", tool, FUNCTION_KEYS)
        case {"type": "custom", "name": _}:
            nested = _nest("custom", tool, ("name", "description", "format"))
            return {**nested, "custom": _custom(nested["custom"])}
    return tool


def chat_tool_choice(choice: Any) -> Any:
    "Anthropic and Mistral call the choice of any tool `any`. A name alone is the older `function_call`."
    match choice:
        case "any" | {"type": "any" | "required"}:
            return "required"
        case "":
            return None
        case {"type": "auto" | "none" as mode}:
            return mode
        case {"type": "function" | "custom" as kind, "name": name} if kind not in choice:
            return {"type": kind, kind: {"name": name}}
        case {"type": "tool", "name": name} | {"name": name} if choice.get("type") in (None, "tool"):
            return {"type": "function", "function": {"name": name}}
        case {"type": "allowed_tools", "mode": mode, "tools": list(tools)}:
            return {
                "type": "allowed_tools",
                "allowed_tools": {"mode": mode, "tools": [chat_tool_choice(tool) for tool in tools]},
            }
    return choice


def chat_format(format: Any) -> Any:
    match format:
        case {"type": "json_schema", "schema": _}:
            return _nest("json_schema", format, SCHEMA_KEYS)
    return format


def chat_messages(items: Any) -> Any:
    "Return messages for the `input` of a response. Raises ValueError for items that no message can hold."
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    return list(_messages(items)) if isinstance(items, list) else items


def _messages(items: Iterable[Any]) -> Iterator[Any]:
    caller: Json | None = None
    for item in items:
        match item:
            case {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}:
                call = {
                    "id": call_id,
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                }
                if caller is None:
                    caller = {"role": "assistant", "tool_calls": []}
                    yield caller
                caller["tool_calls"].append(call)
                continue
            case {"type": "function_call_output", "call_id": call_id, "output": output}:
                yield {"role": "tool", "tool_call_id": call_id, "content": output}
            case {"role": _}:
                yield item
            case _:
                raise ValueError("chat completions take messages and calls of functions. Use `/v1/responses`")
        caller = None


def _nest(kind: str, flat: Json, keys: Iterable[str]) -> Json:
    "Move the keys into an object that is named like the type. Other keys stay where they are."
    inner = {key: flat[key] for key in keys if key in flat}
    return {**{key: value for key, value in flat.items() if key not in inner}, "type": kind, kind: inner}


def _custom(custom: Json) -> Json:
    match custom:
        case {"format": {"type": "grammar", "syntax": syntax, "definition": definition}}:
            grammar = {"syntax": syntax, "definition": definition}
            return {**custom, "format": {"type": "grammar", "grammar": grammar}}
    return custom
