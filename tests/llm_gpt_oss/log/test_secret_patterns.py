from __future__ import annotations

import llm
import pytest
from support.growth import assert_linear

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.log import redaction
from llm_gpt_oss.log.redaction import Redaction
from llm_gpt_oss.log.secret_patterns import DEFAULTS, compile_patterns, load_patterns, patterns_file

REDACTION = Redaction(compile_patterns(DEFAULTS.splitlines(), "defaults"))
# Put together here, so that no scanner of repositories takes them for real ones.
SECRETS = {
    "OpenAI": "sk-" + "proj-aB3" * 5,
    "GitHub": "ghp_" + "aB3" * 12,
    "GitHub, fine-grained": "github_pat_" + "11AB_c" * 8,
    "GitLab": "glpat-" + "aB3x" * 6,
    "Hugging Face": "hf_" + "aBcD" * 9,
    "AWS": "AKIA" + "ABCD" * 4,
    "Google": "AIza" + "aB3_-" * 7,
    "Slack": "xoxb-" + "123456-" * 3,
    "Stripe": "sk_live_" + "aB3x" * 5,
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMII\nabc=\n-----END RSA PRIVATE KEY-----",
    "private key that was cut": "-----BEGIN PRIVATE KEY-----\nMII\nabc",
    "JSON Web Token": "eyJ" + "hbGciOi" * 2 + ".eyJ" + "zdWIiOi" * 2 + ".c2ln",
    "header": "Bearer " + "aB3." * 6,
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=[*SECRETS])
def test_keys_are_redacted(secret: str) -> None:
    assert REDACTION.text(f"Use {secret}") == "Use [redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "a task-oriented sk-learn pipeline",
        "Bearer of bad news",
        "AKIA is a prefix, and so is ghp_",
        "the -----BEGIN CERTIFICATE----- block",
        "/usr/share/desk-of-a-long-name-with-many-words",
    ],
)
def test_prose_stays(text: str) -> None:
    assert REDACTION.text(text) == text


def test_without_a_file_nothing_is_redacted() -> None:
    assert not patterns_file().exists()
    assert load_patterns() == []
    assert not Redaction.load()


def test_the_file_of_the_user() -> None:
    patterns_file().write_text("# names\n\nAlice  \nB[oó]b\n", encoding="utf-8")
    assert Redaction.load().text("Alice, Bób and Carl") == "[redacted], [redacted] and Carl"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("(a", "missing ): (a", id="syntax"),
        pytest.param("(?=a)b", "invalid perl operator: (?=", id="look-ahead"),
        pytest.param(r"(a)\1", "invalid escape sequence: \\1", id="back-reference"),
        pytest.param("a{2000}", "invalid repetition size: {2000}", id="too large"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_named(
    line: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    patterns_file().write_text(f"good\n{line}\n", encoding="utf-8")
    with pytest.raises(GptOssError) as error:
        load_patterns()
    assert f"{patterns_file()}, line 2: the pattern {line} cannot be used: {problem}." in str(error.value)
    assert "https://github.com/google/re2/wiki/Syntax" in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(GptOssError, match=r"line 1: the pattern x\* matches the empty text"):
        compile_patterns(["x*"], "f")


def test_a_file_that_cannot_be_read() -> None:
    patterns_file().write_bytes(b"caf\xe9")
    with pytest.raises(GptOssError, match="cannot be read"):
        load_patterns()


def test_the_file_is_in_llms_folder() -> None:
    assert patterns_file().parent == llm.user_dir()  # type: ignore[no-untyped-call]


def test_time_is_linear_whatever_the_pattern() -> None:
    patterns = Redaction(compile_patterns([r"(a|a)*b", r"(x+x+)+y", r"a.*b.*c.*d"], "f"))
    assert_linear(patterns.text, lambda size: "ax" * size)


def test_patterns_that_look_at_all_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MAX_MATCHES", 100)
    assert_linear(Redaction(compile_patterns([r"a[\s\S]*b|a"], "f")).text, lambda size: "ax" * size)


def test_what_follows_very_many_matches_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MAX_MATCHES", 2)
    digits = Redaction(compile_patterns(["[0-9]"], "f"))
    assert digits.text("a1b2") == "a[redacted]b[redacted]"
    assert digits.text("a1b2c3d") == "a[redacted]b[redacted]"
