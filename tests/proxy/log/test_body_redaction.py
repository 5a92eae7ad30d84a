from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Tool
from pydantic import TypeAdapter
from support.logged_turns import turn, user

from proxy.log.body_redaction import (
    CONTAINERS,
    KINDS_OF_KEY,
    LAST_WORDS,
    SECRET_WORDS,
    is_secret,
    may_need_redaction,
    redacted,
    without_credentials,
)
from proxy.log.turn_json import to_json

HUNTER = "hunter2"
MCP = {"type": "mcp", "server_label": "a", "server_url": "https://mcp.example"}


def hidden(value: Any) -> Any:
    "The value as the log has it. No secret may be left."
    text = json.dumps(value)
    assert HUNTER in text
    assert may_need_redaction(text)
    assert HUNTER.encode() not in to_json(turn(user("Hi"), body=json.dumps({"tools": [value]})))
    return redacted(value)


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Authorization", "proxy-authorization", "authorization_token", "auth_token"),
        *(
            "api_key",
            "api-key",
            "apiKey",
            "APIKey",
            "X-Api-Key",
            "x-goog-api-key",
            "ocp-apim-subscription-key",
        ),
        *("password", "db_password", "passwordHash", "passphrase", "pwd", "client_secret", "clientSecret"),
        *("secret_access_key", "aws_session_token", "x-amz-security-token", "access_token", "token"),
        *("Cookie", "set-cookie", "bearer", "jwt", "private_key", "a" * 100 + "_token"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)
    assert hidden({name: HUNTER}) == {name: "…"}
    assert hidden({name: {"type": "bearer", "x": [HUNTER, 5, True, None, ""]}}) == {
        name: {"type": "bearer", "x": ["…", "…", True, None, ""]}
    }


@pytest.mark.parametrize(
    "name",
    [
        *("", "-", "key", "prompt_cache_key", "idempotency_key", "public_key", "max_tokens", "tokens"),
        *("token_count", "name", "author", "authority", "keys", "monkey", "server_label", "secretary"),
    ],
)
def test_other_names(name: str) -> None:
    assert not is_secret(name)
    assert redacted({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(
            {**MCP, "headers": {"X-Mine": HUNTER}}, {**MCP, "headers": {"X-Mine": "…"}}, id="a header's name"
        ),
        pytest.param(
            {"extra_headers": [["X-Mine", HUNTER]]}, {"extra_headers": [["…", "…"]]}, id="pairs of headers"
        ),
        pytest.param(
            {"options": [{"name": "X-Api-Key", "value": HUNTER}]},
            {"options": [{"name": "X-Api-Key", "value": "…"}]},
            id="a name and a value",
        ),
        pytest.param({"env": {"MINE": HUNTER}}, {"env": {"MINE": "…"}}, id="variables of a process"),
        pytest.param({"extra_query": {"a": HUNTER}}, {"extra_query": {"a": "…"}}, id="a query"),
        pytest.param({"authentication": {"token": HUNTER}}, {"authentication": {"token": "…"}}, id="deep"),
        pytest.param(
            {"server_url": f"https://user:{HUNTER}@mcp.example"},
            {"server_url": "https://mcp.example/…"},
            id="a login",
        ),
        pytest.param(
            {"server_url": f"https://mcp.example:8443/s/{HUNTER}/sse"},
            {"server_url": "https://mcp.example:8443/…"},
            id="a path",
        ),
        pytest.param({"server_url": f"mcp.example/{HUNTER}"}, {"server_url": "…"}, id="no URL"),
        pytest.param({"server_url": f"http://[{HUNTER}"}, {"server_url": "…"}, id="half a URL"),
        pytest.param(
            {"mcp_servers": [{"type": "url", "url": f"https://a.example/{HUNTER}", "name": "a"}]},
            {"mcp_servers": [{"type": "url", "url": "https://a.example/…", "name": "a"}]},
            id="Anthropic's servers",
        ),
        pytest.param(
            {"api_base": f"https://user:{HUNTER}@llm.example/v1"},
            {"api_base": "https://…@llm.example/v1"},
            id="a login in any field",
        ),
        pytest.param(
            {"image_url": {"url": f"https://a.example/i.png?size=1&Signature={HUNTER}"}},
            {"image_url": {"url": "https://a.example/i.png?size=1&Signature=…"}},
            id="a signed URL",
        ),
        pytest.param({"properties": {"password": HUNTER}}, {"properties": {"password": "…"}}, id="no schema"),
    ],
)
def test_where_secrets_are(sent: Any, kept: Any) -> None:
    assert hidden(sent) == kept


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(MCP, id="a server"),
        pytest.param({"server_url": "https://mcp.example/"}, id="a server with a slash"),
        pytest.param(
            {"parameters": {"properties": {"token": {"type": "string"}, "headers": {"type": "object"}}}},
            id="a schema",
        ),
        pytest.param({"content": "https://me:pw@a.example?key=1"}, id="what a user says"),
        pytest.param({"arguments": {"password": "x"}}, id="arguments of a call"),
        pytest.param({"metadata": {"api_key": "x"}}, id="metadata"),
        pytest.param({"token": "Hi", "logprob": -1.0, "bytes": None}, id="a token of an answer"),
        pytest.param({"environment": "browser", "query": "x", "headers": "x"}, id="texts"),
        pytest.param({"a": ["See http://me:pw@a.example"]}, id="a URL in a sentence"),
        pytest.param([1, None, True, "x"], id="no object"),
    ],
)
def test_what_is_kept(value: Any) -> None:
    assert redacted(value) == value


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/x?b=1#c", "https://a.example/x?b=1#c"),
        ("postgres://me:p@ss@db/x", "postgres://…@db/x"),
        ("https://me@a.example", "https://…@a.example"),
        ("https://a.example/@scope/x?a=b@c", "https://a.example/@scope/x?a=b@c"),
        ("https://a.example?key=1&b=2;sig=3", "https://a.example?key=…&b=2;sig=…"),
        ("https://a.example?api%5Fkey=1&=2&x", "https://a.example?api%5Fkey=…&=2&x"),
        ("https://a.example/#access_token=1&state=2", "https://a.example/#access_token=…&state=2"),
    ],
)
def test_urls(url: str, kept: str) -> None:
    assert without_credentials(url) == kept
    assert redacted({"webhook": url}) == {"webhook": kept}


WORDS = sorted({*SECRET_WORDS, *LAST_WORDS, *KINDS_OF_KEY, *CONTAINERS, "key", "value", "x", "é", ""})


@given(st.lists(st.sampled_from(WORDS), max_size=4), st.sampled_from("_-."), st.booleans())
def test_no_secret_escapes_the_quick_look(words: list[str], separator: str, camel: bool) -> None:
    name = "".join(map(str.title, words)) if camel else separator.join(words)
    for value in ("x", {"a": "x"}):
        text = json.dumps({name: value}, ensure_ascii=False)
        assert may_need_redaction(text) or redacted({name: value}) == {name: value}


def test_a_redacted_tool_is_still_one_for_the_sdk() -> None:
    tool = {**MCP, "authorization": HUNTER, "headers": {"X-Mine": HUNTER}, "allowed_tools": None}
    tool = {**tool, "require_approval": None, "server_url": f"https://a.example/{HUNTER}"}
    assert TypeAdapter(Tool).validate_python(hidden(tool)).type == "mcp"
