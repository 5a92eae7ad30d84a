"Every regular expression in both packages takes linear time, whatever text it is given."

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from support.regex_complexity import slow_part

import llm_gpt_oss
import proxy
from llm_gpt_oss.engines.http.openai_errors import RULES as OPENAI_RULES
from llm_gpt_oss.engines.http.server_errors import MAX_SEARCHED
from llm_gpt_oss.engines.ollama.errors import PARAMS
from llm_gpt_oss.engines.ollama.errors import RULES as OLLAMA_RULES
from llm_gpt_oss.harmony.prompt_reader import _SYSTEM, MAX_SYSTEM
from proxy.http.paths import CanonicalPaths

METHODS = {"match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split"}
# Patterns that are not in the source as they are. A test of their own checks them.
MADE = {
    ("llm_gpt_oss.engines.grammar_subset", "pattern"),  # compiled only
    ("llm_gpt_oss.engines.http.server_errors", "self.pattern"),
    ("llm_gpt_oss.engines.ollama.errors", "pattern"),
}


class Use(NamedTuple):
    "A pattern and a method that is called with it."

    where: str
    pattern: re.Pattern[Any]
    method: str

    @property
    def slow_part(self) -> str | None:
        searches = self.method not in ("match", "fullmatch")
        return slow_part(self.pattern, searches=searches, whole=self.method == "fullmatch")


def modules() -> Iterator[ModuleType]:
    for package in (llm_gpt_oss, proxy):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                try:
                    yield importlib.import_module(info.name)
                except ImportError:
                    assert ".engines." in info.name, "only engines need packages that may be missing"


def method_calls(module: ModuleType) -> Iterator[tuple[str, ast.Attribute, ast.Call]]:
    "The name before the dot, the method, and the call: of methods that a pattern has."
    tree = ast.parse(Path(inspect.getsourcefile(module) or "").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield ast.unparse(node.func.value).rpartition(".")[2], node.func, node


def uses() -> Iterator[Use]:
    named = {}
    methods: dict[str, set[str]] = {}
    for module in MODULES:
        named.update(
            {(name, value): module for name, value in vars(module).items() if isinstance(value, re.Pattern)}
        )
        for name, function, call in method_calls(module):
            methods.setdefault(name, set()).add(function.attr)
            if name == "re" and (module.__name__, first(call)) not in MADE:
                pattern = eval(first(call), vars(module))  # noqa: S307 - our own source
                yield Use(f"{module.__name__}: {pattern}", re.compile(pattern), function.attr)
    for (name, pattern), module in named.items():
        # One that is called by another name, as in a loop over several, may search.
        for method in methods.get(name, {"search"}):
            yield Use(f"{module.__name__}.{name}", pattern, method)


def first(call: ast.Call) -> str:
    return ast.unparse(call.args[0])


MODULES = [*modules()]
USES = sorted({use for use in uses() if use.pattern is not _SYSTEM}, key=lambda use: use[0::2])


@pytest.mark.parametrize("use", [pytest.param(use, id=f"{use.where} {use.method}") for use in USES])
def test_patterns_take_linear_time(use: Use) -> None:
    assert use.slow_part is None


def test_all_patterns_are_found() -> None:
    assert len(USES) > 50
    assert {"proxy.http.charset._CHARSET", "proxy.log.reader._TURN_ID"} < {use.where for use in USES}


def test_patterns_that_are_made_when_the_server_starts() -> None:
    paths = CanonicalPaths(lambda *_: None, ["/v1/models", "/v1/files", "/api/tags"])  # type: ignore[arg-type, return-value]
    for pattern in (paths._openai, paths._others):
        assert slow_part(pattern, searches=False, whole=True) is None


def test_texts_are_cut_for_patterns_that_may_be_slow() -> None:
    # The check does not see the look-ahead of the one for system messages.
    rules = [rule.pattern for rule in (*OPENAI_RULES, *OLLAMA_RULES)]
    slow = [each for each in rules if slow_part(re.compile(each), searches=True)]
    assert slow == ["(?i)model .*(does not exist|not found)", "model .*not found"]
    assert not any(slow_part(re.compile(pattern), searches=True) for pattern, _ in PARAMS)
    assert slow_part(_SYSTEM, searches=False, whole=True)
    assert max(MAX_SEARCHED, MAX_SYSTEM) <= 10_000


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\s*(#[^\n]*\s+)?<[\w-]+>.*</[\w-]+>\s*", "fullmatch"),
        (r"(a+)+$", "match"),
        (r"(?:a|ab|b)*c", "match"),
        (r"a*b", "search"),
        (r"\s+$", "search"),
        (r"(?i)A*.*a*b", "match"),
        (r"[^b]*a{2,}b", "match"),
        (r"(?:a|aa)*$", "match"),
        (r'"[^"]*(?:\\.[^"]*)*"', "search"),
    ],
)
def test_slow_patterns(pattern: str, method: str) -> None:
    assert Use("", re.compile(pattern), method).slow_part


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"a*b", "match"),
        (r"^a*b", "search"),
        (r"[\w-]+", "search"),
        (r"a*[^a]b*c", "match"),
        (r"a{0,9}a{0,9}b", "match"),
        (r"(?:ab)*a", "match"),
        (r".+?(?:/.*)?", "match"),
        (r'"[^"\\]*(?:\\.[^"\\]*)*"?', "search"),
    ],
)
def test_fast_patterns(pattern: str, method: str) -> None:
    assert Use("", re.compile(pattern, re.DOTALL), method).slow_part is None
