"""Makes the description of an app: what FastAPI says of its routes, with bodies, answers, errors and keys.

Routes of plugins are described by FastAPI alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, get_args, get_origin, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from ..api.anthropic.models import AnthropicRoute
from ..api.ollama.route import forward
from ..http.anthropic_errors import VERSION_HEADER
from ..http.auth import PUBLIC
from ..http.body_model import Body
from ..http.field_table import FieldTable, Names, RequestField
from ..inference.client_request import ClientRequest
from . import anthropic, others
from .operations import ANTHROPIC_OPERATIONS, OPERATIONS, STATUSES, Operation, OperationKey

Json = dict[str, Any]
# For each model of a body, an answer or an event, what refers to its schema.
References = Mapping[type[BaseModel], Json]

COMPONENTS = "#/components/schemas/"
DESCRIPTION = (
    "OpenAI's, Anthropic's and Ollama's APIs for gpt-oss. `HEAD` is answered wherever `GET` is. A request "
    "that has the header `anthropic-version` gets errors in Anthropic's form."
)
# FastAPI's schemas of errors that this server does not have.
UNUSED = {"HTTPValidationError", "ValidationError"}
# pydantic leaves its own names where a limit follows a function that validates.
LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
# The last one stands for no key at all: a server without keys needs none.
SECURITY: list[Json] = [*({name: []} for name in SECURITY_SCHEMES), {}]
HEADERS = {
    "x-request-id": {
        "description": "The client's own id if it sent one",
        "required": True,
        "schema": {"type": "string"},
    },
    "x-llm-turn": {
        "description": "The turn of the answer in the log. For several choices, that of the first one",
        "schema": {"type": "string"},
    },
    "x-llm-ignored": {
        "description": "The fields of the request that have no effect, because the server does not know them",
        "schema": {"type": "string"},
    },
    "retry-after": {
        "description": "The seconds after which to try again",
        "schema": {"type": "string"},
    },
}
HEADER_REFERENCES = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
RELAYED_ERROR = "An error of Ollama, or of this server"


def _header(name: str, description: str) -> Json:
    "A header of a request."
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


LOG_HEADER = _header("X-LLM-Log", "`off`: this request is not logged")
RETRY_HEADER = _header(
    "Idempotency-Key", "A request that is sent again with the same key gets the same answer"
)
ANTHROPIC_HEADER = _header(VERSION_HEADER, "With this header, the answer has the form of Anthropic's API")
METADATA_FILTER = {
    "name": "metadata",
    "in": "query",
    "description": "Only completions with these metadata, as `metadata[key]=value`",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 16},
}
DIGEST = {
    "name": "digest",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^sha256[:-][0-9a-f]{64}$"},
}
ADDED_PARAMETERS: Mapping[OperationKey, list[Json]] = {
    ("GET", "/v1/chat/completions"): [METADATA_FILTER],
    ("GET", "/v1/models"): [ANTHROPIC_HEADER],
    ("GET", "/v1/models/{name}"): [ANTHROPIC_HEADER],
    ("HEAD", "/api/blobs/{digest}"): [DIGEST],
    ("POST", "/api/blobs/{digest}"): [DIGEST],
}


class Schemas(GenerateJsonSchema):
    "Leaves out what says nothing: titles that repeat names, and defaults, which are null everywhere."

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"])


def document(app: FastAPI) -> Json:
    "Return the description of the app as it is served, with the routes of its plugins."
    bodies = dict(_body_models(app))
    schemas, references = _schemas({*bodies.values()})
    # FastAPI would describe these paths twice, or not at all.
    routes = [
        route
        for route in app.routes
        if not isinstance(route, AnthropicRoute) and getattr(route, "endpoint", None) is not forward
    ]
    made = get_openapi(
        title=app.title, version=version("llm-gpt-oss"), description=DESCRIPTION, routes=routes
    )
    paths: Json = made["paths"]
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        # FastAPI's own status for what this server answers with 400.
        operation["responses"].pop("422", None)
    for key, row in OPERATIONS.items():
        method, path = key
        methods = paths.setdefault(path, {})
        parameters = methods.get(method.lower(), {}).get("parameters", [])
        body = references[bodies[key]] if key in bodies else None
        methods[method.lower()] = _operation(key, row, parameters, body, references)
    plugin_schemas = made.get("components", {}).get("schemas", {})
    made["components"] = {
        "schemas": {**{name: plugin_schemas[name] for name in {*plugin_schemas} - UNUSED}, **schemas},
        "headers": HEADERS,
        "responses": _errors(references),
        "securitySchemes": SECURITY_SCHEMES,
    }
    return {**made, "security": SECURITY}


def _operation(
    key: OperationKey, row: Operation, parameters: list[Json], body: Json | None, references: References
) -> Json:
    "`parameters` are those that FastAPI found, `body` is the schema of the request's body."
    method, path = key
    added = [*ADDED_PARAMETERS.get(key, ())]
    if body and row.event:
        added += [LOG_HEADER, RETRY_HEADER]
    return {
        "tags": [row.tag],
        "summary": row.summary,
        "operationId": _operation_id(method, path),
        "parameters": [*parameters, *added],
        **({"requestBody": {"required": True, **_json(body)}} if body else {}),
        "responses": _answers(key, row, references),
        **({"security": []} if path in PUBLIC else {}),
    }


def _operation_id(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _body_models(app: FastAPI) -> Iterator[tuple[OperationKey, type[BaseModel]]]:
    "Yield the model of each body that is read before the route is called, and of those of Ollama's API."
    for route in app.routes:
        if isinstance(route, APIRoute) and (model := _body_model(route.endpoint)):
            for method in route.methods or ():
                yield (method, route.path_format), model
    for key, operation in OPERATIONS.items():
        if operation.body:
            yield key, operation.body


def _body_model(endpoint: Callable[..., Any]) -> type[BaseModel] | None:
    hints = get_type_hints(endpoint).values()
    return next((get_args(hint)[0] for hint in hints if get_origin(hint) is ClientRequest), None)


def _schemas(bodies: set[type[BaseModel]]) -> tuple[Json, References]:
    "Return the schemas of all models by name, and a reference to each."
    models: set[type[BaseModel]] = {*bodies, others.Error, others.OllamaError, anthropic.AnthropicError}
    for operation in OPERATIONS.values():
        models |= {each for each in (operation.answer, operation.other_answer, operation.event) if each}
    made, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models, key=repr)],
        ref_template=f"{COMPONENTS}{{model}}",
        schema_generator=Schemas,
    )
    schemas: Json = definitions["$defs"]
    for model in bodies:
        if issubclass(model, Body) and model.FIELDS:
            _add_fields(schemas[_name(made[model, "validation"])], model.FIELDS)
    names = {name: _short_name(name) for name in schemas}
    assert len({*names.values()}) == len(names)
    references = {model: _renamed(made[model, "validation"], names) for model in models}
    return {names[name]: _renamed(schema, names) for name, schema in schemas.items()}, references


def _name(reference: Json) -> str:
    name: str = reference["$ref"].removeprefix(COMPONENTS)
    return name


def _short_name(name: str) -> str:
    "Return a name that says the endpoint, where pydantic takes that of the module to tell two models apart."
    *modules, model = name.split("__")
    prefix = modules[-2].replace("openapi", "answer") if modules else ""
    return f"{prefix.title().replace('_', '')}{model}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    "Return a schema with other names in its references, and with JSON schema's names of limits."
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    limits = LIMITS if "type" in value else {}
    renamed = {limits.get(key, key): _renamed(each, names) for key, each in value.items()}
    if isinstance(reference := renamed.get("$ref"), str) and reference.startswith(COMPONENTS):
        renamed["$ref"] = COMPONENTS + names[reference.removeprefix(COMPONENTS)]
    if mapping := renamed.get("discriminator", {}).get("mapping"):
        mapping.update(
            {key: COMPONENTS + names[each.removeprefix(COMPONENTS)] for key, each in mapping.items()}
        )
    return renamed


def _add_fields(schema: Json, table: FieldTable) -> None:
    "Describe what the server does with each field, and add those that the model does not have."
    own = {**schema["properties"]}
    for names, field in table.by_names.items():
        if len(names) == 1 and names[0] in own:
            schema["properties"][names[0]] = {**own[names[0]], "description": _decision(field)}
        elif names[0] not in own:
            _add_field(schema["properties"], names, {"description": _decision(field), **_values(field, own)})


def _add_field(properties: Json, names: Names, schema: Json) -> None:
    name, *inner = names
    if inner:
        holder = properties.setdefault(name, {"type": "object", "properties": {}})
        _add_field(holder.setdefault("properties", {}), tuple(inner), schema)
    else:
        properties[name] = {**schema, **properties.get(name, {})}


def _decision(field: RequestField) -> str:
    target = f"as `{field.target}`" if field.target else ""
    return f"{field.decision.capitalize()}: {'; '.join(filter(None, (target, field.note)))}".removesuffix(
        ": "
    )


def _values(field: RequestField, own: Mapping[str, Json]) -> Json:
    "Return the schema of a field that the model does not have."
    if field.decision == "refused":
        return {"enum": [None, *field.neutral]}
    return own.get(field.target or "", {}) if field.convert is None else {}


def _answers(key: OperationKey, operation: Operation, references: References) -> Json:
    without_body = key[0] == "HEAD"
    answer = {"headers": HEADER_REFERENCES, **({} if without_body else _content(operation, references))}
    if operation.relayed:
        error = {"description": RELAYED_ERROR, "headers": HEADER_REFERENCES}
        content = {} if without_body else _json(_any_of(references, others.OllamaError, others.Error))
        return {
            "200": {"description": "What Ollama answers", **answer},
            "default": {**error, **content},
        }
    return {
        **{str(status): _error(key, operation, status) for status in sorted(operation.errors)},
        **{
            str(status): {"description": description, **answer}
            for status, description in operation.answers.items()
        },
    }


def _content(operation: Operation, references: References) -> Json:
    "Return the content of an answer: as one object and, if it can be streamed, as events or lines."
    models = [model for model in (operation.answer, operation.other_answer) if model]
    whole = {"schema": _any_of(references, *models)} if models else {}
    content: Json = dict.fromkeys(operation.media_types, whole)
    if operation.event:
        # Until OpenAPI 3.2, the schema of a stream is that of one event.
        content["text/event-stream"] = {"schema": _event(references[operation.event], references)}
    if operation.has_lines:
        content["application/x-ndjson"] = {"schema": references[others.OllamaAnswer]}
    return {"content": content}


def _event(event: Json, references: References) -> Json:
    "Return the schema of one event of a stream, which can end with an error."
    data: list[Json] = [
        {"contentMediaType": "application/json", "contentSchema": schema}
        for schema in (event, references[others.Error])
    ]
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "event": {"type": "string"},
            "data": {"type": "string", "anyOf": [*data, {"const": "[DONE]"}]},
        },
    }


def _error(key: OperationKey, operation: Operation, status: int) -> Json:
    form = "Anthropic" if key in ANTHROPIC_OPERATIONS else "Either" if operation.other_answer else "OpenAI"
    return {"$ref": f"#/components/responses/{form}{status}"}


def _errors(references: References) -> Json:
    "Return the errors of each form of the API, by the names that `_error` gives them."
    forms = {
        "OpenAI": _any_of(references, others.Error),
        "Anthropic": _any_of(references, anthropic.AnthropicError),
        "Either": _any_of(references, others.Error, anthropic.AnthropicError),
    }
    return {
        f"{form}{status}": {"description": description, "headers": HEADER_REFERENCES, **_json(schema)}
        for form, schema in forms.items()
        for status, description in STATUSES.items()
    }


def _any_of(references: References, *models: type[BaseModel]) -> Json:
    schemas = [references[model] for model in models]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
