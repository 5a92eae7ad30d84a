"""What the environment says, read once and handed down.

| variable | what it holds |
|---|---|
| OLLAMA_HOST | the server, in every form that Ollama itself takes; 127.0.0.1:11434 without it |
| OLLAMA_HEADERS | more HTTP headers: a JSON object, or `Name: value`, one a line or separated by semicolons |
| LOCAL_LLM_MODEL | the tag of the model to use |
| LLM_GPT_OSS_ENGINE | the engine for the models that are bound to none; ollama without it |
| OLLAMA_MODELS | where an Ollama on this machine keeps its models, which the engine embedded may load |
| LLM_GPT_OSS_DATE | the date that the model is told, YYYY-MM-DD; today without it |
| LLM_GPT_OSS_TIMEOUT | how many seconds the server may stay silent; 600 without it |

A value that cannot be used raises where it is asked for: importing and registering never fail for it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import GptOssError

HOST, HEADERS, MODEL = "OLLAMA_HOST", "OLLAMA_HEADERS", "LOCAL_LLM_MODEL"
ENGINE, DATE, TIMEOUT = "LLM_GPT_OSS_ENGINE", "LLM_GPT_OSS_DATE", "LLM_GPT_OSS_TIMEOUT"
DOWNLOADS = "OLLAMA_MODELS"
DEFAULT_READ_TIMEOUT = 600.0
# A socket cannot wait longer than 2**31 milliseconds.
MAX_READ_TIMEOUT = 1_000_000
HOW = 'Write {"Name": "value", …}, or `Name: value` lines.'

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ServerAddress:
    "Where Ollama answers, without a slash at the end, and the headers to send along, never shown."

    url: str
    headers: Headers = field(default=(), repr=False)

    def with_key(self, key: str | None) -> ServerAddress:
        "The same, asked with this key. Credentials that were written for this very server stay."
        if not key or any(name.lower() == "authorization" for name, _ in self.headers):
            return self
        if not _is_header_value(key):
            remedy = "Type `llm keys set ollama` and enter it anew."
            raise GptOssError("The key for Ollama has characters that cannot be sent.", remedy=remedy)
        return replace(self, headers=(*self.headers, ("Authorization", f"Bearer {key.strip()}")))

    @property
    def loopback(self) -> bool:
        "Whether it is this machine, so that no proxy stands between."
        return self.loopback_address or self._host == "localhost" or self._host.endswith(".localhost")

    @property
    def loopback_address(self) -> bool:
        "The same, called by its address: a name may have several."
        ip = _ip(self._host)
        return ip is not None and ip.is_loopback

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The variables as they were written; each property reads one, and raises if it cannot be used.

    `idle` is not written: a program that asks from one event loop as long as it runs may keep connections for
    so many seconds."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    keepalive_seconds: float = 0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        names = (HOST, HEADERS, MODEL, ENGINE, DOWNLOADS, DATE, TIMEOUT)
        return cls({name: text for name in names if (text := environ.get(name, "").strip())})

    def with_engine(self, name: str | None) -> Settings:
        "The same, with the engine that `--engine` names; None leaves it to the environment."
        return replace(self, variables={**self.variables, ENGINE: name}) if name else self

    @property
    def server(self) -> ServerAddress:
        return read_server(self.variables.get(HOST, ""), read_headers(self.variables.get(HEADERS, "")))

    @property
    def model(self) -> str | None:
        "As it was written: registering must not fail for it. `catalog.tags.check_tag` checks it later."
        return self.variables.get(MODEL)

    @property
    def engine(self) -> str | None:
        """The name of the engine that is wanted, as it was written: `engines.registered` knows which there
        are."""
        return self.variables.get(ENGINE)

    @property
    def ollama_models(self) -> tuple[Path, ...]:
        "Where an Ollama on this machine may keep its models: as its owner's program, or as Linux's service."
        if text := self.variables.get(DOWNLOADS):
            return (Path(text).expanduser(),)
        return (Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))

    @property
    def date(self) -> str | None:
        "The date that the model is told; None is today."
        text = self.variables.get(DATE)
        if text is not None and not _is_date(text):
            raise unusable(DATE, f"{text!r} is no date", f"Write it as YYYY-MM-DD, or `unset {DATE}`.")
        return text

    @property
    def read_timeout(self) -> float:
        "The seconds that the server may stay silent before it is given up."
        text = self.variables.get(TIMEOUT, str(DEFAULT_READ_TIMEOUT))
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0
        if 0 < seconds <= MAX_READ_TIMEOUT:
            return seconds
        remedy = f"Write a number of seconds, up to {MAX_READ_TIMEOUT}, or `unset {TIMEOUT}`."
        raise unusable(TIMEOUT, f"{text!r} is no time to wait", remedy)


def read_server(text: str, headers: Headers = (), name: str = HOST) -> ServerAddress:
    """The server that OLLAMA_HOST names, as Ollama's own client reads it.

    The port is 11434 without a scheme, else the scheme's; an address to listen on everywhere is this machine.
    """
    written = text.strip().strip("\"'").strip()
    scheme, separator, rest = written.partition("://")
    if not separator:
        scheme, rest = ("https", "ollama.com:443") if written == "ollama.com" else ("http", written)
    authority, _, path = rest.partition("/")
    userinfo, _, hostport = authority.rpartition("@")
    ports = {"http": 80 if separator else 11434, "https": 443}
    try:
        host, port = _host_and_port(hostport, ports[scheme.lower()])
        if not re.fullmatch(r"[\w.~%/-]*", path, re.ASCII):
            raise ValueError
    except (KeyError, ValueError):
        # What may be a password or a key stays out of sight.
        shown = re.sub(r"(?s)\?.*", "?…", re.sub(r"(?s)^(.*?://)?.*@", r"\1…@", written))
        why = f"{shown!r} is no address of a server"
        raise unusable(name, why, "Write host, host:port or http(s)://host:port.") from None
    if userinfo and "authorization" not in (name.lower() for name, _ in headers):
        basic = base64.b64encode(unquote(userinfo).encode()).decode()
        headers = (*headers, ("Authorization", f"Basic {basic}"))
    return ServerAddress(f"{scheme.lower()}://{host}:{port}/{path}".rstrip("/"), headers)


def read_url(text: str, headers: Headers = ()) -> ServerAddress:
    "A server's address as it is typed: the scheme may be left out, and `/v1` at the end is not part of it."
    written = text.strip().removesuffix("/").removesuffix("/v1")
    return read_server(written if "://" in written else f"http://{written}", headers, "The address")


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    "Both as they stand in a URL. ValueError if they are none."
    if isinstance(ip := _ip(text), IPv6Address):
        return _host(ip, text), default
    match = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]{0,5}))?", text)
    if match is None or not 0 < (port := int(match[2] or default)) < 65536:
        raise ValueError
    return _host(_ip(match[1]), match[1]), port


def _host(ip: IPv4Address | IPv6Address | None, name: str) -> str:
    if isinstance(ip, IPv6Address):
        return "[::1]" if ip.is_unspecified else f"[{ip}]"
    if ip or not name:
        return "127.0.0.1" if not ip or ip.is_unspecified else str(ip)
    ascii_name = name.encode("idna").decode()  # UnicodeError is a ValueError
    if not re.fullmatch(r"[\w.-]+", ascii_name, re.ASCII):
        raise ValueError
    return ascii_name


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def read_headers(text: str, variable: str = HEADERS) -> Headers:
    "The headers that OLLAMA_HEADERS holds. A value with a semicolon needs JSON, or lines."
    if text.startswith("{"):
        try:
            pairs: Iterable[tuple[str, object]] = json.loads(text).items()
        except ValueError:
            raise unusable(variable, "it is not JSON", HOW) from None
    else:
        lines = [line for line in text.split("\n" if "\n" in text else ";") if line.strip()]
        parts = (line.partition(":") for line in lines)
        pairs = [(name.strip(), value.strip() if colon else None) for name, colon, value in parts]
    return tuple(_header(variable, number, *pair) for number, pair in enumerate(pairs, 1))


def _header(variable: str, number: int, name: str, value: object) -> tuple[str, str]:
    if (
        not isinstance(value, str)
        or not _is_header_value(value)
        or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII)
    ):
        # Neither is shown: what looks like a name may be half of a key.
        raise unusable(variable, f"number {number} in it is no header", HOW)
    return name, value.strip()


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.strip().isprintable()


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def unusable(name: str, why: str, remedy: str) -> GptOssError:
    return GptOssError(f"{name} cannot be used: {why}.", remedy=remedy)
