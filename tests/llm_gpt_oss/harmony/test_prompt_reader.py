from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.growth import assert_linear
from support.harmony_conversations import TOOLS, analysis, call, conversation, final, preamble, result, user

from llm_gpt_oss.harmony.conversation import Developer, Header, Message, ResponseFormat, System, Tool
from llm_gpt_oss.harmony.markers import MARKERS, restore
from llm_gpt_oss.harmony.prompt import OPENER, render, render_header
from llm_gpt_oss.harmony.prompt_reader import ANY_ARGUMENTS, MAX_HEADER, MAX_MESSAGES, OpenPrompt, read_prompt

SCRAPS = st.sampled_from([*MARKERS, "# Tools\n\n", "# Instructions", "\n\n", "//", "⁠", "assistant"])
TEXT = st.lists(SCRAPS | st.text(max_size=4), max_size=5).map("".join).map(restore)
MESSAGE = st.one_of(
    st.builds(user, TEXT),
    st.builds(final, TEXT),
    st.builds(preamble, TEXT),
    st.builds(call, st.just("f"), TEXT),
    st.builds(result, st.just("f"), TEXT),
    st.builds(Message, st.just(Header("developer")), TEXT),
    st.builds(Message, st.just(Header("user", name="ada")), TEXT),
)
SYSTEM = st.builds(
    System,
    identity=st.sampled_from([None, "You are ChatGPT.", "Reasoning is hard"]),
    knowledge_cutoff=st.sampled_from([None, "2024-06"]),
    current_date=st.sampled_from([None, "2026-11-30"]),
    effort=st.sampled_from([None, "low", "medium", "high"]),
    channels=st.sampled_from([(), ("final",), ("analysis", "commentary", "final")]),
)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "description": "# Tools\n\n## functions"}}}
DEVELOPER = st.builds(
    Developer,
    instructions=st.none() | TEXT.filter(str.strip),
    tools=st.sampled_from(
        [(), (Tool("f", "Does\nit."), Tool("g.h", None, {"type": "object", "properties": {"a": {}}}))]
    ),
    formats=st.sampled_from([(), (ResponseFormat("dog", SCHEMA, "A dog"), ResponseFormat("cat", {}))]),
)


def without_parameters(tool: Tool) -> Tool:
    "The tool as it is read: whether it has parameters, but not which."
    return replace(tool, parameters=ANY_ARGUMENTS if tool.parameters else None)


@given(st.none() | SYSTEM, DEVELOPER, st.lists(MESSAGE, max_size=4))
def test_a_rendered_prompt_is_read(
    system: System | None, developer: Developer, messages: list[Message]
) -> None:
    if system == System(None, None, None, None, ()):
        system = None
    written = conversation(*messages, system=system, developer=developer)
    if not render(replace(written, messages=())) and messages and messages[0].header.role == "developer":
        return  # that message would be the developer message
    if developer == Developer() and messages and messages[0].header == Header("developer"):
        return
    prompt = render(written)
    read = read_prompt(prompt + OPENER)
    developer = replace(developer, tools=tuple(map(without_parameters, developer.tools)))
    expected = replace(written, developer=developer)
    assert read == OpenPrompt(expected, first_length=len(render(replace(written, messages=()))))


HELLO = [user("Hi"), analysis("Greet."), preamble("Wait."), call("f", "{}")]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        pytest.param(OPENER, {}, id="before a header"),
        pytest.param(
            f"{OPENER}<|channel|>commentary to=functions",
            {"header_text": "<|channel|>commentary to=functions"},
            id="inside a header",
        ),
        pytest.param(
            render_header(Header("assistant", "final")),
            {"header": Header("assistant", "final")},
            id="message",
        ),
        pytest.param(
            render_header(Header("assistant", "analysis")) + "So <\u2060|end|>",
            {"header": Header("assistant", "analysis"), "text": "So <|end|>"},
            id="inside a message",
        ),
    ],
)
def test_where_the_model_goes_on(ending: str, expected: dict[str, object]) -> None:
    written = conversation(*HELLO)
    assert read_prompt(render(written) + ending) == OpenPrompt(written, **expected)  # type: ignore[arg-type]


def test_tools_are_read_without_their_parameters() -> None:
    written = conversation(user("Hi"), system=System(), developer=Developer("Be brief.", TOOLS))
    read = read_prompt(render(written) + OPENER)
    assert read is not None
    assert read.conversation.developer.instructions == "Be brief."
    assert read.conversation.developer.tools == tuple(map(without_parameters, TOOLS))
    assert read.conversation.system == System()


@pytest.mark.parametrize(
    ("first", "role"),
    [
        ("<|start|>system<|message|>You are a pelican.\nReally.<|end|>", "system"),
        ("<|start|>system<|message|>Reasoning: extreme<|end|>", "system"),
        (f"<|start|>system<|message|>{'x' * 20_000}<|end|>", "system"),
        ("<|start|>developer<|message|>Be brief.<|end|>", "developer"),
        ("<|start|>developer<|message|># Response Formats\n\n## a\n\n{1}<|end|>", "developer"),
    ],
)
def test_another_first_message_stays_a_message(first: str, role: str) -> None:
    read = read_prompt(f"{first}<|start|>user<|message|>Hi<|end|>{OPENER}")
    assert read is not None
    assert [message.header.role for message in read.conversation.messages] == [role, "user"]
    assert read.first_length == 0


def test_headers_of_other_programs() -> None:
    prompt = (
        "<|start|>user<|message|>Hi<|end|>\n"
        '<|start|>assistant to=functions.f<|channel|>commentary json<|message|>{"a": 1}<|call|>'
        "<|start|>functions.f to=assistant<|channel|>commentary<|message|>2<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Two.<|return|>"
        "<|start|>assistant<|message|>Three.<|end|>"
    )
    read = read_prompt(prompt + OPENER)
    assert read is not None
    assert [message.header for message in read.conversation.messages] == [
        Header("user"),
        Header("assistant", "commentary", "functions.f", "json"),
        Header("tool", "commentary", "assistant", name="functions.f"),
        Header("assistant", "final"),
        Header("assistant"),
    ]


USER = "<|start|>user<|message|>Hi<|end|>"


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "Why is the sky blue?",
        USER,
        "<|start|>",
        f"{USER}<|start|>user",
        f"{USER}<|start|>user<|message|>And",
        f"{USER}Hello{OPENER}",
        f"<|start|>user<|message|>Hi<|channel|>final<|end|>{OPENER}",
        f"<|start|>user<|message|>Hi<|start|>assistant{OPENER}",
        f"<|start|>nobody<|message|>Hi<|end|>{OPENER}",
        f"<|start|>user<|end|><|message|>Hi<|end|>{OPENER}",
        f"<|start|>user{' ' * MAX_HEADER}<|message|>Hi<|end|>{OPENER}",
        f"{USER}{OPENER}{' ' * MAX_HEADER}",
        f"{USER}{OPENER}<|end|>",
        USER * MAX_MESSAGES + OPENER,
    ],
)
def test_what_is_not_read(prompt: str) -> None:
    assert read_prompt(prompt) is None


@given(
    st.lists(st.sampled_from([*MARKERS, "assistant", "user", "system", "developer", "\n\n", "# Tools", "{"]))
)
def test_any_text_is_read_or_not(parts: list[str]) -> None:
    read_prompt("".join(parts))
    read_prompt("<|start|>system<|message|>" + "".join(parts))


@pytest.mark.parametrize(
    "scrap",
    [
        "<|start|>",
        USER,
        "a",
        "<",
        "\n\n# Tools\n\n## functions\n\nnamespace functions {\n\n",
        "\n\n# Response Formats\n\n## a\n\n{}",
        "// a\n",
        "type f = (",
    ],
)
def test_time_is_linear(scrap: str) -> None:
    first = "<|start|>developer<|message|># Instructions\n\n"
    assert_linear(read_prompt, lambda size: first + scrap * (size // len(scrap)) + f"<|end|>{OPENER}")
    tools = "<|start|>developer<|message|># Tools\n\n## functions\n\nnamespace functions {\n\n"
    end = "\n\n} // namespace functions<|end|>"
    assert_linear(read_prompt, lambda size: tools + scrap * (size // len(scrap)) + end + OPENER)
