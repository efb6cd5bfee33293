"""What needs a person: findings, each with what it is about and the remedy.

Findings are derived whenever they are read: what is no longer so is no longer found (ADR 34). Rooms
above this one add their own sources. `found()` has all findings, for whoever carries them out;
`shown()` those that nobody has dismissed, as pages and `/v1/notifications` show them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from django.conf import settings
from django.db import models, transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from agents import transitions as agents
from agents.models import Dismissal
from api.answers import filled
from console.kinds import FINDING
from dashboard.counters import Kept
from dashboard.rows import Row
from events import audit
from events.audit import Entry
from problems import NotFound

MOST_SUBJECTS = 5
"""So many things a finding names; the page behind it has all."""
MOST_TITLE = 120  # characters
MOST_COUNTED = 1_000  # of one kind


class Severity(StrEnum):
    """How soon a person is needed; for a note, nobody is."""

    ALARM = "alarm"
    WARNING = "warning"
    NOTE = "note"


class Kind(models.TextChoices):
    """What a finding is about."""

    CHAIN_LOCKED = "chain_locked", _("Locked chains")
    AGENT_LOST = "agent_lost", _("Lost agents that hold something")
    AGENT_SILENT = "agent_silent", _("Silent agents that hold something")
    DEAD_LETTERS = "dead_letters", _("Dead letters")
    CHANNEL_UNSERVED = "channel_unserved", _("Channels that nobody serves")
    CHANNEL_WAITING = "channel_waiting", _("Channels where tasks wait too long")
    CHANNEL_PAUSED = "channel_paused", _("Paused channels with tasks")
    JOB_STALLED = "job_stalled", _("Jobs that stand still")
    PASS_LATE = "pass_late", _("Late passes of the maintenance loop")


class Words(Protocol):
    """A sentence of so many things, in the language that is active; `shown` is their number."""

    def __call__(self, count: int, shown: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the things that a finding is about."""

    id: str
    title: str
    address: str
    since: datetime | None = None
    count: int = 0
    """How many tasks wait there, of a channel."""
    found_at: datetime | None = None
    """When it became one of these, where that is later than its beginning."""

    def row(self) -> Row:
        row: Row = {"id": self.id, "title": self.title[:MOST_TITLE], "address": self.address}
        return row | filled(since=self.since, count=self.count)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs a person, of one kind; the same key as long as it is the same.

    It began with `since`, and the latest thing has come to it at `latest`: one that was dismissed
    is shown again when another has come.
    """

    key: str
    kind: Kind
    severity: Severity
    words: Words
    address: str
    subjects: Sequence[Subject]
    count: int
    more: bool = False
    """Whether there are more than were counted."""
    since: datetime | None = None
    latest: datetime | None = None
    found_since: datetime | None = None
    """Since when it is found, where that can be known: what it is about may be older."""
    of: str = ""
    """What the subjects are, as the verbs of the console name it."""
    verbs: Sequence[str] = ()
    """The verbs that put it right, on each of the subjects."""
    connects: bool = False
    """Whether another agent would put it right."""

    @property
    def message(self) -> str:
        """What is wrong, in the language that is active."""
        return self.words(self.count, f"{self.count:,}{'+' if self.more else ''}")

    def row(self) -> Row:
        """The finding for pages: these share one message, so it has all languages."""
        text = {}
        for code, _name in settings.LANGUAGES:
            with translation.override(code):
                text[code] = self.message
        return {
            "key": self.key,
            "kind": self.kind,
            "severity": self.severity,
            "count": self.count,
            "text": text,
            "address": self.address,
            "subjects": [subject.row() for subject in self.subjects[:MOST_SUBJECTS]],
            **filled(
                more=self.more,
                since=self.since,
                latest=self.latest,
                of=self.of,
                verbs=self.verbs,
                connects=self.connects,
            ),
        }


def of_kind(
    kind: Kind,
    severity: Severity,
    words: Words,
    subjects: Sequence[Subject],
    address: str,
    *,
    of: str = "",
    verbs: Sequence[str] = (),
    connects: bool = False,
    begins: bool = True,
) -> Iterator[Finding]:
    """The finding of a kind, the longest first; none without a subject.

    `begins`: whether a subject knows since when it is one.
    """
    if not subjects:
        return
    ordered = sorted(subjects, key=lambda one: (str(one.since), one.id))
    begun = [one.since for one in ordered if one.since]
    became = [at for one in ordered if (at := one.found_at or one.since)]
    yield Finding(
        kind,
        kind,
        severity,
        words,
        ordered[0].address if len(ordered) == 1 else address,
        ordered[:MOST_SUBJECTS],
        min(len(ordered), MOST_COUNTED),
        more=len(ordered) > MOST_COUNTED,
        since=min(begun, default=None),
        latest=max(became, default=None),
        found_since=min(became, default=None) if begins else None,
        of=of,
        verbs=verbs,
        connects=connects,
    )


Source = Callable[[], Iterable[Finding]]

_sources: list[Source] = []
ORDER = {severity: place for place, severity in enumerate(Severity)}


def register(source: Source) -> None:
    """Add a source; its room does so once, when it is loaded."""
    if source not in _sources:
        _sources.append(source)


def found() -> Sequence[Finding]:
    """All that needs a person now, the worst first, then what began first."""
    everything = [one for source in _sources for one in source()]
    return sorted(everything, key=lambda one: (ORDER[one.severity], _begun(one), one.key))


def shown() -> Sequence[Finding]:
    """What nobody has dismissed, and what has grown since."""
    dismissed = dict(Dismissal.objects.values_list("key", "dismissed_at"))
    return [one for one in found() if not _is_covered(one, dismissed.get(one.key))]


def rows() -> list[Row]:
    """What is shown, as rows for pages."""
    return [one.row() for one in shown()]


def _begun(one: Finding) -> float:
    return one.since.timestamp() if one.since else float("inf")


def _is_covered(one: Finding, dismissed_at: datetime | None) -> bool:
    if dismissed_at is None:
        return False
    newest = one.latest or one.since
    return newest is None or newest <= dismissed_at


kept: Kept[list[Row]] = Kept(rows, kept_for=2.0)


class NoSuchFinding(NotFound):
    """Nothing of that name needs a person now."""


def dismiss(key: str, caller: Caller) -> None:
    """Hide a finding until something new comes to it; the audit says who did."""
    finding = next((one for one in found() if one.key == key), None)
    if finding is None:
        raise NoSuchFinding(f"Nothing named {key!r} needs a person now.")
    with transaction.atomic():
        agents.dismiss_finding(key, by=caller.name)
        with translation.override("en"):
            entry = Entry(key, after={"message": finding.message})
        audit.write(caller, "dismiss", FINDING, "", [entry])
    kept.forget()
