"A server process goes on answering while it gets requests that are built to keep it busy."

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.attacks.engine import BadEngine
from support.attacks.locations import HOLE, Endpoint, endpoints, locations
from support.attacks.payloads import BY_TYPE, SCHEMAS, Payload
from support.attacks.play import GENEROUS, STRICT, Outcome, play, start_after_kill
from support.attacks.table import Attack, drawn, named
from support.attacks.target import Delay, Probe, Target

from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

# Most of these once took a server fifteen seconds or more. `make attack` plays all.
NAMES = (
    "ChatRequest /v1/chat/completions messages[].content: '#', many ' ', 'x'",
    "ChatRequest /v1/chat/completions tools: equal entries of form 0",
    "ResponsesRequest /v1/responses tools: distinct entries of form 0",
    "ChatRequest /v1/chat/completions response_format/2.json_schema.schema: many types",
    "MessagesRequest /v1/messages tools[].input_schema: an enum of objects",
    "A history, chat: results without an id",
    "A history, chat, calls in one message: calls in a row",
    "Compressed, 31 MB of lists",
    "ResponsesRequest /v1/responses tools[].description: many '<|start|>'",
    "MessagesRequest /v1/messages messages[].content: lone surrogates",
    "WebSocket: ResponsesRequest /v1/responses temperature: many digits",
    "An engine, /v1/chat/completions, plain, whole: a text of 8 MB in one piece",
)


@pytest.fixture(scope="module")
def engine() -> Iterator[BadEngine]:
    with BadEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def target(engine: BadEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with Target.started(tmp_path_factory.mktemp("attacked"), engine.url) as target:
        yield target


@pytest.fixture(scope="module")
def probe(target: Target) -> Iterator[Probe]:
    with Probe(target) as probe:
        yield probe


@pytest.fixture(scope="module")
def attacks() -> dict[str, Attack]:
    return dict(zip(NAMES, named(*NAMES), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_an_attack(
    name: str, attacks: dict[str, Attack], target: Target, probe: Probe, engine: BadEngine
) -> None:
    assert play(attacks[name], target, probe, engine).problems(GENEROUS) == []


def test_a_server_starts_after_one_was_killed_during_an_attack(
    tmp_path: Path, attacks: dict[str, Attack], engine: BadEngine
) -> None:
    assert start_after_kill(attacks[NAMES[0]], tmp_path, engine) < GENEROUS.start


def test_all_endpoints_that_read_a_body_are_attacked() -> None:
    found = {endpoint.path: len([*locations(endpoint)]) for endpoint in endpoints()}
    assert {"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/api/chat"} < {*found}
    assert all(found.values())


def test_a_new_field_is_attacked_by_itself() -> None:
    class Inner(Body):
        text: str

    class New(Body):
        model: str
        entries: list[Inner | str] | None = None
        numbers: dict[str, int] | None = None

    found = {
        location.name: (location.type, location.fill(1))
        for location in locations(Endpoint("/new", New, ("other.one",)))
    }
    assert found == {
        "model": ("string", {"model": 1}),
        "entries": ("list", {"model": "gpt-oss", "entries": 1}),
        "entries[]": ("object", {"model": "gpt-oss", "entries": [1]}),
        "entries[].text": ("string", {"model": "gpt-oss", "entries": [{"text": 1}]}),
        "entries[]/1": ("string", {"model": "gpt-oss", "entries": [1]}),
        "numbers": ("object", {"model": "gpt-oss", "numbers": 1}),
        "other.one": ("any", {"model": "gpt-oss", "other": {"one": 1}}),
    }


def test_most_locations_are_in_valid_bodies() -> None:
    "Otherwise an attack would get no further than to validation."
    valid = {True: 0, False: 0}
    for endpoint in endpoints():
        if issubclass(endpoint.model, Body):
            for location in locations(endpoint):
                valid[
                    _is_valid(location.body('"x"' if location.type == "string" else "null"), endpoint.model)
                ] += 1
    assert valid[True] > 2 * valid[False]


def _is_valid(body: str, model: type[Body]) -> bool:
    try:
        parse_body(body.encode(), model)
    except ApiError:
        return False
    return True


PAYLOADS = {name: payload for each in (*BY_TYPE.values(), SCHEMAS) for name, payload in each.items()}


@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in PAYLOADS.items()])
def test_a_payload_is_no_longer_than_it_should_be(payload: Payload) -> None:
    assert len(payload(10_000).encode()) < 21_000


def test_the_order_of_attacks_depends_on_the_seed_alone() -> None:
    names = [[attack.name for attack in drawn(["/v1/embeddings"], ["input"], seed)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert {*names[0]} == {*names[2]}
    assert not any("input" in name or HOLE in name for name in names[0])


def test_names_are_distinct() -> None:
    names = [attack.name for attack in drawn(["/v1/messages"], [], 1)]
    assert len({*names}) == len(names)


QUICK, SLOW = Delay(0, 0.1, 0.1), Delay(0, 3, 3)


@pytest.mark.parametrize(
    ("outcome", "problems"),
    [
        pytest.param(Outcome(200, QUICK, 1, QUICK, 0), [], id="quick"),
        pytest.param(Outcome(200, SLOW, 1, QUICK, 0), ["The answer took 3.0 s of 2.0 s."], id="slow"),
        pytest.param(Outcome(200, SLOW, 2, QUICK, 0), [], id="much to send"),
        pytest.param(Outcome(200, QUICK, 1, SLOW, 0), ["/health took 3.00 s."], id="frozen"),
        pytest.param(Outcome(200, QUICK, 1, Delay(0, 9, 0), 0), ["/health took 0.90 s."], id="locked loop"),
        pytest.param(Outcome(200, QUICK, 1, Delay(0, 1, 0.3), 0), [], id="busy"),
        pytest.param(Outcome(200, QUICK, 1, Delay(0, 1, None), 0), ["/health took 1.00 s."], id="no cpu"),
        pytest.param(Outcome(200, QUICK, 1, QUICK, 3), ["The log was locked for 3.0 s."], id="locked"),
        pytest.param(Outcome(500, QUICK, 1, QUICK, 0), ["The status was 500."], id="status"),
        pytest.param(Outcome(200, QUICK, 1, QUICK, 0, True), ["The turn is not in the log."], id="lost"),
    ],
)  # fmt: skip
def test_problems(outcome: Outcome, problems: list[str]) -> None:
    assert outcome.problems(STRICT) == problems
