"""Cancel, kill, claim, report and retry of one command at once: one end, and all agree on it."""

import pytest

from jobs import command_transitions as commands
from jobs import transitions as jobs
from jobs.commands import CommandRequest, ExitStatus
from jobs.models import Command, Job
from problems import Problem
from tasks import leases
from tasks.models import Channel, Task
from tests.accounts.tokens import ADMINISTRATOR
from tests.factories import make_agent, take
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


def make(**fields):
    request = CommandRequest(name="race", job_command="make", queue_name="races", **fields)
    return commands.submit(request, by=ADMINISTRATOR)[0]


def claimed(command):
    """The lease epoch of the command, which agent `runner` now holds."""
    [task] = take(make_agent("runner"), Channel.objects.get(name="races"))
    assert task.id == command.task_id
    return task.lease_epoch


def attempt(call):
    def tried():
        try:
            return call()
        except Problem as problem:
            return type(problem).__name__

    return tried


def exit_of(command, epoch, status=ExitStatus.COMPLETED):
    def reported():
        code = 0 if status == ExitStatus.COMPLETED else 1
        return commands.exit_(
            command.task_id, status, agent_id="runner", epoch=epoch, exit_code=code
        ).status

    return attempt(reported)


def test_one_key_makes_one_command_however_many_ask_at_once():
    def submit():
        request = CommandRequest(
            name="race", job_command="make", queue_name="races", idempotency_key="k"
        )
        command, new = commands.submit(request, by=ADMINISTRATOR)
        return command.pk, new

    answers = at_once(*[submit] * 6)

    assert len({pk for pk, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    assert Job.objects.count() == Task.objects.count() == Command.objects.count() == 1


def test_a_key_of_a_command_that_is_deleted_meanwhile_gives_that_or_a_new_one():
    for _ in range(ROUNDS):
        first = make(idempotency_key="k")
        commands.cancel(first.pk, by="tests")
        _, (second, new) = at_once(
            lambda pk=first.pk: jobs.delete(pk, by="tests"),
            lambda: commands.submit(
                CommandRequest(
                    name="race", job_command="make", queue_name="races", idempotency_key="k"
                ),
                by=ADMINISTRATOR,
            ),
        )

        assert new == (second.pk != first.pk)
        Job.objects.all().delete()


def test_a_cancel_and_a_claim_leave_it_cancelled_or_told():
    make_agent("runner")
    for _ in range(ROUNDS):
        command = make()
        channel = Channel.objects.get(name="races")
        _, tasks = at_once(
            lambda pk=command.pk: commands.cancel(pk, by="tests"),
            lambda channel=channel: take(make_agent("runner"), channel),
        )
        now = commands.known(command.pk)

        assert now.status == ("cancelling" if tasks else "cancelled")
        Task.objects.filter(pk=command.task_id).delete()


@pytest.mark.parametrize("status", [ExitStatus.COMPLETED, ExitStatus.FAILED])
def test_a_cancel_and_a_report_leave_one_end(status):
    for _ in range(ROUNDS):
        command = make()
        epoch = claimed(command)
        cancelled, reported = at_once(
            attempt(lambda pk=command.pk: commands.cancel(pk, by="tests").status),
            exit_of(command, epoch, status),
        )
        now = commands.known(command.pk)

        assert now.status == reported
        ends = {"completed"} if status == ExitStatus.COMPLETED else {"failed", "cancelled"}
        assert now.status in ends
        assert cancelled in {"cancelling", "CommandOver", "JobOver", now.status}
        assert now.completed_at


def test_a_kill_and_a_report_leave_one_end():
    for _ in range(ROUNDS):
        command = make()
        epoch = claimed(command)
        killed, reported = at_once(
            attempt(lambda pk=command.pk: commands.kill(pk, by="tests").status),
            exit_of(command, epoch),
        )

        assert {killed, reported} in (
            {"cancelled", "WrongStatus"},
            {"CommandOver", "completed"},
            {"WrongStatus", "completed"},
        )
        assert commands.known(command.pk).status in {"cancelled", "completed"}


def test_an_expiry_and_a_report_leave_one_end():
    for _ in range(ROUNDS):
        command = make()
        epoch = claimed(command)
        Task.objects.filter(pk=command.task_id).update(
            lease_expires_at="2020-01-01T00:00:00Z", lease_seconds=1
        )
        _, reported = at_once(leases.expire_leases, exit_of(command, epoch))

        # A late report of the last holder counts, as of any task.
        assert reported == "completed"
        assert commands.known(command.pk).status == "completed"


def test_a_report_and_the_end_of_its_time_leave_one_end():
    for _ in range(ROUNDS):
        command = make(timeout_seconds=1)
        epoch = claimed(command)
        Task.objects.filter(pk=command.task_id).update(claimed_at="2020-01-01T00:00:00Z")
        _, reported = at_once(commands.end_overdue, exit_of(command, epoch))

        now = commands.known(command.pk)
        assert (now.status, reported) in {
            ("completed", "completed"),
            ("timeout", "WrongStatus"),
        }
