"""What a cassette keeps of a request and of an answer."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from vcr.request import Request


def anonymous(request: Request) -> Request:
    "The request without where it went and who asked: no host, no credentials, no key."
    url = urlsplit(request.uri)
    request.uri = url._replace(scheme="http", netloc="ollama").geturl()
    request.headers = {k: v for k, v in request.headers.items() if k.lower() == "content-type"}
    return request


def portable(response: dict[str, Any]) -> dict[str, Any]:
    "The answer without the folders of the machine that gave it: `show` tells where the model's file lies."
    body = response["body"]
    body["string"] = re.sub(rb'/[^\s"\\]+/blobs/', b"blobs/", body["string"])
    return response
