"""Reports by the transactional path: by an agent or, without one, by an operator."""

from tasks import reports
from tasks.models import Task
from tasks.reports import Verdict
from tasks.rows import Outcome

ACCEPTED, ALREADY, LOST = Verdict.ACCEPTED, Verdict.ALREADY, Verdict.LOST


def report(outcome, by=None):
    """The verdict on the outcome, with its problem if it is lost."""
    [verdict], _ = reports.report_in_transaction([outcome], agent_id=by and by.pk, by="operator")
    return verdict


def complete(task, *, by=None, **outcome):
    """The verdict on a completion; see `checked`."""
    return checked(Outcome(task.pk, done=True, **outcome), by)


def fail(task, *, by=None, reason="broken", **outcome):
    """The verdict on a failure; see `checked`."""
    return checked(Outcome(task.pk, done=False, reason=reason, **outcome), by)


def checked(outcome, by):
    """The verdict, or the class of the problem of a lost report. Only an accepted one writes."""
    before = Task.objects.filter(pk=outcome.task_id).values().first()
    verdict = report(outcome, by)
    if verdict.verdict != ACCEPTED:
        assert Task.objects.filter(pk=outcome.task_id).values().first() == before
    return type(verdict.problem) if verdict.problem else verdict.verdict
