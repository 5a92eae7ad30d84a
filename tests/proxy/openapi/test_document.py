"The description: all of the API is in it, and it is valid."

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from support.requests import asking, transport

from proxy.api.anthropic.request import MessagesRequest
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.completions.request import CompletionRequest
from proxy.api.embeddings import EmbeddingRequest
from proxy.api.ollama.route import CHANGES, OPEN
from proxy.api.responses.request import ResponsesRequest
from proxy.app import create_app
from proxy.hookspecs import hookimpl
from proxy.openapi.operations import OPERATIONS, OperationKey

from .conftest import DescribedApp

OLLAMA = "/api/{path}"
BODIES = [ChatRequest, CompletionRequest, ResponsesRequest, MessagesRequest, EmbeddingRequest]


def served() -> set[OperationKey]:
    "All that the server's own routes answer."
    routes = [route for route in create_app().routes if isinstance(route, APIRoute)]
    keys = {(method, route.path_format) for route in routes for method in route.methods or ()}
    names = {
        "/api/blobs/{digest}" if name == "blobs" else f"/api/{name}": methods
        for name, methods in {**OPEN, **CHANGES}.items()
    }
    ollama = {(method, path) for path, methods in names.items() for method in methods}
    return {key for key in keys if key[1] != OLLAMA} | ollama


def test_all_routes_are_described() -> None:
    assert served() == OPERATIONS.keys()


def test_all_operations_are_in_the_description(app: DescribedApp) -> None:
    paths = app.description["paths"]
    keys = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert keys == OPERATIONS.keys()


def test_the_description_is_valid(app: DescribedApp) -> None:
    app.schema.validate()


def test_all_references_lead_to_something(app: DescribedApp) -> None:
    references = set(re.findall(r'"#/components/(\w+)/([^"]+)"', str(app.description).replace("'", '"')))
    components = app.description["components"]
    assert {(kind, name) for kind, name in references if name not in components[kind]} == set()
    assert len(references) > 100


@pytest.mark.parametrize("body", BODIES)
def test_all_fields_are_described(app: DescribedApp, body: Any) -> None:
    schema = app.description["components"]["schemas"][body.__name__]
    for name, field in body.FIELDS.items():
        head, *inner = name.split(".")
        if head in body.model_fields and inner:
            continue  # the model of the object describes its fields
        described = schema["properties"][head]
        for each in inner:
            described = described["properties"][each]
        assert field.decision in described["description"].lower()
        assert field.note in described["description"]


def test_answers_that_do_not_fit_their_schema_have_notes(app: DescribedApp) -> None:
    schemas = app.description["components"]["schemas"]
    names = ("ChatChoice", "ChunkChoice", "TextChoice", "Message", "Response")
    described = [schemas[name]["properties"]["notes"] for name in names]
    assert described == [{"type": "array", "items": {"type": "string"}}] * 5


def test_required_fields(app: DescribedApp) -> None:
    assert app.description["components"]["schemas"]["ChatRequest"]["required"] == ["model", "messages"]


def test_only_open_paths_need_no_key(app: DescribedApp) -> None:
    operations = [
        (path, each) for path, methods in app.description["paths"].items() for each in methods.values()
    ]
    assert {path for path, each in operations if each.get("security") == []} == {"/", "/health"}
    assert {*app.description["components"]["securitySchemes"]} == {"bearer", "api-key", "x-api-key"}


class Greeting:
    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/greet")
        def greet(name: str) -> str:
            return name


async def test_routes_of_plugins() -> None:
    async with httpx.AsyncClient(
        transport=transport(plugins=[Greeting()]), base_url="http://localhost"
    ) as client:
        description = (await client.get("/openapi.json")).json()
    greet = description["paths"]["/greet"]["get"]
    assert [parameter["name"] for parameter in greet["parameters"]] == ["name"]
    # This server answers an invalid parameter with 400.
    assert [*greet["responses"]] == ["200"]
    assert "HTTPValidationError" not in description["components"]["schemas"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 403), ({"Origin": "https://evil.example"}, 403), ({}, 200)],
)
async def test_hosts_and_pages_that_are_not_trusted(headers: dict[str, str], status: int) -> None:
    async with asking() as client:
        assert (await client.get("/openapi.json", headers=headers)).status_code == status


async def test_the_description_is_made_once() -> None:
    async with asking() as client:
        first, second = [await client.get("/openapi.json") for _ in range(2)]
        assert first.content == second.content
        assert first.headers["content-type"] == "application/json"
