"""Every function of the vault refuses bad input by seed 003's codes, and stores nothing."""

import json

import pytest
from django.test import Client
from hypothesis import given

from tests import emptying
from tests.api_v1.calls import UNKNOWN
from tests.api_v1.endpoints import NUMBER, TEXT, TEXTS, Endpoint
from tests.api_v1.test_bad_input import DEEP, MALFORMED, ROOTS, contents
from tests.api_v1.test_fuzz import SLOWLY, jsons
from tests.collab.calls import JSON, refusal
from tests.collab.endpoints import TIME, WRONG
from tests.vault.keys import SECRET, make_key

pytestmark = pytest.mark.django_db

INVALID = (400, "validation_error")
AUDIT = {"vault_keyaudit", "vault_keytally"}  # which have each refusal
TIMES = {"not_before_at": TIME, "expires_at": TIME, "rotate_after": TIME}
SAID = dict.fromkeys(("name", "env", "service", "resource", "alias"), TEXT)
ENDPOINTS = [
    Endpoint(
        "post",
        "upsert",
        {"provider": "openai", "value": SECRET},
        {"provider": TEXT, "value": TEXT, "region": TEXT, "scopes": TEXTS, **SAID, **TIMES},
    ),
    Endpoint("post", "get", {"name": "openai"}, {**SAID, "provider": TEXT, "version_int": NUMBER}),
    Endpoint("post", "rotate", {"key_id": "{key}"}, {"key_id": TEXT, "value": TEXT, **TIMES}),
    Endpoint(
        "post",
        "revoke",
        {"key_id": "{key}", "reason": "a test"},
        {"key_id": TEXT, "reason": TEXT, "version_int": NUMBER},
    ),
]
every_function = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


class World:
    """A key, and whoever sends requests about it."""

    def __init__(self):
        self.client = Client()
        self.key = str(make_key().pk)

    def good(self, endpoint, **more):
        said = {
            name: value.format(key=self.key) if name == "key_id" else value
            for name, value in endpoint.good.items()
        }
        return {**said, **more}

    def send(self, endpoint, body):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/functions/v1/key-vault/{endpoint.path}"
        return self.client.generic("POST", path, raw, "application/json")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        made = World()
    yield made
    with django_db_blocker.unblock():
        emptying.empty()


@pytest.fixture
def unchanged(world):
    """Every row of every table but the audit must be the same after the test."""
    before = without_audit()
    yield
    assert without_audit() == before


def without_audit():
    return {name: rows for name, rows in contents().items() if name not in AUDIT}


@every_function
def test_a_good_body_is_taken(world, endpoint):
    assert world.send(endpoint, world.good(endpoint)).status_code == 200
    shouted = {name.upper(): value for name, value in world.good(endpoint).items()}
    assert world.send(endpoint, shouted).status_code in {200, 410}


@every_function
def test_what_is_no_json_object_is_refused(world, unchanged, endpoint):
    for body in [b"", *MALFORMED, *ROOTS]:
        assert refusal(world.send(endpoint, body)) == INVALID, body


@every_function
def test_a_field_that_is_missing_is_named(world, unchanged, endpoint):
    for name in endpoint.good:
        for absent in ({}, {name: None}, {name: ""}, {name: " "}):
            rest = {key: value for key, value in world.good(endpoint).items() if key != name}
            answer = world.send(endpoint, rest | absent)
            assert refusal(answer) == INVALID, name
            assert name in answer.json()["error"]


@every_function
def test_a_field_of_the_wrong_type_is_named(world, unchanged, endpoint):
    for name, kind in endpoint.kinds.items():
        for wrong in WRONG[kind]:
            answer = world.send(endpoint, world.good(endpoint, **{name: wrong}))
            assert refusal(answer) == INVALID, (name, wrong)
            assert list(answer.json()["details"]) == [name], (name, wrong)


@every_function
def test_a_text_that_cannot_be_stored_or_is_too_long_is_named(world, unchanged, endpoint):
    for name, kind in endpoint.kinds.items():
        if kind != TEXT:
            continue
        long = [] if name == "key_id" else ["x" * 70_000]
        for bad in ["\0", "x\0y", "\ud800", *long]:
            answer = world.send(endpoint, world.good(endpoint, **{name: bad}))
            assert refusal(answer) == INVALID, (name, bad[:9])
            assert name in answer.json()["error"], (name, bad[:9])


@every_function
def test_what_is_too_deep_or_too_large_is_refused(world, unchanged, endpoint):
    start = json.dumps(world.good(endpoint))[:-1]
    nest = f'{start},"deep":{"[" * DEEP}{"]" * DEEP}}}'
    assert refusal(world.send(endpoint, nest.encode())) == INVALID
    large = world.good(endpoint, nonsense="x" * 1_100_000)
    assert refusal(world.send(endpoint, large)) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "query",
    [
        *("", "name=", "service=chat", "name=openai&version_int=x", "name=openai&version_int=0"),
        *("name=openai&version_int=-1", "name=openai&version_int=1.0", "name=a%00b"),
        *("name=openai&version_int=99999999999", "name=" + "x" * 201, "value=x&name=openai"),
    ],
    ids=lambda query: query[:30],
)
def test_a_query_that_is_wrong_is_refused(world, unchanged, query):
    answer = world.client.get(f"/functions/v1/key-vault/get?{query}")

    assert refusal(answer) == INVALID
    assert "cannot be stored" not in answer.json()["error"]


def test_a_key_of_a_wrong_id_is_not_found(world, unchanged):
    for key_id in (UNKNOWN, "x", "5", "'; DROP TABLE vault_securekey"):
        answer = world.send(ENDPOINTS[3], {"key_id": key_id, "reason": "r"})
        assert refusal(answer) == (404, "not_found")


@every_function
def test_random_bodies_are_answered(world, endpoint):
    @SLOWLY
    @given(jsons)
    def send(value):
        for name in endpoint.kinds:
            answer = world.send(endpoint, world.good(endpoint, **{name: value}))
            assert answer.status_code < 500, answer.content
            assert answer["Content-Type"] == JSON
            if answer.status_code >= 400:
                assert "cannot be stored" not in answer.json()["error"]

    send()
