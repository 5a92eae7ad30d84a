from __future__ import annotations

import json
from pathlib import Path

from support.clients.records import stored
from support.clients.server import Recorded


def test_a_record_has_no_folders_digests_and_long_texts() -> None:
    body = {
        "metadata": {"device": f"id-{'0123456789abcdef' * 4}"},
        "messages": [{"role": "system", "content": "Work in /somewhere/clients/work." + "x" * 200}],
        "stop": None,
        "temperature": 1.0,
    }
    headers = [
        ("host", "127.0.0.1:1234"),
        ("content-length", "9"),
        ("user-agent", "me/1 (/somewhere/clients)"),
    ]
    request = Recorded("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
    assert stored("plain", request, [Path("/somewhere/clients"), Path("/elsewhere")]) == {
        "case": "plain",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": ["user-agent: me/1 (/home/user)"],
        "body": {
            "metadata": {"device": "id-0"},
            "messages": [{"role": "system", "content": "Work in /home/user/work." + "x" * 176 + " …"}],
            "stop": None,
            "temperature": 1.0,
        },
    }
