"""Problems with a Collab job, by the words of seed 003 (contract 003, 1.4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from problems import Conflict, NotFound
from tasks.exceptions import LeaseLost, NotHolder, TaskUnknown, WrongStatus


class CollabJobUnknown(NotFound):
    """There is no job with this id."""


class DeadLetterUnknown(NotFound):
    """There is no dead letter with this id."""


class IdempotencyConflict(Conflict):
    """Another request has used this idempotency key."""

    code = "idempotency_conflict"


class LeaseConflict(Conflict):
    """The job is not leased to this worker, or by a later lease."""

    code = "lease_conflict"


class InvalidTransition(Conflict):
    """The status of the job does not allow this."""

    code = "invalid_transition"


class AlreadyRetried(Conflict):
    """This dead letter has been replayed already."""

    code = "already_retried"

    def __init__(self, job_id: UUID | None) -> None:
        """`job_id`: of the job that it was replayed as; None once that is gone."""
        super().__init__(f"This dead letter has been replayed already, as job {job_id}.")
        self.details = {"jobId": str(job_id)} if job_id else {}


@contextmanager
def in_words_of_collab() -> Iterator[None]:
    """Problems of the engine as those that seed 003 has for them."""
    try:
        yield
    except TaskUnknown as problem:
        raise CollabJobUnknown(problem.message.replace("task", "job")) from None
    except (NotHolder, LeaseLost) as problem:
        raise LeaseConflict(problem.message) from None
    except WrongStatus as problem:
        raise InvalidTransition(problem.message) from None
