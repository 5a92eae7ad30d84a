"""Takes secrets and the contents of files out of a body before it is logged.

Secrets are found by the names of their fields. What is said in a conversation, and the arguments of tools,
stay as they are: the log has them as messages anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

REPLACED = "…"
# A name that has one of these words is that of a secret.
SECRET_WORDS = {
    *("apikey", "authorization", "cookie", "cookies", "credential", "credentials"),
    *("passphrase", "passwd", "password", "secret", "secrets"),
}
# So is one that ends with one of these, and one that ends with `key` after one of KINDS_OF_KEY.
LAST_WORDS = {"auth", "bearer", "jwt", "pwd", "token"}
KINDS_OF_KEY = {
    *("access", "account", "admin", "api", "app", "auth", "client", "encryption", "functions", "license"),
    *("master", "private", "secret", "service", "shared", "signing", "ssh", "subscription", "webhook"),
}
# In the query of a URL, these are secrets too.
QUERY_SECRETS = {"code", "key", "sas", "sig", "signature"}
# Objects and lists that end with these words may have secrets under any name.
CONTAINERS = {"env", "environ", "environment", "headers", "query", "variables", "vars"}
# The names in these objects are those of a JSON schema's properties.
SCHEMAS = {"$defs", "definitions", "patternProperties", "properties"}
# These belong to the client or to the conversation.
KEPT = {"arguments", "metadata"}
# A URL in one of these is a part of the conversation.
TEXTS = {
    *("content", "description", "input", "instructions", "output", "prompt", "query", "reasoning"),
    *("reasoning_content", "refusal", "system", "text", "thinking"),
}
# Images, audio and files are data URLs, or base64 under one of these keys. Of long ones only the beginning is
# kept: the model does not get them, and they can be as long as all texts of a year.
FILE_FIELDS = ("data", "file_data")
MAX_FILE = 1000
KEPT_OF_FILE = 50
# Of a longer name only the end is looked at.
MAX_NAME = 64
# JSON text without any of these has no secrets and no files. A key may be written with escapes.
MARKS = (
    *("\\u", ";base64,", '"data"', '"file_data"', "server_url", "mcp_servers"),
    *("apikey", "authorization", "cookie", "credential", "passphrase", "passwd", "password", "secret"),
    *(f'{word}"' for word in (*LAST_WORDS, "key", *CONTAINERS)),
)

_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_QUOTED_URL = re.compile(r'"\s*[a-z][a-z0-9+.-]*://', re.IGNORECASE)
_LOGIN = re.compile(r"://[^/?#\s]*@")
_PARAMETER = re.compile(r"([?&;#][^?&;#=]+)=[^&;#]*")


def may_need_redaction(text: str) -> bool:
    "Whether JSON text has to be searched, which takes long for a long conversation."
    lowered = text.lower()
    return any(mark in lowered for mark in MARKS) or _QUOTED_URL.search(text) is not None


def redacted(value: Any, key: str = "") -> Any:
    "The value of the field `key`, or of a whole body, without secrets and the contents of files."
    match value:
        case dict():
            return {name: _redacted_field(value, name, key) for name in value}
        case list():
            return [redacted(each, key) for each in value]
        case str():
            return _redacted_text(key, value)
    return value


def is_secret(name: str) -> bool:
    "Whether a field with this name holds a secret."
    return _meaning(name[-MAX_NAME:]) == "secret"


def without_credentials(url: str) -> str:
    "The URL without a login, and without secrets in its query and its fragment."
    return _PARAMETER.sub(_redacted_parameter, _LOGIN.sub(f"://{REPLACED}@", url))


@lru_cache(maxsize=1000)
def _meaning(name: str) -> Literal["secret", "container", None]:
    *kinds, last = (word.lower() for word in _WORD_END.split(name))
    is_key = last == "key" and KINDS_OF_KEY.intersection(kinds[-1:])
    if is_key or last in LAST_WORDS or SECRET_WORDS.intersection((*kinds, last)):
        return "secret"
    return "container" if last in CONTAINERS else None


def _redacted_field(owner: Mapping[str, Any], name: str, key: str) -> Any:
    "The field `name` of an object that is itself the field `key`."
    value = owner[name]
    if name in KEPT:
        return value
    if key in SCHEMAS and not isinstance(value, str):
        return redacted(value)
    meaning = _meaning(name[-MAX_NAME:])
    if meaning == "secret" and "logprob" not in owner:
        return _replaced(value)
    if meaning == "container" and isinstance(value, dict | list):
        return _replaced(value)
    if name == "value" and is_secret(str(owner.get("name") or owner.get("key") or "")):
        return _replaced(value)
    if isinstance(value, str) and (name == "server_url" or (name, key) == ("url", "mcp_servers")):
        return _server(value)
    return redacted(value, name)


def _replaced(value: Any) -> Any:
    match value:
        case dict():
            return {name: each if name == "type" else _replaced(each) for name, each in value.items()}
        case list():
            return [_replaced(each) for each in value]
        case None | bool() | "":
            return value
    return REPLACED


def _server(url: str) -> str:
    "The address of a tool's server. Its path may be a secret as well, so OpenAI does not keep it either."
    try:
        parts = urlsplit(url)
        address = parts.netloc.rpartition("@")[2]
    except ValueError:
        return REPLACED
    kept = f"{parts.scheme}://{address}"
    return url if url in (kept, f"{kept}/") else f"{kept}/{REPLACED}" if address else REPLACED


def _redacted_text(key: str, text: str) -> str:
    if len(text) > MAX_FILE and (key in FILE_FIELDS or text.startswith("data:")):
        return f"{text[:KEPT_OF_FILE]}…"
    return without_credentials(text) if key not in TEXTS and _URL.match(text) else text


def _redacted_parameter(match: re.Match[str]) -> str:
    name = unquote(match[1][1:])
    return f"{match[1]}={REPLACED}" if name.lower() in QUERY_SECRETS or is_secret(name) else match[0]
