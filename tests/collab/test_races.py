"""Many workers, and those who steer, at once: each job has one holder, one end and one account."""

from collections import Counter, defaultdict

import pytest
from django.db.models.functions import Now
from django.test import Client

from accounts.callers import LOCAL
from collab import claims, dead_letters, transitions
from collab.exceptions import AlreadyRetried, LeaseConflict
from collab.models import CollabJob, DeadLetter, Key
from collab.serializers import ClaimJobRequestSerializer
from collab.transitions import Holder, JobRequest, Result
from events.models import Event
from problems import Problem
from tasks import leases
from tasks import transitions as tasks
from tasks.models import Task
from tests.collab.calls import Collab, data
from tests.factories import let_lease_run_out, make_channel
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 10
CLAIMERS, JOBS = 64, 2_000
MINE = Holder(worker="worker-1", token=1)
DONE = Result(type="build", ok=True)


def attempt(call, *args, **kwargs):
    """The call for a race: its result, or the name of the problem that it met."""

    def tried():
        try:
            return call(*args, **kwargs)
        except Problem as problem:
            return type(problem).__name__

    return tried


def events_of_jobs():
    """The types of the events of each job, in order."""
    found = defaultdict(list)
    for task_id, type_ in Event.objects.order_by("id").values_list("task_id", "type"):
        if task_id:
            found[task_id].append(type_)
    return found


@pytest.mark.timeout(300)
def test_64_claimers_share_2000_jobs_and_none_is_claimed_twice():
    channel = make_channel("builds")
    made = tasks.enqueue(
        [Task(channel=channel, title="build", type="build") for _ in range(JOBS)], by="tests"
    )

    def work(number):
        worker, done = f"worker-{number}", []
        body = {"executorId": "builds", "workerId": worker}
        values = ClaimJobRequestSerializer.read(body)
        while job := claims.claim(values, LOCAL):
            done.append(str(job.pk))
            holder = Holder(worker=worker, token=job.lease_epoch)
            transitions.report(job.pk, DONE, holder, by=LOCAL)
        return done

    done = at_once(*[lambda number=number: work(number) for number in range(CLAIMERS)], within=280)

    claimed = Counter(job_id for some in done for job_id in some)
    assert claimed == Counter(str(task.pk) for task in made)
    whole = ["task.created", "task.claimed", "task.started", "task.completed"]
    assert events_of_jobs() == {str(task.pk): whole for task in made}
    assert set(Task.objects.values_list("status", "lease_epoch")) == {("done", 1)}


def test_one_key_makes_one_job_however_many_ask_at_once():
    request = JobRequest(type="build", executor="builds", payload={"n": 1}, key="k")

    answers = at_once(*[lambda: transitions.assign(request, by=LOCAL)] * 8)

    assert len({job_id for job_id, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    assert Task.objects.count() == Key.objects.count() == 1
    assert Event.objects.filter(type="task.created").count() == 1


def test_of_two_requests_with_one_key_at_once_one_is_a_conflict():
    for number in range(ROUNDS):
        requests = [
            JobRequest(type="build", executor="builds", payload={"n": n}, key=f"k{number}")
            for n in range(2)
        ]

        answers = at_once(*[attempt(transitions.assign, request, by=LOCAL) for request in requests])

        assert answers.count("IdempotencyConflict") == 1, answers


def held(**more):
    collab = Collab(Client())
    return CollabJob.read(collab.held(**more)["id"])


def test_a_result_and_an_expiry_at_once_agree_on_who_was_first():
    for _ in range(ROUNDS):
        job = held()
        let_lease_run_out(job)

        answer, reaped = at_once(
            attempt(transitions.report, job.pk, DONE, MINE, by=LOCAL), leases.expire_leases
        )

        now = CollabJob.read(job.pk)
        if answer is None:
            assert (now.job_status, len(reaped)) == ("succeeded", 0)
            end = ["task.claimed", "task.started", "task.completed"]
        else:
            assert (answer, now.job_status) == (LeaseConflict.__name__, "queued")
            end = ["task.claimed", "task.retried"]
        assert events_of_jobs()[str(job.pk)] == ["task.created", *end]
        Task.objects.filter(pk=job.pk).delete()


def test_a_renewal_and_an_expiry_at_once_leave_it_held_or_queued():
    for _ in range(ROUNDS):
        job = held()
        let_lease_run_out(job)

        answer, reaped = at_once(
            attempt(transitions.renew, job.pk, MINE, seconds=60), leases.expire_leases
        )

        renewed = isinstance(answer, CollabJob)
        assert len(reaped) == (0 if renewed else 1)
        assert CollabJob.read(job.pk).job_status == ("running" if renewed else "queued")
        Task.objects.filter(pk=job.pk).delete()


def test_a_job_started_many_times_at_once_is_started_once():
    job = held()

    at_once(*[lambda: transitions.start(job.pk, MINE)] * 6)

    assert Event.objects.filter(type="task.started").count() == 1


def test_a_hard_cancel_and_a_result_at_once_end_it_once():
    for _ in range(ROUNDS):
        job = held()

        reported, cancelled = at_once(
            attempt(transitions.report, job.pk, DONE, MINE, by=LOCAL),
            attempt(transitions.cancel, job.pk, hard=True, reason="", by=LOCAL),
        )

        now = CollabJob.read(job.pk).job_status
        refused = [answer for answer in (reported, cancelled) if isinstance(answer, str)]
        assert refused == ["InvalidTransition"]
        assert now == ("cancelled" if reported else "succeeded")
        Task.objects.filter(pk=job.pk).delete()


def test_two_results_of_one_lease_at_once_are_one():
    for ok in (True, False) * 3:
        job = held()
        result = Result(type="build", ok=ok)

        answers = at_once(*[attempt(transitions.report, job.pk, result, MINE, by=LOCAL)] * 3)

        assert answers == [None] * 3
        now = CollabJob.read(job.pk)
        assert (now.job_status, now.attempts_begun) == ("succeeded" if ok else "queued", 1)
        Task.objects.filter(pk=job.pk).delete()


def test_a_replay_however_many_ask_at_once_makes_one_job():
    job = held()
    transitions.report(job.pk, Result(type="build", ok=False, retryable=False), MINE, by=LOCAL)
    letter = DeadLetter.objects.get()

    answers = at_once(*[attempt(dead_letters.replay, letter.pk, by=LOCAL)] * 6)

    assert answers.count(AlreadyRetried.__name__) == 5
    assert Task.objects.count() == 2
    letter.refresh_from_db()
    assert (letter.retries, letter.retried_job_id) == (
        1,
        Key.objects.get(key=f"dlq:{job.pk}").task_id,
    )


def test_the_jobs_of_a_worker_that_was_killed_come_back_with_the_next_pass():
    collab = Collab(Client())
    lost = {collab.held("dead")["id"] for _ in range(5)}
    for job in Task.objects.filter(pk__in=lost):
        data(collab.by_worker("start", {"id": str(job.pk)}, "dead"))
        let_lease_run_out(job)

    assert len(leases.expire_leases()) == 5
    Task.objects.update(available_at=Now())  # as if the pause were over
    leases.wake_postponed()
    back = at_once(*[lambda n=n: Collab(Client()).claim(f"worker-{n}") for n in range(6)])

    assert {job["id"] for job in back if job} == lost
    assert {job["lease_token"] for job in back if job} == {2}
    for job in filter(None, back):
        stale = collab.result(job, workerId="dead", leaseToken=1)
        assert stale.json()["code"] == "lease_conflict"
