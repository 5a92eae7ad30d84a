"""What the documentation says exists, exists: commands, files, links, messages, tables.

`make lint` checks that its generated parts are current, `make docs` that it builds. What the SQL returns is
tested in two files called test_docs_sql.py, where there are turns to query.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import click
import generate
import llm
import pydantic
import pytest
import sqlite_utils
import yaml
from llm.cli import cli
from llm.migrations import migrate

import llm_gpt_oss
import proxy
from llm_gpt_oss.log.migrations import migrate as migrate_ours
from llm_gpt_oss.log.views.versions import create_views
from llm_gpt_oss.options import GptOssOptions
from llm_gpt_oss.turn.note import NoteKind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
FILES = [
    *(ROOT / name for name in ("README.md", "CLAUDE.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in FILES
    if "_build" not in path.parts
}

PACKAGES = [Path(str(package.__file__)).parent for package in (llm_gpt_oss, proxy)]
SOURCES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
LLM_SOURCES = [Path(llm.__file__).parent / name for name in ("__init__.py", "models.py")]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[Any]:
    "The code blocks of all pages in these languages, each with the name of its page as its id."
    found = [
        (page, text)
        for page, page_text in PAGES.items()
        for language, text in BLOCK.findall(page_text)
        if language in languages
    ]
    return [pytest.param(text, id=f"{page}-{number}") for number, (page, text) in enumerate(found)]


def rows(page: str, heading: str) -> list[list[str]]:
    "The cells of the first table after that heading."
    table = re.search(
        r"^\|.*?(?:\n\n|\Z)", f"\n{PAGES[page]}".partition(f"\n{heading}\n")[2], re.MULTILINE | re.DOTALL
    )
    assert table, heading
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table[0].splitlines()[2:] if line
    ]


def test_every_language_is_tested_or_only_shown() -> None:
    tested = {"bash", "console", "python", "sql", "json", "toml", "yaml", "ini"}
    only_shown = {"text", "javascript", "nginx"}
    found = {language for text in PAGES.values() for language, _ in BLOCK.findall(text)}
    assert found == tested | only_shown


def test_the_readme_is_short() -> None:
    readme = PAGES["README.md"]
    assert readme.count("\n") <= 250
    assert len(readme.encode()) <= 10_000


def test_claude_is_short() -> None:
    assert PAGES["CLAUDE.md"].count("\n") <= 150


# Commands


def commands(text: str) -> Iterator[list[str]]:
    "Each command of a script, split into words as a shell does it. A pipe or a semicolon ends a command."
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


def scripts() -> Iterator[str]:
    for (text,) in (param.values for param in blocks("bash")):
        yield text
    for (text,) in (param.values for param in blocks("console")):
        yield from (line[2:] for line in text.splitlines() if line.startswith("$ "))


def program(command: list[str]) -> tuple[str, list[str]]:
    "The program that a command runs, without its folder, and its arguments."
    words = [*command]
    if words[0] == "sudo":
        del words[: 3 if words[1] == "-u" else 1]
    if words[:3] == ["docker", "compose", "run"]:
        del words[: words.index("--rm") + 2]
    while words and re.match(r"\w+=", words[0]):
        del words[0]
    return (Path(words[0]).name, words[1:]) if words else ("", [])


PROGRAMS = [program(command) for script in scripts() for command in commands(script)]


def arguments(name: str) -> list[list[str]]:
    return [words for program, words in PROGRAMS if program == name]


def test_there_is_something_to_test() -> None:
    assert len(arguments("llm")) >= 60
    assert {"run", "test"} <= {words[0] for words in arguments("make")}
    assert len(blocks("sql")) >= 6


@pytest.mark.parametrize("words", arguments("llm"), ids=" ".join)
def test_llm_accepts_these_arguments(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("backup.jsonl").touch()  # the only file that a command of the docs reads
    monkeypatch.setattr(click.Option, "prompt_for_value", lambda option, context: "typed")
    command: click.Command = cli
    context = click.Context(cli, info_name="llm")
    while isinstance(command, click.Group):
        name, rest = (words[0], words[1:]) if words else ("", [])
        if name not in command.list_commands(context):
            name, rest = getattr(command, "default_cmd_name", name), words
        inner, words = command.get_command(context, name), rest
        assert inner
        command, context = inner, click.Context(inner, context, info_name=inner.name)
    with command.make_context(context.info_name, [*words], context.parent) as parsed:  # closes files
        options = parsed.params.get("options")
    if options:
        GptOssOptions(**dict(options))


@pytest.mark.parametrize("words", arguments("make"), ids=" ".join)
def test_make_has_these_targets(words: list[str]) -> None:
    assert [word for word in words if "=" not in word and word not in TARGETS] == []


TARGETS = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_table_of_make_targets_is_complete() -> None:
    documented = {row[0].strip("`") for row in rows("docs/development.md", "# Development")}
    assert documented == {f"make {target}" for target in TARGETS}


# Other languages


@pytest.mark.parametrize("code", blocks("python"))
def test_python_compiles(code: str) -> None:
    program = ast.parse(code)
    assert program.body
    compile(program, "docs", "exec")


@pytest.mark.parametrize("query", blocks("sql"))
def test_sql_fits_the_log(query: str) -> None:
    with sqlite_utils.Database(sqlite3.connect(":memory:")) as log:
        migrate(log)  # type: ignore[no-untyped-call]
        migrate_ours(log.conn)
        create_views(log.conn)
        assert log.execute(query).fetchall() == []


@pytest.mark.parametrize("text", blocks("json"))
def test_json_parses(text: str) -> None:
    assert json.loads(text)


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_parses(text: str) -> None:
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_parses(text: str) -> None:
    assert yaml.safe_load(text)


@pytest.mark.parametrize("text", blocks("ini"))
def test_ini_parses(text: str) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert parser.sections()


def test_workflows_parse() -> None:
    for path in (*ROOT.glob(".github/workflows/*.yml"), ROOT / ".readthedocs.yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path


# What the code contains


# Each worker collects this file, but few of them run the tests that need the code.
@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*SOURCES, *LLM_SOURCES)}


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
    for tree in trees().values():
        for text in texts(tree):
            for sentence in re.split(r"(?<=\.) ", text):
                yield sentence.removesuffix(".")
    for options in ({"temperature": "hot"}, {"no_such_option": 1}):
        with pytest.raises(pydantic.ValidationError) as wrong:
            GptOssOptions(**options)
        yield from (error["msg"] for error in wrong.value.errors())


@cache
def patterns() -> list[tuple[str, re.Pattern[str]]]:
    "Sentences that are more than what they fill in, each with the pattern of what it can become."
    return [
        (sentence, re.compile(".+".join(map(re.escape, sentence.split("…"))), re.DOTALL))
        for sentence in sorted({*sentences()})
        if len(re.findall(r"[A-Za-z]", sentence)) >= 8
    ]


MESSAGES = [
    message
    for heading in ("# Troubleshooting", "## Errors of the API server")
    for row in rows("docs/troubleshooting.md", heading)
    for message in row[0].split("`")[1::2]
]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_contains_this_message(message: str) -> None:
    beginning = message.removesuffix("…") if message.endswith("…") else None
    assert any(
        pattern.fullmatch(message.removesuffix(".")) or (beginning and sentence.startswith(beginning))
        for sentence, pattern in patterns()
    )


def test_the_table_of_notes_is_complete() -> None:
    kinds: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(trees()[path]):
            match node:
                case ast.Call(
                    func=ast.Name(id="Note") | ast.Attribute(attr="_note"),
                    args=[ast.Constant(value=str(kind)), *_],
                ):
                    kinds.add(kind)
    assert kinds == {row[0].strip("`") for row in rows("docs/log.md", "## Notes")} == {*get_args(NoteKind)}


def test_the_table_of_the_environment_is_complete() -> None:
    name = re.compile(r"(?:OLLAMA|LLM_GPT_OSS|LOCAL_LLM|API)_[A-Z_]+")
    read = {text for path in SOURCES for text in texts(trees()[path]) if name.fullmatch(text)}
    assert read == {row[0].strip("`") for row in rows("docs/environment.md", "# Environment variables")}


def test_the_table_of_errors_in_python_is_complete() -> None:
    from llm_gpt_oss import errors

    documented = {row[0].strip("`") for row in rows("docs/python.md", "## Errors")}
    assert documented == {name for name, each in vars(errors).items() if isinstance(each, type)}


def test_the_columns_of_requests_exist() -> None:
    with sqlite_utils.Database(sqlite3.connect(":memory:")) as log:
        migrate(log)  # type: ignore[no-untyped-call]
        migrate_ours(log.conn)
        columns = {column.name for column in log["gpt_oss_requests"].columns}
    documented = {
        name for row in rows("docs/log.md", "## Requests of apps") for name in re.findall(r"`(\w+)`", row[0])
    }
    assert documented <= columns


def test_every_endpoint_is_documented() -> None:
    paths = {text for path in SOURCES for text in texts(trees()[path]) if re.fullmatch(r"/v1/\S+", text)}
    names = {"/".join(path.split("/")[:3]) for path in paths}
    assert {name for name in names if name not in PAGES["docs/api.md"]} == set()
    assert len(names) >= 6


# Links and names


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


LINKS = [
    (page, link)
    for page, text in PAGES.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```$", "", text))
    if not link.startswith("https://")
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
    assert target.exists()


def test_every_page_is_in_the_contents() -> None:
    index = PAGES["docs/index.md"]
    pages = {Path(page).stem for page in PAGES if Path(page).parent.name == "docs"} - {"index"}
    (toctree,) = re.findall(r"^```\{toctree\}\n(?::.*\n)*\n(.*?)^```$", index, re.MULTILINE | re.DOTALL)
    assert {*toctree.split()} == pages
    assert {Path(link).stem for page, link in LINKS if page == "docs/index.md"} == pages


# Files that the pages name and that are not in this repository.
FOREIGN = {"config.json", "generation_config.json", "tokenizer.json", "docs/format.md"}
NAMES = sorted(
    {
        name
        for page in ("CLAUDE.md", "docs/development.md", "docs/decisions.md", "docs/plugins.md")
        for name in re.findall(r"`([\w./-]+/|[\w./-]+\.(?:py|md|yml|json|toml))`", PAGES[page])
    }
    - FOREIGN
)


@pytest.mark.parametrize("name", NAMES)
def test_named_files_exist(name: str) -> None:
    places = (ROOT, ROOT / "llm_gpt_oss", ROOT / "tests", ROOT / ".github/workflows")
    assert any((place / name).exists() for place in places)


CODE = "".join(path.read_text(encoding="utf-8") for path in (*SOURCES, *ROOT.glob("tests/**/*.py")))
SYMBOLS = sorted({*re.findall(r"`([A-Z]\w+|\w+\(\))`", PAGES["CLAUDE.md"])})


@pytest.mark.parametrize("name", SYMBOLS)
def test_named_symbols_exist(name: str) -> None:
    assert re.search(rf"\b{name.removesuffix('()')}\b", CODE)


# The generator


def test_generated_tables_have_rows() -> None:
    for made in (
        generate.models(),
        generate.engines(),
        generate.options(),
        generate.errors(),
        generate.losses(),
    ):
        lines = made.strip().splitlines()
        assert len(lines) >= 4
        assert {line.count(" | ") for line in lines[2:]} == {lines[0].count(" | ")}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param({"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]}, "`a`, `b`", id="enum"),
        pytest.param(
            {"anyOf": [{"type": "integer", "minimum": 1}]}, "whole number, at least 1", id="minimum"
        ),
        pytest.param(
            {"anyOf": [{"type": "number", "minimum": 0, "maximum": 2}]},
            "number, 0 to 2",
            id="minimum and maximum",
        ),
        pytest.param(
            {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 10}]},
            "number above 0, up to 10",
            id="exclusive minimum",
        ),
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "string"}]},
            "number or text",
            id="several",
        ),
        pytest.param(
            {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**31 - 1}]},
            "whole number, at least 0",
            id="the largest integer is no limit",
        ),
    ],
)
def test_values_of_an_option(schema: dict[str, Any], words: str) -> None:
    assert generate.values(schema) == words


def test_every_command_is_documented() -> None:
    paths = [" ".join(path) for path in generate.command_paths()]
    assert "gpt-oss keys add" in paths
    assert paths == [
        heading.removeprefix("llm ")
        for heading in re.findall(r"^## (llm .*)$", PAGES["docs/commands.md"], re.M)
    ]
