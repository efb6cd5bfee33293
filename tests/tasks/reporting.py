"""Reports in one word, for tests."""

from tasks import reports
from tasks.fast_path import Outcome
from tasks.models import Task
from tasks.reports import Verdict

ACCEPTED, ALREADY, LOST = Verdict.ACCEPTED, Verdict.ALREADY, Verdict.LOST


def done(task, *, by=None, epoch=None, result=None):
    """Report the task done, as the agent `by` or, without one, as an operator."""
    return said(Outcome(task.pk, done=True, result=result, epoch=epoch), by)


def failed(task, *, by=None, epoch=None, reason="broken", retriable=False):
    return said(Outcome(task.pk, done=False, reason=reason, retriable=retriable, epoch=epoch), by)


def said(outcome, by):
    """The verdict; of a lost report, what was wrong with it. A lost one writes nothing."""
    before = Task.objects.filter(pk=outcome.task_id).values().first()
    answers, _ = reports.report_in_transaction([outcome], agent_id=by and by.pk, by="operator")
    answer = answers[0]
    if answer.verdict in {ALREADY, LOST}:
        assert Task.objects.filter(pk=outcome.task_id).values().first() == before
    return type(answer.problem) if answer.problem else answer.verdict
