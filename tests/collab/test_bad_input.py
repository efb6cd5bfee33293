"""Every endpoint of Collab jobs refuses bad input by seed 003's codes, and writes nothing.

The bodies are sent one after another into the same world, which must be the same in the end.
"""

import json

import pytest
from django.test import Client
from django.urls import get_resolver
from hypothesis import given
from hypothesis import strategies as st

from tests import emptying
from tests.api_v1.endpoints import ANY, LIST, OBJECT, PASSED, TEXT
from tests.api_v1.test_bad_input import DEEP, MALFORMED, ROOTS, contents
from tests.api_v1.test_fuzz import SLOWLY, jsons
from tests.collab.calls import JSON, refusal
from tests.collab.endpoints import TIME, WRITES, WRONG, World, every_write
from tests.endpoints import all_paths, methods_of
from tests.spots.endpoints import REAL

pytestmark = pytest.mark.django_db

INVALID = (400, "validation_error")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """Created once for a module; the writes of each test are rolled back."""
    with django_db_blocker.unblock():
        made = World(Client())
    yield made
    with django_db_blocker.unblock():
        emptying.empty()


@pytest.fixture
def unchanged(world):
    """Every row of every table must be the same after the test."""
    before = contents()
    yield
    assert contents() == before


def test_every_endpoint_that_writes_is_tried_here():
    tried = {
        (get_resolver().resolve(f"/api/collab{endpoint.path}").func, endpoint.method)
        for endpoint in WRITES
    }

    there_are = {
        (view, method)
        for path, view in all_paths()
        for method in ("post", "put", "patch", "delete")
        if path.startswith("api/collab/") and method in methods_of(view)
    }
    assert tried == there_are


@every_write
def test_a_good_body_is_taken(world, endpoint):
    assert world.send(endpoint, world.good(endpoint)).status_code == 200


@every_write
def test_unknown_fields_are_ignored(world, endpoint):
    more = {"nonsense": {"deep": [None]}, "": 5, "jobIdd": 7, "__proto__": {}}

    assert world.send(endpoint, world.good(endpoint, **more)).status_code == 200


@every_write
def test_names_match_without_regard_to_case(world, endpoint):
    shouted = {name.upper(): value for name, value in world.good(endpoint).items()}

    assert world.send(endpoint, shouted).status_code == 200


@every_write
def test_invalid_json_is_refused(world, unchanged, endpoint):
    for body in [b"", *MALFORMED]:
        assert refusal(world.send(endpoint, body)) == INVALID, body[:40]


@every_write
def test_json_that_is_not_an_object_is_refused(world, unchanged, endpoint):
    for body in ROOTS:
        assert refusal(world.send(endpoint, body)) == INVALID, body


@every_write
def test_a_field_that_is_missing_is_named(world, unchanged, endpoint):
    assert refusal(world.send(endpoint, None)) == INVALID
    for name in endpoint.good:
        if name == "workerId" and endpoint.path == "/task.result":
            continue
        body = world.good(endpoint)
        for absent in ({}, {name: None}, {name: ""}):
            if absent.get(name) == "" and not isinstance(body[name], str):
                continue
            rest = {other: value for other, value in body.items() if other != name}
            answer = world.send(endpoint, rest | absent)
            assert refusal(answer) == INVALID, name
            assert answer.json()["details"] == {name: [f"{name} is required"]}


@every_write
def test_a_field_of_the_wrong_type_is_named(world, unchanged, endpoint):
    for name, kind in endpoint.kinds.items():
        for wrong in WRONG[kind]:
            answer = world.send(endpoint, world.good(endpoint, **{name: wrong}))

            assert refusal(answer) == INVALID, (name, wrong)
            assert list(answer.json()["details"]) == [name], (name, wrong)
            assert name in answer.json()["error"], (name, wrong)


@every_write
def test_a_text_that_cannot_be_stored_is_named(world, unchanged, endpoint):
    for bad in ("\0", "x\0y", "\ud800", "\udc00\ud800"):
        holding = {TEXT: bad, TIME: bad, OBJECT: {"x": bad}, ANY: [bad], LIST: [{"name": bad}]}
        for name, kind in endpoint.kinds.items():
            if kind in holding:
                answer = world.send(endpoint, world.good(endpoint, **{name: holding[kind]}))

                assert refusal(answer) == INVALID, (name, bad)
                assert name in answer.json()["error"], (name, bad)
                assert "NUL" in answer.json()["error"]


@every_write
def test_json_that_is_too_deep_is_refused(world, unchanged, endpoint):
    for depth in (65, 500, DEEP):
        start = json.dumps(world.good(endpoint))[:-1]
        nest = f'{start},"deep":{"[" * depth}{"]" * depth}}}'

        assert refusal(world.send(endpoint, nest.encode())) == INVALID


@every_write
def test_a_body_that_is_too_large_is_refused(world, unchanged, endpoint):
    body = json.dumps(world.good(endpoint, nonsense="x" * 2 * 1024 * 1024)).encode()

    assert refusal(world.send(endpoint, body)) == (413, "payload_too_large")


def test_a_payload_or_a_result_that_is_too_large_is_refused(world, unchanged):
    large = {"x": "x" * 256 * 1024}
    by_path = {endpoint.path: endpoint for endpoint in WRITES}
    artifacts = [{"name": str(n), "url": f"{n}" * 900} for n in range(1, 100)]
    for path, more in (
        ("/task.assign", {"payload": large}),
        ("/task.result", {"result": large}),
        ("/task.result", {"result": "x" * 200 * 1024, "artifacts": artifacts}),
        ("/task.progress", {"detail": "x" * 17 * 1024}),
    ):
        endpoint = by_path[path]
        answer = world.send(endpoint, world.good(endpoint, **more))
        assert refusal(answer) == (413, "payload_too_large"), path


BEYOND = [
    ("/task.claim", "leaseSeconds", [14, 601, 0, -1]),
    ("/task.renew", "leaseSeconds", [14, 601]),
    ("/task.assign", "type", ["x" * 65]),
    ("/task.assign", "executorId", ["x" * 201]),
    ("/task.assign", "idempotencyKey", ["x" * 201]),
    ("/task.assign", "maxAttempts", [0, 1001]),
    ("/task.claim", "workerId", ["x" * 201]),
    ("/task.progress", "pct", [-1, 100.5]),
    ("/task.result", "leaseToken", [0, 2**63]),
    ("/task.result", "type", ["test"]),
    ("/task.result", "reason", ["whatever"]),
    ("/task.result", "stage", ["later"]),
    ("/task.result", "artifacts", [[{"name": "a"}] * 2, [{"name": str(n)} for n in range(101)]]),
    ("/task.result", "artifacts", [[{"url": "x"}], [{"name": "a", "size": -1}]]),
    ("/task.result", "artifact", [{"name": "a", "sha256": "abc"}, {"name": ""}]),
    ("/task.cancel", "mode", ["gently"]),
    ("/workers/heartbeat", "status", ["asleep"]),
    ("/workers/heartbeat", "running", [-1]),
    ("/workers/heartbeat", "capacity", [-1, 1001]),
    ("/workers/heartbeat", "version", ["x" * 201]),
]


@pytest.mark.parametrize(("path", "name", "values"), BEYOND)
def test_a_value_beyond_its_bounds_is_named(world, unchanged, path, name, values):
    [endpoint] = [one for one in WRITES if one.path == path]
    for value in values:
        answer = world.send(endpoint, world.good(endpoint, **{name: value}))

        assert refusal(answer) == INVALID, value
        assert list(answer.json()["details"]) == [name], answer.content


@every_write
def test_a_large_number_is_taken_where_any_json_is_and_refused_by_name_elsewhere(world, endpoint):
    for name, kind in endpoint.kinds.items():
        answer = world.send(endpoint, world.good(endpoint, **{name: 2**64 + 1}))

        if answer.status_code != 200:
            assert refusal(answer) == INVALID, name
            assert name in answer.json()["error"], name
        else:
            assert kind in {ANY, REAL, PASSED}, name


@every_write
def test_a_field_given_twice_or_beyond_every_float_is_refused_by_name(world, unchanged, endpoint):
    for name in endpoint.kinds:
        start = json.dumps(world.good(endpoint))[:-1].encode() + b","
        field = name.encode()
        for end in (b'"%s":1,"%s":1}' % (field, field), b'"%s":1e400}' % field):
            answer = world.send(endpoint, start + end)

            assert refusal(answer) == INVALID
            assert answer.json()["error"].startswith(f"{name} must not be"), answer.content


def is_answered(answer):
    assert answer.status_code < 500, answer.content
    assert answer["Content-Type"] == JSON
    if answer.status_code >= 400:
        refusal(answer)
        # Nobody has looked at the value before the database did.
        assert "cannot be stored" not in answer.json()["error"]


@every_write
def test_random_fields_are_answered(world, endpoint):
    @SLOWLY
    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(endpoint.kinds, jsons)))
    def send(fields):
        is_answered(world.send(endpoint, world.good(endpoint, **fields)))

    send()


@every_write
def test_random_json_is_answered(world, endpoint):
    @SLOWLY
    @given(jsons)
    def send(body):
        is_answered(world.send(endpoint, body))

    send()


def test_random_queries_are_answered(world):
    names = ["limit", "cursor", "status", "type", "executorId", "from", "to", "trace_id", "x"]
    values = st.text(max_size=12) | st.sampled_from(["null", "queued", "1", "2026-01-31T12:00:00Z"])

    @SLOWLY
    @given(st.dictionaries(st.sampled_from(names), values))
    def ask(query):
        is_answered(world.collab.get("/jobs/recent", **query))

    ask()
