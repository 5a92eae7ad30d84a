"""What a cassette keeps of a request and of an answer."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from vcr.request import Request

# Told at length by `show`, and read by nobody here.
UNREAD = ("license", "modelfile", "template", "tensors")
READ = re.compile(r"architecture$|context_length$")


def anonymous(request: Request) -> Request:
    "The request without where it went and who asked: no host, no credentials, no key."
    url = urlsplit(request.uri)
    request.uri = url._replace(scheme="http", netloc="ollama").geturl()
    request.headers = {k: v for k, v in request.headers.items() if k.lower() == "content-type"}
    return request


def portable(response: dict[str, Any]) -> dict[str, Any]:
    "The answer without headers, times and what nobody reads, and without the folders of that machine."
    response["headers"] = {k: v for k, v in response["headers"].items() if k.lower() == "content-type"}
    body = re.sub(rb'("model":"[^"]*",)?"created_at":"[^"]*",', b"", response["body"]["string"])
    body = re.sub(rb'"(modified_at|expires_at)":"[^"]*"', rb'"\1":"2026-11-22T12:00:00Z"', body)
    if b'"modelfile":' in body:
        shown = {k: v for k, v in json.loads(body).items() if k not in UNREAD}
        shown["model_info"] = {k: v for k, v in shown.get("model_info", {}).items() if READ.search(k)}
        body = json.dumps(shown).encode()
    response["body"]["string"] = re.sub(rb'/[^\s"\\]+/blobs/', b"blobs/", body)
    return response
