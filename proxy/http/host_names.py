"Names of machines, and origins of pages, as they stand in a request's headers."

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

# RFC 9110, 7.2, as far as browsers write it; and RFC 6454, 6.1.
_NAME = r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?"
_HOST = re.compile(_NAME, re.ASCII | re.IGNORECASE)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_NAME}", re.ASCII | re.IGNORECASE)


def normalize_host(name: str) -> str:
    "A machine's name without what makes no difference: case, the brackets of IPv6, the root's dot."
    return name.lower().strip("[]").removesuffix(".")


def host_of(header: str) -> str | None:
    "The plain name in a Host header; None if it is none."
    match = _HOST.fullmatch(header)
    return normalize_host(match[1]) if match else None


def host_of_origin(header: str) -> str | None:
    "The same for an Origin header; None for `null` too, which is anybody's."
    match = _ORIGIN.fullmatch(header)
    return normalize_host(match[1]) if match else None


def is_local(name: str) -> bool:
    "Whether this plain name can only mean this machine."
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name) is True


@lru_cache
def is_loopback(name: str) -> bool | None:
    "None for what is no IP address."
    try:
        ip: Any = ip_address(name)
    except ValueError:
        return None
    return bool((getattr(ip, "ipv4_mapped", None) or ip).is_loopback)


def in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name
