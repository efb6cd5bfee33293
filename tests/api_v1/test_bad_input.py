"""Every writing endpoint refuses bad input with a message, and writes nothing.

The bodies are sent one after another into the same world, which must be the same in the end.
"""

import json

import pytest
from django.apps import apps
from django.db import connection
from django.urls import get_resolver

from tests.api_v1.calls import message, refusal
from tests.api_v1.endpoints import (
    ANY,
    LIST,
    OBJECT,
    PASSED,
    TEXT,
    TEXTS,
    WRITES,
    WRONG,
    every_write,
)
from tests.endpoints import methods_of

pytestmark = pytest.mark.django_db

DEEP = 10_000
MALFORMED = [
    b"{",
    b"nope",
    b"'x'",
    b'{"agent_id": "a"',
    b'{"agent_id": "a",}',
    b'{"agent_id": NaN}',
    b'{"agent_id": "a"} {}',
    b'{"agent_id": "\x00"}',
    b'{"agent_id": "\xff"}',
    b'{"agent_id": "\xed\xa0\x80"}',  # half a surrogate pair in UTF-8, which has none
    b"\x00",
    b"\xfe\xff\x00{\x00}",
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"payload":' * DEEP + b"1" + b"}" * DEEP,
]
SEED = 2**64 + 1
ROOTS = [[], [[]], 5, 1.5, True, False, "x"]


@pytest.fixture
def unchanged(world):
    """Every row of every table must be the same after the test."""
    before = contents()
    yield
    assert contents() == before


def contents():
    """The rows of each table as text, by one statement: it is asked twice by each test."""
    tables = [model._meta.db_table for model in apps.get_models(include_auto_created=True)]
    rows = "SELECT '{0}', string_agg(t::text, E'\\n' ORDER BY t::text) FROM {0} t"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(map(rows.format, tables)))
        return dict(cursor.fetchall())


def routes(kind):
    for pattern in kind.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern)
        else:
            yield pattern


def test_every_endpoint_that_writes_is_tried_here(world):
    tried = set()
    for endpoint in WRITES:
        match = get_resolver().resolve(f"/v1{world.filled(endpoint.path)}")
        tried.add((match.route, endpoint.method))

    there_are = {
        (str(route.pattern), method)
        for route in routes(get_resolver())
        for method in ("post", "put", "patch")
        if str(route.pattern).startswith("v1/")
        and not str(route.pattern).startswith(("v1/auth/", "v1/tasks/claim/wait"))
        and not str(route.pattern).endswith("artifacts/<path:path>")  # whose body is no JSON
        and method in methods_of(route.callback)
    }

    assert there_are <= tried


@every_write
def test_a_good_body_is_taken(world, endpoint):
    assert world.send(endpoint, world.good(endpoint)).status_code in {200, 201}


@every_write
def test_unknown_fields_are_ignored(world, endpoint):
    more = {"nonsense": {"deep": [None]}, "": 5, "agent_idd": 7, "__proto__": {}}

    assert world.send(endpoint, world.good(endpoint, **more)).status_code in {200, 201}


@every_write
def test_invalid_json_is_refused(world, unchanged, endpoint):
    for body in MALFORMED if endpoint.bare else [b"", *MALFORMED]:
        assert refusal(world.send(endpoint, body)) == (400, "bad_json"), body[:40]


@every_write
def test_json_that_is_not_an_object_is_refused(world, unchanged, endpoint):
    for body in ROOTS:
        status, code = refusal(world.send(endpoint, body))
        assert (status, code) in {(400, "bad_json"), (400, "invalid_request")}, body


@every_write
def test_null_is_an_empty_body(world, endpoint):
    response = world.send(endpoint, None)

    if endpoint.required:
        assert refusal(response) == (400, "invalid_request")
        assert "required" in message(response)
    else:
        assert response.status_code in {200, 201}


@every_write
def test_a_field_of_the_wrong_type_is_named(world, unchanged, endpoint):
    for name, kind in endpoint.kinds.items():
        for wrong in WRONG[kind]:
            response = world.send(endpoint, world.good(endpoint, **{name: wrong}))

            assert refusal(response)[0] == 400, (name, wrong)
            assert name in message(response), (name, wrong)


@every_write
def test_a_text_that_cannot_be_stored_is_named(world, unchanged, endpoint):
    for bad in ("\0", "x\0y", "\ud800", "\udc00\ud800"):
        holding = {
            TEXT: bad,
            TEXTS: ["x", bad],
            OBJECT: {"a": [{"b": bad}]},
            ANY: [bad],
            LIST: [{"id": bad}],
        }
        for name, kind in endpoint.kinds.items():
            if kind in holding:
                response = world.send(endpoint, world.good(endpoint, **{name: holding[kind]}))

                assert refusal(response) == (400, "invalid_request"), (name, bad)
                assert name in message(response), (name, bad)
                assert "NUL" in message(response)


@every_write
def test_a_key_that_cannot_be_stored_is_refused(world, unchanged, endpoint):
    for bad in ("\0", "\ud800"):
        body = world.good(endpoint, **{f"a{bad}": 1})

        assert refusal(world.send(endpoint, body)) == (400, "invalid_request")


@every_write
def test_json_that_is_too_deep_is_refused(world, unchanged, endpoint):
    for depth in (65, 500, DEEP):
        start = json.dumps(world.good(endpoint))[:-1]
        comma = "," if endpoint.good else ""
        nest = f'{start}{comma}"deep":{"[" * depth}{"]" * depth}}}'

        assert refusal(world.send(endpoint, nest.encode())) == (400, "bad_json")


@every_write
def test_a_body_that_is_too_large_is_refused(world, unchanged, endpoint):
    body = json.dumps(world.good(endpoint, nonsense="x" * 2 * 1024 * 1024)).encode()

    assert refusal(world.send(endpoint, body)) == (413, "payload_too_large")


@every_write
def test_a_large_number_is_taken_where_any_json_is_and_refused_by_name_elsewhere(world, endpoint):
    for name, kind in endpoint.kinds.items():
        value = {"seed": SEED} if kind in {OBJECT, ANY} else SEED
        response = world.send(endpoint, world.good(endpoint, **{name: value}))

        if response.status_code not in {200, 201}:
            assert refusal(response)[0] == 400, name
            assert name in message(response), name
        else:
            assert kind in {OBJECT, ANY, PASSED}, name


@every_write
def test_a_field_given_twice_is_refused_by_name(world, endpoint):
    for name in endpoint.kinds:
        start = json.dumps(world.good(endpoint))[:-1].encode() + (b"," if endpoint.good else b"")
        body = start + b'"%s":null,"%s":null}' % (name.encode(), name.encode())

        response = world.send(endpoint, body)

        assert refusal(response) == (400, "bad_json"), name
        assert message(response).startswith(f"{name} must not be given twice"), name


@every_write
def test_a_number_beyond_every_float_is_refused_by_name(world, endpoint):
    for name in endpoint.kinds:
        start = json.dumps(world.good(endpoint))[:-1].encode() + (b"," if endpoint.good else b"")

        response = world.send(endpoint, start + b'"%s":{"x":1e400}}' % name.encode())

        assert refusal(response) == (400, "bad_json"), name
        assert message(response).startswith(f"{name}.x must not be a number beyond"), name


@pytest.mark.parametrize(
    ("method", "path", "name", "more"),
    [
        ("post", "/tasks", "payload", {"channel_id": "{channel}", "title": "x"}),
        ("post", "/tasks/complete", "result", {"task_id": "{held}", "agent_id": "agent"}),
        ("post", "/events", "payload", {"agent_id": "agent", "type": "x"}),
    ],
)
def test_a_json_field_that_is_too_large_is_named(world, unchanged, method, path, name, more):
    body = world.filled(more) | {name: {"x": "y" * 256 * 1024}}

    response = world.api.send(method, path, body)

    assert refusal(response) == (413, "payload_too_large")
    assert name in message(response)


def test_numbers_beyond_all_measure_are_kept_or_refused(world):
    for number in (b"1e400", b"-1e400", b"1e-400", b"9" * 400, b"9" * 30, b"-0.0"):
        start = json.dumps(world.filled({"channel_id": "{channel}", "title": "x"}))[:-1].encode()
        response = world.api.send("post", "/tasks", start + b',"payload":{"n":' + number + b"}}")

        if response.status_code == 201:
            task = response.json()["task"]
            assert world.api.fresh(task)["payload"]["n"] == json.loads(number), number
        else:
            assert refusal(response)[0] == 400, number
