from __future__ import annotations

import dataclasses

import pytest

from proxy.settings import Settings

DEFAULT = Settings(host="127.0.0.1", port=8000, model="gpt-oss:20b")


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
        pytest.param({"API_HOST": "", "API_PORT": " ", "LOCAL_LLM_MODEL": ""}, {}, id="empty is unset"),
        pytest.param({"HOST": "0.0.0.0", "PORT": "1"}, {}, id="names of others"),
    ],
)
def test_settings(environ: dict[str, str], changes: dict[str, object]) -> None:
    assert Settings.from_env(environ) == dataclasses.replace(DEFAULT, **changes)


@pytest.mark.parametrize("port", ["65536", "-1", "8000.0", "http", "0x50", "8 0", "²", "٣", "9" * 5000])
def test_no_port(port: str) -> None:
    with pytest.raises(ValueError, match=r"^API_PORT is .* from 0 to 65535$"):
        Settings.from_env({"API_PORT": port})


def test_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "8124")
    assert Settings.from_env().port == 8124


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.port = 1  # type: ignore[misc]
