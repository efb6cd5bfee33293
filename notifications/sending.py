"""Messages on their way: picked, sent, sent again, and in the end a dead letter.

A row is picked in one transaction, the receiver is asked in none, and what came of it is written
in another, as soon as it is known. Whoever is killed in between leaves a row that is due again
after `PICKED`; so a message may arrive twice, with the same id.
"""

import logging
import random
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from accounts import sealing
from api.body import dumps
from notifications import mail, webhooks
from notifications.models import (
    LONGEST_ERROR,
    Delivery,
    DeliveryStatus,
    Receiver,
    ReceiverKind,
)
from notifications.webhooks import Verdict

AT_ONCE = 8
"""Receivers that are spoken to side by side."""
LOOK_EVERY = 1.0  # seconds, for what has become due meanwhile
GOES_ON = 10.0
"""Seconds for which who answers gets its next message while others are waited for."""
PICKED = timedelta(minutes=1)
"""How long a message is left alone that somebody picked: longer than an attempt takes."""
PAUSES = (5, 30, 120, 600, 3_600, 10_800, 21_600)
"""Seconds between one attempt and the next; then it is a dead letter."""
MOST_ATTEMPTS = len(PAUSES) + 1

log = logging.getLogger("coordinator.notifications")


@dataclass(frozen=True, slots=True)
class Letter:
    """What one attempt needs, read before anybody is spoken to."""

    id: UUID
    receiver: UUID
    kind: str
    attempts: int
    data: Mapping[str, object]
    sealed: bytes
    language: str


def send_due() -> int:
    """Make the attempts that are due, of each receiver one at a time; return how many.

    One that is slow keeps no other waiting: who has answered gets its next message meanwhile.
    """
    begun, made = time.monotonic(), 0
    asked: dict[Future[Verdict], Letter] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify") as threads:
        while True:
            if not asked or time.monotonic() - begun < GOES_ON:
                busy = {letter.receiver for letter in asked.values()}
                for letter in _picked(AT_ONCE - len(asked), busy):
                    asked[threads.submit(attempt, letter)] = letter
            if not asked:
                return made
            for future in wait(asked, LOOK_EVERY, return_when=FIRST_COMPLETED).done:
                _keep(asked.pop(future), future.result())
                made += 1
            if not asked and time.monotonic() - begun >= GOES_ON:
                return made


def attempt(letter: Letter) -> Verdict:
    """Send it once, without the database. Whatever goes wrong, the message has had its attempt."""
    try:
        secrets = sealing.opened(letter.sealed)
    except sealing.Unopenable:
        return Verdict("cannot_be_opened", is_final=True)
    try:
        if letter.kind == ReceiverKind.MAIL:
            return mail.send(secrets["address"], letter.data, letter.language)
        body = dumps(letter.data)
        return webhooks.send(secrets["url"], secrets["secret"], letter.id, body)
    except Exception:
        # One message that cannot be sent must not keep all others waiting, again and again.
        log.exception("A notification could not be sent.", extra={"delivery": str(letter.id)})
        return Verdict("internal")


@transaction.atomic
def _picked(most: int, busy: Collection[UUID] = ()) -> Sequence[Letter]:
    """The first that is due of each receiver that is not busy, and nobody else's for a while.

    Asked receiver by receiver: however much is due for one, the others are found behind it.
    """
    first = Delivery.objects.due().filter(receiver=OuterRef("pk"))
    of_each = Receiver.objects.filter(enabled=True).exclude(pk__in=busy)
    due = of_each.annotate(
        first=Subquery(first.values("pk")[:1]), since=Subquery(first.values("due_at")[:1])
    )
    wanted = due.filter(first__isnull=False).order_by("since").values_list("first", flat=True)
    rows = Delivery.objects.due().filter(pk__in=list(wanted[:most]))
    found = list(rows.select_for_update(skip_locked=True, no_key=True, of=("self",)))
    receivers = Receiver.objects.in_bulk({row.receiver_id for row in found})
    for row in found:
        row.attempts += 1
        row.due_at = timezone.now() + PICKED
    Delivery.objects.bulk_update(found, ["attempts", "due_at"])
    return [
        Letter(
            row.pk,
            receiver.pk,
            receiver.kind,
            row.attempts,
            row.data,
            bytes(receiver.sealed or b""),
            receiver.language,
        )
        for row in found
        if (receiver := receivers.get(row.receiver_id))
    ]


@transaction.atomic
def _keep(letter: Letter, verdict: Verdict) -> None:
    """Write what came of an attempt, unless a person was quicker."""
    waiting = Delivery.objects.waiting().filter(pk=letter.id, attempts=letter.attempts)
    now = timezone.now()
    if not verdict.error:
        waiting.update(status=DeliveryStatus.SENT, ended_at=now, last_error="")
        return
    error = verdict.error[:LONGEST_ERROR]
    if verdict.is_final or letter.attempts >= MOST_ATTEMPTS:
        log.warning("A notification did not arrive.", extra={"delivery": str(letter.id)})
        waiting.update(status=DeliveryStatus.DEAD, ended_at=now, last_error=error)
        return
    usual = PAUSES[letter.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311
    pause = timedelta(seconds=max(usual, verdict.pause))
    waiting.update(due_at=now + pause, last_error=error)
