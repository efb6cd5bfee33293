"""Every endpoint of seed 004 refuses bad input with a message, and writes nothing.

The bodies are sent one after another into the same world, which must be the same in the end.
"""

import json

import pytest
from django.test import Client
from django.urls import get_resolver
from hypothesis import given
from hypothesis import strategies as st

from api.nothing import NothingView
from tests import emptying
from tests.api_v1.endpoints import ANY, LIST, PASSED, TEXT, TEXTS
from tests.api_v1.test_bad_input import DEEP, MALFORMED, ROOTS, contents
from tests.api_v1.test_fuzz import SLOWLY, jsons
from tests.endpoints import all_paths, methods_of
from tests.spots.calls import JSON, refusal
from tests.spots.endpoints import REAL, WRITES, WRONG, World, every_write

pytestmark = pytest.mark.django_db

PREFIXES = ("internal/", "api/v1/")
OF_COMMANDS = ["api/v1/jobs/<job_id>", "api/v1/jobs/<job_id>/kill"]  # see tests/jobs


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


def test_every_endpoint_that_writes_is_tried_here(world):
    tried = {
        (get_resolver().resolve(world.filled(endpoint.path)).func, endpoint.method)
        for endpoint in WRITES
    }

    there_are = {
        (view, method): path
        for path, view in all_paths()
        for method in ("post", "put", "patch", "delete")
        if path.startswith(PREFIXES)
        and not path.startswith("api/v1/tokens")
        and view.cls is not NothingView
        and method in methods_of(view)
    }
    assert len(there_are) >= 8
    assert sorted(path for key, path in there_are.items() if key not in tried) == OF_COMMANDS


@every_write
def test_a_good_body_is_taken(world, endpoint):
    assert world.send(endpoint, world.good(endpoint)).status_code in {200, 201}


@every_write
def test_unknown_fields_are_ignored(world, endpoint):
    more = {"nonsense": {"deep": [None]}, "": 5, "spotIdd": 7, "__proto__": {}}

    assert world.send(endpoint, world.good(endpoint, **more)).status_code in {200, 201}


@every_write
def test_names_match_without_regard_to_case(world, endpoint):
    shouted = {name.upper(): value for name, value in world.good(endpoint).items()}

    assert world.send(endpoint, shouted).status_code in {200, 201}


@every_write
def test_invalid_json_is_refused(world, unchanged, endpoint):
    for body in MALFORMED if endpoint.bare else [b"", *MALFORMED]:
        assert refusal(world.send(endpoint, body)) == (400, "invalid JSON"), body[:40]


@every_write
def test_json_that_is_not_an_object_is_refused(world, unchanged, endpoint):
    for body in ROOTS:
        assert refusal(world.send(endpoint, body)) == (400, "invalid JSON"), body


@every_write
def test_null_is_an_empty_body(world, endpoint):
    response = world.send(endpoint, None)

    if endpoint.required:
        assert refusal(response)[0] == 400
        assert refusal(response)[1].endswith("is required")
    else:
        assert response.status_code == 200


@every_write
def test_a_field_of_the_wrong_type_is_named(world, unchanged, endpoint):
    for name, kind in endpoint.kinds.items():
        for wrong in WRONG[kind]:
            status, error = refusal(world.send(endpoint, world.good(endpoint, **{name: wrong})))

            assert status == 400, (name, wrong)
            assert name in error, (name, wrong)


@every_write
def test_a_text_that_cannot_be_stored_is_named(world, unchanged, endpoint):
    for bad in ("\0", "x\0y", "\ud800", "\udc00\ud800"):
        holding = {TEXT: bad, TEXTS: ["x", bad], ANY: [bad], LIST: [{"id": bad}]}
        for name, kind in endpoint.kinds.items():
            if kind in holding:
                response = world.send(endpoint, world.good(endpoint, **{name: holding[kind]}))

                status, error = refusal(response)
                assert status == 400, (name, bad)
                assert name in error, (name, bad)
                assert "NUL" in error


@every_write
def test_json_that_is_too_deep_is_refused(world, unchanged, endpoint):
    for depth in (65, 500, DEEP):
        start = json.dumps(world.good(endpoint))[:-1]
        comma = "," if endpoint.good else ""
        nest = f'{start}{comma}"deep":{"[" * depth}{"]" * depth}}}'

        assert refusal(world.send(endpoint, nest.encode()))[0] == 400


@every_write
def test_a_body_that_is_too_large_is_refused(world, unchanged, endpoint):
    body = json.dumps(world.good(endpoint, nonsense="x" * 2 * 1024 * 1024)).encode()

    assert refusal(world.send(endpoint, body))[0] == 413


@every_write
def test_a_large_number_is_taken_where_any_json_is_and_refused_by_name_elsewhere(world, endpoint):
    for name, kind in endpoint.kinds.items():
        response = world.send(endpoint, world.good(endpoint, **{name: 2**64 + 1}))

        if response.status_code not in {200, 201}:
            assert refusal(response)[0] == 400, name
            assert name in refusal(response)[1], name
        else:
            assert kind in {ANY, REAL, PASSED}, name


@every_write
def test_a_field_given_twice_or_beyond_every_float_is_refused_by_name(world, unchanged, endpoint):
    for name in endpoint.kinds:
        start = json.dumps(world.good(endpoint))[:-1].encode() + (b"," if endpoint.good else b"")
        field = name.encode()
        for end in (b'"%s":1,"%s":1}' % (field, field), b'"%s":1e400}' % field):
            status, error = refusal(world.send(endpoint, start + end))

            assert status == 400
            assert error.startswith(f"{name} must not be"), error


def is_answered(response):
    assert response.status_code < 500, response.content
    assert response["Content-Type"] == JSON
    if response.status_code >= 400:
        # Nobody has looked at the value before the database did.
        assert "cannot be stored" not in refusal(response)[1]


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
