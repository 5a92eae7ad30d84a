"Anthropic's Messages API through its own SDK, sync and async."

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from llm.cli import cli
from pydantic import BaseModel
from support.anthropic_sdk import SDK, aasking, asking
from support.scripted_engine import AsyncScriptedEngine, cut

from llm_gpt_oss.errors import StreamCut
from proxy.items.encrypted_content import to_encrypted_content

BOTH = pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
Opened = Callable[..., Any]
AppWith = Callable[..., FastAPI]

THOUGHT = "<|channel|>analysis<|message|>Let me think.<|end|><|start|>assistant"
HELLO = f"{THOUGHT}<|channel|>final<|message|>Hello there"
CALL = (
    f"{THOUGHT}<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
    '{"city": "Oslo"}<|call|>'
)
SUNNY = "<|channel|>final<|message|>Sunny."
THINK: Any = {"type": "adaptive"}
HI = {"role": "user", "content": "Hi"}
WEATHER = {
    "name": "get_weather",
    "description": "Weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def logged() -> list[dict[str, Any]]:
    "What `llm logs` shows, oldest first."
    output = CliRunner().invoke(cli, ["logs", "list", "--json", "-n", "0"], catch_exceptions=False)
    turns: list[dict[str, Any]] = json.loads(output.output)
    return turns


@BOTH
def test_create(opened: Opened, app_with: AppWith) -> None:
    with opened(app_with(HELLO)) as sdk:
        message = sdk.create(messages=[HI], thinking=THINK)
    (turn,) = logged()
    thinking, text = message.content
    assert (thinking.thinking, text.text) == ("Let me think.", "Hello there")
    assert (message.id, message.stop_reason) == (f"msg_{turn['id']}", "end_turn")
    assert message._request_id.startswith("req_")
    assert message.usage.input_tokens == turn["input_tokens"] == 100
    assert message.usage.output_tokens == turn["output_tokens"]
    assert (turn["prompt"], turn["response"]) == ("Hi", "Hello there")


@BOTH
def test_stream(opened: Opened, app_with: AppWith) -> None:
    with opened(app_with(HELLO)) as sdk:
        events, message = sdk.stream(messages=[HI], thinking=THINK)
    texts = [event.text for event in events if event.type == "text"]
    assert "".join(texts) == "Hello there"
    assert len(texts) > 1
    thinking, text = message.content
    assert (thinking.thinking, text.text) == ("Let me think.", "Hello there")
    assert thinking.signature == to_encrypted_content("Let me think.")
    assert (message.usage.input_tokens, message.stop_reason) == (100, "end_turn")


@BOTH
def test_thinking_is_not_shown_to_clients_that_do_not_ask_for_it(opened: Opened, app_with: AppWith) -> None:
    engine = AsyncScriptedEngine(HELLO)
    with opened(app_with(engine=engine)) as sdk:
        (text,) = sdk.create(messages=[HI]).content
    assert text.text == "Hello there"
    assert "Reasoning: low" in engine.asked[0].prompt


def loop(sdk: SDK, sent: Callable[[Any], list[Any]], **fields: Any) -> list[Any]:
    "Runs a call and its result. `sent` is what the client sends back of the answer with the call."
    question = {"role": "user", "content": "Is it sunny in Oslo?"}
    _, called = sdk.stream(messages=[question], tools=[WEATHER], **fields)
    assert called.stop_reason == "tool_use"
    call = called.content[-1]
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Sun"}]}
    history = [
        question,
        {"role": "assistant", "content": sent(called.content)},
        {"role": "user", "content": [result]},
    ]
    answer = sdk.create(messages=history, tools=[WEATHER], **fields)
    assert [block.text for block in answer.content] == ["Sunny."]
    return [*history, {"role": "assistant", "content": answer.content}]


LOOPS: list[Any] = [
    pytest.param({"thinking": THINK}, lambda content: content, id="everything sent back"),
    pytest.param({"thinking": THINK}, lambda content: content[1:], id="thinking left out"),
    pytest.param({"thinking": {**THINK, "display": "omitted"}}, lambda content: content, id="signature"),
    pytest.param({"output_config": {"effort": "medium"}}, lambda content: content, id="thinking not shown"),
]


@BOTH
@pytest.mark.parametrize(("fields", "sent"), LOOPS)
def test_a_tool_loop_keeps_its_reasoning(
    fields: Any, sent: Callable[[Any], Any], opened: Opened, app_with: AppWith
) -> None:
    engine = AsyncScriptedEngine(CALL, SUNNY)
    with opened(app_with(engine=engine)) as sdk:
        loop(sdk, sent, **fields)
    first, second = (completion.prompt for completion in engine.asked)
    assert second.startswith(first + CALL)
    assert len({turn["conversation_id"] for turn in logged()}) == 1


@BOTH
def test_signatures_need_no_log(opened: Opened, app_with: AppWith) -> None:
    engine = AsyncScriptedEngine(CALL, SUNNY)
    with opened(app_with(engine=engine, log_policy="off")) as sdk:
        loop(sdk, lambda content: content, thinking={**THINK, "display": "omitted"})
    assert "Let me think." in engine.asked[1].prompt


@BOTH
def test_a_conversation_is_one_thread(opened: Opened, app_with: AppWith) -> None:
    with opened(app_with(CALL, SUNNY, HELLO, HELLO)) as sdk:
        history = loop(sdk, lambda content: content, thinking=THINK, system="Be brief.")
        sdk.create(messages=[*history, HI], thinking=THINK, system="Be brief.")
        sdk.create(messages=[HI])
    threads = [turn["conversation_id"] for turn in logged()]
    assert threads[0] == threads[1] == threads[2] != threads[3]


def test_other_apis_continue_the_conversation(app_with: AppWith) -> None:
    engine = AsyncScriptedEngine(HELLO, SUNNY, SUNNY)
    with asking(app_with(engine=engine)) as sdk:
        message = sdk.create(messages=[HI])
        for name in (message.id, message.id.removeprefix("msg_")):
            body = {"model": "gpt-oss", "input": "And?", "previous_response_id": name}
            response = sdk.call(
                lambda client, body=body: client.post("/v1/responses", body=body, cast_to=object)
            )
            assert response["output"][-1]["content"][0]["text"] == "Sunny."
    assert engine.asked[1].prompt == engine.asked[2].prompt
    assert "Hello there<|end|><|start|>user<|message|>And?" in engine.asked[1].prompt


@BOTH
def test_structured_output(opened: Opened, app_with: AppWith) -> None:
    class Person(BaseModel):
        name: str

    with opened(app_with(THOUGHT, '{"name": "Ada"}')) as sdk:
        parsed = sdk.call(
            lambda client: client.messages.parse(
                model="gpt-oss", max_tokens=100, messages=[HI], output_format=Person
            )
        )
    assert parsed.parsed_output == Person(name="Ada")


@BOTH
def test_count_tokens(opened: Opened, app_with: AppWith) -> None:
    engine = AsyncScriptedEngine(HELLO)
    with opened(app_with(engine=engine)) as sdk:
        count = sdk.call(
            lambda client: client.messages.count_tokens(
                model="gpt-oss", messages=[HI], tools=[WEATHER], system="Be brief."
            )
        )
    assert count.input_tokens == 100
    assert "get_weather" in engine.asked[0].prompt
    assert logged() == []


@BOTH
def test_beta_messages(opened: Opened, app_with: AppWith) -> None:
    "They come with `?beta=true` and a header."
    with opened(app_with(HELLO)) as sdk:
        message = sdk.call(
            lambda client: client.beta.messages.create(
                model="gpt-oss",
                max_tokens=100,
                messages=[HI],
                betas=["context-management-2025-06-27"],
                context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
            )
        )
    assert message.content[0].text == "Hello there"


@BOTH
@pytest.mark.parametrize(
    ("max_tokens", "reason"), [(4, "max_tokens"), (9, "model_context_window_exceeded")], ids=str
)
def test_an_answer_that_is_cut(max_tokens: int, reason: str, opened: Opened, app_with: AppWith) -> None:
    with opened(app_with(cut("<|channel|>final<|message|>Hello"))) as sdk:
        message = sdk.create(messages=[HI], max_tokens=max_tokens)
    assert (message.content[0].text, message.stop_reason) == ("Hello", reason)


@BOTH
def test_a_stream_that_breaks_off(opened: Opened, app_with: AppWith) -> None:
    broken = ["<|channel|>final<|message|>Hello", StreamCut("The line is cut.")]
    with opened(app_with(broken)) as sdk, pytest.raises(anthropic.APIStatusError) as raised:
        sdk.stream(messages=[HI])
    error: Any = raised.value.body
    assert error["error"] == {"type": "api_error", "message": "The line is cut."}
    assert error["request_id"] == raised.value.request_id


@BOTH
def test_a_retry_gets_the_same_message(opened: Opened, app_with: AppWith) -> None:
    with opened(app_with(HELLO)) as sdk:
        first = sdk.create(messages=[HI], thinking=THINK)
        retry = {"x-stainless-retry-count": "1"}
        assert sdk.create(messages=[HI], thinking=THINK, extra_headers=retry) == first
    assert len(logged()) == 1


@BOTH
def test_an_image_in_the_newest_message(opened: Opened, app_with: AppWith) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
    with opened(app_with(HELLO)) as sdk:
        with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.content\[0\]"):
            sdk.create(messages=[{"role": "user", "content": [image]}])
        history = [{"role": "user", "content": [image]}, {"role": "assistant", "content": "What?"}, HI]
        assert sdk.create(messages=history).content[0].text == "Hello there"
