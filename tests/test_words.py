"""Names that the code has given up for the standard terms of its field, so that they do not come back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = [
    path for folder in ("llm_gpt_oss", "proxy", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]

# Classes, functions, attributes, parameters and variables, by the names that they once had.
GIVEN_UP = {
    *("Ask", "prepare_ask", "Wish", "wish", "Plan", "bounds", "holds", "left_open", "drive", "adrive"),
    *(
        "acting",
        "answering",
        "calling",
        "Writing",
        "Said",
        "slips",
        "misfit",
        "flaw",
        "Tally",
        "tally",
        "rivals",
    ),
    *(
        "Place",
        "NOWHERE",
        "facts",
        "Hosted",
        "hosted",
        "Kind",
        "Condition",
        "Peer",
        "peer",
        "silence",
        "faults",
    ),
    *(
        "passing",
        "Foreign",
        "Passed",
        "harmonic",
        "bindable",
        "Held",
        "Memories",
        "Network",
        "scores",
        "heat",
    ),
    *("chances", "Continues", "joins", "Saying", "taken_up", "Meant", "meant", "fitted", "Logged", "Linked"),
    *("UnderWay", "Naming", "Shown", "Settled", "_told", "told", "folded", "tips", "converse", "unless_left"),
    *("but", "again", "behind", "Guard", "said", "_said"),
}
# Modules, by the names that they once had.
OLD_MODULES = {
    *(
        "flow",
        "logged",
        "unfinished",
        "shell",
        "wish",
        "render",
        "names",
        "plan",
        "tally",
        "salvage",
        "validate",
    ),
    *(
        "drive",
        "strict",
        "registry",
        "hosting",
        "jsonfile",
        "addressed",
        "bindable",
        "refusal",
        "sockets",
        "asked",
    ),
    *("kind", "failure", "look", "passing", "folder", "loaded", "network", "ask", "upstream"),
    *("keys_cli", "logs_cli", "guard", "complaints", "reading", "together", "paging", "catalog", "outcome"),
    *(
        "store",
        "stored",
        "sidecar",
        "stamp",
        "visible",
        "chain",
        "recalled",
        "attempts",
        "viewer",
        "prunable",
    ),
    *("kept", "under_way", "object", "socket", "sealed", "model_list"),
}


def defined(tree: ast.AST) -> Iterator[str]:
    "Every name that the code gives to something."
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield name
            case ast.alias(asname=str(name)):
                yield name


def test_no_old_name_is_left() -> None:
    found = {}
    for path in FILES:
        names = {name.strip("_") for name in defined(ast.parse(path.read_text(encoding="utf-8")))} & GIVEN_UP
        if names:
            found[str(path.relative_to(ROOT))] = names
    assert found == {}


def test_no_old_module_is_left() -> None:
    modules = {
        path.stem
        for path in FILES
        if path.is_relative_to(ROOT / "llm_gpt_oss") or path.is_relative_to(ROOT / "proxy")
    }
    assert modules & OLD_MODULES == set()
