"""Settings from environment variables.

| variable | what it holds |
|---|---|
| OLLAMA_HOST | the address of Ollama, in every form that Ollama accepts. Default: 127.0.0.1:11434 |
| OLLAMA_HEADERS | more HTTP headers: a JSON object, or `Name: value`, separated by line ends or semicolons |
| LOCAL_LLM_MODEL | the tag of the model to use |
| LLM_GPT_OSS_ENGINE | the engine of models that were added without one. Default: ollama |
| OLLAMA_CONTEXT_LENGTH | Ollama's default context length, if you set one for Ollama: then models report it |
| OLLAMA_MODELS | the folder of Ollama's models on this machine. The engine `embedded` can load them |
| LLM_GPT_OSS_DATE | the current date in the prompt, YYYY-MM-DD. Default: today |
| LLM_GPT_OSS_TIMEOUT | how many seconds to wait for the next data from the server. Default: 600 |

A property of `Settings` raises GptOssError if its variable has an invalid value. Importing this module and
creating `Settings` never fail.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from .errors import GptOssError

HOST, HEADERS, MODEL = "OLLAMA_HOST", "OLLAMA_HEADERS", "LOCAL_LLM_MODEL"
ENGINE, DATE, TIMEOUT = "LLM_GPT_OSS_ENGINE", "LLM_GPT_OSS_DATE", "LLM_GPT_OSS_TIMEOUT"
MODELS_FOLDER, CONTEXT_LENGTH = "OLLAMA_MODELS", "OLLAMA_CONTEXT_LENGTH"
DEFAULT_READ_TIMEOUT = 600.0
# A socket cannot wait longer than 2**31 milliseconds.
MAX_READ_TIMEOUT = 1_000_000
HEADERS_FORMAT = 'Write {"Name": "value", …}, or `Name: value` lines.'

Headers = tuple[tuple[str, str], ...]


# LLM imports this module for every command, and defining a frozen dataclass takes five times as long.
class ServerAddress(NamedTuple):
    """The address of an HTTP server, and headers to send with every request.

    `url` has no slash at its end. `headers` may hold credentials, so `repr` leaves them out.
    """

    url: str
    headers: Headers = ()

    def __repr__(self) -> str:
        return f"ServerAddress(url={self.url!r})"

    def with_key(self, key: str | None) -> ServerAddress:
        "Return this address with the API key as a header, unless it has an Authorization header already."
        if not key or any(name.lower() == "authorization" for name, _ in self.headers):
            return self
        if not _is_header_value(key):
            remedy = "Type `llm keys set ollama` and enter it again."
            raise GptOssError("The key for Ollama has characters that cannot be sent.", remedy=remedy)
        return ServerAddress(self.url, (*self.headers, ("Authorization", f"Bearer {key.strip()}")))

    @property
    def loopback(self) -> bool:
        "Whether the server runs on this machine, so that requests bypass HTTP proxies."
        return self.loopback_address or self._host == "localhost" or self._host.endswith(".localhost")

    @property
    def loopback_address(self) -> bool:
        "Whether the host is a loopback IP address. Names do not count: a name can have several addresses."
        ip = _parse_ip(self._host)
        return ip is not None and ip.is_loopback

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""


class Settings(NamedTuple):
    """The environment variables of this plugin, as text. Each property parses one.

    `variables` may hold credentials, so `repr` leaves them out. `keepalive_seconds` is not a variable: it is
    how long engines keep idle connections. It is 0 except for programs that send all requests from one event
    loop.
    """

    variables: Mapping[str, str] = MappingProxyType({})
    keepalive_seconds: float = 0

    def __repr__(self) -> str:
        return f"Settings(keepalive_seconds={self.keepalive_seconds!r})"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        "Read the variables. An empty variable counts as unset."
        names = (HOST, HEADERS, MODEL, ENGINE, CONTEXT_LENGTH, MODELS_FOLDER, DATE, TIMEOUT)
        return cls({name: text for name in names if (text := environ.get(name, "").strip())})

    def with_engine(self, name: str | None) -> Settings:
        "Return these settings with the engine of `--engine`. None changes nothing."
        return self._replace(variables={**self.variables, ENGINE: name}) if name else self

    def with_keepalive(self, seconds: float) -> Settings:
        "Return these settings with another `keepalive_seconds`."
        return self._replace(keepalive_seconds=seconds)

    def with_read_timeout(self, seconds: float) -> Settings:
        "Return these settings with another `read_timeout`, as text like the variable's."
        return self._replace(variables={**self.variables, TIMEOUT: str(seconds)})

    @property
    def server(self) -> ServerAddress:
        "The address of Ollama."
        return read_server(self.variables.get(HOST, ""), read_headers(self.variables.get(HEADERS, "")))

    @property
    def model(self) -> str | None:
        "The tag, unchecked: an invalid tag must not break registering. `catalog.tags.check_tag` checks it."
        return self.variables.get(MODEL)

    @property
    def engine(self) -> str | None:
        "The name of the engine, unchecked. `engines.providers` knows which engines exist."
        return self.variables.get(ENGINE)

    @property
    def ollama_models(self) -> tuple[Path, ...]:
        "Folders that may have Ollama's models: the variable's, or else the user's and the Linux service's."
        if text := self.variables.get(MODELS_FOLDER):
            return (Path(text).expanduser(),)
        return (Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))

    @property
    def ollama_context_length(self) -> int | None:
        "Ollama's default context length. None for an invalid value, which Ollama ignores too."
        text = self.variables.get(CONTEXT_LENGTH, "")
        return int(text) or None if text.isascii() and text.isdecimal() else None

    @property
    def date(self) -> str | None:
        "The current date in the prompt, YYYY-MM-DD. None means today."
        text = self.variables.get(DATE)
        if text is not None and not _is_date(text):
            raise setting_error(
                DATE, f"{text!r} is not a date", f"Write it as YYYY-MM-DD, or `unset {DATE}`."
            )
        return text

    @property
    def read_timeout(self) -> float:
        "How many seconds to wait for the next data from the server."
        text = self.variables.get(TIMEOUT, str(DEFAULT_READ_TIMEOUT))
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0
        if 0 < seconds <= MAX_READ_TIMEOUT:
            return seconds
        remedy = f"Write a number of seconds, up to {MAX_READ_TIMEOUT}, or `unset {TIMEOUT}`."
        raise setting_error(TIMEOUT, f"{text!r} is not a valid timeout", remedy)


def read_server(text: str, headers: Headers = (), name: str = HOST) -> ServerAddress:
    """Parse the value of OLLAMA_HOST as Ollama's own client does.

    Without a scheme, the default port is 11434; with one, it is the scheme's. The wildcard addresses 0.0.0.0
    and :: become loopback addresses. A login in the address becomes a header. `name` is the setting's name in
    errors.
    """
    text = text.strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = ("https", "ollama.com:443") if text == "ollama.com" else ("http", text)
    authority, _, path = rest.partition("/")
    login, _, hostport = authority.rpartition("@")
    ports = {"http": 80 if separator else 11434, "https": 443}
    try:
        host, port = _host_and_port(hostport, ports[scheme.lower()])
        if not re.fullmatch(r"[\w.~%/-]*", path, re.ASCII):
            raise ValueError
    except (KeyError, ValueError):
        # Hide a login and a query: they may hold a password or a key.
        reason = f"{_redact(text)!r} is not the address of a server"
        raise setting_error(name, reason, "Write host, host:port or http(s)://host:port.") from None
    if login and "authorization" not in (name.lower() for name, _ in headers):
        credentials = base64.b64encode(unquote(login).encode()).decode()
        headers = (*headers, ("Authorization", f"Basic {credentials}"))
    return ServerAddress(f"{scheme.lower()}://{host}:{port}/{path}".rstrip("/"), headers)


def _redact(address: str) -> str:
    before, at, rest = address.rpartition("@")
    scheme, separator, _ = before.partition("://")
    address = f"{scheme if separator else ''}{separator}…@{rest}" if at else address
    address, query, _ = address.partition("?")
    return f"{address}?…" if query else address


def read_url(text: str, headers: Headers = ()) -> ServerAddress:
    "Parse a server's URL. The scheme can be left out, and a `/v1` at the end is ignored."
    text = text.strip().removesuffix("/").removesuffix("/v1")
    return read_server(text if "://" in text else f"http://{text}", headers, "The address")


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    "Return the host and the port in the form that a URL needs. Raise ValueError if the text is invalid."
    if isinstance(ip := _parse_ip(text), IPv6Address):
        return _url_host(ip, text), default_port
    match = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]{0,5}))?", text)
    if match is None or not 0 < (port := int(match[2] or default_port)) < 65536:
        raise ValueError
    return _url_host(_parse_ip(match[1]), match[1]), port


def _url_host(ip: IPv4Address | IPv6Address | None, name: str) -> str:
    "The host part of a URL for an IP address, or else for a host name."
    if isinstance(ip, IPv6Address):
        return "[::1]" if ip.is_unspecified else f"[{ip}]"
    if ip or not name:
        return "127.0.0.1" if not ip or ip.is_unspecified else str(ip)
    ascii_name = name.encode("idna").decode()  # UnicodeError is a ValueError
    if not re.fullmatch(r"[\w.-]+", ascii_name, re.ASCII):
        raise ValueError
    return ascii_name


def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def read_headers(text: str, name: str = HEADERS) -> Headers:
    """Parse the value of OLLAMA_HEADERS. Headers on one line are separated by semicolons.

    A value that contains a semicolon needs JSON, or one header per line. `name` is the setting's name in
    errors.
    """
    if text.startswith("{"):
        try:
            pairs: Iterable[tuple[str, object]] = json.loads(text).items()
        except ValueError:
            raise setting_error(name, "it is not JSON", HEADERS_FORMAT) from None
    else:
        lines = [line for line in text.split("\n" if "\n" in text else ";") if line.strip()]
        parts = (line.partition(":") for line in lines)
        pairs = [(header.strip(), value.strip() if colon else None) for header, colon, value in parts]
    return tuple(_checked_header(name, number, *pair) for number, pair in enumerate(pairs, 1))


def _checked_header(setting: str, number: int, name: str, value: object) -> tuple[str, str]:
    if (
        not isinstance(value, str)
        or not _is_header_value(value)
        or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII)
    ):
        # Show neither name nor value: even the name may be a part of a key.
        raise setting_error(setting, f"entry {number} is not a header", HEADERS_FORMAT)
    return name, value.strip()


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.strip().isprintable()


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def setting_error(name: str, reason: str, remedy: str) -> GptOssError:
    "The error for a setting with an invalid value."
    return GptOssError(f"{name} cannot be used: {reason}.", remedy=remedy)
