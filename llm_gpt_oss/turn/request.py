"""`llm.Prompt` to what is wanted of the turn; what cannot be had is refused here, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import llm

from ..completion import Completion, Json
from ..errors import BadRequest
from ..harmony.conversation import Conversation
from ..options import GptOssOptions
from .messages import ends_in_open_message, harmony_conversation, tool_parameters
from .tool_names import ToolNames


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What is wanted of a turn.

    `defaults` is the completion that every step starts from; its `max_tokens` limits the whole turn.
    `tools` maps the names that the model sees to the schemas of their parameters. The model must call one of
    `required_tools`; with `allow_calls` False it may call none, with `single_call` True only one.
    `reasoning_budget` limits the reasoning, in tokens. `continue_final_message`: the last message is the
    assistant's, and the model continues it. `buffer_answer`: the answer is not streamed, so it can be
    validated before it is returned.
    """

    conversation: Conversation
    defaults: Completion
    tools: Mapping[str, Json | None] = field(default_factory=dict)
    required_tools: tuple[str, ...] = ()
    allow_calls: bool = True
    single_call: bool = False
    format: Json | None = None
    stop: tuple[str, ...] = ()
    uses_reasoning: bool = True
    reasoning_budget: int | None = None
    continue_final_message: bool = False
    truncate: bool = False
    buffer_answer: bool = False


def turn_request(prompt: llm.Prompt, model: str, *, stream: bool, date: str) -> tuple[TurnRequest, ToolNames]:
    """The wish, and the names that its tools go by.

    `date` is the day that the model is told. Raises BadRequest with the option or field at fault.
    """
    options = cast(GptOssOptions, prompt.options)
    tools = [tool for tool in prompt.tools if isinstance(tool, llm.Tool)]
    names = ToolNames(tool.name for tool in tools)
    offered = [] if options.tool_choice == "none" else tools
    withheld = [] if offered else tools
    # llm gives each round of a chain the same options: a choice that bound them all would never end it.
    required_tools = [] if prompt.tool_results else _must_call(options.tool_choice, tools)
    shown = harmony_conversation(prompt, offered, withheld, names, date)
    return TurnRequest(
        shown,
        Completion(
            model,
            prompt="",
            max_tokens=options.max_tokens,
            top_logprobs=options.requested_logprobs,
            context_length=options.num_ctx,
            keep_alive=options.keep_alive,
            sampling=options.sampling,
        ),
        tools={names.model_name(tool.name): tool_parameters(tool) for tool in offered},
        required_tools=tuple(map(names.model_name, required_tools)),
        allow_calls=bool(offered),
        single_call=options.parallel_tool_calls is False,
        format=_format(prompt),
        stop=tuple(options.stop or ()),
        uses_reasoning=options.uses_reasoning,
        reasoning_budget=options.reasoning_tokens or None,
        continue_final_message=ends_in_open_message(shown.messages),
        truncate=bool(options.truncate),
        buffer_answer=not stream,
    ), names


def _must_call(choice: str | None, tools: list[llm.Tool]) -> list[str]:
    known = [tool.name for tool in tools]
    match choice:
        case None | "auto" | "none":
            return []
        case "required" if known:
            return known
        case name if name in known:
            return [name]
    offered = f"On offer: {', '.join(known)}." if known else "Give tools with -T or --functions."
    wanted = "any tool" if choice == "required" else f"a tool called {choice!r}"
    raise BadRequest(f"tool_choice wants {wanted}, and there is none.", param="tool_choice", remedy=offered)


def _format(prompt: llm.Prompt) -> Json | None:
    if not prompt.schema:
        return None
    from .schema_check import (
        schema_error,  # only a prompt with a schema pays for the validator before it is sent
    )

    schema = cast(Json, prompt.schema)
    if reason := schema_error(schema):
        raise BadRequest(
            f"The schema is no JSON schema: {reason}.",
            param="schema",
            remedy="See `llm schemas --help` for the ways to write one.",
        )
    return schema
