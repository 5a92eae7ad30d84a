"""Reads the user's file of regular expressions for what the log must not contain.

It is `gpt-oss-redact.txt` in llm's user directory: one expression a line, in the syntax of RE2, which takes
linear time whatever the expression and the text. Lines that begin with `#` are comments. Without the file
nothing is redacted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import llm

from ..errors import GptOssError

FILE_NAME = "gpt-oss-redact.txt"
SYNTAX = "Correct it. https://github.com/google/re2/wiki/Syntax has the syntax."

# What `llm gpt-oss logs patterns` prints, to start a file with.
DEFAULTS = r"""
# What the log must not contain: a regular expression a line, in the syntax of RE2.
# OpenAI, Anthropic and similar keys
\bsk-[A-Za-z0-9_-]{20,}
# GitHub
\bgh[opsur]_[A-Za-z0-9]{36,}
\bgithub_pat_[A-Za-z0-9_]{22,}
# GitLab
\bglpat-[A-Za-z0-9_-]{20,}
# Hugging Face
\bhf_[A-Za-z0-9]{30,}
# AWS
\b(?:AKIA|ASIA)[A-Z0-9]{16}\b
# Google
\bAIza[A-Za-z0-9_-]{35}
# Slack
\bxox[abeoprs]-[A-Za-z0-9-]{10,}
# Stripe
\b[rs]k_live_[A-Za-z0-9]{16,}
# Private keys
-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)
# JSON Web Tokens
\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
# Tokens in headers
(?i)\bbearer\s+[a-z0-9._~+/-]{16,}=*
""".lstrip()


class Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Pattern(Protocol):
    "A compiled expression of re2."

    def finditer(self, text: str) -> Iterable[Match]: ...


def patterns_file() -> Path:
    folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
    return folder / FILE_NAME


def load_patterns() -> list[Pattern]:
    "Return the patterns of the user's file, if there is one. Raises GptOssError for a mistake in it."
    path = patterns_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as problem:
        raise GptOssError(
            f"{path} cannot be read: {problem}.",
            remedy="Make it readable, or delete it. Nothing is logged without the patterns in it.",
        ) from problem
    return compile_patterns(text.splitlines(), str(path))


def compile_patterns(lines: Sequence[str], source: str) -> list[Pattern]:
    """Return the patterns of these lines. Raises GptOssError for one that cannot be used.

    The error names `source` and the line's number.
    """
    import re2  # not at the top: few users have a file

    options = re2.Options()
    options.log_errors = False
    patterns = []
    for number, line in enumerate(lines, 1):
        expression = line.strip()
        if not expression or expression.startswith("#"):
            continue
        place = f"{source}, line {number}"
        try:
            pattern: Pattern = re2.compile(expression, options)
        except re2.error as problem:
            reason = problem.args[0]
            message = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise GptOssError(
                f"{place}: the pattern {expression} cannot be used: {message}.", remedy=SYNTAX
            ) from problem
        if any(match.span() == (0, 0) for match in pattern.finditer("")):
            raise GptOssError(
                f"{place}: the pattern {expression} matches the empty text.",
                remedy="Write one that matches at least one character.",
            )
        patterns.append(pattern)
    return patterns
