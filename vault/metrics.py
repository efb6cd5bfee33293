"""What the tallies of the audit say, as metrics in the words of seed 003."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Sum
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from vault.exceptions import REASONS
from vault.models import KeyTally, Operation

WRITES = frozenset({Operation.WRITE, Operation.ROTATE})


def collect() -> Iterator[Metric]:
    """Reads, writes and failures so far: some dozens of rows, however many the audit has."""
    counted: Counter[str] = Counter()
    failed = dict.fromkeys(REASONS, 0)  # from zero, so that the first one is an increase
    rows = KeyTally.objects.values_list("event", "reason").order_by("event", "reason")
    for event, reason, count in rows.annotate(total=Sum("count")):
        if event == Operation.FAIL:
            failed[reason] = int(count)
        else:
            counted[event] += int(count)
    yield CounterMetricFamily(
        "key_vault_reads", "Secrets of keys that were read.", value=counted[Operation.READ]
    )
    yield CounterMetricFamily(
        "key_vault_writes",
        "Versions of keys that were stored.",
        value=sum(counted[event] for event in WRITES),
    )
    failures = CounterMetricFamily(
        "key_vault_fail", "Operations on keys that failed, by reason.", labels=["reason"]
    )
    for reason, count in failed.items():
        failures.add_metric([reason], count)
    yield failures
