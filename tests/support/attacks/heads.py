"""Requests whose path, query or headers are bad: 60 kB of them, since the server reads no longer head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastapi.routing import APIRoute

from proxy.app import ROUTES

from .locations import NO_ID

SIZE = 60_000
TEXTS: Mapping[str, str] = {
    **{
        f"many {text!r}": text * (SIZE // len(text))
        for text in ("a", "9", "/", "%2F", "%00", ".", "a,", "a=", ";", "-")
    },
    **{f"{edge!r}, many spaces": f"{edge}{'%20' * (SIZE // 3)}x" for edge in ("#", "a")},
}
# Spaces cannot stand in a path, but in a header.
VALUES: Mapping[str, str] = {
    **{
        f"many {text!r}": text * (SIZE // len(text))
        for text in (
            "a",
            "9",
            "a,",
            "a, ",
            "a=b;",
            ";",
            ",",
            "/",
            " a",
            '"',
            "\\",
            "a/b;q=0.1,",
            ".",
            ":",
            "[",
        )
    },
    "a, many spaces, x": f"a{' ' * SIZE}x",
    "many charsets": "application/json" + "; charset=utf-8" * (SIZE // 16),
    "many encodings": "gzip, " * (SIZE // 6) + "gzip",
    "a quote without an end": 'application/json; charset="' + "\\" * SIZE,
}
HEADERS = (
    *(
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "X-Api-Key",
        "Content-Type",
        "Content-Encoding",
        "Cookie",
    ),
    *("Host", "Origin", "Referer", "User-Agent", "Idempotency-Key", "X-Stainless-Retry-Count", "X-LLM-Log"),
    *(
        "Forwarded",
        "X-Forwarded-For",
        "Access-Control-Request-Headers",
        "Anthropic-Version",
        "Anthropic-Beta",
    ),
    *("OpenAI-Beta", "Sec-Fetch-Site", "Range", "If-None-Match", "Expect", "Transfer-Encoding", "Upgrade"),
)


class Head(NamedTuple):
    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


def heads() -> Iterator[Head]:
    routes = [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute)]
    for route in {(route.path, *sorted(route.methods)): route for route in routes}.values():
        yield from _paths(route)
    for header in HEADERS:
        for name, value in VALUES.items():
            path = "/v1/chat/completions" if header.startswith(("Content", "Idem", "X-S")) else "/v1/models"
            method = "POST" if path.endswith("completions") else "GET"
            yield Head(f"{header}: {name}", method, path, ((header, value),))
    many = tuple((f"X-{n}", "a") for n in range(SIZE // 10))
    yield Head("many headers", "GET", "/v1/models", many)
    yield Head("one header many times", "GET", "/v1/models", (("Accept", "a/b"),) * (SIZE // 16))
    yield Head("many cookies", "GET", "/v1/models", (("Cookie", "a=b"),) * (SIZE // 16))


def _paths(route: APIRoute) -> Iterator[Head]:
    method = min(route.methods)
    plain = route.path
    for parameter in route.param_convertors:
        for name, text in TEXTS.items():
            path = _filled(
                route.path.replace(f"{{{parameter}}}", text).replace(f"{{{parameter}:path}}", text)
            )
            yield Head(f"{method} {plain}, {parameter}: {name}", method, path)
    if method == "GET":
        for name, text in TEXTS.items():
            path = _filled(plain)
            yield Head(f"{plain}?limit={name}", method, f"{path}?limit={text}")
            yield Head(f"{plain}?after={name}", method, f"{path}?after={text}")
        yield Head(f"{plain}, many parameters", method, f"{_filled(plain)}?{'include[]=a&' * (SIZE // 12)}")
        yield Head(
            f"{plain}, distinct parameters",
            method,
            _filled(plain) + "?" + "&".join(f"metadata[{n}]=a" for n in range(SIZE // 18)),
        )


def _filled(path: str) -> str:
    "The path with an id that does not exist for each parameter that is left."
    start, brace, rest = path.partition("{")
    return f"{start}{NO_ID}{_filled(rest.partition('}')[2])}" if brace else path
