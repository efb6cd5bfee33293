"""What a selector finds, what may be read, and what a read leaves behind."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from tests.vault.keys import (
    SECRET,
    after,
    audited,
    change,
    failures,
    make_key,
    new_key,
    store,
    version_of,
)
from vault import transitions
from vault.exceptions import (
    KeyExpired,
    KeyNotYet,
    KeyOutOfScope,
    KeyRefused,
    KeyRevoked,
    KeyUnknown,
    VaultProblem,
)
from vault.models import KeyAudit, SecureKey
from vault.reading import Selector, read
from vault.transitions import Times

pytestmark = pytest.mark.django_db


def value(by="routing", **selector):
    return read(Selector(**selector), by=by).value


def test_a_key_is_read_by_its_name_its_alias_or_its_provider():
    key = make_key(name="main", alias="the-key")

    found = read(Selector(name="main"), by="routing")

    assert (found.value, found.key_id, found.name, found.version) == (SECRET, key.pk, "main", 1)
    assert value(alias="the-key") == value(provider="openai") == SECRET


def test_a_secret_is_in_no_text_of_itself():
    make_key()

    found = read(Selector(provider="openai"), by="routing")

    for text in (repr(found), str(found), f"{found}", f"{[found]}"):
        assert SECRET not in text
        assert found.checksum not in text
    assert "openai" in repr(found)


def test_the_checksum_is_that_of_the_contract():
    make_key("sk-test-123")

    assert read(Selector(provider="openai"), by="tests").checksum == (
        "e0dbaa0c6455768bf812d8345ec96a2677d1e3bf17dbb0020b115c80092811e6"
    )


@pytest.mark.parametrize("text", ["schlüssel 키 🔑", "two\nlines\n", " blanks ", "x" * 65_536])
def test_a_secret_comes_back_as_it_was_given(text):
    make_key(text)

    assert value(provider="openai") == text


def test_the_key_that_fits_best_is_read():
    make_key("any", name="any")
    make_key("chat", name="chat", service="chat")
    make_key("gpt", name="gpt", service="chat", resource="gpt")

    assert value(provider="openai") == "any"
    assert value(provider="openai", service="chat") == "chat"
    assert value(provider="openai", service="chat", resource="gpt") == "gpt"
    assert value(provider="openai", service="chat", resource="other") == "chat"
    assert value(provider="openai", service="embeddings") == "any"


def test_a_key_of_a_service_is_found_where_none_is_named():
    make_key("chat", service="chat")

    assert value(provider="openai") == "chat"
    with pytest.raises(KeyUnknown):
        read(Selector(provider="openai", service="embeddings"), by="routing")


def test_keys_of_other_environments_and_providers_are_not_found():
    make_key("of prod", env="prod")
    make_key("of others", provider="others")

    with pytest.raises(KeyUnknown, match="openai in dev"):
        read(Selector(provider="openai"), by="routing")
    assert value(provider="openai", env="prod") == "of prod"


def test_without_an_environment_it_is_that_of_the_mode(settings):
    make_key("of dev")
    settings.KEY_VAULT_MODE = "prod"
    settings.ENCRYPTION_KEYS = [new_key()]
    make_key("of prod")

    assert value(provider="openai") == "of prod"
    assert value(provider="openai", env="dev") == "of dev"


def test_what_names_no_key_is_refused():
    make_key()

    with pytest.raises(KeyRefused):
        read(Selector(service="chat"), by="routing")
    assert failures() == [("read", "validation_error")]


def test_the_newest_version_is_read_and_an_old_one_where_it_is_pinned():
    key = make_key("first")
    store("second")
    transitions.rotate(key.pk, value="third", by="tests")

    assert value(provider="openai") == "third"
    assert [value(provider="openai", version=number) for number in (1, 2, 3)] == [
        "first",
        "second",
        "third",
    ]
    with pytest.raises(KeyUnknown, match="no version 4"):
        read(Selector(provider="openai", version=4), by="routing")


def test_a_version_that_has_not_begun_leaves_the_one_before():
    make_key("now")
    store("later", times=Times(not_before_at=after(days=1)))

    assert value(provider="openai") == "now"
    with pytest.raises(KeyNotYet, match="may be used from"):
        read(Selector(provider="openai", version=2), by="routing")


def test_a_key_that_has_not_begun_is_not_read():
    make_key(times=Times(not_before_at=after(days=1)))

    with pytest.raises(KeyNotYet):
        read(Selector(provider="openai"), by="routing")


def test_an_expired_key_is_not_read_nor_the_version_before():
    key = make_key("old")
    store("new", times=Times(expires_at=after(days=2)))
    change(key, 2, expires_at=Now() - timedelta(seconds=1))

    with pytest.raises(KeyExpired, match="Version 2 of openai"):
        read(Selector(provider="openai"), by="routing")
    assert value(provider="openai", version=1) == "old"
    assert failures() == [("read", "key_expired")]


def test_a_revoked_key_is_not_read_in_any_version():
    key = make_key("first")
    store("second")
    transitions.revoke(key.pk, reason="leaked", by="tests")

    for version in (None, 1, 2):
        with pytest.raises(KeyRevoked, match="was revoked at"):
            read(Selector(provider="openai", version=version), by="routing")


def test_a_revoked_version_gives_way_to_the_one_before():
    key = make_key("first")
    store("second")
    transitions.revoke(key.pk, reason="wrong", version=2, by="tests")

    assert value(provider="openai") == "first"
    with pytest.raises(KeyRevoked):
        read(Selector(provider="openai", version=2), by="routing")


def test_of_several_keys_one_that_may_be_read_is():
    gone = make_key("gone", name="a", service="chat")
    make_key("there", name="b", service="chat")
    transitions.revoke(gone.pk, reason="leaked", by="tests")

    assert value(provider="openai", service="chat") == "there"
    with pytest.raises(KeyRevoked):
        read(Selector(name="a"), by="routing")


def test_a_key_is_read_for_the_services_of_its_scopes():
    make_key(scopes=["chat", "embeddings"])

    assert value(provider="openai", service="chat") == SECRET
    assert value(provider="openai") == SECRET
    with pytest.raises(KeyOutOfScope, match="is not for rerank"):
        read(Selector(provider="openai", service="rerank"), by="routing")
    assert failures() == [("read", "out_of_scope")]


def test_each_read_counts_and_is_audited():
    key = make_key()
    for _ in range(3):
        read(Selector(provider="openai"), by="routing")

    version = version_of(key)
    assert version.usage_count == 3
    assert version.last_used_at is not None
    assert audited(key) == [("write", "write", True, "")] + [("read", "read", True, "")] * 3
    last = KeyAudit.objects.first()
    assert (last.actor, last.name, last.env, last.version) == ("routing", "openai", "dev", 1)


def test_a_failure_says_what_was_asked_for_and_counts_nothing():
    key = make_key()
    with pytest.raises(VaultProblem):
        read(Selector(name="missing", env="test", version=3), by="routing")
    transitions.revoke(key.pk, reason="leaked", by="tests")
    with pytest.raises(VaultProblem):
        read(Selector(provider="openai"), by="routing")

    revoked, _, unknown = KeyAudit.objects.all()[:3]
    assert (unknown.name, unknown.env, unknown.version) == ("missing", "test", 3)
    assert (unknown.key_id, unknown.reason) == (None, "key_unknown")
    assert (revoked.key_id, revoked.version, revoked.reason) == (key.pk, 1, "key_revoked")
    assert version_of(key).usage_count == 0


def test_a_read_sends_few_statements_however_many_keys_there_are():
    for number in range(60):
        make_key(name=f"key {number}", service="chat")

    with CaptureQueriesContext(connection) as sent:
        assert value(provider="openai", service="chat") == SECRET

    assert len(sent) <= 8, [one["sql"] for one in sent]
    assert SecureKey.objects.count() == 60
