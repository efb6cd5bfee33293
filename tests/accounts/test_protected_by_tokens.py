"""A token that was issued ends protected mode; when the last one has ended, it comes back."""

import pytest
from django.db import OperationalError

from accounts import credentials, recognition, transitions
from accounts.models import ApiToken, User
from tests.accounts.tokens import ADMINISTRATOR, client_of, let_expire, let_memory_age, of_agent
from tests.console.people import make_person

pytestmark = pytest.mark.django_db


def status_here(client):
    return client.get("/v1/tasks").status_code


def test_a_token_ends_protected_mode_and_its_revocation_brings_it_back(client):
    assert status_here(client) == 200

    token, _ = of_agent()
    assert status_here(client) == 401
    assert client.get("/login", REMOTE_ADDR="192.0.2.1").status_code == 200

    transitions.revoke(token.pk, by=ADMINISTRATOR, reason="a test")
    assert status_here(client) == 200
    assert client.get("/v1/tasks", REMOTE_ADDR="192.0.2.1").status_code == 403


def test_an_expired_token_and_one_of_an_inactive_user_do_not_count(client):
    token, _ = of_agent()
    let_expire(token)
    person = make_person("Operator")
    of_theirs = transitions.issue("x", user=person, by=ADMINISTRATOR, reason="a test")
    User.objects.update(is_active=False)
    recognition.forget()

    assert status_here(client) == 200
    assert status_here(client_of(of_theirs.secret)) == 200  # as anybody on this machine


def test_a_sign_in_does_not_end_protected_mode(client):
    secret = transitions.sign_in(make_person("Viewer")).secret

    assert status_here(client) == 200
    assert client_of(secret).get("/v1/tasks", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_other_processes_know_it_within_five_seconds(client):
    assert status_here(client) == 200
    token, _ = of_agent()
    recognition._memory.issued = recognition.time.monotonic(), False  # as another process has it
    assert status_here(client) == 200

    let_memory_age(5)
    assert status_here(client) == 401

    ApiToken.objects.filter(pk=token.pk).delete()
    assert status_here(client) == 401
    let_memory_age(5)
    assert status_here(client) == 200


def test_while_the_database_is_away_what_was_known_goes_on(monkeypatch):
    assert not credentials.issued()

    def fail(*args, **kwargs):
        raise OperationalError("away")

    monkeypatch.setattr(recognition.ApiToken.objects.__class__, "issued", fail)
    let_memory_age(5)
    recognition._memory.issued = recognition.time.monotonic() - 5, False
    assert not credentials.issued()
    recognition._memory.issued = recognition.time.monotonic() - 5, True
    assert credentials.issued()
    recognition.forget()
    with pytest.raises(OperationalError):
        credentials.issued()


def test_the_paths_of_health_do_not_ask_for_tokens(client, django_assert_num_queries):
    recognition.forget()

    with django_assert_num_queries(0):
        assert client.get("/health").status_code == 200


def test_it_costs_no_query_for_each_request(client, django_assert_num_queries):
    of_agent()
    status_here(client)

    with django_assert_num_queries(0):
        assert [status_here(client) for _ in range(5)] == [401] * 5
