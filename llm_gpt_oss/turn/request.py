"""What an `llm.Prompt` requests of its turn. Invalid requests are rejected here, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import llm

from ..completion import Completion, Json
from ..errors import BadRequest
from ..harmony.conversation import Conversation
from ..options import GptOssOptions
from .history import history_notes, readable_messages
from .messages import ends_in_open_message, harmony_conversation, tool_parameters
from .note import Note
from .schema_check import schema_error
from .tool_names import ToolNames


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A prompt with its options, independent of llm.

    - `defaults`: the completion that each step starts from. Its `max_tokens` limits the whole turn.
    - `tools`: the tools that the model may call. The names are those that it sees. The values are the JSON
      schemas of their parameters, None for a tool that takes none.
    - `required_tools`: the model must call one of these.
    - `single_call`: whether the model may call tools only once.
    - `reasoning_budget`: the maximum number of tokens for reasoning.
    - `continue_final_message`: the last message is the assistant's, and the model continues it.
    - `buffer_answer`: the answer is not streamed, so it can be validated before it is returned.
    - `notes`: what the model does not get of the history.
    """

    conversation: Conversation
    defaults: Completion
    tools: Mapping[str, Json | None] = field(default_factory=dict)
    required_tools: tuple[str, ...] = ()
    single_call: bool = False
    format: Json | None = None
    stop: tuple[str, ...] = ()
    uses_reasoning: bool = True
    reasoning_budget: int | None = None
    continue_final_message: bool = False
    truncate: bool = False
    buffer_answer: bool = False
    notes: tuple[Note, ...] = ()


def turn_request(prompt: llm.Prompt, model: str, *, stream: bool, date: str) -> tuple[TurnRequest, ToolNames]:
    """Return what the prompt requests, and the names of its tools.

    `date` is the current date for the prompt (YYYY-MM-DD). Raises BadRequest, which names the invalid option
    or field.
    """
    options = cast(GptOssOptions, prompt.options)
    tools = [tool for tool in prompt.tools if isinstance(tool, llm.Tool)]
    names = ToolNames(tool.name for tool in tools)
    offered = [] if options.tool_choice == "none" else tools
    # llm passes the same options to each round of a chain, which would never end if each had to call a tool.
    required = [] if prompt.tool_results else _required_tools(options.tool_choice, tools)
    messages = readable_messages(prompt.messages)
    conversation = harmony_conversation(
        messages, offered, names, date, effort=options.effort, schema=prompt.schema
    )
    return TurnRequest(
        conversation,
        Completion(
            model,
            prompt="",
            max_tokens=options.max_tokens,
            top_logprobs=options.requested_logprobs,
            context_length=options.num_ctx,
            keep_alive=options.keep_alive,
            sampling=options.sampling,
            batch=not stream,
        ),
        tools={names.model_name(tool.name): tool_parameters(tool) for tool in offered},
        required_tools=tuple(map(names.model_name, required)),
        single_call=options.parallel_tool_calls is False,
        format=_schema(prompt),
        stop=tuple(options.stop or ()),
        uses_reasoning=options.uses_reasoning,
        reasoning_budget=options.reasoning_tokens or None,
        continue_final_message=ends_in_open_message(conversation.messages),
        truncate=bool(options.truncate),
        buffer_answer=not stream,
        notes=tuple(history_notes(messages)),
    ), names


def _required_tools(choice: str | None, tools: list[llm.Tool]) -> list[str]:
    names = [tool.name for tool in tools]
    match choice:
        case None | "auto" | "none":
            return []
        case "required" if names:
            return names
        case name if name in names:
            return [name]
    required = "a tool" if choice == "required" else f"a tool called {choice!r}"
    raise BadRequest(
        f"tool_choice requires {required}, but the prompt has none.",
        param="tool_choice",
        remedy=f"Its tools are: {', '.join(names)}." if names else "Add tools with -T or --functions.",
    )


def _schema(prompt: llm.Prompt) -> Json | None:
    if not prompt.schema:
        return None
    schema = cast(Json, prompt.schema)
    if reason := schema_error(schema):
        raise BadRequest(
            f"The schema is not a valid JSON schema: {reason}.",
            param="schema",
            remedy="See `llm schemas --help` for the ways to write one.",
        )
    return schema
