"""The only writer of receivers, rules and what rules watch; new messages are made here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from accounts import sealing
from dashboard import attention
from dashboard.attention import Finding, Severity
from notifications import webhooks
from notifications.exceptions import NotDead, NotEnabled, NotWaiting
from notifications.models import (
    Delivery,
    DeliveryStatus,
    Event,
    Receiver,
    ReceiverKind,
    Rule,
    Watched,
)

DROPPED = "dropped"
MOST_WAITING = 1_000
"""Messages of one receiver: while so many wait, no new ones are made for it."""
STEADY = timedelta(seconds=30)
"""How long a finding must be gone before it is over: what comes and goes is one."""
KEPT = {DeliveryStatus.SENT: timedelta(days=7), DeliveryStatus.DEAD: timedelta(days=30)}
GROWN = timedelta(minutes=5)
"""How long nothing is told of what was told already, though something new came to it."""
BATCH = 1_000


def look() -> int:
    """Compare what needs a person with what each rule has seen; return how many messages came."""
    rules = list(Rule.objects.in_force())
    findings = attention.found() if rules else []
    made = 0
    for rule in rules:
        with transaction.atomic():
            made += len(_compare(rule, findings, timezone.now()))
    return made


def _compare(rule: Rule, findings: Iterable[Finding], now: datetime) -> Sequence[Delivery]:
    """Make the messages of one rule; what it watches is written with them, so none comes twice."""
    locked = Rule.objects.filter(pk=rule.pk, enabled=True).select_for_update(no_key=True)
    if not locked.exists() or _has_too_many(rule.receiver):
        return []
    watched = {one.key: one for one in Watched.objects.filter(rule=rule)}
    present = {one.key: one for one in findings if fits(rule, one)}
    lasting = {one.key for one in findings}
    Watched.objects.bulk_create(
        [Watched(rule=rule, key=key, seen_at=now) for key in present.keys() - watched.keys()]
    )
    found: list[Delivery] = []
    for one in Watched.objects.filter(rule=rule).order_by("pk"):
        finding = present.get(one.key)
        if finding is not None:
            found += _of_one_that_lasts(rule, one, finding, now)
        elif one.key in lasting:
            one.delete()  # the rule is another; it is not over
        else:
            found += _of_one_that_is_gone(rule, one, now)
    return Delivery.objects.bulk_create(found)


def _of_one_that_lasts(rule: Rule, one: Watched, finding: Finding, now: datetime) -> list[Delivery]:
    event = _due(rule, one, finding, now)
    if not event and one.gone_at is None:
        return []
    made = []
    one.gone_at = None
    if event:
        told = _told(rule, event, finding, now)
        one.announced_at, one.told = now, told
        made.append(_delivery(rule, event, one.key, told))
    one.save(update_fields=["announced_at", "gone_at", "told"])
    return made


def _due(rule: Rule, one: Watched, finding: Finding, now: datetime) -> Event | None:
    """What is to be told now: that it began, that it lasts, or that something new came to it."""
    if one.announced_at is None:
        began = min(finding.found_since or one.seen_at, one.seen_at)
        return Event.BEGAN if now - began >= timedelta(seconds=rule.after_seconds) else None
    announced_for = now - one.announced_at
    grew = (
        finding.latest is not None and finding.latest > one.announced_at and announced_for >= GROWN
    )
    repeats = rule.repeat_seconds and announced_for >= timedelta(seconds=rule.repeat_seconds)
    return Event.LASTS if grew or repeats else None


def _of_one_that_is_gone(rule: Rule, one: Watched, now: datetime) -> list[Delivery]:
    if one.gone_at is None:
        one.gone_at = now
        one.save(update_fields=["gone_at"])
    if one.announced_at is not None and now - one.gone_at < STEADY:
        return []
    one.delete()
    if one.announced_at is None or not rule.tells_end:
        return []
    now_told = {"type": Event.ENDED, "timestamp": now.isoformat(), "rule": rule.name}
    data = {**(one.told or {"key": one.key}), **now_told}
    return [_delivery(rule, Event.ENDED, one.key, data)]


def fits(rule: Rule, finding: Finding) -> bool:
    """Whether the rule is about such a finding."""
    known = not rule.kinds or finding.kind in rule.kinds
    return known and attention.ORDER[finding.severity] <= attention.ORDER[Severity(rule.severity)]


def _told(rule: Rule, event: Event, finding: Finding, now: datetime) -> dict[str, object]:
    """What a message says of a finding."""
    with translation.override(rule.receiver.language):
        text = finding.message
    return {
        "type": event,
        "timestamp": now.isoformat(),
        "rule": rule.name,
        "key": finding.key,
        "kind": finding.kind,
        "severity": finding.severity,
        "count": finding.count,
        "more": finding.more,
        "since": finding.since and finding.since.isoformat(),
        "text": text,
        "about": [{"id": one.id, "title": one.title} for one in finding.subjects],
        "url": _url(finding.address),
    }


def _url(address: str) -> str | None:
    """Where to look, once somebody has said where the dashboard is."""
    return f"{settings.PUBLIC_URL}/{address.removeprefix('/')}" if settings.PUBLIC_URL else None


def _delivery(rule: Rule, event: Event, key: str, data: Mapping[str, object]) -> Delivery:
    return Delivery(receiver=rule.receiver, rule=rule.name, event=event, key=key, data=data)


def _has_too_many(receiver: Receiver) -> bool:
    waiting = Delivery.objects.waiting().filter(receiver=receiver)
    return waiting[:MOST_WAITING].count() >= MOST_WAITING


def seal_webhook(receiver: Receiver, *, url: str, secret: str) -> None:
    """Set where a webhook is and what signs, on a row that is not saved yet. Raises Unusable."""
    receiver.kind = ReceiverKind.WEBHOOK
    receiver.place = webhooks.place(url)
    receiver.sealed = sealing.seal({"url": url, "secret": secret})


def seal_address(receiver: Receiver, address: str) -> None:
    """Set whom mail goes to, on a row that is not saved yet."""
    receiver.kind, receiver.place = ReceiverKind.MAIL, address
    receiver.sealed = sealing.seal({"address": address})


@transaction.atomic
def test(receiver_id: UUID, *, by: str, reason: str) -> Delivery:
    """Make a message that says nothing but that it is one."""
    receiver = Receiver.objects.select_for_update(no_key=True).get(pk=receiver_id)
    if not receiver.enabled:
        raise NotEnabled
    with translation.override(receiver.language):
        text = gettext("A test, by %(name)s: %(reason)s") % {"name": by, "reason": reason}
    data = {
        "type": Event.TEST,
        "timestamp": timezone.now().isoformat(),
        "text": text,
        "url": settings.PUBLIC_URL or None,
    }
    return Delivery.objects.create(receiver=receiver, event=Event.TEST, data=data)


@transaction.atomic
def send_again(delivery_id: UUID) -> None:
    """Give a dead letter all its attempts again."""
    row = Delivery.objects.select_for_update(no_key=True).get(pk=delivery_id)
    if row.status != DeliveryStatus.DEAD:
        raise NotDead
    row.status, row.attempts, row.ended_at = DeliveryStatus.WAITING, 0, None
    row.due_at = timezone.now()
    row.save(update_fields=["status", "attempts", "ended_at", "due_at"])


@transaction.atomic
def drop(delivery_id: UUID) -> None:
    """Make a message that waits a dead letter, without another attempt."""
    row = Delivery.objects.select_for_update(no_key=True).get(pk=delivery_id)
    if row.status != DeliveryStatus.WAITING:
        raise NotWaiting
    row.status, row.ended_at, row.last_error = DeliveryStatus.DEAD, timezone.now(), DROPPED
    row.save(update_fields=["status", "ended_at", "last_error"])


def forget() -> int:
    """Delete messages that ended long ago; return how many."""
    gone = 0
    for status, kept in KEPT.items():
        old = Delivery.objects.filter(status=status, ended_at__lt=timezone.now() - kept)
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        gone += Delivery.objects.filter(pk__in=ids, status=status).delete()[0]
    # Those of receivers that are not enabled; others have ended long before.
    since = timezone.now() - KEPT[DeliveryStatus.DEAD]
    waiting = Delivery.objects.waiting().filter(receiver__enabled=False, created_at__lt=since)
    return gone + waiting.delete()[0]


@transaction.atomic
def reseal() -> tuple[int, int]:
    """Seal anew what another key has sealed; return how many were, and how many cannot be opened.

    Receivers are few, so all of them at once.
    """
    done = lost = 0
    for receiver in Receiver.objects.select_for_update(no_key=True).order_by("pk"):
        try:
            sealed = sealing.resealed(bytes(receiver.sealed))
        except sealing.Unopenable:
            lost += 1
            continue
        if sealed is not None:
            done += Receiver.objects.filter(pk=receiver.pk).update(sealed=sealed)
    return done, lost
