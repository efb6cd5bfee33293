"""The verbs of those who race over the tasks of a job, one function each."""

from django.db import transaction

from agents import transitions as agents
from agents.models import Protocol
from agents.transitions import Beat
from jobs import tally
from jobs.models import Job, Tally
from tasks import claims, leases, reports
from tasks.models import Task
from tasks.reports import Verdict
from tasks.rows import ClaimRequest, Outcome
from tests.factories import (
    counted,
    let_lease_run_out,
    make_agent,
    make_job,
    recounted,
    silence,
    sweeps,
    tasks_of,
)

ROUNDS = 6
ACCEPTED, ALREADY, LOST = Verdict.ACCEPTED, Verdict.ALREADY, Verdict.LOST


def of(job):
    return Task.objects.filter(job=job)


def make_spot(name):
    return make_agent(name, protocol=Protocol.SPOT)


def claim(agent, max_tasks=1):
    request = ClaimRequest(
        agent.pk,
        ids=[sweeps().pk],
        max_tasks=max_tasks,
        lease_seconds=60,
        protocol=Protocol.SPOT,
    )
    return [task.pk if isinstance(task, Task) else task.id for task in claims.claim(request)]


def report(agent, task_id, *, done=True, retriable=True, epoch=None):
    outcome = Outcome(task_id, done, agent.pk, "broken", retriable, epoch)
    return reports.report_one(outcome, agent_id=agent.pk, by="").verdict


def beat(agent, task_ids):
    """Send a heartbeat that lists tasks; return the renewed ones."""
    with transaction.atomic():
        agents.beat(Beat(agent.pk, protocol=Protocol.SPOT))
        return leases.renew_listed(agent.pk, dict.fromkeys(task_ids))


def make_held_by(agent, number=1, **fields):
    """A job of which the agent holds every task."""
    job = make_job(tasks=number, **fields)
    assert len(claim(agent, number)) == number
    return job


def end_holds(end, job, agent):
    """Let the leases expire, or make the agent silent."""
    if end == "expiry":
        for task in tasks_of(job):
            let_lease_run_out(task)
    else:
        silence(agent)


def reap(end):
    return leases.expire_leases() if end == "expiry" else leases.release_lost()


def counts_are_true(job):
    assert counted(job) == recounted(job)
    tally.fold()
    assert not Tally.objects.exists()
    row = Job.objects.get(pk=job.pk)
    assert (row.total, row.completed, row.failed, row.cancelled) == recounted(job)
    return True
