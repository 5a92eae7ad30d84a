"""Converts values in the form of chat completions, or of Anthropic's API, to the form of the Responses API.

Some clients send one API's fields to the other's address. Values in any other form are returned as they are,
so that validation reports them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# The fields of an assistant's message that are items of their own in the Responses API.
_CHAT_FIELDS = {"function_call", "reasoning", "reasoning_content", "refusal", "tool_calls"}


def responses_tools(tools: Any) -> Any:
    return [_tool(tool) for tool in tools] if isinstance(tools, list) else tools


def functions_as_tools(functions: Any) -> Any:
    "Return tools for `functions`, their older name in chat completions."
    if not isinstance(functions, list):
        return functions
    return [{"type": "function", **each} if isinstance(each, dict) else each for each in functions] or None


def _tool(tool: Any) -> Any:
    match tool:
        case {"function": dict(function), **rest}:
            return {**rest, "type": "function", **function}
        case {"custom": dict(custom), **rest}:
            return {**rest, "type": "custom", **_custom(custom)}
        case {"name": _, "input_schema": schema, **rest}:  # Anthropic's
            return {**rest, "type": "function", "name": tool["name"], "parameters": schema}
    return tool


def _custom(custom: Json) -> Json:
    match custom:
        case {"format": {"type": "grammar", "grammar": dict(grammar)}}:
            return {**custom, "format": {"type": "grammar", **grammar}}
    return custom


def responses_tool_choice(choice: Any) -> Any:
    "Anthropic and Mistral call the choice of any tool `any`."
    match choice:
        case "any" | {"type": "any" | "required"}:
            return "required"
        case "":
            return None
        case {"type": "auto" | "none" as mode}:
            return mode
        case {"type": "function" | "custom" as kind} if isinstance(choice.get(kind), dict):
            return {"type": kind, **choice[kind]}
        case {"type": "tool", "name": name} | {"name": name} if choice.get("type") in (None, "tool"):
            return {"type": "function", "name": name}
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            return {
                "type": "allowed_tools",
                "mode": mode,
                "tools": [responses_tool_choice(tool) for tool in tools],
            }
    return choice


def responses_format(format: Any) -> Any:
    match format:
        case {"type": "json_schema", "json_schema": dict(schema)}:
            return {"type": "json_schema", **schema}
    return format


def response_items(messages: Any) -> Any:
    "Return items in which the messages of a chat completion have the form of the Responses API."
    if not isinstance(messages, list):
        return messages
    return [item for message in messages for item in _items(message)]


def _items(message: Any) -> Iterator[Any]:
    role = message.get("role") if isinstance(message, dict) else None
    match role.lower() if isinstance(role, str) else None:
        case "tool" | "function":
            name, call_id = message.get("name"), message.get("tool_call_id")
            output = message.get("content")
            yield {"type": "function_call_output", "call_id": call_id, "name": name, "output": output}
        case "assistant" if _CHAT_FIELDS & message.keys():
            if reasoning := message.get("reasoning") or message.get("reasoning_content"):
                text = {"type": "reasoning_text", "text": reasoning}
                yield {"type": "reasoning", "summary": [], "content": [text]}
            if content := message.get("content") or message.get("refusal"):
                yield {"role": "assistant", "content": content}
            yield from map(_call, _list(message.get("tool_calls")))
            if function := message.get("function_call"):
                yield _call({"function": function})
        case _:
            yield message


def _list(calls: Any) -> list[Any]:
    if calls is None or isinstance(calls, list):
        return calls or []
    raise ValueError("the calls of tools should be an array")


def _call(call: Any) -> Json:
    match call:
        case {"custom": {"name": name, **rest}}:
            text = rest.get("input")
            return {"type": "custom_tool_call", "call_id": call.get("id"), "name": name, "input": text}
        case {"function": {"name": name, **rest}}:
            arguments = rest.get("arguments")
            return {"type": "function_call", "call_id": call.get("id"), "name": name, "arguments": arguments}
    raise ValueError("a call of a tool has no name")
