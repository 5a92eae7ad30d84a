"""Whatever fits the description, and whatever does not, is answered as the description says.

schemathesis makes requests of the description and checks the answers: none has a status of a failed server,
and each has a status, a type, headers and a body that are described. `make fuzz` draws new requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from proxy.openapi.operations import OPERATIONS

from .conftest import DescribedApp

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The marker that tests with a @given of their own have: `make fuzz` runs those.
pytestmark = pytest.mark.hypothesis

EXAMPLES = 5 if hypothesis.settings.default.derandomize else 40
KNOWN_FIELDS: Mapping[str, Any] = {
    "model": "gpt-oss",
    "input": "Hi",
    "prompt": "Hi",
    "messages": [{"role": "user", "content": "Hi"}],
    "dimensions": 2,
    "conversation": None,
    "previous_response_id": None,
    "tool_choice": None,
}
# Deletes come last, since the others need the objects.
KEYS = sorted(OPERATIONS, key=lambda key: key[0] == "DELETE")
# Nothing but a body can be invalid in more than a few ways. Bodies of Ollama's API are not read here.
WITH_BODY = [
    (method, path)
    for method, path in OPERATIONS
    if method == "POST" and path.startswith("/v1/") and not path.endswith("/cancel")
]


@pytest.mark.parametrize("key", KEYS, ids=" ".join)
def test_valid_requests(app: DescribedApp, key: tuple[str, str]) -> None:
    check_operation(app, key, GenerationMode.POSITIVE)


@pytest.mark.parametrize("key", WITH_BODY, ids=" ".join)
def test_invalid_requests(app: DescribedApp, key: tuple[str, str]) -> None:
    check_operation(app, key, GenerationMode.NEGATIVE)


def check_operation(app: DescribedApp, key: tuple[str, str], mode: GenerationMode) -> None:
    method, path = key

    @settings(max_examples=EXAMPLES, suppress_health_check=[*HealthCheck])
    @given(app.schema[path][method].as_strategy(generation_mode=mode), st.integers(0, 3))
    def check(case: Case, number: int) -> None:
        if number:
            _name_known_objects(case, app.ids)
        answer = app.send(**case.as_transport_kwargs(base_url="http://testserver"))
        # No probe says that this engine is ready.
        excluded = [not_a_server_error] if path == "/health" else []
        case.validate_response(answer, checks=CHECKS, excluded_checks=excluded)

    check()


def _name_known_objects(case: Case, ids: Mapping[str, str]) -> None:
    "Replace ids in the path by those of objects that exist, and fields of the body by what can be answered."
    case.path_parameters = {name: ids[name] for name in case.path_parameters}
    if isinstance(case.body, dict):
        case.body.update({name: KNOWN_FIELDS[name] for name in KNOWN_FIELDS.keys() & case.body.keys()})
        if case.path.startswith("/v1/responses"):
            case.body["input"] = "Hi"
        if case.path == "/v1/embeddings":
            case.body["model"] = "embed-tiny"
