"""Why a command is still in the queue outside, for people."""

from django.utils.translation import gettext as _

from chains.why import Code, WhyReason
from jobs.models import Submission, SubmissionState
from tasks.models import Task


def why(task: Task) -> WhyReason:
    """What it waits for outside, with the last error if the last call came to nothing."""
    row = Submission.objects.filter(job=task.job_id).first()
    if row is None:
        return WhyReason(Code.QUEUE_OUTSIDE, _("It waits for the queue outside."))
    words = {"queue": row.queue, "error": row.last_error}
    if row.state == SubmissionState.WAITING:
        text = (
            _("It could not be sent to queue %(queue)s outside yet: %(error)s")
            if row.last_error
            else _("It is about to be sent to queue %(queue)s outside.")
        )
    else:
        text = (
            _("It waits in queue %(queue)s outside, which does not answer now: %(error)s")
            if row.last_error
            else _("It waits in queue %(queue)s outside until a bridge takes it.")
        )
    trouble = row.last_error or row.state != SubmissionState.WAITING
    remedy = _("See that the Corndogs server and a bridge are running.") if trouble else ""
    data = {
        "queue": row.queue,
        "corndogs_task_id": row.corndogs_task_id,
        "last_error": row.last_error,
        "attempts": row.attempts,
        "due_at": row.due_at,
    }
    return WhyReason(Code.QUEUE_OUTSIDE, text % words, remedy, data=data)
