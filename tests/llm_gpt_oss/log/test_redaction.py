from __future__ import annotations

from typing import Any

import llm
import pytest
from llm.parts import AttachmentPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from llm.utils import Fragment
from support.logged_turns import assistant, call, reasoning, result, turn, user

from llm_gpt_oss.log.redaction import NO_REDACTION, Redaction, is_redacted, unredacted
from llm_gpt_oss.log.secret_patterns import compile_patterns


def redaction(*lines: str) -> Redaction:
    return Redaction(compile_patterns(lines, "f"))


SECRET = redaction("secret[0-9]*")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("nothing", "nothing", id="no match"),
        pytest.param("a secret1 and secret2.", "a [redacted] and [redacted].", id="matches"),
        pytest.param("Ünï secret1 ☃", "Ünï [redacted] ☃", id="not ASCII"),
        pytest.param("\ud83d secret1 \ud83d", "\ud83d [redacted] \ud83d", id="half a surrogate pair"),
        pytest.param("secret", "[redacted]", id="all"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert SECRET.text(text) == expected


def test_a_redacted_text_stays_as_it_is() -> None:
    letters = redaction("[a-z]+")
    assert letters.text("ab 12") == "[redacted] 12"
    assert letters.text(letters.text("ab 12")) == "[redacted] 12"


def test_values() -> None:
    value = {"secret": "secret", "list": ["secret", 1, None, True], "deep": {"a": ("secret",)}}
    redacted = {
        "secret": "[redacted]",
        "list": ["[redacted]", 1, None, True],
        "deep": {"a": ["[redacted]"]},
    }
    assert SECRET.value(value) == redacted


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param(TextPart("secret"), TextPart("[redacted]"), id="text"),
        pytest.param(reasoning("secret"), reasoning("[redacted]"), id="reasoning"),
        pytest.param(call("c1", a="secret"), call("c1", a="[redacted]"), id="arguments"),
        pytest.param(
            ToolCallPart("look", {"a": 1}, "c1", provider_metadata={"gpt_oss": {"arguments": '{"a": 1}'}}),
            ToolCallPart("look", {"a": 1}, "c1", provider_metadata={"gpt_oss": {"arguments": '{"a": 1}'}}),
            id="the text of arguments stays with them",
        ),
        pytest.param(
            ToolCallPart(
                "look",
                {"a": "secret"},
                "c1",
                provider_metadata={"gpt_oss": {"arguments": '{"a": "s\\u0065cret"}', "name": "x"}},
            ),
            ToolCallPart("look", {"a": "[redacted]"}, "c1", provider_metadata={"gpt_oss": {"name": "x"}}),
            id="the text of redacted arguments goes",
        ),
        pytest.param(
            ToolCallPart("look", {"a": "secret"}, "c1", provider_metadata={"other": "secret"}),
            ToolCallPart("look", {"a": "[redacted]"}, "c1", provider_metadata={"other": "[redacted]"}),
            id="another plugin's metadata",
        ),
        pytest.param(
            ToolResultPart("look", "secret", "c1", exception="E: secret"),
            ToolResultPart("look", "[redacted]", "c1", exception="E: [redacted]"),
            id="result",
        ),
        pytest.param(AttachmentPart(), AttachmentPart(), id="attachment"),
    ],
)
def test_parts(part: Part, expected: Part) -> None:
    assert SECRET.message(Message("user", [part])) == Message("user", [expected])


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(TypeError):
        SECRET.part(Part())


def response(answer: Message, data: Any) -> llm.Response:
    written = turn(user("Hi"), answer=answer).response
    written.response_json = data
    return written


@pytest.mark.parametrize(
    ("answer", "kept"),
    [pytest.param("secret", False, id="redacted"), pytest.param("public", True, id="not redacted")],
)
def test_log_probabilities_spell_out_the_answer(answer: str, kept: bool) -> None:
    data = {"outcome": {"notes": [{"raw": "secret"}]}, "logprobs": [{"token": "pub"}]}
    logged = SECRET.response(response(assistant(answer), data)).response_json
    assert logged["outcome"] == {"notes": [{"raw": "[redacted]"}]}
    assert ("logprobs" in logged) is kept
    assert "logprobs" in data


def test_prompts_and_fragments() -> None:
    given = response(assistant("Yes"), None)
    fragment = Fragment("A secret", "file.txt")  # type: ignore[no-untyped-call]
    prompt = llm.Prompt("secret1", given.model, system="secret2", fragments=[fragment])
    given.prompt = prompt
    logged = SECRET.response(given).prompt
    assert (logged.prompt, logged.system) == ("A [redacted]\n[redacted]", "[redacted]")
    assert [(str(each), each.source) for each in logged.fragments] == [("A [redacted]", "file.txt")]
    assert (prompt.prompt, prompt.system) == ("A secret\nsecret1", "secret2")


def test_without_patterns_all_stays() -> None:
    given = response(assistant("secret"), {"a": "secret"})
    assert NO_REDACTION.response(given) is given
    message = user("secret")
    assert NO_REDACTION.message(message) is message
    assert NO_REDACTION.value(["secret"]) == ["secret"]
    assert NO_REDACTION.text("secret") == "secret"


LOGGED = assistant(reasoning("Hm."), call("c1", a="[redacted]"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(user("[redacted]"), True, id="text"),
        pytest.param(LOGGED, True, id="arguments"),
        pytest.param(result("c1", "[redacted]"), True, id="result"),
        pytest.param(assistant(ReasoningPart("[redacted]")), True, id="reasoning"),
        pytest.param(Message("user", [AttachmentPart()]), False, id="attachment"),
        pytest.param(assistant(reasoning("Hm."), "Yes"), False, id="nothing"),
    ],
)
def test_redacted_messages_are_recognised(message: Message, expected: bool) -> None:
    assert is_redacted(message) is expected


def test_a_client_keeps_its_own_text() -> None:
    sent = assistant(call("other", a="secret"))
    assert unredacted(sent, LOGGED) == assistant(reasoning("Hm."), call("c1", a="secret"))
    assert unredacted(assistant("secret"), LOGGED) == assistant(reasoning("Hm."), "secret")
    hidden = assistant(reasoning("[redacted]"), "Yes")
    assert unredacted(assistant("Yes"), hidden) == hidden
    assert unredacted(assistant(reasoning("A secret"), "Yes"), hidden).parts[0] == reasoning("A secret")
    whole = assistant(reasoning("Hm."), "Yes")
    assert unredacted(assistant("Yes"), whole) is whole
