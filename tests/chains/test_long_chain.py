"""A step of a long chain costs as much as one of a short chain."""

import pytest
from django.db import connection, transaction

from chains import transitions
from chains.models import Chain
from tasks import reports
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import give, make_agent, make_chain

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 100
WRITES = """SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables
    WHERE relname IN ('tasks_task', 'chains_chain')"""


def rows_written():
    with connection.cursor() as cursor:
        cursor.execute(WRITES)
        return cursor.fetchone()[0]


def test_each_step_of_a_long_chain_writes_a_few_rows():
    chain = make_chain(tasks=STEPS)
    agent = make_agent()
    request = ClaimRequest(agent_id=agent.pk, ids=[chain.channel_id])
    task, worked, written = give(agent, chain.channel), [], []

    while task:
        worked.append(task.sequence)
        outcome = Outcome(task.id, done=True, epoch=task.lease_epoch)
        with transaction.atomic():
            before = rows_written()
            verdicts, tasks = reports.report_in_transaction(
                [outcome], agent_id=agent.pk, by="", request=request
            )
            written.append(rows_written() - before)
        assert verdicts[0].verdict == "accepted"
        task = tasks[0] if tasks else None

    assert worked == list(range(1, STEPS + 1))
    assert Chain.objects.get().status == "done"
    assert not Task.objects.open().exists()
    assert 2 <= min(written[:-1]) <= max(written) <= 5


def test_a_step_of_a_long_chain_takes_as_many_statements(django_assert_max_num_queries):
    for steps in (2, 200):
        chain = make_chain(tasks=steps)
        agent = make_agent()
        task = give(agent, chain.channel)
        request = ClaimRequest(agent_id=agent.pk, ids=[chain.channel_id])
        with django_assert_max_num_queries(25):
            reports.report_in_transaction(
                [Outcome(task.pk, done=True)], agent_id=agent.pk, by="", request=request
            )


@pytest.mark.parametrize("verb", [transitions.detach, transitions.release])
def test_the_end_of_an_ownership_locks_no_step_that_waits(verb):
    chain = make_chain(tasks=STEPS)
    agent = make_agent()
    task = give(agent, chain.channel)
    if verb == transitions.release:
        reports.report_one(Outcome(task.pk, done=True), agent_id=agent.pk, by="tests")
    more = {"owner_id": agent.pk} if verb == transitions.detach else {}

    with transaction.atomic():
        before = rows_written()
        untouched = set(Task.objects.extra(where=["xmax = 0"]).values_list("pk", flat=True))
        verb(chain.pk, by="tests", **more)
        still = set(Task.objects.extra(where=["xmax = 0"]).values_list("pk", flat=True))
        assert rows_written() - before <= 6

    assert len(untouched) > STEPS - 5
    assert len(untouched - still) <= 2
