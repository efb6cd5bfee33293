"""The audit of keys: it stays as it was written, is counted as it is written, and ends with age."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from metrics import scrape
from tests.metrics.reading import of, samples
from tests.racing import at_once
from tests.tasks.plans import rows_read
from tests.vault.keys import SECRET, audited, make_key, store
from vault import metrics, retention, transitions
from vault.exceptions import REASONS, KeyUnknown
from vault.models import KeyAudit, KeyTally
from vault.reading import Selector, read

pytestmark = pytest.mark.django_db

MANY = """
INSERT INTO vault_keyaudit (created_at, name, env, event, operation, actor, ip, user_agent,
  trace_id, request_id, success, reason, details)
SELECT now() - interval '90 days' + n * interval '1 s', 'openai', 'dev', 'read', 'read', 'x',
  '', '', '', '', true, '', '{}' FROM generate_series(1, %s) n"""


def fill(rows):
    with connection.cursor() as cursor:
        cursor.execute(MANY, [rows])


def counted():
    """Reads, writes and failures by reason, as they are scraped."""
    found = samples(scrape.text().decode())
    [reads] = of(found, "key_vault_reads_total").values()
    [writes] = of(found, "key_vault_writes_total").values()
    failed = of(found, "key_vault_fail_total")
    assert {reason for (reason,) in failed} == set(REASONS)
    return reads, writes, {reason: count for (reason,), count in failed.items() if count}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vault_keyaudit SET actor = 'somebody else'",
        "UPDATE vault_keyaudit SET success = true, event = operation WHERE NOT success",
        "DELETE FROM vault_keyaudit",
    ],
)
def test_nobody_changes_or_removes_a_row(statement):
    make_key()

    with (
        pytest.raises(IntegrityError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert len(audited()) == 1


def test_operations_and_failures_are_counted():
    key = make_key()
    store("two")
    transitions.rotate(key.pk, value="three", by="tests")
    for _ in range(2):
        read(Selector(provider="openai"), by="tests")
    for name in ("x", "y", "z"):
        with pytest.raises(KeyUnknown):
            read(Selector(name=name), by="tests")
    transitions.revoke(key.pk, reason="a reason of a person", by="tests")

    assert counted() == (2, 3, {"key_unknown": 3})


def test_without_any_key_reads_and_writes_are_zero():
    assert counted() == (0, 0, {})


def test_what_is_rolled_back_is_not_counted():
    with transaction.atomic():
        make_key()
        transaction.set_rollback(True)

    assert counted() == (0, 0, {})


@pytest.mark.django_db(transaction=True)
def test_sessions_count_beside_one_another():
    make_key()

    at_once(*[lambda: [read(Selector(provider="openai"), by="tests") for _ in range(10)]] * 6)

    assert counted()[:2] == (60, 1)
    assert KeyTally.objects.count() < 40


def test_a_scrape_reads_a_few_rows_however_many_were_written():
    fill(20_000)
    sent = []

    def note(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert next(metrics.collect()).samples[0].value == 20_000

    assert [rows_read(*one, {"vault_keyaudit", "vault_keytally"}) for one in sent] == [1]


def test_old_rows_go_with_the_retention_of_events_and_the_counters_stay(settings):
    fill(25)
    make_key()
    settings.EVENT_RETENTION = timedelta(0)
    assert retention.enforce() == 0
    settings.EVENT_RETENTION = timedelta(days=30)

    assert retention.enforce() == 25

    assert audited() == [("write", "write", True, "")]
    assert counted() == (25, 1, {})


def test_they_go_in_batches():
    fill(25)

    assert retention.purge(timezone.now(), batch=10) == 25
    assert not KeyAudit.objects.exists()


def test_a_row_has_no_secret():
    make_key()
    read(Selector(provider="openai"), by="tests")

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(a::text, ' ') FROM vault_keyaudit a")
        assert SECRET not in cursor.fetchone()[0]
