"""The audit of keys: one row for each operation, in its transaction, and for each failure.

A failure's row is written once the transaction that failed has ended, so that it stays. Where that
was a part of another transaction it stays if that one does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from events.context import request_id
from vault.exceptions import NO_KEY, Subject, VaultProblem
from vault.models import ENV_LENGTH, NAME_LENGTH, KeyAudit, KeyVersion, Operation

LONGEST = 1_000  # characters of what callers say of themselves


@dataclass(frozen=True, slots=True)
class By:
    """Who does something with a key, and from where."""

    actor: str
    ip: str = ""
    user_agent: str = ""
    trace_id: str = ""
    token_id: UUID | None = None

    @classmethod
    def of(cls, given: "By | str") -> "By":
        return given if isinstance(given, By) else cls(given)


def subject_of(version: KeyVersion) -> Subject:
    """What the audit and messages call a version; its key has been read with it."""
    return Subject(version.key_id, version.key.name, version.key.env, version.version)


def succeeded(
    operation: Operation,
    subject: Subject,
    *,
    by: By,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Note what was done, in the transaction that does it."""
    _write(operation, operation, subject, by, reason, details or {})


def failed(
    operation: Operation,
    subject: Subject,
    *,
    by: By,
    reason: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Note what was not done, and by one word why."""
    _write(Operation.FAIL, operation, subject, by, reason, details or {})


@contextmanager
def failures(operation: Operation, about: Subject, by: By) -> Iterator[None]:
    """Note the VaultProblem that comes out of the block; nothing else that is done there stays."""
    try:
        yield
    except VaultProblem as problem:
        note(operation, problem, about=about, by=by)
        raise


def note(operation: Operation, problem: VaultProblem, *, about: Subject = NO_KEY, by: By) -> None:
    """Note a problem, of the key that it is about as far as that is known."""
    subject = merged(problem.subject, about)
    said = {"message": problem.message}
    failed(operation, subject, by=by, reason=problem.reason, details=said)


def merged(known: Subject, asked: Subject) -> Subject:
    """What is known of the key, and for the rest what was asked for."""
    return Subject(
        known.key_id or asked.key_id,
        known.name or asked.name,
        known.env or asked.env,
        known.version or asked.version,
    )


def _write(
    event: Operation,
    operation: Operation,
    subject: Subject,
    by: By,
    reason: str,
    details: Mapping[str, object],
) -> None:
    token = {"token_id": str(by.token_id)} if by.token_id else {}
    KeyAudit.objects.create(
        key_id=subject.key_id,
        name=subject.name[:NAME_LENGTH],
        env=subject.env[:ENV_LENGTH],
        version=subject.version,
        event=event,
        operation=operation,
        actor=by.actor[:LONGEST],
        ip=by.ip,
        user_agent=by.user_agent[:LONGEST],
        trace_id=by.trace_id[:LONGEST],
        request_id=request_id.get(),
        success=event != Operation.FAIL,
        reason=reason[:LONGEST],
        details={**details, **token},
    )
