from __future__ import annotations

import base64
from pathlib import Path

import pytest

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.settings import ServerAddress, Settings, read_headers, read_server, read_url

# The first cases are from Ollama's own tests. Ollama uses the default for an invalid port; we raise an error.
HOSTS = {
    "": "http://127.0.0.1:11434",
    "1.2.3.4": "http://1.2.3.4:11434",
    ":1234": "http://127.0.0.1:1234",
    "1.2.3.4:1234": "http://1.2.3.4:1234",
    "example.com": "http://example.com:11434",
    "example.com:1234": "http://example.com:1234",
    "[::1]": "http://[::1]:11434",
    "::1": "http://[::1]:11434",
    "[::1]:1337": "http://[::1]:1337",
    " 1.2.3.4 ": "http://1.2.3.4:11434",
    '"1.2.3.4"': "http://1.2.3.4:11434",
    ' " 1.2.3.4 " ': "http://1.2.3.4:11434",
    "'1.2.3.4'": "http://1.2.3.4:11434",
    "http://1.2.3.4": "http://1.2.3.4:80",
    "http://1.2.3.4:4321": "http://1.2.3.4:4321",
    "https://1.2.3.4": "https://1.2.3.4:443",
    "https://1.2.3.4:4321": "https://1.2.3.4:4321",
    "https://example.com/ollama": "https://example.com:443/ollama",
    "https://example.com/a/b/": "https://example.com:443/a/b",
    "example.com/": "http://example.com:11434",
    "HTTP://example.com": "http://example.com:80",
    "ollama.com": "https://ollama.com:443",
    "http://": "http://127.0.0.1:80",
    "example.com:": "http://example.com:11434",
    # Nobody can connect to an address that only works for listening.
    "0.0.0.0": "http://127.0.0.1:11434",
    "0.0.0.0:1234": "http://127.0.0.1:1234",
    "[::]": "http://[::1]:11434",
    "::": "http://[::1]:11434",
    "http://[::]:1234": "http://[::1]:1234",
    "2001:DB8::0:1": "http://[2001:db8::1]:11434",
    "my_box.local": "http://my_box.local:11434",
    "bücher.example": "http://xn--bcher-kva.example:11434",
}

INVALID_HOSTS = [
    ":66000",
    ":0",
    ":-1",
    ":port",
    "ftp://example.com",
    "two words",
    "[nothing]:3",
    "http://example.com/?a=b",
    "http://example.com/#a",
    "a:b:c",
    "x" * 64 + ".example",
    "ex<mple",
]


@pytest.mark.parametrize(("text", "url"), HOSTS.items())
def test_forms_of_the_host(text: str, url: str) -> None:
    assert Settings.from_env({"OLLAMA_HOST": text}).server == ServerAddress(url)


@pytest.mark.parametrize("text", INVALID_HOSTS)
def test_invalid_host_raises_when_it_is_read(text: str) -> None:
    settings = Settings.from_env({"OLLAMA_HOST": text})
    with pytest.raises(GptOssError, match="OLLAMA_HOST cannot be used") as error:
        _ = settings.server
    assert error.value.remedy == "Write host, host:port or http(s)://host:port."


def basic(text: str) -> tuple[str, str]:
    return ("Authorization", f"Basic {base64.b64encode(text.encode()).decode()}")


@pytest.mark.parametrize(
    ("text", "url", "credentials"),
    [
        ("http://me:secret@example.com", "http://example.com:80", "me:secret"),
        ("me:secret@example.com:1234/x", "http://example.com:1234/x", "me:secret"),
        ("https://me:s%40c%2Fret@[::1]:1", "https://[::1]:1", "me:s@c/ret"),
        ("https://me@example.com", "https://example.com:443", "me"),
        ("https://me:a@b@example.com", "https://example.com:443", "me:a@b"),
    ],
)
def test_login_becomes_a_header(text: str, url: str, credentials: str) -> None:
    assert read_server(text) == ServerAddress(url, (basic(credentials),))


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", ()),
        ("X-One: 1", (("X-One", "1"),)),
        ("X-One: 1; X-Two:2;", (("X-One", "1"), ("X-Two", "2"))),
        ("X-One: 1\nCookie: a=b; c=d", (("X-One", "1"), ("Cookie", "a=b; c=d"))),
        ("X-Time: 10:20", (("X-Time", "10:20"),)),
        ('{"X-One": "1", "Cookie": "a=b; c=d"}', (("X-One", "1"), ("Cookie", "a=b; c=d"))),
        ('{"X-One": "1\\n"}', (("X-One", "1"),)),
        ("{}", ()),
    ],
)
def test_headers(text: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert Settings.from_env({"OLLAMA_HEADERS": text}).server.headers == headers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("secret", "entry 1 is not a header"),
        ("X-One: 1; secret", "entry 2 is not a header"),
        ("Two words: secret", "entry 1 is not a header"),
        ("X-One: sécret", "entry 1 is not a header"),
        ('{"X-One": "secret\\r\\nX-Two: 2"}', "entry 1 is not a header"),
        ('{"X-One": 1, "secret": 2}', "entry 1 is not a header"),
        ('{"secret": ', "it is not JSON"),
    ],
)
def test_invalid_headers_are_not_shown(text: str, reason: str) -> None:
    with pytest.raises(GptOssError) as error:
        _ = Settings.from_env({"OLLAMA_HEADERS": text}).server
    assert error.value.message == f"OLLAMA_HEADERS cannot be used: {reason}."
    assert "secret" not in str(error.value) + repr(error.value.__cause__)


@pytest.mark.parametrize(
    ("headers", "key", "authorization"),
    [
        pytest.param("", None, [], id="no key"),
        pytest.param("", "k", ["Bearer k"], id="key"),
        pytest.param("", "k\n", ["Bearer k"], id="key with a line end"),
        pytest.param("authorization: mine", "k", ["mine"], id="header wins"),
    ],
)
def test_key_becomes_a_header(headers: str, key: str | None, authorization: list[str]) -> None:
    sent = ServerAddress("http://h:1", read_headers(headers)).with_key(key).headers
    assert [value for name, value in sent if name.lower() == "authorization"] == authorization


@pytest.mark.parametrize("key", ["secret\nX-Two: 2", "s\u00e9cret"])
def test_invalid_key(key: str) -> None:
    with pytest.raises(GptOssError, match="llm keys set ollama") as error:
        ServerAddress("http://h:1").with_key(key)
    assert "cret" not in str(error.value)


def test_header_wins_over_login_and_login_over_key() -> None:
    assert read_server("me:secret@h").with_key("k").headers == (basic("me:secret"),)
    header = (("authorization", "mine"),)
    assert read_server("me:secret@h", header).headers == header


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("", True),
        ("127.8.9.1", True),
        ("[::1]:1", True),
        ("https://localhost/x", True),
        ("a.localhost", True),
        ("0.0.0.0", True),
        ("localhost.example", False),
        ("192.168.0.1", False),
        ("ollama.com", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert read_server(host).loopback is loopback


WITH_SECRETS = {"OLLAMA_HOST": "http://me:secret@h", "OLLAMA_HEADERS": "X-Key: secret"}


@pytest.mark.parametrize(
    "host", ["http://me:secret@h:x", "http://me:se/secret@h", "h:1/?key=secret", "a@secret@b@:x"]
)
def test_secrets_are_not_shown(host: str) -> None:
    settings = Settings.from_env(WITH_SECRETS)
    assert "secret" not in repr(settings) + repr(settings.server) + repr(settings.server.with_key("secret"))
    with pytest.raises(GptOssError) as error:
        read_server(host)
    assert "secret" not in str(error.value)
    assert error.value.__suppress_context__


def test_defaults() -> None:
    settings = Settings.from_env({})
    assert (settings.server, settings.model, settings.date) == (
        ServerAddress("http://127.0.0.1:11434"),
        None,
        None,
    )
    assert settings.read_timeout == 600


def test_values() -> None:
    settings = Settings.from_env(
        {"LOCAL_LLM_MODEL": " tag ", "LLM_GPT_OSS_DATE": "2026-11-23", "LLM_GPT_OSS_TIMEOUT": "1.5"}
    )
    assert (settings.model, settings.date, settings.read_timeout) == ("tag", "2026-11-23", 1.5)


def test_blank_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OLLAMA_HOST",
        "OLLAMA_HEADERS",
        "LOCAL_LLM_MODEL",
        "LLM_GPT_OSS_ENGINE",
        "OLLAMA_CONTEXT_LENGTH",
        "OLLAMA_MODELS",
        "LLM_GPT_OSS_DATE",
        "LLM_GPT_OSS_TIMEOUT",
    ):
        monkeypatch.setenv(name, " ")
    assert Settings.from_env() == Settings()


@pytest.mark.parametrize("text", ["today", "23.11.2026", "2026-13-01", "20261123", "2026-11-23T10:00"])
def test_invalid_date(text: str) -> None:
    with pytest.raises(GptOssError, match="LLM_GPT_OSS_DATE cannot be used") as error:
        _ = Settings.from_env({"LLM_GPT_OSS_DATE": text}).date
    assert text in str(error.value)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan", "1e9", "10s"])
def test_invalid_timeout(text: str) -> None:
    with pytest.raises(GptOssError, match="LLM_GPT_OSS_TIMEOUT cannot be used") as error:
        _ = Settings.from_env({"LLM_GPT_OSS_TIMEOUT": text}).read_timeout
    assert text in str(error.value)


def test_settings_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Settings().variables = {}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "length"), [("8192", 8192), ("", None), ("0", None), ("-1", None), ("8k", None), ("٣", None)]
)
def test_ollamas_context_length(text: str, length: int | None) -> None:
    assert Settings.from_env({"OLLAMA_CONTEXT_LENGTH": text}).ollama_context_length == length


def test_with_read_timeout() -> None:
    assert Settings.from_env({"LLM_GPT_OSS_TIMEOUT": "never"}).with_read_timeout(1.5).read_timeout == 1.5


def test_folders_of_ollamas_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert Settings.from_env({"OLLAMA_MODELS": "~/models"}).ollama_models == (Path("/home/me/models"),)
    assert Settings.from_env({}).ollama_models[0] == Path("/home/me/.ollama/models")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("a", "http://a:80"),
        ("a:8080/", "http://a:8080"),
        ("http://a:8000/v1", "http://a:8000"),
        ("https://a/llama/v1/", "https://a:443/llama"),
    ],
)
def test_read_url(text: str, url: str) -> None:
    assert read_url(text).url == url
