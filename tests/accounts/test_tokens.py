"""Which tokens let somebody in, for how long, and what is stored of them."""

import hashlib
import hmac
import logging
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from accounts import credentials, recognition, transitions
from accounts.models import ApiToken, User
from accounts.rights import ADMINISTER, EVERYTHING, OPERATE, USE, VIEW
from events.models import OperatorAction
from tests.accounts.tokens import (
    ADMINISTRATOR,
    client_of,
    issue,
    let_expire,
    let_memory_age,
    of_agent,
    of_person,
)
from tests.console.people import make_person
from tests.factories import fresh

pytestmark = pytest.mark.django_db


def caller_of(secret):
    found = credentials.recognized(secret.encode())
    return found and found[1]


def test_a_token_has_a_prefix_and_32_random_bytes():
    first, second = of_agent(), of_agent()

    for issued in (first, second):
        assert re.fullmatch("coordinator_[0-9a-f]{64}", issued.secret)
        assert issued.token.ending == issued.secret[-4:]
    assert first.secret != second.secret


def test_only_its_digest_is_stored():
    token, secret = of_person()

    assert bytes(fresh(token).digest) == hashlib.sha256(secret.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_apitoken t")
        stored = str(cursor.fetchall())
        cursor.execute("SELECT a::text FROM events_operatoraction a")
        stored += str(cursor.fetchall())
    assert secret not in stored
    assert secret[:-4] not in stored
    assert secret[12:20] not in stored


@pytest.mark.parametrize(
    ("group", "role", "rights"),
    [
        ("Admin", "admin", EVERYTHING),
        ("Admin", "operator", {USE, VIEW, OPERATE}),
        ("Admin", "user", {USE}),
        ("Admin", "support", {VIEW}),
        ("Admin", "", EVERYTHING),
        ("Operator", "admin", {USE, VIEW, OPERATE}),
        ("Operator", "user", {USE}),
        ("Operator", "", {USE, VIEW, OPERATE}),
        ("Viewer", "admin", {VIEW}),
        ("Viewer", "user", set()),
        ("User", "admin", {USE}),
        ("User", "support", set()),
        ("User", "", {USE}),
        ("", "admin", set()),
    ],
)
def test_a_token_gives_what_its_role_does_as_far_as_its_user_has_it(group, role, rights):
    caller = caller_of(of_person(group, role).secret)

    assert caller.rights == rights
    assert caller.name == f"user:{group.lower() or 'nobody'}"


def test_a_superuser_has_all_rights_and_a_right_may_be_a_users_own():
    owner = User.objects.create_superuser("owner")
    viewer = make_person("Viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="operate"))

    assert caller_of(issue(user=owner).secret).rights == EVERYTHING
    assert caller_of(issue(user=viewer).secret).rights == {VIEW, OPERATE}


def test_a_token_is_known_for_a_few_seconds_by_one_look_up(django_assert_num_queries):
    _, secret = of_person()
    caller_of(secret)
    ApiToken.objects.update(last_used_at=timezone.now())

    with django_assert_num_queries(0):
        assert caller_of(secret)
    let_memory_age(5)
    with django_assert_num_queries(1):
        assert caller_of(secret)


def test_what_has_not_the_form_of_a_token_is_not_looked_up(django_assert_num_queries):
    _, secret = of_person()

    with django_assert_num_queries(0):
        for other in ("", "x", secret[:-1], secret + "0", secret.upper(), f" {secret}"):
            assert caller_of(other) is None
        assert credentials.recognized(b"\xff" * 76) is None


def test_one_index_finds_a_token():
    _, secret = of_person()
    digest = credentials.digest(secret.encode())
    rows = ApiToken.objects.live().with_rights().filter(digest=digest).order_by()

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = rows.explain()

    assert "Seq Scan on accounts_apitoken" not in plan
    assert "digest" in plan


def test_digests_are_compared_in_constant_time(monkeypatch):
    _, secret = of_person()
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(a) or real(a, b))

    assert caller_of(secret)

    assert credentials.digest(secret.encode()) in compared


@pytest.mark.parametrize(
    "end",
    [
        let_expire,
        lambda token: transitions.revoke(token.pk, by=ADMINISTRATOR, reason="a test"),
        lambda token: User.objects.update(is_active=False),
        lambda token: token.user.delete(),
    ],
)
def test_a_token_that_has_ended_lets_nobody_in_five_seconds_later(end):
    token, secret = of_person()
    assert caller_of(secret)

    end(token)
    let_memory_age(5)

    assert caller_of(secret) is None


def test_this_process_knows_at_once_that_a_token_is_revoked():
    token, secret = of_person()
    assert caller_of(secret)

    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="a test")

    assert caller_of(secret) is None


def test_the_rights_of_a_token_follow_those_of_its_user():
    token, secret = of_person("Admin")
    assert caller_of(secret).may(ADMINISTER)

    token.user.groups.clear()
    let_memory_age(5)

    assert caller_of(secret).rights == set()


def test_a_process_remembers_a_bounded_number_of_tokens(monkeypatch):
    monkeypatch.setattr(recognition, "MOST", 3)
    _, secret = of_person()
    for n in range(5):
        assert caller_of(f"coordinator_{n:064x}") is None
    assert caller_of(secret)

    assert len(recognition._memory.tokens) == 3


def test_the_use_of_a_token_is_noted_once_a_minute():
    token, secret = of_person()
    assert token.last_used_at is None

    caller_of(secret)
    first = fresh(token).last_used_at
    let_memory_age(5)
    caller_of(secret)
    assert fresh(token).last_used_at == first

    ApiToken.objects.update(last_used_at=Now() - timedelta(seconds=61))
    let_memory_age(5)
    caller_of(secret)
    assert fresh(token).last_used_at >= first


def test_the_use_is_noted_of_a_request_that_is_refused_too():
    token, secret = of_person()

    answer = client_of(secret).post(
        "/api/v1/tokens", {"name": "ci"}, content_type="application/json"
    )

    assert answer.status_code == 403
    assert fresh(token).last_used_at


def test_a_use_that_cannot_be_noted_fails_no_request(monkeypatch, caplog):
    token, secret = of_person()

    def fail(*args, **kwargs):
        raise OperationalError(f"cannot write {secret}")

    monkeypatch.setattr(recognition.ApiToken.objects.__class__, "unnoted", fail)
    with caplog.at_level(logging.WARNING, "coordinator.accounts"):
        assert caller_of(secret)

    assert secret not in caplog.text
    assert "was not noted" in caplog.text
    assert fresh(token).last_used_at is None


def test_a_token_is_of_a_user_or_of_an_agent():
    common = {"name": "x", "digest": b"1" * 32, "ending": "aaaa"}
    with pytest.raises(IntegrityError, match="is_of_a_user_or_names_an_agent"):
        ApiToken.objects.create(role="user", **common)


def test_the_audit_has_who_made_and_who_revoked_it():
    token, _ = of_person("Viewer", name="ci")
    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="it leaked")
    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="again")

    revoked, issued = OperatorAction.objects.filter(kind="apitoken", object_id=token.pk)
    assert (issued.verb, issued.actor, issued.reason) == ("issue", "tests", "a test")
    assert issued.after["name"] == "ci"
    assert issued.after["user"] == str(token.user_id)
    assert (revoked.verb, revoked.reason) == ("revoke", "it leaked")
    assert revoked.before["revoked_at"] is None
    assert revoked.after["revoked_at"]


def test_a_token_that_was_refused_is_in_no_error_and_no_log(caplog, settings):
    settings.COORDINATOR_AUTH_TOKEN = "a shared token"
    token, secret = of_person()
    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="a test")

    with caplog.at_level(logging.DEBUG):
        refused = client_of(secret).get("/v1/tasks")
        in_the_query = client_of("x").get("/v1/tasks", {"token": secret})

    assert (refused.status_code, in_the_query.status_code) == (401, 401)
    assert secret not in refused.content.decode() + in_the_query.content.decode()
    assert secret not in caplog.text
    assert secret not in str([vars(record) for record in caplog.records])
