"""Encryption keys that are wrong, lost or new, and rows that others have changed."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import sealing
from coordinator_project import env
from coordinator_project.doctor import secrets as examinations
from tasks import secrets
from tasks.models import TaskSecrets
from tests.factories import fresh, make_task
from tests.vault.keys import SECRET, after, audited, failures, make_key, new_key, store, version_of
from vault import transitions
from vault.exceptions import EncryptionKeyMissing, KeyTampered, KeyUnreadable
from vault.models import KeyVersion
from vault.reading import Selector, read
from vault.transitions import Times

pytestmark = pytest.mark.django_db

OPENAI = Selector(provider="openai")


def value():
    return read(OPENAI, by="tests").value


def rotate(**options):
    out = StringIO()
    call_command("vault_rotate", stdout=out, stderr=out, **options)
    return out.getvalue()


def by_hand(statement, *values):
    """What somebody does in psql."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0


def test_a_wrong_key_is_a_clear_error_and_nothing_is_lost(settings):
    settings.ENCRYPTION_KEYS = [right := new_key()]
    key = make_key()
    label = sealing.label()
    settings.ENCRYPTION_KEYS = [new_key()]

    with pytest.raises(KeyUnreadable, match=f"encryption key {label}.*does not have"):
        read(OPENAI, by="tests")

    assert failures() == [("read", "key_unreadable")]
    assert version_of(key).usage_count == 0
    settings.ENCRYPTION_KEYS = [new_key(), right]
    assert value() == SECRET


def test_a_lost_key_is_a_clear_error_and_a_new_value_is_the_way_out(settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    key = make_key()
    settings.ENCRYPTION_KEYS = []

    with pytest.raises(KeyUnreadable):
        read(OPENAI, by="tests")
    with pytest.raises(KeyUnreadable):
        transitions.rotate(key.pk, by="tests")
    transitions.rotate(key.pk, value="new", by="tests")

    assert value() == "new"
    assert failures() == [("read", "key_unreadable"), ("rotate", "key_unreadable")]


def test_another_secret_key_of_the_installation_is_such_a_wrong_key(settings):
    make_key()
    settings.SECRET_KEY = "another " * 8

    with pytest.raises(KeyUnreadable):
        read(OPENAI, by="tests")


def test_a_label_tells_nothing_of_its_key(settings):
    settings.ENCRYPTION_KEYS = [new_key(), new_key()]

    assert len(sealing.labels()) == 3  # and that of the installation
    for label, key in zip(sealing.labels(), settings.ENCRYPTION_KEYS, strict=False):
        assert len(label) == 12
        assert label not in key


def test_old_rows_are_read_with_a_rotated_key_and_resealed_ones_without_the_old(settings):
    settings.ENCRYPTION_KEYS = [old := new_key()]
    key = make_key("one")
    store("two", times=Times(expires_at=after(days=9)))
    task = make_task()
    secrets.keep(task.pk, {"TOKEN": "s3cr3t"})
    settings.ENCRYPTION_KEYS = [new := new_key(), old]
    assert value() == "two"

    said = rotate()

    label = sealing.label()
    assert (
        f"Sealed 2 versions of keys and the secrets of 1 tasks anew with the encryption key {label}"
        in said
    )
    assert "the other keys may go" in said
    settings.ENCRYPTION_KEYS = [new]
    assert value() == "two"
    assert read(Selector(provider="openai", version=1), by="tests").value == "one"
    assert secrets.of(task.pk) == {"TOKEN": "s3cr3t"}
    resealed = [row for row in audited(key) if row[0] == "reseal"]
    assert resealed == [("reseal", "reseal", True, "")] * 2
    assert "Sealed 0 versions of keys and the secrets of 0 tasks" in rotate()


def test_what_is_used_meanwhile_stays_as_it_was(settings):
    settings.ENCRYPTION_KEYS = [old := new_key()]
    key = make_key(times=Times(expires_at=after(days=9)))
    value()
    before = version_of(key)
    settings.ENCRYPTION_KEYS = [new_key(), old]

    rotate()

    now = version_of(key)
    for name in ("version", "checksum", "expires_at", "usage_count", "last_used_at", "status"):
        assert getattr(now, name) == getattr(before, name)
    assert (now.sealed_by != before.sealed_by, fresh(key).latest) == (True, 1)


def test_resealing_works_in_batches_and_goes_on_where_it_ended(settings):
    settings.ENCRYPTION_KEYS = [old := new_key()]
    for number in range(5):
        make_key(name=f"key {number}")
        secrets.keep(make_task().pk, {"A": "b"})
    settings.ENCRYPTION_KEYS = [new_key(), old]

    first = transitions.reseal(after=0, most=2, by="tests")
    assert (first.done, first.last) == (2, KeyVersion.objects.order_by("pk")[1].pk)
    done = secrets.reseal(after=None, most=2)
    assert done.done == 2

    assert "Sealed 3 versions of keys and the secrets of 3 tasks" in rotate(batch=2)
    assert set(KeyVersion.objects.values_list("sealed_by", flat=True)) == {sealing.label()}


def test_what_cannot_be_opened_is_named_and_stays(settings):
    settings.ENCRYPTION_KEYS = [new_key()]
    lost = make_key("lost", name="lost")
    task = make_task()
    secrets.keep(task.pk, {"A": "b"})
    settings.ENCRYPTION_KEYS = [old := new_key()]
    make_key("kept", name="kept")
    settings.ENCRYPTION_KEYS = [new_key(), old]
    before = bytes(version_of(lost).sealed)

    out = StringIO()
    with pytest.raises(CommandError, match="1 versions of keys and the secrets of 1 tasks could"):
        call_command("vault_rotate", stdout=out, stderr=out)

    assert "Version 1 of lost (dev) was sealed by the encryption key" in out.getvalue()
    assert bytes(version_of(lost).sealed) == before
    assert read(Selector(name="kept"), by="tests").value == "kept"
    assert failures() == [("reseal", "key_unreadable")]
    assert TaskSecrets.objects.count() == 1


def test_the_command_wants_a_batch_and_in_production_a_key(settings):
    with pytest.raises(CommandError, match="--batch"):
        rotate(batch=0)
    settings.KEY_VAULT_MODE = "prod"
    with pytest.raises(CommandError, match="COORDINATOR_ENCRYPTION_KEYS"):
        rotate()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vault_keyversion SET sealed = set_byte(sealed, 60, get_byte(sealed, 60) # 1)",
        "UPDATE vault_keyversion SET sealed = substring(sealed from 1 for 50)",
        "UPDATE vault_keyversion SET sealed = sealed || 'AAAA'::bytea",
        "UPDATE vault_keyversion SET sealed = 'gAAAAAplaintext'",
        "UPDATE vault_keyversion SET checksum = repeat('0', 64)",
        "UPDATE vault_keyversion SET checksum = upper(checksum)",
        "UPDATE vault_keyversion SET checksum = repeat('ß', 64)",
        "UPDATE vault_keyversion SET version = 7",
    ],
    ids=["a byte", "shorter", "longer", "plain", "checksum", "case", "letters", "number"],
)
def test_a_row_that_others_have_changed_is_a_clear_error(statement):
    key = make_key()
    by_hand(statement)

    with pytest.raises(KeyTampered, match="is not as the vault has written it"):
        read(OPENAI, by="tests")

    assert failures() == [("read", "checksum_mismatch")]
    store("new")  # the next number, or that after it
    assert read(Selector(provider="openai", version=fresh(key).latest), by="tests").value == "new"


def test_the_sealed_value_of_another_key_is_not_taken_for_this_one():
    key, other = make_key(name="a"), make_key("stolen", name="b")
    by_hand(
        "UPDATE vault_keyversion v SET sealed = o.sealed, checksum = o.checksum, "
        "sealed_by = o.sealed_by FROM vault_keyversion o WHERE v.key_id = %s AND o.key_id = %s",
        key.pk,
        other.pk,
    )

    with pytest.raises(KeyTampered):
        read(Selector(name="a"), by="tests")


def test_what_was_sealed_for_a_task_is_not_taken_for_a_key():
    key = make_key()
    by_hand(
        "UPDATE vault_keyversion SET sealed = %s WHERE key_id = %s",
        sealing.seal({"value": SECRET}),
        key.pk,
    )

    with pytest.raises(KeyTampered):
        read(OPENAI, by="tests")


def test_in_production_nothing_is_sealed_or_opened_without_a_key(settings):
    make_key(env="prod")
    settings.KEY_VAULT_MODE = "prod"

    with pytest.raises(EncryptionKeyMissing, match="needs COORDINATOR_ENCRYPTION_KEYS"):
        store("two")
    with pytest.raises(EncryptionKeyMissing):
        read(OPENAI, by="tests")
    assert [reason for _, reason in failures()] == ["encryption_key_missing"] * 2
    settings.ENCRYPTION_KEYS = [new_key()]
    store("two")
    assert value() == "two"


def test_production_does_not_start_without_a_key(monkeypatch):
    monkeypatch.setenv("KEY_VAULT_MODE", "prod")

    with pytest.raises(ImproperlyConfigured, match="set COORDINATOR_ENCRYPTION_KEYS"):
        env.vault_mode("KEY_VAULT_MODE", keys=[])
    assert env.vault_mode("KEY_VAULT_MODE", keys=["a key"]) == "prod"
    monkeypatch.setenv("KEY_VAULT_MODE", "production")
    with pytest.raises(ImproperlyConfigured, match="dev, prod"):
        env.vault_mode("KEY_VAULT_MODE", keys=[])
    monkeypatch.delenv("KEY_VAULT_MODE")
    assert env.vault_mode("KEY_VAULT_MODE", keys=[]) == "dev"


def test_the_doctor_opens_all_and_says_what_helps(settings):
    settings.ENCRYPTION_KEYS = [old := new_key()]
    make_key()
    secrets.keep(make_task().pk, {"A": "b"})
    found = examinations.sealed()
    assert (found.ok, found.note) == (True, False)

    settings.ENCRYPTION_KEYS = [new_key(), old]
    found = examinations.sealed()
    assert (found.ok, found.note, "vault_rotate" in found.remedy) == (True, True, True)

    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    found = examinations.sealed()
    assert not found.ok
    assert "2 sealed secrets cannot be opened: version 1 of openai (dev)" in found.message
    assert "COORDINATOR_ENCRYPTION_KEYS" in found.remedy


def test_the_doctor_names_keys_that_end_soon():
    assert examinations.ending_keys().message == "No key of the vault ends soon."
    make_key(name="a", times=Times(expires_at=after(days=3)))
    make_key(name="b", times=Times(rotate_after=after(seconds=-1)))
    make_key(name="c", times=Times(expires_at=after(days=30)))

    found = examinations.ending_keys()

    assert found.note
    assert "a (dev), b (dev)." in found.message
