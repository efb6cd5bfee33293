"""What somebody keeps locked costs a claim a few statements, however much of it there is."""

from contextlib import contextmanager

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test.utils import CaptureQueriesContext

from chains.models import Chain
from tasks import claims, fast_path
from tasks.models import Task
from tests.factories import make_chain, make_channel, make_task, make_tasks
from tests.tasks.paths import by_either_path, by_fast_path, in_transaction

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 300
MOST_STATEMENTS = 60  # of Django's own, with those that make a text for the first time


@contextmanager
def locked(rows):
    """Another session, such as psql, has locked these rows."""
    other = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            text, values = rows.values("pk").query.sql_with_params()
            cursor.execute(f"{text} FOR UPDATE", values)
            yield
    finally:
        other.close()


@pytest.fixture
def looked(monkeypatch):
    """How many heads each statement that looked at the queue asked for."""
    asked = []
    for module in (fast_path, claims):
        steps = module.steps_from
        monkeypatch.setattr(
            module, "steps_from", lambda heads, of=steps: (asked.append(n) or n for n in of(heads))
        )
    return asked


def make_steps(channel, number):
    """Tasks each of a chain of its own."""
    chains = Chain.objects.bulk_create(Chain(channel=channel, name="c") for _ in range(number))
    return Task.objects.bulk_create(
        Task(channel=channel, chain=chain, sequence=1, title="t") for chain in chains
    )


@pytest.mark.parametrize("rows", [Task.objects.order_by(), Chain.objects.order_by()])
def test_a_claim_gets_what_is_behind_many_locked_chains(rows, looked):
    channel = make_channel()
    make_steps(channel, MANY)

    with locked(rows):
        behind = make_chain(channel, tasks=1)
        with CaptureQueriesContext(connection) as sent:
            claimed = by_either_path("a", channel)

    assert Task.objects.get(pk__in=claimed).chain_id == behind.pk
    assert len(sent) <= MOST_STATEMENTS
    assert len(looked) <= 10


@pytest.mark.parametrize("claim", [by_fast_path, in_transaction, by_either_path])
def test_a_claim_gets_what_is_behind_many_locked_tasks(claim, looked):
    channel = make_channel()
    make_tasks(MANY, channel=channel)

    with locked(Task.objects.order_by()):
        behind = make_tasks(2, channel=channel)
        assert claim("a", channel, max_tasks=2) == [task.pk for task in behind]

    assert len(looked) <= 4


def test_a_claim_passes_over_locked_tasks_and_locked_chains_to_what_is_free(looked):
    channel = make_channel()
    for _ in range(20):
        make_steps(channel, 1)
        make_task(channel)

    with locked(Task.objects.order_by()):
        first = make_chain(channel, tasks=1)
        make_task(channel)
        claimed = in_transaction("a", channel)

    assert Task.objects.get(pk__in=claimed).chain_id in {first.pk, None}
    assert len(looked) <= 4


@pytest.mark.parametrize("make", [make_steps, lambda channel, n: make_tasks(n, channel=channel)])
def test_where_too_many_are_locked_a_claim_gets_nothing_for_now(make, looked, monkeypatch):
    monkeypatch.setattr(fast_path, "MOST_HEADS", 64)
    channel = make_channel()
    make(channel, MANY)

    with locked(Task.objects.order_by()):
        behind = make(channel, 1)[0]
        assert by_either_path("a", channel) == []
    assert max(looked) == 64

    assert by_either_path("a", channel) != [behind.pk]


def test_a_chain_that_was_passed_over_is_not_locked_when_the_claim_is_over():
    channel = make_channel()
    step = make_steps(channel, 1)[0]

    with locked(Task.objects.filter(pk=step.pk).order_by()):
        assert in_transaction("a", channel) == []
        with locked(Chain.objects.order_by()):
            pass
