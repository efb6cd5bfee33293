"""After any verbs on its tasks, in any order, a job's counters equal a recount."""

from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.exceptions import AgentLost
from jobs import tally
from jobs.models import Job
from tasks import batches, claims, dead_letters, leases, reports, transitions
from tasks.exceptions import NotReady, TaskUnknown, WrongStatus
from tasks.models import Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import (
    counted,
    let_lease_run_out,
    make_agent,
    make_job,
    make_job_tasks,
    recounted,
    run_fast,
    silence,
    sweeps,
)

pytestmark = pytest.mark.django_db

AGENTS = ("spot-1", "spot-2")


def of(job):
    return Task.objects.filter(job=job)


def claim(job, task, agent):
    claims.claim(ClaimRequest(agent, ids=[sweeps().pk], max_tasks=2, lease_seconds=60))


def claim_as_spot(job, task, agent):
    claims.claim(ClaimRequest(agent, ids=[sweeps().pk], lease_seconds=60, protocol="spot"))


def assign(job, task, agent):
    transitions.assign(task, agent, by="operator")


def complete(job, task, agent):
    reports.report_one(Outcome(task, done=True), agent_id=agent, by="")


def complete_and_claim(job, task, agent):
    run_fast(agent, outcomes=[Outcome(task, done=True)], channel=sweeps().pk)


def complete_as_operator(job, task, agent):
    reports.report_one(Outcome(task, done=True), agent_id="", by="operator")


def fail(job, task, agent):
    reports.report_one(Outcome(task, done=False), agent_id=agent, by="")


def retry(job, task, agent):
    reports.report_one(Outcome(task, done=False, retriable=True), agent_id=agent, by="")


def retry_the_slow_way(job, task, agent):
    reports.report_in_transaction(
        [Outcome(task, done=False, retriable=True)], agent_id=agent, by=""
    )


def refuse(job, task, agent):
    reports.refuse(task, agent_id=agent)


def expire(job, task, agent):
    let_lease_run_out(Task(pk=task))
    leases.expire_leases()


def lose(job, task, agent):
    silence(make_agent(agent))
    leases.release_lost()


def cancel(job, task, agent):
    transitions.cancel(task, by="operator")


def cancel_all(job, task, agent):
    batches.cancel_all(of(job), by="operator")


def requeue(job, task, agent):
    transitions.requeue(task, by="operator")


def requeue_all(job, task, agent):
    batches.requeue_all(of(job), by="operator")


def purge(job, task, agent):
    dead_letters.each(dead_letters.purge, [task], by="operator", reason="")


def add(job, task, agent):
    make_job_tasks(job, max_attempts=2)


def wake(job, task, agent):
    Task.objects.filter(postponed=True).update(available_at=job.created_at)
    leases.wake_postponed()


def fold(job, task, agent):
    tally.fold()


VERBS = [
    claim, claim, claim, claim_as_spot, claim_as_spot, assign, complete, complete,
    complete_and_claim, complete_as_operator, fail, fail, fail, retry, retry, retry_the_slow_way,
    refuse, refuse, expire, lose, cancel, cancel_all, requeue, requeue, requeue_all, requeue_all,
    purge, add, wake, fold,
]  # fmt: skip
STEPS = 30


def status_of(job, started):
    """The status that follows from a job's tasks by the rule of the architecture."""
    total, done, failed, cancelled = recounted(job)
    if total == 0:
        return "FAILED" if started else "PENDING"
    if done + failed + cancelled < total:
        return "RUNNING" if started or done + failed + cancelled else "PENDING"
    return "COMPLETED" if done else "FAILED" if failed else "CANCELLED"


def is_true(job, started):
    row = Job.objects.counted().get(pk=job.pk)
    assert counted(job) == recounted(job)
    assert row.counted_status == status_of(job, started)
    assert (row.counted_started_at is not None) == started
    assert (row.counted_finished_at is None) == (row.counted_status in {"PENDING", "RUNNING"})
    return True


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**9), delay=st.sampled_from([0, 5]))
def test_the_counters_equal_a_recount_after_every_step(db, seed, delay):
    chance = Random(seed)  # noqa: S311  (lists that hypothesis draws repeat one verb too often)
    with transaction.atomic():
        job = make_job(tasks=3, max_attempts=2, retry_delay_seconds=delay)
        started = False
        for verb in chance.choices(VERBS, k=STEPS):
            tasks = list(of(job).values_list("pk", "agent"))
            task, holder = chance.choice(tasks) if tasks else (job.pk, None)
            agent = holder or chance.choice(AGENTS)
            try:
                verb(job, task, agent)
            except (AgentLost, NotReady, TaskUnknown, WrongStatus):
                continue
            started = started or of(job).filter(lease_epoch__gt=0).exists()
            assert is_true(job, started), verb
        tally.fold()
        assert is_true(job, started)
        row = Job.objects.get(pk=job.pk)
        assert (row.total, row.completed, row.failed, row.cancelled) == recounted(job)
        assert row.status == status_of(job, started)
        transaction.set_rollback(True)
