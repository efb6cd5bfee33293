"""Passes of the maintenance loop that are late need a person: nobody else sees to them."""

from collections.abc import Iterator

from coordinator_project.models import SPARE, PassRecord
from dashboard import findings
from dashboard.attention import Finding


def collect() -> Iterator[Finding]:
    """The passes that have not succeeded for long; there are a few dozens in all."""
    late = []
    for one in PassRecord.objects.with_late():
        if one.late:
            since = max(one.last_success_at or one.led_since, one.led_since)
            late.append((one.name, since, since + one.every * 3 + SPARE))
    yield from findings.late_passes(late)
