from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import llm
import pytest

from proxy.key_hash import hash_key
from proxy.settings import WORKER_SETTINGS, Settings


def default() -> Settings:
    return Settings(host="127.0.0.1", port=8000, model="gpt-oss:20b", database=llm.user_dir() / "logs.db")


@pytest.mark.parametrize(
    ("environ", "changes"),
    [
        pytest.param({}, {}, id="nothing set"),
        pytest.param({"API_HOST": "0.0.0.0"}, {"host": "0.0.0.0"}, id="host"),
        pytest.param({"API_PORT": "8123"}, {"port": 8123}, id="port"),
        pytest.param({"API_PORT": " 8123 "}, {"port": 8123}, id="port with spaces"),
        pytest.param({"API_PORT": "0"}, {"port": 0}, id="any port"),
        pytest.param({"API_PORT": "65535"}, {"port": 65535}, id="highest port"),
        pytest.param({"LOCAL_LLM_MODEL": "gpt-oss-tiny"}, {"model": "gpt-oss-tiny"}, id="model"),
        pytest.param(
            {"LLM_GPT_OSS_PROXY_KEY": "sesame-sesame-16"},
            {"key_hash": hash_key("sesame-sesame-16")},
            id="key",
        ),
        pytest.param(
            {"LLM_GPT_OSS_PROXY_ALIASES": " gpt-4o=gpt-oss:20b\n claude-*=gpt-oss "},
            {"aliases": {"gpt-4o": "gpt-oss:20b", "claude-*": "gpt-oss"}},
            id="aliases",
        ),
        pytest.param(
            {"API_HOST": "", "API_PORT": " ", "LOCAL_LLM_MODEL": "", "LLM_GPT_OSS_PROXY_KEY": ""},
            {},
            id="empty is unset",
        ),
        pytest.param({"HOST": "0.0.0.0", "PORT": "1"}, {}, id="names of others"),
    ],
)
def test_settings(environ: dict[str, str], changes: dict[str, object]) -> None:
    assert Settings.from_env(environ) == dataclasses.replace(default(), **changes)


@pytest.mark.parametrize("port", ["65536", "-1", "8000.0", "http", "0x50", "8 0", "²", "٣", "9" * 5000])
def test_invalid_port(port: str) -> None:
    with pytest.raises(ValueError, match=r"^API_PORT is .* from 0 to 65535$"):
        Settings.from_env({"API_PORT": port})


@pytest.mark.parametrize("alias", ["gpt-4o", "=gpt-oss", "gpt-4o="])
def test_invalid_alias(alias: str) -> None:
    with pytest.raises(ValueError, match=r"^LLM_GPT_OSS_PROXY_ALIASES cannot be used: '.*' should be NAME"):
        Settings.from_env({"LLM_GPT_OSS_PROXY_ALIASES": f"a=b {alias}"})


@pytest.mark.parametrize("key", [" sesame", "sesame\n", "sésame", "ses\tame", " "])
def test_invalid_key(key: str) -> None:
    with pytest.raises(ValueError, match=r"^LLM_GPT_OSS_PROXY_KEY cannot be used: a key is") as error:
        Settings.from_env({"LLM_GPT_OSS_PROXY_KEY": key})
    assert key not in str(error.value) or key == " "
    assert error.value.__suppress_context__


def test_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "8124")
    assert Settings.from_env().port == 8124
    assert Settings.for_this_process() == Settings.from_env()


# Every field with another value than its default.
OTHERS = Settings(
    host="::1",
    port=1,
    model="m",
    engine="embedded",
    database=Path("/somewhere/log.db"),
    log_policy="respect-store",
    aliases={"gpt-4o": "m"},
    num_ctx=4096,
    max_concurrency=2,
    queue_size=3,
    workers=4,
    reasoning="both",
    open_responses=True,
    reasoning_field="reasoning",
    workers_folder=Path("/somewhere/metrics"),
    reload=True,
    keep_alive=1.5,
    idle_timeout=90,
    key_hash="abc",
    allow_unauthenticated=True,
    allowed_hosts=("box.local",),
    cors_origins=("https://app.example",),
    all_models=True,
    allow_model_changes=True,
    allow_load_options=True,
    strict=True,
)


def test_every_setting_is_exported_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKER_SETTINGS, "")
    for field in dataclasses.fields(Settings):
        assert getattr(OTHERS, field.name) != getattr(default(), field.name), field.name
    OTHERS.export_to_workers()
    assert json.loads(os.environ[WORKER_SETTINGS])["port"] == 1
    assert Settings.for_this_process() == OTHERS


def test_the_key_hash_is_not_shown() -> None:
    assert "abc" not in repr(OTHERS)


def test_settings_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OTHERS.port = 1  # type: ignore[misc]
