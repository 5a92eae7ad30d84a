"""Names of hosts, as the headers Host and Origin have them."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from starlette.types import Scope

# RFC 9110, 7.2, as far as browsers use it; and RFC 6454, 6.1. A name has at most 253 characters.
_NAME = r"(\[[0-9a-f:.]{2,45}\]|[\w-][\w.-]{0,252})(?::\d{1,5})?"
_HOST = re.compile(_NAME, re.ASCII | re.IGNORECASE)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_NAME}", re.ASCII | re.IGNORECASE)


def is_remote(scope: Scope) -> bool:
    "Whether the client connected to an address of this machine that other machines can reach."
    host, _ = scope.get("server") or ("", None)
    return is_loopback(host) is False


def normalize_host(name: str) -> str:
    "The name in lower case, without the brackets of an IPv6 address and without the final dot."
    return name.lower().strip("[]").removesuffix(".")


def host_of(header: str) -> str | None:
    "The normalized name in a Host header, without the port; None for an invalid header."
    match = _HOST.fullmatch(header)
    return normalize_host(match[1]) if match else None


def host_of_origin(header: str) -> str | None:
    "The normalized name in an Origin header; None for an invalid one, and for one without a name."
    match = _ORIGIN.fullmatch(header)
    return normalize_host(match[1]) if match else None


def is_local(name: str) -> bool:
    "Whether this normalized name always means this machine."
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name) is True


def is_ip_address(name: str) -> bool:
    return is_loopback(name) is not None


@lru_cache
def is_loopback(name: str) -> bool | None:
    "Whether this is a loopback address; None if it is no IP address at all."
    try:
        ip: Any = ip_address(name)
    except ValueError:
        return None
    return bool((getattr(ip, "ipv4_mapped", None) or ip).is_loopback)


def host_in_url(name: str) -> str:
    "The name as a URL has it: an IPv6 address in brackets."
    return f"[{name}]" if ":" in name else name
