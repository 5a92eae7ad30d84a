from __future__ import annotations

from typing import Any

import pytest
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart
from support.proxied_engine import proxied
from support.scripted_server import Scripted, stream

from proxy.log.database import open_log
from proxy.log.earlier_completion import MAX_PARTS, find_earlier_completion

HI = [Message("user", [TextPart("Hi")])]
HM, HELLO, CALL = ReasoningPart("Hm."), TextPart("Hello"), ToolCallPart("f", {"a": 1}, "c1")
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|>"
ANSWERS = {
    "reasoning": THOUGHT,
    "text": f"{THOUGHT}<|start|>assistant<|channel|>final<|message|>Hello",
    "call": f'{THOUGHT}<|start|>assistant<|channel|>commentary to=functions.f<|message|>{{"a":1}}',
}


async def found(
    answer: str,
    begun: list[Part],
    monkeypatch: pytest.MonkeyPatch,
    *,
    prompt: list[Message] = HI,
    actor: str | None = None,
    model: str = "x",
    endpoint: str = "/api/generate",
    status: int = 200,
) -> bool:
    "Whether a turn with this answer is found as the beginning of `begun`."
    lines: list[Any] = [{"response": ANSWERS[answer]}, {"response": "", "done": True, "done_reason": "stop"}]
    with Scripted(stream(*lines)) as ollama:
        monkeypatch.setenv("OLLAMA_HOST", ollama.host)
        async with proxied() as proxy:
            body = {
                "model": "x",
                "raw": True,
                "prompt": "<|start|>user<|message|>Hi<|end|><|start|>assistant",
            }
            await proxy.post("/api/generate", body)
            [turn] = proxy.turns()
            path = proxy.server.settings.database
    log = open_log(path)
    try:
        log.db["gpt_oss_requests"].update(turn["id"], {"status": status})
        answer_so_far = [Message("assistant", begun)]
        earlier = find_earlier_completion(log, endpoint, model, actor, prompt, answer_so_far)
    finally:
        log.db.close()
    assert earlier is None or earlier.turn_id == turn["id"]
    return earlier is not None


@pytest.mark.parametrize(
    ("answer", "begun", "expected"),
    [
        pytest.param("reasoning", [HM], True, id="reasoning"),
        pytest.param("reasoning", [HM, TextPart("He")], True, id="reasoning, and more"),
        pytest.param("reasoning", [ReasoningPart("Hm. Well.")], True, id="longer reasoning"),
        pytest.param("reasoning", [ReasoningPart("Well.")], False, id="other reasoning"),
        pytest.param("text", [HM], False, id="an answer that is longer"),
        pytest.param("text", [HM, HELLO], True, id="text"),
        pytest.param("text", [HM, TextPart("Bye")], False, id="other text"),
        pytest.param("call", [HM, CALL], True, id="call"),
        pytest.param("call", [HM, CALL, CALL], True, id="call, and another"),
        pytest.param("call", [HM, *[CALL] * MAX_PARTS], False, id="too many parts"),
    ],
)
async def test_what_continues_it(
    answer: str, begun: list[Part], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await found(answer, begun, monkeypatch) is expected


@pytest.mark.parametrize(
    "fields",
    [
        {"actor": "ada"},
        {"model": "y"},
        {"endpoint": "/v1/completions"},
        {"status": 499},
        {"prompt": [Message("user", [TextPart("Hello")])]},
        {"prompt": [Message("system", [TextPart("Be brief.")]), *HI]},
    ],
)
async def test_what_is_not_the_same(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not await found("reasoning", [HM], monkeypatch, **fields)
