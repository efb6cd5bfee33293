"""Many at once: versions have one number each, and nothing is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.test import Client

from problems import Problem
from tests.racing import at_once, waits_for_a_lock, with_connection
from tests.vault.keys import SECRET, audited, make_key, new_key, store
from vault import transitions
from vault.exceptions import KeyRevoked
from vault.models import KeyStatus, KeyVersion, SecureKey
from vault.reading import Selector, read

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 10
CROWD = 8


def tried(call):
    """The call for a race: its result, or the name of the problem that it met."""

    def attempt():
        try:
            return call()
        except Problem as problem:
            return type(problem).__name__

    return attempt


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_two_upserts_of_one_name_are_two_versions(turn):
    made = at_once(lambda: store("one"), lambda: store("two"))

    assert len({one.key_id for one in made}) == 1
    assert sorted(one.version for one in made) == [1, 2]
    values = {read(Selector(provider="openai", version=n), by="tests").value for n in (1, 2)}
    assert values == {"one", "two"}


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_two_upserts_of_a_key_that_there_is_are_two_versions(turn):
    make_key()

    made = at_once(lambda: store("one"), lambda: store("two"))

    assert sorted(one.version for one in made) == [2, 3]
    assert SecureKey.objects.get().latest == 3


def test_a_crowd_makes_versions_without_a_gap():
    key = make_key()

    at_once(
        *[lambda: [transitions.rotate(key.pk, value="x", by="tests") for _ in range(5)]] * CROWD
    )

    numbers = KeyVersion.objects.order_by("version").values_list("version", flat=True)
    assert list(numbers) == list(range(1, 5 * CROWD + 2))
    assert SecureKey.objects.get().latest == 5 * CROWD + 1


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_of_two_keys_gets_an_alias(turn):
    said = at_once(*(tried(lambda n=n: store(name=n, alias="main").version) for n in ("a", "b")))

    assert Counter(said) == {1: 1, "AliasTaken": 1}
    assert SecureKey.objects.get(alias="main").versions.count() == 1


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_reads_beside_a_rotation_and_a_revocation_get_a_whole_answer(turn):
    key = make_key("old")

    said = at_once(
        *[tried(lambda: read(Selector(provider="openai"), by="tests").value)] * 4,
        lambda: transitions.rotate(key.pk, value="new", by="tests") and "",
        lambda: transitions.revoke(key.pk, reason="r", by="tests") and "",
    )

    assert {*said} <= {"old", "new", "KeyRevoked", ""}
    [status] = SecureKey.objects.values_list("status", flat=True)
    active = KeyVersion.objects.filter(status=KeyStatus.ACTIVE).count()
    assert (status == KeyStatus.ACTIVE) == bool(active)
    assert len(audited()) == 7


@pytest.mark.parametrize("version", [None, 1], ids=["newest", "pinned"])
def test_who_waits_for_a_revocation_does_not_read_behind_it(version):
    key = make_key()
    selector = Selector(provider="openai", version=version)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            transitions.revoke(key.pk, reason="r", by="tests")
            reading = pool.submit(with_connection, lambda: read(selector, by="tests"))
            assert waits_for_a_lock(reading)
        with pytest.raises(KeyRevoked):
            reading.result(timeout=30)

    assert [row[0] for row in audited()] == ["write", "revoke", "fail"]
    assert KeyVersion.objects.get().usage_count == 0


def test_who_waits_for_the_revocation_of_a_version_reads_the_one_before():
    key = make_key("one")
    store("two")

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            transitions.revoke(key.pk, reason="r", version=2, by="tests")
            wanted = Selector(provider="openai")
            reading = pool.submit(with_connection, lambda: read(wanted, by="tests"))
            assert waits_for_a_lock(reading)
        assert reading.result(timeout=30).value == "one"

    used = KeyVersion.objects.order_by("version").values_list("usage_count", flat=True)
    assert list(used) == [1, 0]


def test_resealing_twice_at_once_beside_reads_seals_each_once(settings):
    settings.ENCRYPTION_KEYS = [old := new_key()]
    for number in range(20):
        make_key(name=f"key {number}")
    settings.ENCRYPTION_KEYS = [new_key(), old]

    at_once(
        *[lambda: transitions.reseal(after=0, most=100, by="tests")] * 3,
        *[lambda: [read(Selector(name=f"key {n}"), by="tests") for n in range(20)]] * 3,
    )

    assert Counter(row[0] for row in audited()) == {"write": 20, "reseal": 20, "read": 60}
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert {read(Selector(name=f"key {n}"), by="tests").value for n in range(20)} == {SECRET}


def test_a_failure_stays_in_the_audit_when_the_request_errors():
    path = "/functions/v1/key-vault/get?name=missing"

    assert Client().get(path).status_code == 404

    assert audited() == [("fail", "read", False, "key_unknown")]
