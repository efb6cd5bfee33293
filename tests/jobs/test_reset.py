"""`manage.py reset` repairs what has drifted and prints it; `--all` empties the database."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents import pulse
from agents import transitions as agents
from agents.models import Agent
from agents.transitions import Beat
from chains.models import Chain, ChainStatus
from chains.repair import BUSY
from events.models import Event
from jobs.models import Job, JobStatus
from jobs.tally import fold
from tasks import tallies
from tasks.models import Channel, Task, TaskTally
from tasks.states import Status
from tests.artifacts.calls import Runner as Holder
from tests.artifacts.calls import files_in, swept
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
    recounted,
    silence,
    steps_of,
)
from tests.racing import with_connection

pytestmark = pytest.mark.django_db

IN_ORDER = [
    "tasks: 0 back in the queue, 0 failed, 0 cancelled",
    "chains: 0 detached",
    "chains: 0 repaired",
    "jobs: 0 repaired",
    "tallies: 0 repaired",
]


def run(*args):
    out = StringIO()
    call_command("reset", *args, stdout=out)
    return out.getvalue().splitlines()


def test_where_all_is_right_nothing_is_changed():
    give(make_agent(), make_chain(tasks=3).channel)
    make_held_task()
    make_job(tasks=3)
    before = Event.objects.count()

    assert run() == IN_ORDER
    assert Event.objects.count() == before


def test_the_tasks_of_lost_agents_are_given_back():
    agent = make_agent()
    task = make_held_task(agent)
    silence(agent)

    assert run()[0] == "tasks: 1 back in the queue, 0 failed, 0 cancelled"
    assert fresh(task).status == Status.QUEUED


def test_the_chains_of_lost_agents_are_detached():
    agent = make_agent()
    chain = make_chain(tasks=1)
    task = give(agent, chain.channel)
    silence(agent)

    assert run()[1] == "chains: 1 detached"
    assert (fresh(task).status, fresh(chain).owner_id) == (Status.LOCKED, None)


def test_leases_that_ran_out_are_taken_back():
    task = make_task()
    let_lease_run_out(give(make_agent(), task.channel, lease_seconds=60))

    assert run()[0] == "tasks: 1 back in the queue, 0 failed, 0 cancelled"


def test_a_chain_without_its_turn_and_with_a_wrong_status_is_repaired():
    chain = make_chain(tasks=2)
    Task.objects.filter(chain=chain).update(blocked=True)
    Chain.objects.filter(pk=chain.pk).update(status=ChainStatus.DONE)

    assert run("--reason", "after the restore")[2:4] == [
        f"chain {chain.pk}: it was done, is queued;"
        " task 1 was blocked, is not blocked, for anybody",
        "chains: 1 repaired",
    ]
    assert [step.blocked for step in steps_of(chain)] == [False, True]
    assert Event.objects.filter(type="chain.progressed").latest("id").reason == "after the restore"
    assert run() == IN_ORDER


def test_a_task_far_behind_that_binds_an_agent_lets_it_go():
    make_agent("agent-1")
    chain = make_chain(tasks=3)
    Task.objects.filter(chain=chain, sequence=3).update(reserved_for="agent-1")

    assert run()[2] == f"chain {chain.pk}: task 3 was blocked, for agent-1, is blocked"
    assert steps_of(chain)[2].reserved_for_id is None


def test_a_job_that_counted_wrong_is_counted_anew():
    job = make_job(tasks=3)
    fold()
    Job.objects.filter(pk=job.pk).update(total=5, completed=1)

    assert run()[3:] == [
        f"job {job.pk}: had missed -2 tasks, -1 completed, 0 failed, 0 cancelled",
        "jobs: 1 repaired",
        "tallies: 0 repaired",
    ]
    assert counted(job) == recounted(job) == (3, 0, 0, 0)
    assert fresh(job).total == 3
    assert run() == IN_ORDER


def test_a_job_of_the_wrong_status_is_judged_anew():
    job = make_job(tasks=3)
    fold()
    Job.objects.filter(pk=job.pk).update(status=JobStatus.FAILED)

    assert run()[4] == "jobs: 1 repaired"
    assert fresh(job).status == JobStatus.PENDING


def test_tasks_that_were_miscounted_are_counted_anew():
    make_task()
    TaskTally.objects.create(
        hour=tallies.EVER,
        channel_id=Channel.objects.get().pk,
        type="",
        of_job=False,
        event="task.created",
        source="",
        target="queued",
        reason="",
        count=4,
    )

    assert run("--dry-run")[-2] == "tallies: 1 repaired"
    assert run()[-1] == "tallies: 1 repaired"

    assert run() == IN_ORDER
    assert tallies.by_status()["queued"] == 1


def test_a_dry_run_tells_and_changes_nothing():
    agent = make_agent()
    task = make_held_task(agent)
    silence(agent)
    job = make_job(tasks=1)
    fold()
    Job.objects.filter(pk=job.pk).update(total=5)

    output = run("--dry-run")

    assert output[0] == "tasks: 1 back in the queue, 0 failed, 0 cancelled"
    assert output[-3:] == [
        "jobs: 1 repaired",
        "tallies: 0 repaired",
        "Nothing was changed: this was a dry run.",
    ]
    assert fresh(task).status == Status.IN_PROGRESS
    assert fresh(job).total == 5


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_holds_nobody_up():
    chains = [make_chain(tasks=2) for _ in range(30)]
    owners = [give(make_agent(), chain.channel).agent for chain in chains]
    for chain in chains:
        Chain.objects.filter(pk=chain.pk).update(status=ChainStatus.DONE)

    def beat(running):
        beats = 0
        while not running.done():
            for owner in owners:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '1s'")
                    agents.beat(Beat(owner.pk))
                beats += 1
        return beats

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(with_connection, lambda: run("--dry-run"))
        assert beat(running)
        output = running.result(timeout=60)

    named = [line for line in output if "it was done, is in_progress" in line]
    assert len(named) + sum(BUSY in line for line in output) == 30
    assert set(Chain.objects.values_list("status", flat=True)) == {ChainStatus.DONE}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_each_chain_and_each_job_is_a_transaction_of_its_own(option):
    for chain in (make_chain(tasks=1), make_chain(tasks=1)):
        Chain.objects.filter(pk=chain.pk).update(status=ChainStatus.DONE)
    make_job(tasks=1)
    make_job(tasks=1)

    with CaptureQueriesContext(connection) as asked:
        output = run(*option)

    assert "chains: 2 repaired" in output
    ends = [query["sql"] for query in asked.captured_queries]
    assert sum(sql in {"COMMIT", "ROLLBACK"} for sql in ends) >= 5
    assert [sql for sql in ends if sql == ("ROLLBACK" if option else "COMMIT")]


@pytest.mark.django_db(transaction=True)
def test_a_chain_that_somebody_has_locked_is_named_and_left():
    one, other = make_chain(tasks=1), make_chain(tasks=1)
    for chain in (one, other):
        Chain.objects.filter(pk=chain.pk).update(status=ChainStatus.DONE)

    with transaction.atomic():
        assert Chain.objects.filter(pk=one.pk).select_for_update().exists()
        with ThreadPoolExecutor(1) as pool:
            output = pool.submit(with_connection, run).result(timeout=60)

    assert f"chain {one.pk}: {BUSY}" in output
    assert "chains: 1 repaired" in output
    assert (fresh(one).status, fresh(other).status) == (ChainStatus.DONE, ChainStatus.QUEUED)


def test_it_says_when_no_agent_can_be_lost():
    agent = make_agent()
    task = make_held_task(agent)
    silence(agent)
    pulse.beat()

    output = run()

    assert output[0].startswith("no agent is lost and no lease expires now")
    assert fresh(task).status == Status.IN_PROGRESS


def test_a_dry_run_counts_more_than_a_batch(monkeypatch):
    monkeypatch.setattr("tasks.leases.BATCH", 2)
    for number in range(5):
        agent = make_agent(f"agent-{number}")
        make_held_task(agent)
        silence(agent)
    for _ in range(5):
        let_lease_run_out(make_held_task())

    assert run("--dry-run")[0] == run()[0] == "tasks: 10 back in the queue, 0 failed, 0 cancelled"


class Terminal(io.StringIO):
    """A person at a terminal, who types this."""

    def isatty(self):
        return True


def database():
    return connection.get_connection_params()["dbname"]


@pytest.mark.django_db(transaction=True)
def test_all_is_emptied_once_the_name_of_the_database_is_typed(monkeypatch):
    get_user_model().objects.create_user("operator")
    make_held_task()
    make_job(tasks=1)
    make_chain(tasks=1)
    monkeypatch.setattr(sys, "stdin", Terminal(f"{database()}\n"))

    output = run("--all")

    assert database() in output[0]
    assert output[-1] == "The database is empty except for its users."
    for kind in (Agent, Channel, Chain, Task, Job, Event):
        assert not kind.objects.exists()
    assert get_user_model().objects.filter(username="operator").exists()


@pytest.mark.django_db(transaction=True)
def test_files_and_logs_go_with_their_tasks(client, settings, tmp_path):
    folder = {"kind": "filesystem", "base_path": str(tmp_path / "objects")}
    settings.OBJECT_STORE = settings.OBJECT_STORE | folder
    holder = Holder(client)
    assert holder.put("a.txt").status_code == 201
    assert holder.send("a line").status_code == 200
    assert len(files_in(tmp_path / "objects")) == 2

    run("--all", "--yes-empty-everything")

    assert swept(tmp_path / "objects") == []


def test_anything_else_typed_leaves_all_as_it_is(monkeypatch):
    make_task()
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))

    with pytest.raises(CommandError, match="Nothing was deleted"):
        run("--all")

    assert Task.objects.exists()


def test_without_a_terminal_the_option_is_required(monkeypatch):
    make_task()
    monkeypatch.setattr(sys, "stdin", StringIO(f"{database()}\n"))

    with pytest.raises(CommandError, match="--yes-empty-everything"):
        run("--all")

    assert Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_with_the_option_it_does_not_ask(monkeypatch):
    make_task()
    monkeypatch.setattr(sys, "stdin", StringIO())

    run("--all", "--yes-empty-everything")

    assert not Task.objects.exists()


def test_emptying_has_no_dry_run():
    with pytest.raises(CommandError, match="no dry run"):
        run("--all", "--dry-run")
