"""What the README and CLAUDE.md say is there, is there.

That the generated parts are current is `cog --check`'s affair (`make lint`); what the SQL answers is tested
where there are turns to ask about.
"""

from __future__ import annotations

import ast
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click
import llm
import pydantic
import pytest
import sqlite_utils
from llm.cli import cli
from llm.migrations import migrate

import llm_gpt_oss
import proxy
from llm_gpt_oss.options import GptOssOptions

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLAUDE = (ROOT / "CLAUDE.md").read_text(encoding="utf-8")
PAGES = {"README.md": README, "CLAUDE.md": CLAUDE}

PACKAGES = [Path(str(package.__file__)).parent for package in (llm_gpt_oss, proxy)]
SOURCES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
LLM_SOURCES = [Path(llm.__file__).parent / name for name in ("__init__.py", "models.py")]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*SOURCES, *LLM_SOURCES)}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    "The cells of the first table after that heading."
    table = re.search(r"^\|.*?\n\n", README.partition(heading)[2], re.MULTILINE | re.DOTALL)
    assert table, heading
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()[2:] if line
    ]


# What people type


def typed() -> Iterator[list[str]]:
    "Each command of the blocks, as a shell would split it; what a pipe or a semicolon joins is apart."
    console = (line[2:] for block in blocks("console") for line in block.splitlines() if line[:2] == "$ ")
    pages = (*blocks("bash"), *blocks("bash", CLAUDE), *console)
    for text in pages:
        text = re.sub(r"  +# .*", "", text)
        lexer = shlex.shlex(text, posix=True, punctuation_chars=";|&\n")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        command: list[str] = []
        for word in (*lexer, "\n"):
            if set(word) - set(";|&\n"):
                command.append(word)
            elif command:
                yield command
                command = []


COMMANDS = [
    [word for i, word in enumerate(command) if i or "=" not in word] or command for command in typed()
]


def named(program: str) -> list[list[str]]:
    return [command[1:] for command in COMMANDS if command[0].removeprefix(".venv/bin/") == program]


def test_there_is_something_to_test() -> None:
    assert len(named("llm")) >= 12
    assert {"run", "test"} <= {arguments[0] for arguments in named("make")}
    assert len(blocks("sql")) >= 4


@pytest.mark.parametrize("arguments", named("llm"), ids=" ".join)
def test_llm_takes_these_arguments(arguments: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli, info_name="llm")
    while isinstance(command, click.Group):
        name, rest = arguments[0], arguments[1:]
        if name not in command.list_commands(context):
            name, rest = getattr(command, "default_cmd_name", name), arguments
        inner, arguments = command.get_command(context, name), rest
        assert inner
        command, context = inner, click.Context(inner, context, info_name=inner.name)
    parsed = command.make_context(context.info_name, [*arguments], context.parent).params
    if options := parsed.get("options"):
        GptOssOptions(**dict(options))


@pytest.mark.parametrize("arguments", named("make"), ids=" ".join)
def test_make_has_these_targets(arguments: list[str]) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word in arguments if "=" not in word and word not in targets] == []


@pytest.mark.parametrize("code", blocks("python"))
def test_python_compiles(code: str) -> None:
    compile(code, "README.md", "exec")


@pytest.mark.parametrize("query", blocks("sql"))
def test_sql_fits_the_log(query: str) -> None:
    with sqlite_utils.Database(sqlite3.connect(":memory:")) as log:
        migrate(log)  # type: ignore[no-untyped-call]
        assert log.execute(query).fetchall() == []


# What they may read


def texts(tree: ast.AST) -> Iterator[str]:
    "The string literals, with … for what an f-string or a `+` fills in."
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add()):
                yield f"{text}…"
            case ast.JoinedStr(values=values):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in values)


def sentences() -> Iterator[str]:
    for tree in TREES.values():
        for text in texts(tree):
            for sentence in re.split(r"(?<=\.) ", text):
                yield sentence.removesuffix(".")
    for options in ({"temperature": "hot"}, {"no_such_option": 1}):
        with pytest.raises(pydantic.ValidationError) as wrong:
            GptOssOptions(**options)
        yield from (error["msg"] for error in wrong.value.errors())


def says(sentence: str, message: str) -> bool:
    "Whether the code's sentence can become the message, and is more than what it fills in."
    if len(re.findall(r"[A-Za-z]", sentence)) < 8:
        return False
    pattern = ".+".join(map(re.escape, sentence.split("…")))
    if message.endswith("…") and re.match(re.escape(message[:-1]), sentence):
        return True
    return re.fullmatch(pattern, message.removesuffix("."), re.DOTALL) is not None


SENTENCES = sorted({*sentences()})
MESSAGES = [message for row in rows("## When something goes wrong") for message in row[0].split("`")[1::2]]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_says_this(message: str) -> None:
    assert [sentence for sentence in SENTENCES if says(sentence, message)]


def test_the_table_of_notes_is_complete() -> None:
    kinds = set()
    for path in SOURCES:
        for node in ast.walk(TREES[path]):
            match node:
                case ast.Call(
                    func=ast.Name(id="Note") | ast.Attribute(attr="_note"),
                    args=[ast.Constant(value=str(kind)), *_],
                ):
                    kinds.add(kind)
    assert kinds == {row[0].strip("`") for row in rows("A note says what was out of the\nordinary")}


def test_the_table_of_the_environment_is_complete() -> None:
    name = re.compile(r"(?:OLLAMA|LLM_GPT_OSS|LOCAL_LLM|API)_[A-Z_]+")
    read = {text for path in SOURCES for text in texts(TREES[path]) if name.fullmatch(text)}
    assert read == {row[0].strip("`") for row in rows("## Environment\n")}


# Where they are sent


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("page", "link"),
    [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^)\s]+)\)", text)],
)
def test_links_lead_somewhere(page: str, link: str) -> None:
    if link.startswith("https://"):
        return
    path, _, anchor = link.partition("#")
    target = PAGES[page] if not path else (ROOT / path).read_text(encoding="utf-8")
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("name", sorted({*re.findall(r"`([\w./]+/|[\w./]+\.(?:py|md))`", CLAUDE)}))
def test_files_that_are_named_are_there(name: str) -> None:
    places = (ROOT, ROOT / "llm_gpt_oss", ROOT / "llm_gpt_oss/engines/ollama", ROOT / "tests")
    assert any((place / name).exists() for place in places)
