"Conversations in OpenAI's format for fine-tuning, checked with the types of OpenAI's SDK."

from __future__ import annotations

from typing import Any

import llm
import pytest
from llm.parts import AttachmentPart, Message, TextPart, ToolResultPart
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import TypeAdapter
from support.logged_turns import assistant, call, reasoning, result, system, turn, user
from support.transfer import export_text, exported, import_text, import_values
from support.turn_logs import TurnLog

from llm_gpt_oss.turn.messages import name_metadata

MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
TOOLS: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionToolParam])


def test_the_whole_format(full_log: TurnLog) -> None:
    first, fork, *others = exported(full_log.store, "chat")
    assert first == {
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Look"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            {"role": "assistant", "content": "It is\n\n42"},
            {"role": "user", "content": "More"},
            {"role": "assistant", "content": "No"},
        ]
    }
    assert fork["messages"][-2:] == [
        {"role": "user", "content": "Another way"},
        {"role": "assistant", "content": "Yes"},
    ]
    answers = [line["messages"][-1] for line in others]
    patch = {"name": "patch", "input": "*** Begin"}
    assert answers == [
        {"role": "assistant", "content": "One\n\ntwo"},
        {"role": "assistant", "tool_calls": [{"id": "call_2", "type": "custom", "custom": patch}]},
        {"role": "assistant", "content": "This"},
    ]


def test_reasoning(full_log: TurnLog) -> None:
    line, *_ = exported(full_log.store, "chat", reasoning=True)
    thoughts = [message.get("reasoning_content") for message in line["messages"]]
    assert thoughts == [None, None, "hm", None, "so", None, None]


def test_openais_types(full_log: TurnLog) -> None:
    for line in exported(full_log.store, "chat", reasoning=True):
        assert line.keys() <= {"messages", "tools", "parallel_tool_calls"}
        for message in MESSAGES.validate_python(line["messages"]):
            list(message.get("tool_calls", []))  # these are validated when they are read
        TOOLS.validate_python(line.get("tools", []))


def test_tools(log: TurnLog, other: TurnLog) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    written = turn(
        user("Hi"), answer=assistant("Hello"), body='{"messages": [], "parallel_tool_calls": false}'
    )
    written.response.prompt.tools = [llm.Tool("look", "Looks", schema), llm.Tool("now")]
    log.put(written)
    (line,) = exported(log.store, "chat")
    assert line["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": schema}},
        {"type": "function", "function": {"name": "now"}},
    ]
    assert line["parallel_tool_calls"] is False
    import_values(other.store, [line])
    assert exported(other.store, "chat") == [line]


def test_names(log: TurnLog, other: TurnLog) -> None:
    named = user("Hi")
    named.provider_metadata = name_metadata("Ann")
    log.write(named, answer=assistant("Hello"))
    text = export_text(log.store, "chat")
    assert b'{"role":"user","content":"Hi","name":"Ann"}' in text
    import_text(other.store, text)
    assert export_text(other.store, "chat") == text


def test_files_of_other_models(log: TurnLog) -> None:
    "Text stands for them, as in a prompt of gpt-oss."
    image = llm.Attachment(type="image/png", content=b"png")
    looked = Message("user", [TextPart("What is it?"), AttachmentPart(image)])
    log.write(looked, answer=assistant("A cat"))
    (line,) = exported(log.store, "chat")
    assert line["messages"][0]["content"] == "What is it?\n[image: this model cannot see it]"


def test_results_in_a_message_of_the_assistant(log: TurnLog) -> None:
    "Tools that a provider runs have their results there."
    log.write(user("Hi"), answer=assistant(call("1"), ToolResultPart("look", "42", "1"), "It is 42"))
    (line,) = exported(log.store, "chat")
    assert [message["role"] for message in line["messages"]] == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("line", "turns"),
    [
        pytest.param([("user", "a"), ("assistant", "b")], 1, id="one turn"),
        pytest.param(
            [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")], 2, id="two turns"
        ),
        pytest.param([("user", "a"), ("assistant", "b"), ("assistant", "c")], 1, id="an answer in two"),
        pytest.param([("assistant", "a"), ("user", "b"), ("assistant", "c")], 2, id="the assistant begins"),
        pytest.param([("system", "a"), ("assistant", "b")], 1, id="only instructions"),
    ],
)
def test_turns_of_a_conversation(log: TurnLog, line: list[tuple[str, str]], turns: int) -> None:
    messages = [{"role": role, "content": content} for role, content in line]
    (outcome,) = import_values(log.store, [{"messages": messages}])
    assert (outcome.added, outcome.known, outcome.problem) == (turns, 0, None)
    assert exported(log.store, "chat") == [{"messages": messages}]
    assert len({row["thread_id"] for row in log.db["turns"].rows}) == 1
    assert log.store.verify() == []


def test_only_new_turns_of_a_conversation_are_added(log: TurnLog) -> None:
    "Although the log has its reasoning, which the line lacks."
    log.write(user("a"), answer=assistant(reasoning("hm"), "b"))
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]
    (outcome,) = import_values(log.store, [{"messages": messages}])
    assert (outcome.added, outcome.known) == (1, 1)
    assert log.db["threads"].count == 1


def test_other_instructions_are_another_conversation(log: TurnLog) -> None:
    for text in ("A", "B"):
        log.write(system(text), user("Hi"), answer=assistant("Hello"))
    assert len(exported(log.store, "chat")) == 2


def test_functions(log: TurnLog) -> None:
    "OpenAI's older format of tools."
    called = {"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}}
    messages = [{"role": "user", "content": "Hi"}, called]
    line = {"messages": messages, "functions": [{"name": "look", "parameters": {"type": "object"}}]}
    (outcome,) = import_values(log.store, [line])
    assert outcome.added == 1
    (line,) = exported(log.store, "chat")
    assert line["tools"][0]["function"]["name"] == "look"
    assert line["messages"][1]["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}


def test_results_of_a_history(log: TurnLog) -> None:
    log.write(
        user("Hi"), assistant(call("1"), call("2")), result("1", "a"), result("2", "b"), answer=assistant("c")
    )
    (line,) = exported(log.store, "chat")
    assert [message.get("tool_call_id") for message in line["messages"]] == [None, None, "1", "2", None]
