"""Reads a raw completion's harmony prompt: its conversation, and the message that the model continues.

Only the log uses it, so that it holds a conversation instead of one long text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

import llm
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolResultPart
from pydantic import ValidationError

from llm_gpt_oss.completion import Completion, Json
from llm_gpt_oss.harmony import conversation as harmony
from llm_gpt_oss.harmony.conversation import IDENTITY, Conversation, Header, System
from llm_gpt_oss.harmony.markers import MARKER, MESSAGE
from llm_gpt_oss.harmony.prompt_reader import OpenPrompt, read_prompt
from llm_gpt_oss.harmony.recipient import NAMESPACE
from llm_gpt_oss.turn.messages import METADATA, SEPARATOR, name_metadata, tool_call_part
from llm_gpt_oss.turn.request import TurnRequest
from llm_gpt_oss.turn.steps import Step

from ...generation import GenerationRequest
from .raw_completion import RawBody

INSTRUCTIONS = "# Instructions\n\n"
# A prompt with a longer beginning of the answer is not read: llm takes quadratic time to put it together.
MAX_BEGUN = 200
# The options of a completion by their names in Ollama, where the plugin has another name.
OPTION_NAMES = {"num_predict": "max_tokens"}


@dataclass(frozen=True, slots=True)
class HarmonyRequest:
    """A raw completion as a part of a turn.

    `generation` is the request of the turn, up to the message that the model answers. `begun` are the
    messages that the prompt has after it: earlier completions of this turn wrote them, or the client. `step`
    describes the completion. `header_pieces` are the markers and texts of an unfinished header at the end of
    the prompt. `body` is the request without the part of the prompt that the log has as messages.
    """

    generation: GenerationRequest
    turn: TurnRequest
    step: Step
    begun: tuple[harmony.Message, ...]
    header_pieces: tuple[str, ...]
    body: Json

    @property
    def continues_turn(self) -> bool:
        "Whether the model has written something in this turn, perhaps in an earlier completion."
        return any(message.text for message in self.begun)

    @property
    def begun_answer(self) -> list[Message]:
        return [*llm_messages(self.begun)]


def harmony_request(endpoint: str, data: Json, tag: str) -> HarmonyRequest | None:
    """Return the request of a raw completion of the model `tag`.

    Return None if its prompt is not a harmony conversation, and for a body that is invalid.
    """
    try:
        body = RawBody.model_validate(data)
    except ValidationError:
        return None
    prompt = read_prompt(body.prompt)
    if prompt is None:
        return None
    completion = body.to_completion(tag)
    conversation, begun = _split_answer(prompt)
    if not conversation.messages or len(begun) > MAX_BEGUN:
        return None
    developer = conversation.developer
    schema = developer.formats[0].schema if developer.formats else None
    return HarmonyRequest(
        _generation(endpoint, body, completion, conversation, begun, schema),
        TurnRequest(
            conversation,
            completion,
            tools={tool.name: tool.parameters for tool in developer.tools},
            format=schema,
        ),
        _step(prompt, completion),
        begun,
        _pieces(prompt.header_text),
        {**data, "prompt": body.prompt[: prompt.first_length]},
    )


def _split_answer(prompt: OpenPrompt) -> tuple[Conversation, tuple[harmony.Message, ...]]:
    "Return the conversation up to the message that is answered, and the complete messages of the answer."
    conversation = prompt.conversation
    messages = conversation.messages
    end = len(messages)
    while end and messages[end - 1].header.role == "assistant":
        end -= 1
    answered = Conversation(conversation.system, conversation.developer, messages[:end])
    return answered, messages[end:]


def _step(prompt: OpenPrompt, completion: Completion) -> Step:
    header = prompt.header
    ends_in_name = bool(prompt.header_text) and completion.stop == (MESSAGE,)
    is_answer = header is not None and header.channel == "final" and header.recipient is None
    return Step(
        "name" if ends_in_name else "answer" if is_answer else "free",
        header,
        prompt.text,
        format=completion.format if isinstance(completion.format, dict) else None,
        stop=completion.stop,
    )


def _pieces(header_text: str) -> tuple[str, ...]:
    "Split the text of a header into its markers and what is between them."
    return tuple(filter(None, _split_at_markers(header_text)))


def _split_at_markers(text: str) -> Iterator[str]:
    position = 0
    for match in MARKER.finditer(text):
        yield from (text[position : match.start()], match[0])
        position = match.end()
    yield text[position:]


def _generation(
    endpoint: str,
    body: RawBody,
    completion: Completion,
    conversation: Conversation,
    begun: Sequence[harmony.Message],
    schema: Json | None,
) -> GenerationRequest:
    system, developer = conversation.system, conversation.developer
    identity = system.identity if system and system.identity != IDENTITY else None
    instructions = filter(None, (identity, developer.instructions))
    return GenerationRequest(
        endpoint,
        completion.model,
        (
            *(Message("system", [TextPart(text)]) for text in instructions),
            *llm_messages(conversation.messages),
        ),
        tuple(
            llm.Tool(tool.name, tool.description, tool.parameters or {"type": "object", "properties": {}})
            for tool in developer.tools
        ),
        schema=schema,
        options=_options(body, system, begun),
        stream=body.stream is not False,
    )


def _options(body: RawBody, system: System | None, begun: Sequence[harmony.Message]) -> dict[str, Any]:
    "Return the options that the plugin's model would have, by their names."
    options = body.options.model_dump(exclude_none=True, exclude={"stop"}) if body.options else {}
    is_without_reasoning = begun[:1] == (harmony.Message(Header("assistant", "analysis"), ""),)
    effort = "none" if is_without_reasoning else system.effort if system else None
    return {
        **({"reasoning_effort": effort} if effort else {}),
        **{OPTION_NAMES.get(name, name): value for name, value in options.items()},
        **({"keep_alive": body.keep_alive} if body.keep_alive is not None else {}),
    }


# Messages of harmony as llm's: the reverse of `llm_gpt_oss.turn.messages`.


def llm_messages(messages: Sequence[harmony.Message]) -> Iterator[Message]:
    calls = _CallIds()
    for role, group in groupby(messages, key=lambda message: message.header.role):
        if role == "assistant":
            yield Message("assistant", list(_assistant_parts(group, calls)))
            continue
        for message in group:
            calls.add(message)
            if role == "tool":
                yield Message("tool", [_result(message, calls)])
            else:
                text = message.text if role == "user" else message.text.removeprefix(INSTRUCTIONS)
                metadata = name_metadata(message.header.name)
                yield Message(
                    "user" if role == "user" else "system", [TextPart(text)], provider_metadata=metadata
                )


def _assistant_parts(messages: Iterator[harmony.Message], calls: _CallIds) -> Iterator[Part]:
    has_text = False
    for message in messages:
        calls.add(message)
        header = message.header
        if header.recipient:
            name = header.recipient.removeprefix(NAMESPACE)
            yield tool_call_part(name, message.text, calls.new_id(name))
        elif not message.text:
            continue
        elif header.channel == "analysis":
            yield ReasoningPart(message.text)
        else:
            if has_text:
                yield TextPart("\n\n", provider_metadata=SEPARATOR)
            has_text = True
            channel = header.channel or "final"
            metadata = None if channel == "final" else {METADATA: {"channel": channel}}
            yield TextPart(message.text, provider_metadata=metadata)


def _result(message: harmony.Message, calls: _CallIds) -> ToolResultPart:
    name = (message.header.name or "").removeprefix(NAMESPACE)
    return ToolResultPart(name, message.text, calls.take_id(name))


class _CallIds:
    """Makes ids for calls, which harmony does not have.

    An id depends on the conversation up to its call, so the same conversation has the same ids in each
    prompt. A result belongs to the oldest call of its tool that has no result yet.
    """

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=12)
        self._waiting: dict[str, deque[str]] = {}

    def add(self, message: harmony.Message) -> None:
        self._hash.update(f"{message.header}{message.text}".encode(errors="replace"))

    def new_id(self, name: str) -> str:
        call_id = f"call_{self._hash.hexdigest()}"
        self._waiting.setdefault(name, deque()).append(call_id)
        return call_id

    def take_id(self, name: str) -> str | None:
        waiting = self._waiting.get(name)
        return waiting.popleft() if waiting else None
