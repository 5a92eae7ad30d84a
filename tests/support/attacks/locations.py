"""Every location in a request's body that an attack can fill, found in the types that the endpoints read.

A new endpoint, and a new field of one, are found here by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from fastapi.routing import APIRoute
from pydantic import BaseModel

from proxy.api.ollama.raw_completion import RawBody
from proxy.api.ollama.request import LOGGED_ENDPOINTS
from proxy.app import ROUTES
from proxy.http.body_model import Body

Json = dict[str, Any]
# Makes the nth entry of a list. All are equal unless they are to be distinct.
ItemMaker = Callable[[int, bool], Any]
# Makes a body with a value in the location.
Fill = Callable[[Any], Any]
LocationType = Literal["string", "number", "list", "object", "any"]

MODEL = "gpt-oss"
MAX_DEPTH = 8
# An id that no route finds, in paths that need one.
NO_ID = "none"
# Stands for the attack in a body until that is written as JSON.
HOLE = "\x00hole\x00"
# Fields that an endpoint needs, though its type lets them be missing.
NEEDED = {"input": "Hi", "prompt": "Hi"}
# Values that get further than others of the same type.
KNOWN: Json = {"model": MODEL, "role": "user"}


@dataclass(frozen=True)
class Endpoint:
    "`path` has no parameters left. `fields` are names of fields that only the endpoint's table has."

    path: str
    model: type[BaseModel]
    fields: tuple[str, ...] = ()

    @property
    def schema(self) -> Json:
        return self.model.model_json_schema()


@dataclass(frozen=True)
class Location:
    """A location in the body of an endpoint. `name` leads to it, such as `messages[].content`.

    If several types of values fit, each has a location of its own: `messages[].content/1` is the second.
    `items` make the entries of a list, one for each form that they can have.
    """

    path: str
    name: str
    type: LocationType
    fill: Fill
    items: tuple[ItemMaker, ...] = ()

    def body(self, payload: str) -> str:
        "The body with this JSON in the location."
        return json.dumps(self.fill(HOLE)).replace(json.dumps(HOLE), payload)


def endpoints() -> Iterator[Endpoint]:
    "All endpoints that read a body."
    for module in ROUTES:
        for route in module.router.routes:
            if isinstance(route, APIRoute) and (model := _body_of(route)):
                path = route.path
                for name in route.param_convertors:
                    path = path.replace(f"{{{name}}}", NO_ID)
                known = {field.alias or name for name, field in model.model_fields.items()}
                yield Endpoint(path, model, tuple(sorted({*model.FIELDS} - known)))
    for path, body in LOGGED_ENDPOINTS.items():
        yield Endpoint(path, body)
    yield Endpoint("/api/generate", RawBody)


def _body_of(route: APIRoute) -> type[Body] | None:
    "The type of the body of a route, whose parameter `client` is a `ClientRequest` of it."
    client = get_type_hints(route.endpoint).get("client")
    return get_args(client)[0] if client else None


def locations(endpoint: Endpoint) -> Iterator[Location]:
    "All locations of an endpoint's body."
    schema = endpoint.schema
    definitions = schema.get("$defs", {})
    base = {**_minimal(schema, definitions), **_needed(schema)}
    found = set()
    for name, inner in schema["properties"].items():
        for location in _locations(endpoint.path, inner, definitions, name, _in_object(_body, base, (name,))):
            found.add(location.name)
            yield location
    for name in endpoint.fields:
        if name not in found:
            yield Location(endpoint.path, name, "any", _in_object(_body, base, name.split(".")))


def _needed(schema: Json) -> Json:
    return {name: value for name, value in NEEDED.items() if name in schema["properties"]}


def _body(value: Any) -> Any:
    return value


def _in_object(fill: Fill, fields: Json, names: Sequence[str]) -> Fill:
    "What fills a location in an object with these fields, below the `names`."

    def filled(value: Any) -> Any:
        for name in reversed(names[1:]):
            value = {name: value}
        return fill({**fields, names[0]: value})

    return filled


def _in_list(fill: Fill) -> Fill:
    return lambda value: fill([value])


def _locations(
    path: str, schema: Json, definitions: Json, name: str, fill: Fill, depth: int = 0
) -> Iterator[Location]:
    for number, form in enumerate(_forms(schema, definitions)):
        location_name = f"{name}/{number}" if number else name
        match form:
            case {"type": "string"} | {"const": str()} | {"enum": [str(), *_]}:
                yield Location(path, location_name, "string", fill)
            case {"type": "integer" | "number"}:
                yield Location(path, location_name, "number", fill)
            case {"type": "array", "items": items}:
                makers = tuple(
                    maker for each in _forms(items, definitions) for maker in _item_makers(each, definitions)
                )
                yield Location(path, location_name, "list", fill, makers)
                if depth < MAX_DEPTH:
                    yield from _locations(
                        path, items, definitions, f"{location_name}[]", _in_list(fill), depth + 1
                    )
            case {"type": "object", "properties": properties}:
                least = _minimal(form, definitions)
                yield Location(path, location_name, "object", fill)
                for key, inner_schema in properties.items() if depth < 8 else ():
                    inner = lambda value, key=key, fill=fill, least=least: fill({**least, key: value})  # noqa: E731
                    yield from _locations(
                        path, inner_schema, definitions, f"{location_name}.{key}", inner, depth + 1
                    )
            case {"type": "object"}:
                yield Location(path, location_name, "object", fill)
            case {"type": "null" | "boolean"}:
                pass
            case _:
                yield Location(path, location_name, "any", fill)


def _forms(schema: Json, definitions: Json) -> list[Json]:
    "The alternatives of a schema, without references."
    if reference := schema.get("$ref"):
        return _forms(definitions[reference.rpartition("/")[2]], definitions)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            return [form for each in schema[keyword] for form in _forms(each, definitions)]
    return [schema]


def _minimal(schema: Json, definitions: Json) -> Json:
    "An object with what it must have."
    required = schema.get("required", ())
    return {
        name: _value(inner, definitions, name)
        for name, inner in schema.get("properties", {}).items()
        if name in required or "const" in inner or name == "content"
    }


def _value(schema: Json, definitions: Json, name: str = "") -> Any:
    "A value that fits."
    form = _forms(schema, definitions)[0]
    match form:
        case {"const": value}:
            return value
        case {"enum": values}:
            return KNOWN[name] if KNOWN.get(name) in values else values[0]
        case {"type": "string"}:
            return KNOWN.get(name, "x")
        case {"type": "array", "items": items}:
            return [_value(items, definitions)]
        case {"type": "object"}:
            return _minimal(form, definitions)
        case {"type": "integer" | "number"}:
            return 1
        case {"type": "boolean"}:
            return True
    return {}


def _item_makers(form: Json, definitions: Json) -> Iterator[ItemMaker]:
    "What makes entries of this form: with what they must have, and with all that they can have."
    if form.get("type") != "object" or "properties" not in form:
        value = _value(form, definitions)
        yield lambda n, distinct: f"{value}{n}" if distinct and isinstance(value, str) else value
        return
    properties: Mapping[str, Json] = form["properties"]
    least = _minimal(form, definitions)
    full = {name: _value(inner, definitions, name) for name, inner in properties.items()} | least
    for fields in (least, full):
        free = {name for name in fields if not {"const", "enum"} & properties[name].keys()}
        yield _item_maker(fields, free)


def _item_maker(fields: Json, free: Collection[str]) -> ItemMaker:
    "Makes objects with these fields. Distinct ones have their number in the `free` fields."

    def make(n: int, distinct: bool) -> Any:
        return {
            name: _numbered(value, n) if distinct and name in free else value
            for name, value in fields.items()
        }

    return make


def _numbered(value: Any, n: int) -> Any:
    match value:
        case "x":
            return f"x{n}"
        case dict():
            return {name: _numbered(inner, n) for name, inner in value.items()}
        case [first]:
            return [_numbered(first, n)]
    return value
