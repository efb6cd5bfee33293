"""A pass never waits for what somebody else has locked: it does the rest, and that later."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from agents.models import Agent, Presence
from chains import transitions as chains
from chains.models import Chain
from coordinator_project import maintenance
from coordinator_project.leadership import Fence, Leadership, NotLeading
from coordinator_project.maintenance import Lane, Loop, Pass
from events.models import Event
from jobs import tally
from jobs.models import Job
from tasks.models import ClaimKey, Task
from tasks.states import Status
from tests.factories import (
    counted,
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_held_task,
    make_job,
    make_task,
    silence,
    steps_of,
)
from tests.racing import with_connection

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked(*rows):
    """These rows, locked in psql by somebody who has gone to lunch."""
    with transaction.atomic():
        for row in rows:
            assert type(row).objects.filter(pk=row.pk).select_for_update().exists()
        yield


def passes_run():
    """What each pass does now, as in the loop; none of them may wait."""
    leadership = Leadership()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(with_connection, lambda: _run_all(leadership)).result(timeout=60)


def _run_all(leadership):
    assert leadership.keep()
    done = {}
    with connection.execute_wrapper(Fence(leadership.term)):
        for one in maintenance.passes():
            began = time.monotonic()
            done[one.name] = one.run()
            assert time.monotonic() - began < 5, one.name
    leadership.give_up()
    return done


def make_chain_in_hands(**agent):
    chain = make_chain(tasks=3)
    give(make_agent(**agent), chain.channel)
    return fresh(chain)


def let_chain_run_out(chain):
    for step in steps_of(chain):
        let_lease_run_out(step)


def with_owner(chain):
    return [chain, chain.owner, Task.objects.in_progress().get(chain=chain)]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["the chain", "its owner", "its task"])
def test_an_expired_chain_is_detached_while_another_is_locked(place):
    one, other = make_chain_in_hands(), make_chain_in_hands()
    for chain in (one, other):
        let_chain_run_out(chain)

    with locked(with_owner(one)[place]):
        assert passes_run()["chains.detach_expired"] == 1
        assert (fresh(one).owner_id, fresh(other).owner_id) == (one.owner_id, None)

    assert passes_run()["chains.detach_expired"] == 1
    assert fresh(one).owner_id is None


@pytest.mark.parametrize("place", [0, 1, 2], ids=["the chain", "its owner", "its task"])
def test_the_chain_of_a_lost_agent_is_detached_while_another_is_locked(place):
    one, other = make_chain_in_hands(), make_chain_in_hands()
    for chain in (one, other):
        silence(chain.owner)

    with locked(with_owner(one)[place]):
        assert passes_run()["chains.detach_lost"] == 1

    assert passes_run()["chains.detach_lost"] == 1
    assert not Chain.objects.exclude(owner=None).exists()


def test_a_locked_step_that_would_get_the_turn_holds_up_only_its_chain():
    one, other = make_chain_in_hands(), make_chain_in_hands()
    for chain in (one, other):
        Task.objects.filter(chain=chain).in_progress().update(cancel_asked_at=Now())
        let_chain_run_out(chain)

    with locked(steps_of(one)[1]):
        assert passes_run()["chains.detach_expired"] == 1

    assert passes_run()["chains.detach_expired"] == 1
    assert [step.status for step in steps_of(one)] == ["cancelled", "queued", "queued"]


@pytest.mark.parametrize("kind", [Agent, Task])
def test_more_lost_agents_than_a_batch_are_locked_and_the_others_are_released(kind, monkeypatch):
    monkeypatch.setattr("tasks.leases.BATCH", 2)
    held = [make_held_task(make_agent(f"agent-{n}")) for n in range(6)]
    for task in held:
        silence(task.agent)

    with locked(*[task if kind is Task else task.agent for task in held[:4]]):
        assert passes_run()["tasks.release_lost"] == 2

    assert passes_run()["tasks.release_lost"] == 4


def test_leases_that_ran_out_are_taken_back_beside_a_locked_task():
    one, other = make_held_task(), make_held_task()
    for task in (one, other):
        let_lease_run_out(task)

    with locked(one):
        assert passes_run()["tasks.expire_leases"] == 1

    assert (fresh(one).status, fresh(other).status) == (Status.IN_PROGRESS, Status.QUEUED)


def test_a_postponed_task_is_woken_beside_a_locked_one():
    tasks = [make_task(available_at=Now() - timedelta(seconds=1)) for _ in range(2)]

    with locked(tasks[0]):
        assert passes_run()["tasks.wake_postponed"] == 1


def test_tallies_are_folded_beside_a_locked_job():
    one, other = make_job(tasks=2), make_job(tasks=3)

    with locked(one):
        assert passes_run()["jobs.fold"] > 0
        assert (fresh(one).total, fresh(other).total) == (0, 3)
        assert counted(one) == (2, 0, 0, 0)

    assert passes_run()["jobs.fold"] > 0
    assert fresh(one).total == 2


def test_the_tallies_of_a_locked_job_do_not_fill_the_batch(monkeypatch):
    monkeypatch.setattr(tally, "FOLD", tally.FOLD.replace(str(tally.BATCH), "2"))
    monkeypatch.setattr(tally, "BATCH", 2)
    job = make_job()
    for _ in range(5):
        tally_row(job)
    other = make_job(tasks=3)

    with locked(job):
        assert passes_run()["jobs.fold"] == 1
        assert fresh(other).total == 3


def tally_row(job):
    return job.tallies.create(completed=0)


def test_tallies_of_a_job_that_is_gone_are_removed():
    job = make_job()
    tally_row(job)
    Job.objects.filter(pk=job.pk)._raw_delete("default")

    assert passes_run()["jobs.fold"] == 1
    assert not tally.fold()


def test_presence_is_announced_beside_a_locked_agent():
    one, other = make_agent("one"), make_agent("other")

    with locked(one):
        assert passes_run()["agents.announce"] == 1

    assert fresh(other).announced == Presence.ONLINE


def test_claim_keys_are_forgotten_beside_a_locked_one(settings):
    settings.CLAIM_KEYS_KEPT = timedelta(hours=1)
    keys = [ClaimKey.objects.create(agent_id="a", key=str(n), task_ids=[]) for n in range(3)]
    ClaimKey.objects.update(created_at=F("created_at") - timedelta(hours=2))

    with locked(keys[1]):
        assert passes_run()["tasks.forget_claim_keys"] == 2

    assert passes_run()["tasks.forget_claim_keys"] == 1


def test_a_locked_table_is_given_up_after_a_second():
    make_held_task()
    began = time.monotonic()
    loop = Loop([one for one in maintenance.passes() if one.name == "tasks.wake_postponed"])
    try:
        loop.turn(100)
        with ThreadPoolExecutor(1) as pool, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
            running = pool.submit(with_connection, lambda: loop.run_due(Lane.URGENT, 200))
            running.result(timeout=30)
            assert time.monotonic() - began < 20
        status = loop.statuses.by_name["tasks.wake_postponed"]
        assert status.failures == 1
        assert "lock timeout" in status.problem
    finally:
        loop.give_up()


def test_a_pass_sees_every_kind_of_statement_fenced():
    """Also one outside of a transaction, and the first of a savepoint."""
    leadership = Leadership()
    assert leadership.keep()
    seen = []

    def look():
        Agent.objects.filter(pk="x").update(name="y")
        with transaction.atomic(), transaction.atomic():
            seen.append(_fences())
        return 0

    with connection.execute_wrapper(Fence(leadership.term)):
        look()
    leadership.give_up()

    assert seen == [1]
    assert _fences() == 0


# `end_old` asks the database nothing where PostgreSQL itself ends what is old, nor does retention
# where everything is kept.
ASK_NOTHING = {"events.end_old", "artifacts.retention"}
FENCED = [one for one in maintenance.passes() if one.name not in ASK_NOTHING]


@pytest.mark.parametrize("one", FENCED, ids=lambda one: one.name)
def test_no_pass_changes_anything_in_a_term_that_is_over(one):
    chain, task, job = make_chain_in_hands(), make_held_task(), make_job(tasks=1)
    let_chain_run_out(chain)
    let_lease_run_out(task)
    silence(chain.owner)
    make_task(available_at=Now() - timedelta(seconds=1))
    events = Event.objects.count()
    Event.objects.create(type="old", created_at=timezone.now() - timedelta(days=99))

    with connection.execute_wrapper(Fence(99)), pytest.raises(NotLeading):
        one.run()

    assert Event.objects.count() == events + 1
    assert fresh(job).total == 0
    assert Task.objects.filter(postponed=True).count() == 1


def _fences():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_what_chains_detach_reads_under_locks_has_no_payload(django_assert_max_num_queries):
    chain = make_chain_in_hands()
    with django_assert_max_num_queries(25) as asked:
        chains.detach(chain.pk, owner_id=None, by="operator")

    selects = [query["sql"] for query in asked.captured_queries]
    assert not [
        sql for sql in selects if '"payload"' in sql or '"result"' in sql or '"meta"' in sql
    ]


def test_a_pass_is_for_one_lane():
    assert {one.lane for one in maintenance.passes()} == set(Lane)
    assert Pass("p", timedelta(seconds=1), lambda: 0).lane == Lane.URGENT
