from __future__ import annotations

import gc
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
import pytest
import uvicorn
from support.commands import INSTALLED, SHOWN, TAG, run
from support.fork_server import SERVER, Process, Start, start_python
from support.webserver import WebServer, lines, serving
from uvicorn.supervisors.multiprocess import SIGNALS

from llm_gpt_oss.catalog import models_file
from llm_gpt_oss.catalog.binding import BoundModel
from llm_gpt_oss.catalog.models_file import EngineBinding
from llm_gpt_oss.cli.target import bound_model
from llm_gpt_oss.engines.hookspecs import ModelStatus
from llm_gpt_oss.engines.local import gpu, memory
from llm_gpt_oss.engines.ollama.provider import OllamaProvider
from llm_gpt_oss.log.secret_patterns import patterns_file
from llm_gpt_oss.settings import Settings as PluginSettings
from proxy.cli import run_server, serve
from proxy.cli.workers import Workers
from proxy.explore import mount
from proxy.http import api_keys
from proxy.http.api_keys import KeyRing
from proxy.http.protocol import HTTP11Protocol
from proxy.key_hash import hash_key
from proxy.settings import WORKER_SETTINGS, Settings


@pytest.fixture
def served_settings(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    "The settings of the servers that would have been started."
    settings: list[Settings] = []
    monkeypatch.setattr(run_server, "warn_about_engine", lambda model, num_ctx: None)
    monkeypatch.setattr(run_server, "_run", lambda given, listener: settings.append(given))
    monkeypatch.setenv("API_PORT", "0")
    return settings


TYPED = ("--key", "sesame-sesame-16")


class TestOptions:
    def test_no_options(self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mount, "is_installed", lambda: True)
        result = run("serve")
        (settings,) = served_settings
        where = f"http://127.0.0.1:{settings.port}"
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            f"Serving gpt-oss:20b at {where}",
            "Key: not required, for clients on this machine",
            f"Logging to {settings.database}",
            f"See the log at {where}/logs, and its latest turn at {where}/logs/-/turn/last",
            f"See running requests at {where}/live",
            f"export OPENAI_BASE_URL={where}/v1 OPENAI_API_KEY=any",
        ]
        assert settings == Settings(port=settings.port)

    def test_no_pages_where_datasette_is_missing(
        self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mount, "is_installed", lambda: False)
        assert "See it" not in run("serve").stderr

    def test_all_options(self, served_settings: list[Settings], tmp_path: Path) -> None:
        options = (
            "--host localhost --port 0 --model my:tag --key sesame-sesame-16 --workers 2"
            " --log-policy respect-store --num-ctx 4096 --max-concurrency 2 --queue 3 --reload"
            " --allow-unauthenticated --all-models"
            " --alias a=b --alias c=gpt-oss --cors-origin https://a.example --cors-origin chrome-extension://*"
            " --allowed-host llm.example.com --allowed-host *.box.local"
            " --allow-model-changes --allow-load-options"
            " --reasoning-field reasoning_content --keep-alive 90 --database"
        )
        assert run("serve", *options.split(), str(tmp_path / "x.db")).exit_code == 0
        (settings,) = served_settings
        assert settings == Settings(
            host="localhost",
            port=settings.port,
            model="my:tag",
            database=tmp_path / "x.db",
            log_policy="respect-store",
            aliases={"a": "b", "c": "gpt-oss"},
            num_ctx=4096,
            max_concurrency=2,
            queue_size=3,
            idle_timeout=90,
            workers=2,
            reload=True,
            key_hash=hash_key("sesame-sesame-16"),
            allow_unauthenticated=True,
            allowed_hosts=("llm.example.com", "*.box.local"),
            cors_origins=("https://a.example", "chrome-extension://*"),
            all_models=True,
            allow_model_changes=True,
            allow_load_options=True,
            reasoning_field="reasoning_content",
        )

    def test_options_take_precedence_over_the_environment(
        self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in {"API_HOST": "localhost", "API_PORT": "1", "LOCAL_LLM_MODEL": "theirs"}.items():
            monkeypatch.setenv(name, value)
        run("serve", "--port", "0")
        run("serve", "--port", "0", "--host", "127.0.0.1", "--model", "mine")
        assert [(each.host, each.model) for each in served_settings] == [
            ("localhost", "theirs"),
            ("127.0.0.1", "mine"),
        ]

    def test_aliases_of_the_environment_and_of_options(
        self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LLM_GPT_OSS_PROXY_ALIASES", "a=gpt-oss:20b b=gpt-oss:20b")
        run("serve")
        run("serve", "--alias", "b=gpt-oss:120b")
        assert [settings.aliases for settings in served_settings] == [
            {"a": "gpt-oss:20b", "b": "gpt-oss:20b"},
            {"a": "gpt-oss:20b", "b": "gpt-oss:120b"},
        ]

    def test_the_model_may_be_an_alias(self, served_settings: list[Settings]) -> None:
        run("serve", "--model", "gpt-oss-120b")
        assert served_settings[0].model == "gpt-oss:120b"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--port", "65536"], "0<=x<=65535"),
            (["--num-ctx", "1"], "256<=x<=131072"),
            (["--keep-alive", "0"], "x>=1"),
            (["--alias", "a"], "'a' should be NAME=MODEL"),
            (["--alias", "=b"], "'=b' should be NAME=MODEL"),
            (["--cors-origin", "a.example"], "'a.example' is not an origin"),
            (["--cors-origin", "https://a.example/"], "is not an origin"),
            (["--allowed-host", "https://a.example"], "'https://a.example' is not a name"),
            (["--allowed-host", "a.example:8000"], "without a scheme and a port"),
            (["--allowed-host", "*a.example"], "'*a.example' is not a name"),
            (["--allowed-host", "*."], "'*.' is not a name"),
            (["--key", ""], "a key is plain ASCII text"),
            (["--key", " a"], "a key is plain ASCII text"),
            (["--key", "ä"], "a key is plain ASCII text"),
            (["--key", "fifteen-letters"], "a key of 15 characters can be guessed"),
            (
                ["--key-file", "/nonexistent/a key"],
                "The key in /nonexistent/a key cannot be read: No such file or directory. Type --key-file "
                "with a file that has one. `(umask 077; openssl rand -hex 32 > '/nonexistent/a key')` makes",
            ),
            (["--key-file", sys.executable], "cannot be read: it is not text. Type --key-file with"),
            (["--key-file", "/dev/null"], "a key is plain ASCII text"),
            (["--model", "no model"], "is not a model name"),
        ],
    )
    def test_invalid_options(self, served_settings: list[Settings], options: list[str], reason: str) -> None:
        result = run("serve", *options)
        assert result.exit_code in (1, 2)
        assert reason in " ".join(result.stderr.split())
        assert served_settings == []

    def test_the_key_is_not_shown(self, served_settings: list[Settings]) -> None:
        result = run("serve", "--key", "sesame-sesame-16")
        assert "sesame-sesame-16" not in result.output
        assert "Key: the one of --key-file, --key or LLM_GPT_OSS_PROXY_KEY\n" in result.stderr
        assert "OPENAI_API_KEY=YOUR_KEY" in result.stderr
        assert "sesame-sesame-16" not in repr(served_settings)

    def test_key_of_the_environment(
        self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LLM_GPT_OSS_PROXY_KEY", "sesame-sesame-16")
        result = run("serve", "--host", "0.0.0.0")
        assert "Key: the one of --key-file, --key or LLM_GPT_OSS_PROXY_KEY\n" in result.stderr
        assert "sesame-sesame-16" not in result.output
        run("serve", "--key", "another-key-of-26-letters")
        assert [each.key_hash for each in served_settings] == [
            hash_key("sesame-sesame-16"),
            hash_key("another-key-of-26-letters"),
        ]

    def test_a_key_in_the_list_of_processes(self, served_settings: list[Settings]) -> None:
        assert "Warning: other users of this machine can see --key" in run("serve", *TYPED).stderr

    @pytest.mark.parametrize("warns", [False, True])
    def test_a_key_in_a_file(
        self, served_settings: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warns: bool
    ) -> None:
        file = tmp_path / "key"
        file.write_text("sesame-sesame-16\n")
        monkeypatch.setattr(serve, "is_open_to_others", lambda path: warns)
        result = run("serve", "--key-file", str(file))
        assert [each.key_hash for each in served_settings] == [hash_key("sesame-sesame-16")]
        assert (f"Warning: other users of this machine can read {file}." in result.stderr) is warns
        assert "sesame" not in result.output

    def test_a_log_that_others_can_read(
        self, served_settings: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_server, "is_open_to_others", lambda path: True)
        warning = "Warning: other users of this machine can read this log. `llm gpt-oss logs protect"
        assert f"{warning}` changes that.\n" in run("serve").stderr
        database = str(tmp_path / "my logs.db")
        assert f"{warning} -d '{database}'` changes that.\n" in run("serve", "-d", database).stderr
        assert warning not in run("serve", "--log-policy", "off").stderr

    def test_two_keys(self, served_settings: list[Settings], tmp_path: Path) -> None:
        (file := tmp_path / "key").write_text("sesame-sesame-16")
        result = run("serve", "--key-file", str(file), *TYPED)
        assert (result.exit_code, served_settings) == (2, [])
        assert "Type --key-file or --key, not both." in result.stderr

    def test_invalid_key_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_GPT_OSS_PROXY_KEY", "sesame-sesame-16 street\n")
        result = run("serve")
        assert result.exit_code == 1
        assert "LLM_GPT_OSS_PROXY_KEY cannot be used: a key is plain ASCII text" in result.stderr
        assert "sesame-sesame-16" not in result.output

    def test_patterns_that_cannot_be_used(self, served_settings: list[Settings]) -> None:
        patterns_file().write_text("(a\n", encoding="utf-8")
        result = run("serve", "--workers", "2")
        assert (result.exit_code, result.stderr.count("\n"), served_settings) == (1, 1, [])
        assert f"{patterns_file()}, line 1: the pattern (a cannot be used" in result.stderr

    def test_invalid_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_PORT", "http")
        result = run("serve")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "API_PORT is 'http'" in result.stderr


class TestAccess:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "box.example", ""])
    def test_other_machines_need_a_key(self, served_settings: list[Settings], host: str) -> None:
        result = run("serve", "--host", host)
        assert result.exit_code == 1
        assert "`llm gpt-oss keys add NAME`" in result.stderr
        assert served_settings == []

    def test_with_a_key(self, served_settings: list[Settings]) -> None:
        assert run("serve", "--host", "0.0.0.0", "--key", "sesame-sesame-16").exit_code == 0
        api_keys.add("app")
        result = run("serve", "--host", "0.0.0.0")
        assert "Key: app\n" in result.stderr
        assert f"OPENAI_BASE_URL=http://127.0.0.1:{served_settings[1].port}/v1" in result.stderr

    def test_allow_unauthenticated(self, served_settings: list[Settings]) -> None:
        result = run("serve", "--host", "0.0.0.0", "--allow-unauthenticated")
        assert "Key: not required, for clients on any machine\n" in result.stderr

        assert "each sees what the others store" in result.stderr

    @pytest.mark.parametrize("options", [(), ("--host", "0.0.0.0", "--allow-unauthenticated")])
    def test_after_the_last_key_was_revoked(
        self, served_settings: list[Settings], options: tuple[str, ...]
    ) -> None:
        api_keys.add("app")
        api_keys.revoke("app")
        result = run("serve", *options)
        assert (result.exit_code, served_settings) == (1, [])
        assert "Error: All keys were revoked, so no client could use the server. Make one" in result.stderr
        assert run("serve", *options, *TYPED).exit_code == 0
        api_keys.path().unlink()
        assert run("serve", *options).exit_code == 0

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.2"])
    def test_local_hosts(self, served_settings: list[Settings], host: str) -> None:
        assert run("serve", "--host", host).exit_code == 0

    @pytest.mark.parametrize(
        "option",
        ["--allowed-host '*'", "--cors-origin '*'", "--cors-origin 'null'"],
    )
    def test_warning_about_web_pages(
        self, served_settings: list[Settings], monkeypatch: pytest.MonkeyPatch, option: str
    ) -> None:
        name, _, value = option.partition(" ")
        words = (name, value.strip("'"))
        assert f"Warning: {option} lets any web page" in run("serve", *words, *words).stderr
        assert run("serve", *words, *words).stderr.count("Warning") == 1
        monkeypatch.setenv("LLM_GPT_OSS_PROXY_KEY", "sesame-sesame-16")
        assert "Warning" not in run("serve", *words).stderr
        assert len(served_settings) == 3

    def test_no_warning_about_named_pages(self, served_settings: list[Settings]) -> None:
        options = ("--allowed-host", "*.example.com", "--cors-origin", "chrome-extension://*")
        assert "Warning" not in run("serve", *options).stderr

    def test_invalid_key_file(self, served_settings: list[Settings]) -> None:
        api_keys.path().write_text("{")
        result = run("serve")
        assert (result.exit_code, served_settings) == (1, [])
        assert "the file of keys, cannot be used" in result.stderr


def test_log_policy_off(served_settings: list[Settings]) -> None:
    assert "Not logging\n" in run("serve", "--log-policy", "off").stderr


def test_ipv6_address_in_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    run_server.announce(Settings(host="::1"), KeyRing())
    run_server.announce(Settings(host="::", allow_unauthenticated=True), KeyRing())
    assert capsys.readouterr().err.count("OPENAI_BASE_URL=http://[::1]:8000/v1") == 2


class TestListening:
    def test_port_in_use(self, served_settings: list[Settings]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            result = run("serve", "--port", str(port))
        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: 127.0.0.1:{port} is in use. "
            "Stop what uses it, or type another --port (0 takes a free one).\n",
        )

    def test_address_of_another_machine(self) -> None:
        with pytest.raises(click.ClickException, match=r"Cannot listen at 192\.0\.2\.1:0: Cannot assign"):
            run_server.listening("192.0.2.1", 0)

    def test_unknown_host_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(click.ClickException, match="Name or service not known"):
            run_server.listening("box.example", 0)

    def test_the_socket_is_open(self) -> None:
        with (
            run_server.listening("localhost", 0) as listener,
            socket.create_connection(listener.getsockname()[:2]) as client,
        ):
            accepted, address = listener.accept()
            accepted.close()
            assert address == client.getsockname()

    def test_all_addresses(self) -> None:
        with run_server.listening("", 0) as listener:
            assert listener.getsockname()[0] in ("0.0.0.0", "::")


class TestEngines:
    def test_warning_about_another_engine(self, capsys: pytest.CaptureFixture[str]) -> None:
        models_file.add("mine", [], EngineBinding("embedded", {"gguf": "/gone.gguf"}))
        run_server.warn_about_engine(bound_model("mine"))
        printed = capsys.readouterr().err
        assert printed == (
            "/gone.gguf cannot be read: No such file or directory. Add the model with another file: "
            "`llm gpt-oss models add TAG --gguf FILE`. Until then apps get an error.\n"
        )

    def test_no_warning_about_a_working_engine(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with serving() as web:
            web.routes = {"/v1/models": lines({"data": [{"id": "mine"}]})}
            models_file.add("mine", [], EngineBinding("completions", {"url": web.url}))
            run_server.warn_about_engine(bound_model("mine"))
        assert capsys.readouterr().err == ""

    def test_unknown_engine(self) -> None:
        assert "There is no engine called 'x'" in run("serve", "--engine", "x").stderr

    def test_default_engine(self, served_settings: list[Settings]) -> None:
        run("serve", "--engine", "embedded")
        assert served_settings[0].engine == "embedded"


class TestOllama:
    @pytest.fixture
    def ollama(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
        "An Ollama with gpt-oss:20b, on a machine without a GPU that has 20 GB of free memory."
        monkeypatch.setattr(gpu, "gpu_memory", lambda: gpu.GpuMemory(0, 0))
        monkeypatch.setattr(memory, "available_memory", lambda: 20_000_000_000)
        with serving() as web:
            monkeypatch.setenv("OLLAMA_HOST", web.url)
            web.routes = {
                "/api/version": lines({"version": "0.33.0"}),
                "/api/tags": lines({"models": [INSTALLED]}),
                "/api/show": lines(SHOWN),
                "/api/ps": lines({"models": []}),
            }
            yield web

    def warning(self, capsys: pytest.CaptureFixture[str], tag: str = TAG, num_ctx: int | None = None) -> str:
        run_server.warn_about_engine(BoundModel(tag, PluginSettings.from_env()), num_ctx)
        return capsys.readouterr().err

    def test_ollama_is_not_running(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
        printed = self.warning(capsys)
        assert printed.startswith("Ollama does not answer at http://127.0.0.1:1")
        assert printed.endswith("Until then apps get an error.\n")

    def test_invalid_address(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OLLAMA_HOST", "no address")
        assert self.warning(capsys).startswith("OLLAMA_HOST cannot be used")

    def test_model_that_is_not_pulled(self, capsys: pytest.CaptureFixture[str], ollama: WebServer) -> None:
        assert self.warning(capsys, "other") == (
            "Ollama has no model other. Type `llm gpt-oss pull other`. Until then apps get an error.\n"
        )

    def test_short_context(self, capsys: pytest.CaptureFixture[str], ollama: WebServer) -> None:
        assert self.warning(capsys) == (
            "gpt-oss:20b has a context of 4096 tokens. Coding agents need 16384 or more, and there is memory "
            "for that: type `llm gpt-oss serve --num-ctx 32768`.\n"
        )
        assert self.warning(capsys, num_ctx=4096) == ""

    @pytest.mark.parametrize(
        ("free", "longer"),
        [
            pytest.param(20e9, 32768, id="enough"),
            pytest.param(14.3e9, 16384, id="little"),
            pytest.param(14e9, None, id="too little"),
            pytest.param(None, None, id="unknown"),
        ],
    )
    def test_the_longer_context_fits_into_memory(
        self, ollama: WebServer, monkeypatch: pytest.MonkeyPatch, free: float | None, longer: int | None
    ) -> None:
        monkeypatch.setattr(memory, "available_memory", lambda: free)
        status = OllamaProvider().model_status(BoundModel(TAG, PluginSettings.from_env()), None)
        assert run_server.longer_context(status) == longer

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"context_length": 16384}, id="long enough"),
            pytest.param({"context_length": None}, id="unknown"),
            pytest.param({"fixed_context": True}, id="of a server that cannot change it"),
        ],
    )
    def test_no_longer_context(self, fields: dict[str, Any]) -> None:
        status = ModelStatus("", **{"context_length": 4096, "possible_context": 131072, **fields})
        assert run_server.longer_context(status) is None


class TestRunning:
    @pytest.fixture(autouse=True)
    def isolated(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv(WORKER_SETTINGS, "")
        monkeypatch.setattr(run_server, "warn_about_engine", lambda model, num_ctx: None)
        threshold = gc.get_threshold()
        yield
        gc.unfreeze()
        gc.set_threshold(*threshold)

    def test_workers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run_(workers: Workers) -> None:
            ran.append((workers.config, workers.sockets[0].getsockname()[1], Settings.for_this_process()))

        ran: list[tuple[uvicorn.Config, int, Settings]] = []
        monkeypatch.setattr(Workers, "run", run_)
        handlers = {each: signal.getsignal(each) for each in SIGNALS}
        assert run("serve", "--port", "0", "--key", "sesame-sesame-16", "--workers", "3").exit_code == 0
        for each, handler in handlers.items():
            signal.signal(each, handler)
        ((config, port, settings),) = ran
        assert (config.app, config.factory, config.workers) == (run_server.APP, True, 3)
        assert (config.http, config.timeout_keep_alive) == (HTTP11Protocol, 75)
        assert (settings.port, settings.key_hash) == (port, hash_key("sesame-sesame-16"))
        assert "sesame-sesame-16" not in os.environ[WORKER_SETTINGS]

    def test_reload(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: dict[str, Any] = {}

        def run_(app: str, *, factory: bool, host: str, port: int, **rest: Any) -> None:
            socket.create_server((host, port)).close()  # it was let go of
            calls.update(rest, app=app, settings=Settings.for_this_process(), port=port)
            assert factory

        monkeypatch.setattr(uvicorn, "run", run_)
        assert run("serve", "--port", "0", "--key", "sesame-sesame-16", "--reload").exit_code == 0
        common = {"app": run_server.APP, "http": HTTP11Protocol, "timeout_keep_alive": 75}
        assert calls.items() >= {**common, "reload": True, "reload_dirs": run_server.FOLDERS}.items()
        assert calls["settings"].key_hash == hash_key("sesame-sesame-16")
        assert calls["settings"].port == calls["port"]
        assert "sesame-sesame-16" not in os.environ[WORKER_SETTINGS]

    def test_one_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run_(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
            self.started = True
            assert gc.isenabled()
            assert gc.get_freeze_count()
            assert gc.get_threshold()[0] == run_server.NEW_OBJECTS
            calls.append((self.config, sockets[0].getsockname()[1]))

        calls: list[tuple[uvicorn.Config, int]] = []
        monkeypatch.setattr(uvicorn.Server, "run", run_)
        assert run("serve", "--port", "0", "--num-ctx", "4096", "--keep-alive", "90").exit_code == 0
        ((config, port),) = calls
        settings: Settings = config.app.state.proxy.settings  # type: ignore[union-attr]
        assert (settings.num_ctx, settings.port, config.http) == (4096, port, HTTP11Protocol)
        assert config.timeout_keep_alive == 90
        assert not os.environ[WORKER_SETTINGS]

    def test_failed_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
        assert run("serve", "--port", "0").exit_code == 1

    def test_ctrl_c(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def stopped(self: uvicorn.Server, sockets: Any) -> None:
            self.started = True
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(uvicorn.Server, "run", stopped)
        before = signal.getsignal(signal.SIGTERM)
        result = run("serve", "--port", "0")
        assert (result.exit_code, "Stopped" in result.output) == (0, False)
        assert signal.getsignal(signal.SIGTERM) is before


@contextmanager
def running(
    *options: str, start: Start = start_python
) -> Iterator[tuple[str, Process | subprocess.Popen[str]]]:
    "Run a server. Yields the address that it prints, and its process."
    env = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1"}
    process = start("-m", "proxy", "--port", "0", *options, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    deadline = threading.Timer(60, process.kill)
    deadline.start()
    with closing(process.stderr):
        try:
            printed = ""
            while not (found := re.search(r"OPENAI_BASE_URL=(\S+)", printed)):
                line = process.stderr.readline()
                assert line, printed
                printed += line
            yield found[1], process
        finally:
            process.terminate()
            assert process.wait() == 0, process.stderr.read()
            deadline.cancel()


def fetch(url: str, body: Any = None, key: str = "any") -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"Authorization": f"Bearer {key}"}), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_real_server() -> None:
    options = ("--key", "sesame-sesame-16", "--alias", "gpt-4o=gpt-oss:20b")
    with running(*options) as (url, process):
        assert fetch(f"{url}/models")[0] == 401
        assert "gpt-4o" in str(fetch(f"{url}/models", key="sesame-sesame-16"))
        status, answer = fetch(
            f"{url}/chat/completions",
            {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
            "sesame-sesame-16",
        )
        assert (status, answer["error"]["code"]) == (503, "engine_unreachable")
        assert process.stderr
        assert process.stderr.readline().startswith("Ollama does not answer at http://127.0.0.1:1")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="loopback"),
        pytest.param(("--allow-unauthenticated",), id="loopback, open"),
        pytest.param(("--host", "0.0.0.0", "--allow-unauthenticated"), id="all addresses"),
    ],
)
def test_pages_of_the_web_cannot_use_a_server_without_keys(options: tuple[str, ...]) -> None:
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    with running(*options, start=SERVER.start) as (url, _):
        address = url.removeprefix("http://").removesuffix("/v1")
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, rebound):
            for path in ("/v1/models", "/v1/responses/resp_1", "/api/tags", "/health", "/", "/openapi.json"):
                with pytest.raises(HTTPError) as refused:
                    urlopen(Request(f"http://{address}{path}", headers=headers), timeout=60)
                with refused.value:
                    assert refused.value.code == 403
            handshake = {
                "Host": address,
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "13",
            }
            assert raw_status(address, "/v1/responses", {**handshake, **headers}) == 403
        assert raw_status(address, "/v1/responses", handshake) == 101


def raw_status(address: str, path: str, headers: dict[str, str]) -> int:
    host, _, port = address.rpartition(":")
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with socket.create_connection((host, int(port)), 60) as client:
        client.sendall("\r\n".join(lines).encode())
        return int(client.recv(64).split()[1])


def test_settings_reach_all_workers() -> None:
    options = ("--workers", "2", "--alias", "gpt-4o=gpt-oss:20b", "--key", "sesame-sesame-16")
    with running(*options) as (url, _):
        for _ in range(600):
            try:
                status, answer = fetch(f"{url}/models/gpt-4o", key="sesame-sesame-16")
                break
            except OSError:
                threading.Event().wait(0.1)
        assert (status, answer["id"]) == (200, "gpt-4o")


def test_python_m_proxy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["proxy", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("proxy", run_name="__main__")
    assert ended.value.code == 0
    assert "Usage: python -m proxy [OPTIONS]" in capsys.readouterr().out


def test_uvicorn_alone() -> None:
    code = "import proxy.app; print(proxy.app.create_app().state.proxy.settings.model)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LOCAL_LLM_MODEL": "my-tag"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "my-tag\n"
