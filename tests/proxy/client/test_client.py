from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import pytest
from support.scripted_engine import cut
from support.scripted_server import CUT, HOLD, Refusing, Scripted, answer, sse

from llm_gpt_oss.errors import (
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    StreamCut,
    Unauthorized,
)
from proxy.client import Answer, Client, Delta, Health, ToolCall, Usage
from proxy.client import client as client_module
from proxy.http.api_keys import hash_key

Connect = Callable[..., Any]
Serve = Callable[..., str]
Play = Callable[..., Scripted]

HELLO = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello you"
CALL = '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}'
FUNCTION = {"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}}
TOOL = {"type": "function", "function": FUNCTION}
USAGE = Usage(prompt_tokens=100, completion_tokens=13, reasoning_tokens=1)


def test_chat(connect: Connect, serve: Serve) -> None:
    found = connect(serve(HELLO)).chat("Hi")
    assert (found.text, found.reasoning, found.finish_reason) == ("Hello you", "Hm.", "stop")
    assert (found.tool_calls, found.model) == ((), "gpt-oss")
    assert found.id.startswith("chatcmpl-")
    assert found.usage == USAGE
    assert found.message == {"role": "assistant", "content": "Hello you"}


def test_stream(connect: Connect, serve: Serve) -> None:
    deltas = list(connect(serve(HELLO)).stream("Hi", temperature=0))
    assert deltas[:-1] == [Delta(reasoning="Hm."), Delta("Hello"), Delta(" you")]
    last = deltas[-1]
    assert (last.text, last.reasoning) == ("", "")
    assert (last.answer.text, last.answer.reasoning, last.answer.usage) == (
        "Hello you",
        "Hm.",
        USAGE,
    )


@pytest.mark.parametrize("method", ["chat", "stream"])
def test_tool_calls(connect: Connect, serve: Serve, method: str) -> None:
    client = connect(serve(CALL, HELLO))
    result = getattr(client, method)("Hi", tools=[TOOL])
    found = result if isinstance(result, Answer) else list(result)[-1].answer
    [call] = found.tool_calls
    assert (call.name, call.arguments, found.finish_reason) == ("f", '{"a": 1}', "tool_calls")
    answered = {"role": "tool", "tool_call_id": call.id, "content": "2"}
    messages = [{"role": "user", "content": "Hi"}, found.message, answered]
    assert client.chat(messages, tools=[TOOL]).text == "Hello you"


def test_respond(connect: Connect, serve: Serve) -> None:
    client = connect(serve(HELLO, CALL, cut(f"{HELLO} and")))
    first = client.respond("Hi")
    assert (first.text, first.reasoning, first.finish_reason) == ("Hello you", "Hm.", "stop")
    assert (first.usage, first.id[:5]) == (USAGE, "resp_")
    tool = {"type": "function", **FUNCTION, "strict": False}
    second = client.respond("More", previous=first.id, tools=[tool])
    assert [(call.name, call.arguments) for call in second.tool_calls] == [("f", '{"a": 1}')]
    assert second.finish_reason == "tool_calls"
    third = client.respond([{"role": "user", "content": "Hi"}], max_output_tokens=13)
    assert third.finish_reason == "length"


def test_models_and_health(connect: Connect, serve: Serve) -> None:
    client = connect(serve(), model="gpt-oss:20b")
    assert ("gpt-oss", "openai") in [(model.id, model.owner) for model in client.models()]
    assert client.health() == Health("degraded", "unreachable", "gpt-oss:20b", False, version("llm-gpt-oss"))


def test_the_model_and_the_key(connect: Connect, serve: Serve) -> None:
    url = serve(HELLO, HELLO, key_hash=hash_key("sesame"))
    client = connect(url + "/v1", "sesame", model="gpt-oss:120b")
    assert client.chat("Hi").model == "gpt-oss:120b"
    assert client.chat("Hi", model="gpt-oss").model == "gpt-oss"
    with pytest.raises(Unauthorized, match="`--key`"):
        connect(url).chat("Hi")


@pytest.mark.parametrize(
    ("fields", "error_type", "text"),
    [
        pytest.param({"model": "none"}, ModelMissing, "Available models", id="unknown model"),
        pytest.param({"temperature": 9}, BadRequest, "temperature", id="invalid field"),
    ],
)
@pytest.mark.parametrize("method", ["chat", "stream", "respond"])
def test_rejected_requests(
    connect: Connect,
    serve: Serve,
    method: str,
    fields: dict[str, Any],
    error_type: type[GptOssError],
    text: str,
) -> None:
    with pytest.raises(error_type, match=text) as caught:
        list(getattr(connect(serve()), method)("Hi", **fields))
    if isinstance(caught.value, BadRequest):
        assert caught.value.param == "temperature"


def test_an_unknown_previous_response(connect: Connect, serve: Serve) -> None:
    with pytest.raises(BadRequest, match="resp_1"):
        connect(serve()).respond("Hi", previous="resp_1")


CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
ODD = {"id": "c", "choices": [{"index": 0, "delta": {"content": 5}, "finish_reason": "stop"}]}
BROKEN = {"error": {"message": "It broke."}}
OVERFLOW = "The prompt of 9 tokens is longer than the model's context of 4."


def error(message: str, status: int) -> Sequence[Any]:
    return answer({"error": {"message": message, "type": "x", "param": None, "code": None}}, status)


@pytest.mark.parametrize(
    ("reply", "error_type", "text"),
    [
        pytest.param(error(OVERFLOW, 400), ContextOverflow, "Shorten", id="overflow"),
        pytest.param(error("64 requests are waiting already.", 503), EngineBusy, "64", id="busy"),
        pytest.param(
            error("Ollama does not answer.", 503), EngineUnreachable, "its engine: Ollama", id="unreachable"
        ),
        pytest.param(error("It broke.", 500), EngineError, "It broke", id="failed"),
        pytest.param(answer({"detail": "Not Found"}, 404), EngineError, "is not llm-gpt-oss", id="another"),
        pytest.param(answer({"a": 1}), EngineError, "unexpected form", id="another object"),
        pytest.param(answer(""), EngineError, "no JSON object", id="no JSON"),
        pytest.param(answer("[" * 100_000), EngineError, "no JSON object", id="nested deeply"),
        pytest.param(
            answer("", 302, "Location: http://other/"),
            EngineError,
            "redirects to http://other/",
            id="redirect",
        ),
        pytest.param(sse(CHUNK, b"data: {\n\n"), StreamCut, "The stream is damaged", id="damaged"),
        pytest.param(sse({"a": 1}), StreamCut, "unexpected form", id="another event"),
        pytest.param(sse(ODD), StreamCut, "unexpected form", id="a number as text"),
        pytest.param(sse(CHUNK), StreamCut, "in the middle", id="ended"),
        pytest.param(sse(CHUNK, CUT), StreamCut, "was lost", id="reset"),
        pytest.param(sse(CHUNK, BROKEN), EngineError, "It broke", id="late"),
    ],
)
def test_errors(connect: Connect, play: Play, reply: Any, error_type: type[GptOssError], text: str) -> None:
    client = connect(play(reply).url)
    is_stream = b"event-stream" in reply[0]
    with pytest.raises(error_type, match=text):
        list(client.stream("Hi")) if is_stream else client.chat("Hi")


def test_nothing_answers(connect: Connect) -> None:
    with Refusing() as host:
        client = connect(host)
        for method in (client.chat, client.respond, lambda text: list(client.stream(text))):
            with pytest.raises(EngineUnreachable, match="llm gpt-oss serve"):
                method("Hi")


def test_a_server_that_is_silent(connect: Connect, play: Play) -> None:
    with pytest.raises(EngineError, match=r"sent nothing for 0\.3 seconds"):
        connect(play((HOLD,)).url, timeout=0.3).chat("Hi")
    with pytest.raises(StreamCut, match=r"sent nothing for 0\.3 seconds"):
        list(connect(play(sse(CHUNK, HOLD)).url, timeout=0.3).stream("Hi"))


@pytest.mark.parametrize("sdk", [True, False])
def test_closing_a_stream_ends_the_answer(play: Play, sdk: bool) -> None:
    server = play(sse(CHUNK, HOLD))
    with Client(server.url, sdk=sdk) as client:
        deltas = client.stream("Hi")
        assert next(deltas) == Delta("Hi")
        deltas.close()
        assert server.gone.wait(5)


@pytest.mark.parametrize("installed", [True, False])
def test_the_sdk_is_used_if_it_is_installed(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "find_spec", lambda name: object() if installed else None)
    with Client() as client:
        assert type(client._sender).__name__ == ("SdkClient" if installed else "Client")


def test_an_answer_with_calls_as_a_message() -> None:
    found = Answer("Hi", tool_calls=(ToolCall("c1", "f", "{}"),))
    function = {"name": "f", "arguments": "{}"}
    assert found.message == {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
