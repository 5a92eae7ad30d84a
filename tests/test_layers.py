"""The reading order of the code: a module imports only what stands above it here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ORDER = [
    "llm_gpt_oss.errors",
    "llm_gpt_oss.flow",
    "llm_gpt_oss.tags",
    "llm_gpt_oss.jsonfile",
    "llm_gpt_oss.registry",
    "llm_gpt_oss.settings",
    "llm_gpt_oss.key",
    "llm_gpt_oss.completion",
    "llm_gpt_oss.harmony",
    "llm_gpt_oss.harmony.markers",
    "llm_gpt_oss.hosting",
    "llm_gpt_oss.hookspecs",
    "llm_gpt_oss.engines",
    "llm_gpt_oss.engines.bindable",
    "llm_gpt_oss.engines.memory",
    "llm_gpt_oss.engines.pool",
    "llm_gpt_oss.engines.sockets",
    "llm_gpt_oss.engines.connection",
    "llm_gpt_oss.engines.sse",
    "llm_gpt_oss.engines.rule",
    "llm_gpt_oss.engines.refusal",
    "llm_gpt_oss.engines.client",
    "llm_gpt_oss.engines.addressed",
    "llm_gpt_oss.engines.llama_server",
    "llm_gpt_oss.engines.llama_server.asked",
    "llm_gpt_oss.engines.llama_server.reader",
    "llm_gpt_oss.engines.llama_server.engine",
    "llm_gpt_oss.engines.llama_server.kind",
    "llm_gpt_oss.engines.embedded",
    "llm_gpt_oss.engines.embedded.gguf",
    "llm_gpt_oss.engines.embedded.downloads",
    "llm_gpt_oss.engines.embedded.host",
    "llm_gpt_oss.engines.embedded.process",
    "llm_gpt_oss.engines.embedded.pool",
    "llm_gpt_oss.engines.embedded.engine",
    "llm_gpt_oss.engines.embedded.kind",
    "llm_gpt_oss.engines.completions",
    "llm_gpt_oss.engines.completions.asked",
    "llm_gpt_oss.engines.completions.reader",
    "llm_gpt_oss.engines.completions.engine",
    "llm_gpt_oss.engines.completions.kind",
    "llm_gpt_oss.engines.transformers",
    "llm_gpt_oss.engines.transformers.folder",
    "llm_gpt_oss.engines.transformers.text",
    "llm_gpt_oss.engines.transformers.generation",
    "llm_gpt_oss.engines.transformers.grammar",
    "llm_gpt_oss.engines.transformers.sampling",
    "llm_gpt_oss.engines.transformers.network",
    "llm_gpt_oss.engines.transformers.loaded",
    "llm_gpt_oss.engines.transformers.pool",
    "llm_gpt_oss.engines.transformers.engine",
    "llm_gpt_oss.engines.transformers.kind",
    "llm_gpt_oss.engines.ollama",
    "llm_gpt_oss.engines.ollama.wire",
    "llm_gpt_oss.engines.ollama.answers",
    "llm_gpt_oss.engines.ollama.ndjson",
    "llm_gpt_oss.engines.ollama.failure",
    "llm_gpt_oss.engines.ollama.calls",
    "llm_gpt_oss.engines.ollama.connection",
    "llm_gpt_oss.engines.ollama.passing",
    "llm_gpt_oss.engines.ollama.client",
    "llm_gpt_oss.engines.ollama.reader",
    "llm_gpt_oss.engines.ollama.engine",
    "llm_gpt_oss.engines.ollama.look",
    "llm_gpt_oss.engines.ollama.kind",
    "llm_gpt_oss.engines.builtin",
    "llm_gpt_oss.engines.registered",
    "llm_gpt_oss.harmony.conversation",
    "llm_gpt_oss.harmony.schema",
    "llm_gpt_oss.harmony.comments",
    "llm_gpt_oss.harmony.typescript",
    "llm_gpt_oss.harmony.prompt",
    "llm_gpt_oss.harmony.reader",
    "llm_gpt_oss.options",
    "llm_gpt_oss.names",
    "llm_gpt_oss.validate",
    "llm_gpt_oss.salvage",
    "llm_gpt_oss.strict",
    "llm_gpt_oss.render",
    "llm_gpt_oss.wish",
    "llm_gpt_oss.tally",
    "llm_gpt_oss.truncation",
    "llm_gpt_oss.steps",
    "llm_gpt_oss.transcript",
    "llm_gpt_oss.plan",
    "llm_gpt_oss.drive",
    "llm_gpt_oss.events",
    "llm_gpt_oss.unfinished",
    "llm_gpt_oss.shell",
    "llm_gpt_oss.models",
    "llm_gpt_oss.count",
    "llm_gpt_oss.logged",
    "llm_gpt_oss.setup",
    "llm_gpt_oss.setup.progress",
    "llm_gpt_oss.setup.unpack",
    "llm_gpt_oss.setup.release",
    "llm_gpt_oss.setup.download",
    "llm_gpt_oss.setup.server",
    "llm_gpt_oss.setup.model",
    "llm_gpt_oss.cli.terminal",
    "llm_gpt_oss.cli.target",
    "llm_gpt_oss.cli.status",
    "llm_gpt_oss.cli.models",
    "llm_gpt_oss.cli.pull",
    "llm_gpt_oss.cli.warm",
    "llm_gpt_oss.cli.unload",
    "llm_gpt_oss.cli.prompt",
    "llm_gpt_oss.cli.setup",
    "llm_gpt_oss.cli",
    "llm_gpt_oss",
    "proxy",
    "proxy.settings",
    "proxy.stamp",
    "proxy.body",
    "proxy.errors",
    "proxy.complaints",
    "proxy.together",
    "proxy.sse",
    "proxy.reading",
    "proxy.hosts",
    "proxy.guard",
    "proxy.keys",
    "proxy.auth",
    "proxy.headers",
    "proxy.ask",
    "proxy.attempts",
    "proxy.replay",
    "proxy.catalog",
    "proxy.queue",
    "proxy.hookspecs",
    "proxy.visible",
    "proxy.turn",
    "proxy.spool",
    "proxy.sidecar",
    "proxy.database",
    "proxy.viewer",
    "proxy.stored",
    "proxy.request",
    "proxy.tools",
    "proxy.formats",
    "proxy.items",
    "proxy.items.ids",
    "proxy.items.sealed",
    "proxy.items.summary",
    "proxy.items.output",
    "proxy.items.wire",
    "proxy.items.messages",
    "proxy.chain",
    "proxy.recalled",
    "proxy.prunable",
    "proxy.prune",
    "proxy.threads",
    "proxy.store",
    "proxy.outcome",
    "proxy.run",
    "proxy.engines",
    "proxy.server",
    "proxy.choices",
    "proxy.paging",
    "proxy.chat",
    "proxy.chat.fields",
    "proxy.chat.formats",
    "proxy.chat.messages",
    "proxy.chat.tools",
    "proxy.chat.request",
    "proxy.chat.writer",
    "proxy.chat.route",
    "proxy.chat.kept",
    "proxy.chat.stored",
    "proxy.responses",
    "proxy.responses.object",
    "proxy.responses.under_way",
    "proxy.responses.writer",
    "proxy.responses.fields",
    "proxy.responses.formats",
    "proxy.responses.tools",
    "proxy.responses.request",
    "proxy.responses.logged",
    "proxy.responses.context",
    "proxy.responses.answer",
    "proxy.responses.background",
    "proxy.responses.route",
    "proxy.responses.tokens",
    "proxy.responses.compact",
    "proxy.responses.socket",
    "proxy.conversations",
    "proxy.conversations.request",
    "proxy.conversations.kept",
    "proxy.conversations.route",
    "proxy.texts",
    "proxy.upstream",
    "proxy.completions",
    "proxy.completions.request",
    "proxy.completions.writer",
    "proxy.completions.route",
    "proxy.embeddings",
    "proxy.ollama_api",
    "proxy.ollama_api.asked",
    "proxy.ollama_api.reader",
    "proxy.ollama_api.log",
    "proxy.ollama_api.relay",
    "proxy.ollama_api.route",
    "proxy.model_list",
    "proxy.health",
    "proxy.app",
    "proxy.connection",
    "proxy.serve",
    "proxy.cli",
    "proxy.keys_cli",
    "proxy.logs_cli",
    "proxy.__main__",
]

# What only these may do.
ENGINES = "llm_gpt_oss.engines."
SETTINGS = {"llm_gpt_oss.settings", "proxy.settings"}
HOOKS = "llm_gpt_oss"
HOOKSPECS = ("llm_gpt_oss.hookspecs", "proxy.hookspecs")


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


def ours(name: str) -> str | None:
    "The module of ours that an imported name is, or is taken from."
    return next((module for module in (name, name.rpartition(".")[0]) if module in TREES), None)


def uses(module: str, package: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for name in imports(module))


def names_in(module: str) -> set[str]:
    "Every dotted pair (`os.environ`) and every imported name."
    pairs = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return pairs | imports(module)


@pytest.mark.parametrize("module", TREES)
def test_a_module_imports_only_what_stands_above_it(module: str) -> None:
    assert module in ORDER, "it has no place in the reading order"
    above = ORDER[: ORDER.index(module)]
    assert {ours(name) for name in imports(module)} - {None, *above} == set()


def test_the_order_names_each_module_once() -> None:
    assert len(ORDER) == len({*ORDER})


@pytest.mark.parametrize("module", [name for name in TREES if name.startswith("llm_gpt_oss.harmony")])
def test_harmony_knows_neither_llm_nor_http(module: str) -> None:
    assert not uses(module, "llm")
    assert not uses(module, "httpx")


@pytest.mark.parametrize("module", [name for name in TREES if not name.startswith(ENGINES)])
def test_only_engines_speak_http(module: str) -> None:
    assert not uses(module, "httpx")


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
