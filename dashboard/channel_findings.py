"""Channels that need a person: of no agent, with tasks that are too old, or paused."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import ngettext

from agents.models import Agent, Protocol
from dashboard import counters
from dashboard.attention import Finding, Kind, Severity, Subject, of_kind
from jobs.sweeps import CHANNEL as SWEEPS
from tasks.models import Channel

UNSERVED_FOR = timedelta(minutes=1)
"""Agents that are started anew are away for a moment."""

# The names of channels that agents online work for; "" for an agent that works for all. Python
# makes them lower case, as those that they are compared with: PostgreSQL has other rules.
SERVED = """
SELECT DISTINCT s.channel FROM agents_agent a
CROSS JOIN LATERAL unnest(CASE WHEN cardinality(a.subscriptions) = 0
  THEN ARRAY[''] ELSE a.subscriptions::text[] END) AS s (channel)
WHERE a.id IN ({online})"""


def collect() -> Iterator[Finding]:
    """Channels with ready tasks that are paused, of no agent, or with tasks that are too old."""
    waits, counts = counters.waits.read(), counters.channels.read()
    waiting = [(row, waits[row.pk]) for row in counters.named() if row.pk in waits]
    served = _served() if waiting else frozenset()
    now = timezone.now()
    paused, unserved, late = [], [], []
    for channel, since in waiting:
        if channel.paused_at:
            paused.append(_of_channel(channel, channel.paused_at, counts))
        elif not served & {"", channel.name.lower()}:
            if since < now - UNSERVED_FOR:
                unserved.append(_of_channel(channel, since, counts, UNSERVED_FOR))
        elif since < now - settings.LONG_WAIT:
            late.append(_of_channel(channel, since, counts, settings.LONG_WAIT))
    yield from of_kind(
        Kind.CHANNEL_UNSERVED,
        Severity.ALARM,
        lambda count, shown: (
            ngettext(
                "%(n)s channel has tasks that no agent online takes.",
                "%(n)s channels have tasks that no agent online takes.",
                count,
            )
            % {"n": shown}
        ),
        unserved,
        "#/board",
        of="channels",
        connects=True,
        begins=False,  # its tasks may have waited for long when the last agent left
    )
    yield from of_kind(
        Kind.CHANNEL_WAITING,
        Severity.WARNING,
        lambda count, shown: (
            ngettext(
                "In %(n)s channel the oldest task has been waiting for too long.",
                "In %(n)s channels the oldest task has been waiting for too long.",
                count,
            )
            % {"n": shown}
        ),
        late,
        "#/board",
        of="channels",
        connects=True,
    )
    yield from of_kind(
        Kind.CHANNEL_PAUSED,
        Severity.NOTE,
        lambda count, shown: (
            ngettext(
                "%(n)s paused channel has tasks that wait.",
                "%(n)s paused channels have tasks that wait.",
                count,
            )
            % {"n": shown}
        ),
        paused,
        "#/board",
        of="channels",
        verbs=("resume",),
    )


def _of_channel(
    channel: Channel,
    since: datetime,
    counts: Mapping[UUID, counters.Counts],
    patience: timedelta = timedelta(),
) -> Subject:
    numbers = counts.get(channel.pk, {}).get("counts")
    ready = numbers["ready"] if isinstance(numbers, dict) else 0
    address = f"#/board/{channel.pk}"
    return Subject(str(channel.pk), channel.name, address, since, ready, since + patience)


def _served() -> frozenset[str]:
    """The lower-case names of channels that agents online work for; "" where one does for all."""
    present = Agent.objects.online().filter(draining=False)
    plain = present.filter(protocol=Protocol.PLAIN).order_by().values("pk")
    sql, params = plain.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(SERVED.format(online=sql), params)
        names = {name.lower() for (name,) in cursor.fetchall()}
    if present.filter(protocol=Protocol.SPOT).exists():
        names.add(SWEEPS.lower())
    return frozenset(names)
