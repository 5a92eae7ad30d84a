"""Which module may import and use what. The layers themselves are contracts in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What only these may do.
SETTINGS = {"llm_gpt_oss.settings", "proxy.settings"}
HOOKS = "llm_gpt_oss"
HOOKSPECS = ("llm_gpt_oss.engines.hookspecs", "proxy.hookspecs")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = [path for package in ("llm_gpt_oss", "proxy") for path in sorted((ROOT / package).rglob("*.py"))]
TREES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
PACKAGES = {module_name(path) for path in FILES if path.name == "__init__.py"}


def imports(module: str) -> set[str]:
    "What it imports anywhere, functions included: `from a import b` is `a.b`."
    names = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{source(node, module)}.{alias.name}" for alias in node.names}
    return names


def source(node: ast.ImportFrom, module: str) -> str:
    "`a.b` of `from a.b import c`, and of `from .b import c` in a module of package `a`."
    if not node.level:
        return node.module or ""
    parents = module.split(".") if module in PACKAGES else module.split(".")[:-1]
    return ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])


@cache
def names_in(module: str) -> set[str]:
    "Every dotted pair (`os.environ`) and every imported name."
    pairs = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return pairs | imports(module)


def test_the_layers() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", [name for name in TREES if name not in SETTINGS])
def test_only_settings_read_the_environment(module: str) -> None:
    assert names_in(module) & {"os.environ", "os.environb", "os.getenv", "os.getenvb"} == set()


@pytest.mark.parametrize("module", [name for name in TREES if name not in (HOOKS, *HOOKSPECS)])
def test_hookimpls_are_in_one_place(module: str) -> None:
    assert names_in(module) & {"llm.hookimpl", "llm.hookspecs.hookimpl", "pluggy.HookimplMarker"} == set()


def test_and_nothing_else_is_there() -> None:
    docstring, *rest = TREES[HOOKS].body
    assert isinstance(docstring, ast.Expr)
    for node in rest:
        assert isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)
        if isinstance(node, ast.FunctionDef):
            (decorator,) = node.decorator_list
            assert ast.unparse(decorator).startswith("llm.hookimpl")
