"""The functions of the vault: answers, codes of refusals, who may, and what the audit says."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db.models.functions import Now
from django.test import Client

from accounts.scopes import Scope
from api.buckets import Buckets, Rate
from api.throttling import limits
from tests.accounts.tokens import client_of, issue, of_agent
from tests.api_v1.calls import UNKNOWN
from tests.collab.calls import data, refusal
from tests.collab.functions import Functions
from tests.console.people import browser_of, make_person
from tests.vault.keys import SECRET, after, audited, change, failures, make_key, new_key, store
from vault.models import KeyAudit, SecureKey
from vault.transitions import Times

pytestmark = pytest.mark.django_db

UPSERT = {"provider": "openai", "scopes": ["chat"], "value": SECRET}


class Vault(Functions):
    """Calls the functions of the vault."""

    def call(self, verb, **body):
        return self.post(f"key-vault/{verb}", body)

    def ask(self, **query):
        return self.get(f"key-vault/get?{urlencode(query)}")


@pytest.fixture
def vault(client):
    return Vault(client)


def with_token(group="Admin", **fields):
    return Vault(client_of(issue(user=make_person(group), **fields).secret))


def test_a_key_is_stored_read_rotated_and_revoked(vault):
    made = data(vault.call("upsert", **UPSERT))
    key = SecureKey.objects.get()
    assert made == {"key_id": str(key.pk), "version_int": 1}

    read = data(vault.ask(provider="openai"))
    assert read == {
        "key_id": str(key.pk),
        "version_int": 1,
        "value": SECRET,
        "checksum_sha256": read["checksum_sha256"],
        "expires_at": None,
    }
    assert data(vault.call("get", provider="openai")) == read

    rotated = data(vault.call("rotate", key_id=str(key.pk), value="new"))
    assert rotated == {"key_id": str(key.pk), "version_int": 2}
    assert data(vault.ask(name="openai"))["value"] == "new"
    assert data(vault.ask(name="openai", version_int=1))["value"] == SECRET
    assert data(vault.ask(name="openai", version_int=""))["value"] == "new"

    revoked = data(vault.call("revoke", key_id=str(key.pk), reason="leaked"))
    assert revoked == {"key_id": str(key.pk), "status": "revoked"}
    assert refusal(vault.ask(name="openai")) == (410, "key_revoked")
    assert [row[0] for row in audited(key)] == [
        *("write", "read", "read", "rotate", "read", "read", "read"),
        *("revoke", "fail"),
    ]


def test_everything_that_may_be_said_of_a_key_is_kept(vault):
    said = {
        **UPSERT,
        "name": "main",
        "env": "staging",
        "service": "chat",
        "resource": "gpt",
        "region": "eu",
        "alias": "a",
        "not_before_at": "2026-01-31T12:00:00Z",
        "expires_at": after(days=9).isoformat(),
        "rotate_after": after(days=5).isoformat(),
    }
    data(vault.call("upsert", **said))

    key = SecureKey.objects.get()
    for name in ("name", "env", "service", "resource", "region", "alias", "scopes"):
        assert getattr(key, name) == said[name]
    version = key.versions.get()
    assert version.expires_at.isoformat() == said["expires_at"]
    assert data(vault.ask(alias="a", env="staging"))["expires_at"] is not None


def test_no_answer_may_be_kept(vault):
    make_key()

    answer = vault.ask(provider="openai")

    assert answer["Cache-Control"] == "no-store"
    assert "ETag" not in answer


def test_a_trace_is_echoed_and_in_the_audit_with_whoever_asks():
    token = issue(user=make_person("Admin"), scopes=["keys"])
    vault = Vault(client_of(token.secret))
    make_key()

    answer = vault.get(
        "key-vault/get",
        {"X-Trace-Id": "trace-7", "User-Agent": "a program"},
        provider="openai",
    )

    assert data(answer)["trace_id"] == "trace-7"
    row = KeyAudit.objects.first()
    assert (row.actor, row.ip, row.user_agent) == ("user:admin", "127.0.0.1", "a program")
    assert (row.trace_id, row.request_id) == ("trace-7", answer["X-Request-Id"])
    assert row.details == {"token_id": str(token.token.pk)}


def test_what_there_is_not_is_not_found(vault):
    key = make_key()

    for answer in (
        vault.ask(name="missing"),
        vault.ask(name="openai", version_int=9),
        vault.call("rotate", key_id=UNKNOWN, value="x"),
        vault.call("rotate", key_id="no id", value="x"),
        vault.call("revoke", key_id=UNKNOWN, reason="r"),
        vault.call("revoke", key_id=str(key.pk), reason="r", version_int=2),
    ):
        assert refusal(answer) == (404, "not_found")
    assert {reason for _, reason in failures()} == {"key_unknown"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_may_not_be_read_says_why(vault, settings, method):
    def ask(**said):
        return vault.ask(**said) if method == "GET" else vault.call("get", **said)

    expired, tampered = make_key(name="expired"), make_key(name="tampered")
    change(expired, expires_at=Now() - timedelta(seconds=1))
    change(tampered, checksum="0" * 64)
    make_key(name="later", times=Times(not_before_at=after(days=1)))
    make_key(name="chat", scopes=["chat"])

    assert refusal(ask(name="missing")) == (404, "not_found")
    assert refusal(ask(name="expired")) == (410, "key_expired")
    assert refusal(ask(name="tampered")) == (422, "checksum_mismatch")
    assert refusal(ask(name="later")) == (409, "key_not_yet")
    assert refusal(ask(name="chat", service="rerank")) == (403, "forbidden")
    settings.ENCRYPTION_KEYS, settings.SECRET_KEY = [], "another " * 8
    answer = ask(name="chat")
    assert refusal(answer) == (503, "dependency_unavailable")
    assert (answer.json()["hint"], answer["Retry-After"]) == ("key_unreadable", "60")
    assert [reason for _, reason in failures()] == [
        *(
            "key_unknown",
            "key_expired",
            "checksum_mismatch",
            "key_not_yet",
            "out_of_scope",
            "key_unreadable",
        )
    ]


def test_what_is_not_stored_says_why(vault, settings):
    store(name="one", alias="main")
    key = SecureKey.objects.get()

    soon = vault.call("upsert", **UPSERT, expires_at=after(hours=2).isoformat())
    assert refusal(soon) == (400, "validation_error")
    assert list(soon.json()["details"]) == ["expires_at"]
    taken = vault.call("upsert", **UPSERT, name="two", alias="main")
    assert refusal(taken) == (409, "alias_taken")
    change(key, checksum="0" * 64)
    assert refusal(vault.call("rotate", key_id=str(key.pk))) == (422, "checksum_mismatch")
    data(vault.call("revoke", key_id=str(key.pk), reason="r"))
    assert refusal(vault.call("rotate", key_id=str(key.pk))) == (410, "key_revoked")
    settings.KEY_VAULT_MODE = "prod"
    client = with_token(scopes=["keys"])
    missing = client.call("upsert", **UPSERT)
    assert refusal(missing) == (503, "dependency_unavailable")
    assert "COORDINATOR_ENCRYPTION_KEYS" in missing.json()["error"]
    assert missing.json()["hint"] == "encryption_key_missing"


@pytest.mark.parametrize("name", ["value", "ciphertext", "Plaintext"])
def test_no_secret_is_taken_from_a_url(vault, name):
    make_key()

    answer = vault.ask(provider="openai", **{name: SECRET})

    assert refusal(answer) == (400, "validation_error")
    assert SECRET not in answer.content.decode()


def test_other_methods_are_refused(vault):
    for verb in ("upsert", "rotate", "revoke"):
        assert refusal(vault.get(f"key-vault/{verb}"))[0] == 405
    assert not KeyAudit.objects.exists()


CALLS = {
    "upsert": UPSERT,
    "get": {"provider": "openai"},
    "rotate": {"key_id": UNKNOWN, "value": "x"},
    "revoke": {"key_id": UNKNOWN, "reason": "r"},
}
OPERATIONS = {"upsert": "write", "get": "read", "rotate": "rotate", "revoke": "revoke"}
each_call = pytest.mark.parametrize("verb", CALLS)


@each_call
@pytest.mark.parametrize("group", ["User", "Viewer", "Operator"])
def test_only_administrators_may_and_who_may_not_is_in_the_audit(verb, group):
    make_key()

    assert refusal(with_token(group).call(verb, **CALLS[verb])) == (403, "forbidden")

    assert failures() == [(OPERATIONS[verb], "forbidden")]
    assert KeyAudit.objects.first().actor == f"user:{group.lower()}"


@each_call
@pytest.mark.parametrize("scope", Scope.values)
def test_a_limited_token_needs_the_scope_of_keys(verb, scope):
    make_key()

    status = with_token(scopes=[scope]).call(verb, **CALLS[verb]).status_code

    assert (status != 403) == (scope == Scope.KEYS)


@each_call
def test_the_token_of_an_agent_may_nothing_here(verb):
    agent = Vault(client_of(of_agent("agent-1").secret))

    assert refusal(agent.call(verb, **CALLS[verb])) == (403, "forbidden")


@each_call
def test_who_is_nobody_is_not_in_the_audit(verb):
    issue(user=make_person("Admin"))

    assert refusal(Vault(Client()).call(verb, **CALLS[verb])) == (401, "unauthenticated")
    assert not KeyAudit.objects.exists()


@each_call
def test_in_protected_mode_nobody_else_is_served(verb):
    elsewhere = Vault(Client(REMOTE_ADDR="192.0.2.7"))

    assert refusal(elsewhere.call(verb, **CALLS[verb])) == (403, "forbidden")
    assert not KeyAudit.objects.exists()


def test_a_browser_sets_values_and_never_reads_one_back():
    browser = Vault(browser_of("Admin"))

    data(browser.call("upsert", **UPSERT))

    for answer in (browser.ask(provider="openai"), browser.call("get", provider="openai")):
        assert refusal(answer) == (403, "forbidden")
        assert SECRET not in answer.content.decode()


def test_in_production_this_machine_needs_a_token_too(vault, settings):
    settings.KEY_VAULT_MODE, settings.ENCRYPTION_KEYS = "prod", [new_key()]

    assert refusal(vault.call("upsert", **UPSERT)) == (403, "forbidden")
    data(with_token().call("upsert", **UPSERT))


def test_who_is_refused_again_and_again_does_not_fill_the_audit(monkeypatch):
    monkeypatch.setattr(limits, "buckets", {"function_keys": Buckets(Rate(2, 60.0))})
    vault = with_token("Viewer")

    said = [refusal(vault.ask(name="x"))[0] for _ in range(4)]

    assert said == [403, 403, 429, 429]
    assert len(failures()) == 2


def test_bad_requests_are_in_the_audit_without_what_they_said(vault):
    for body in ({}, {"provider": "openai", "value": [SECRET]}):
        assert refusal(vault.call("upsert", **body)) == (400, "validation_error")
    assert refusal(vault.post("key-vault/get", b"{")) == (400, "validation_error")

    assert failures() == [
        ("write", "validation_error"),
        ("write", "validation_error"),
        ("read", "validation_error"),
    ]
    assert not KeyAudit.objects.exclude(details={}).exists()
