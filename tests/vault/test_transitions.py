"""Upsert, rotate and revoke: versions, what stays, what is refused, and what the audit says."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from tests.factories import fresh
from tests.vault.keys import SECRET, after, audited, change, failures, make_key, store, version_of
from vault import transitions
from vault.exceptions import AliasTaken, KeyRefused, KeyRevoked, KeyUnknown
from vault.models import KeyStatus, KeyVersion, SecureKey
from vault.reading import Selector, read
from vault.transitions import Times

pytestmark = pytest.mark.django_db


def test_an_upsert_makes_a_key_and_then_its_next_version():
    first, second = store("one"), store("two")

    assert first.key_id == second.key_id
    assert (first.version, second.version) == (1, 2)
    key = SecureKey.objects.get()
    assert (key.name, key.env, key.latest, key.status) == ("openai", "dev", 2, KeyStatus.ACTIVE)
    assert audited(key) == [("write", "write", True, "")] * 2


def test_a_key_without_a_name_is_named_after_what_it_is_for():
    make_key(service="chat", resource="gpt")

    assert SecureKey.objects.get().name == "openai/chat/gpt"


def test_a_name_that_is_put_together_is_not_too_long():
    with pytest.raises(KeyRefused, match="also when it is made of"):
        store(provider="p" * 100, service="s" * 100)

    assert not SecureKey.objects.exists()


def test_one_name_is_a_key_in_each_environment():
    one, other = store(name="main", env="dev"), store(name="main", env="staging")

    assert one.key_id != other.key_id
    assert (one.version, other.version) == (1, 1)


def test_what_an_upsert_does_not_say_stays():
    make_key(name="main", service="chat", alias="a", region="eu", scopes=["chat"])
    store("two", name="main", region="us")

    key = SecureKey.objects.get()
    assert (key.service, key.alias, key.region, key.scopes) == ("chat", "a", "us", ["chat"])
    store("three", name="main", alias="", scopes=[])
    key = fresh(key)
    assert (key.alias, key.scopes) == ("", [])


def test_what_is_stored_is_not_the_secret():
    key = make_key()

    version = version_of(key)
    assert SECRET.encode() not in bytes(version.sealed)
    assert bytes(version.sealed).startswith(b"gAAAA")
    assert len(version.checksum) == 64


@pytest.mark.parametrize("sealed", [SECRET.encode(), b"", b"gAAA"], ids=["plain", "none", "part"])
def test_the_database_takes_no_plaintext(sealed):
    key = make_key()

    with pytest.raises(IntegrityError, match="key_version_is_sealed"), transaction.atomic():
        change(key, sealed=sealed)


@pytest.mark.parametrize("value", ["", " ", "\n\t", "x" * 65_537], ids=["", "1", "2", "long"])
def test_a_value_that_is_none_is_refused(value):
    with pytest.raises(KeyRefused, match="value"):
        store(value)

    assert not SecureKey.objects.exists()
    assert failures() == [("write", "validation_error")]


@pytest.mark.parametrize(
    ("begins", "ends"), [(None, -1), (None, 0), (None, 23), (48, 71), (48, 47)], ids=str
)
def test_a_version_that_would_end_within_a_day_is_refused(begins, ends):
    begin = None if begins is None else after(hours=begins)

    with pytest.raises(KeyRefused, match="expires_at must be at least 24 hours"):
        store(times=Times(not_before_at=begin, expires_at=after(hours=ends)))

    assert not KeyVersion.objects.exists()
    assert failures() == [("write", "validation_error")]


def test_a_version_of_the_last_day_there_is_is_refused():
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)

    with pytest.raises(KeyRefused, match="expires_at must be at least 24 hours"):
        store(times=Times(not_before_at=last, expires_at=last + timedelta(minutes=5)))
    with pytest.raises(KeyRefused, match="expires_at must be at least 24 hours"):
        store(times=Times(expires_at=datetime.min.replace(tzinfo=UTC)))

    assert failures() == [("write", "validation_error")] * 2


def test_a_version_that_ends_later_is_taken():
    key = make_key(times=Times(expires_at=after(hours=25), rotate_after=after(hours=1)))

    assert version_of(key).expires_at is not None
    assert version_of(key).rotate_after is not None


def test_an_alias_is_of_one_key_of_an_environment():
    make_key(name="one", alias="main")
    make_key(name="other", alias="main", env="staging")

    with pytest.raises(AliasTaken, match="alias main"):
        store(name="two", alias="main")
    store(name="three")
    with pytest.raises(AliasTaken):
        store(name="three", alias="main")

    assert failures() == [("write", "alias_taken")] * 2
    assert SecureKey.objects.get(name="three").latest == 1


def test_a_rotation_is_the_next_version_and_the_old_one_stays():
    key = make_key("one")

    rotated = transitions.rotate(key.pk, value="two", by="tests")

    assert rotated == (key.pk, 2)
    assert read(Selector(provider="openai"), by="tests").value == "two"
    assert read(Selector(provider="openai", version=1), by="tests").value == "one"
    assert audited(key)[1] == ("rotate", "rotate", True, "")


def test_a_rotation_without_a_value_seals_the_same_secret_with_its_times():
    ends = after(days=9)
    key = make_key(times=Times(expires_at=ends))

    transitions.rotate(key.pk, by="tests")

    old, new = version_of(key, 1), version_of(key, 2)
    assert bytes(old.sealed) != bytes(new.sealed)
    assert (new.checksum, new.expires_at) == (old.checksum, ends)
    assert read(Selector(provider="openai"), by="tests").value == SECRET


def test_a_rotation_without_a_value_of_a_key_that_ends_soon_wants_another_end():
    key = make_key()
    change(key, expires_at=Now() + timedelta(hours=2))

    with pytest.raises(KeyRefused, match="expires_at"):
        transitions.rotate(key.pk, by="tests")
    transitions.rotate(key.pk, times=Times(expires_at=after(days=9)), by="tests")

    assert fresh(key).latest == 2


def test_a_revoked_key_needs_a_new_value():
    key = make_key()
    revoked = transitions.revoke(key.pk, reason="leaked", by="tests")
    assert revoked.status == KeyStatus.REVOKED

    with pytest.raises(KeyRevoked, match="rotate it with a new value"):
        transitions.rotate(key.pk, by="tests")
    transitions.rotate(key.pk, value="new", by="tests")

    assert fresh(key).status == KeyStatus.ACTIVE
    assert read(Selector(provider="openai"), by="tests").value == "new"
    with pytest.raises(KeyRevoked):
        read(Selector(provider="openai", version=1), by="tests")


def test_revoking_again_changes_nothing_and_is_audited():
    key = make_key()
    transitions.revoke(key.pk, reason="leaked", by="tests")
    before = version_of(key).revoked_at

    transitions.revoke(key.pk, reason="to be sure", by="tests")

    assert version_of(key).revoked_at == before
    assert audited(key)[1:] == [
        ("revoke", "revoke", True, "leaked"),
        ("revoke", "revoke", True, "to be sure"),
    ]


def test_the_last_version_revokes_its_key():
    key = make_key("one")
    store("two")

    for number, status in [(1, KeyStatus.ACTIVE), (2, KeyStatus.REVOKED)]:
        transitions.revoke(key.pk, reason="r", version=number, by="tests")
        assert fresh(key).status == status


def test_what_there_is_not_is_said():
    key = make_key()

    with pytest.raises(KeyUnknown):
        transitions.rotate(uuid4(), value="x", by="tests")
    with pytest.raises(KeyUnknown):
        transitions.revoke(uuid4(), reason="r", by="tests")
    with pytest.raises(KeyUnknown, match="no version 2"):
        transitions.revoke(key.pk, reason="r", version=2, by="tests")

    assert failures() == [("rotate", "key_unknown")] + [("revoke", "key_unknown")] * 2


def test_nothing_of_a_key_is_deleted():
    key = make_key()
    transitions.revoke(key.pk, reason="r", by="tests")

    with pytest.raises(ProtectedError):
        key.delete()
