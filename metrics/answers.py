"""What the summaries show; `metrics.summary` makes it."""

from rest_framework import serializers

from collab.answers import CollabJobSerializer
from collab.states import JobStatus


class StatusCountsSerializer(serializers.Serializer):
    """How many jobs there are of each status."""

    locals().update({status: serializers.IntegerField() for status in JobStatus.values})


class LatencySpreadSerializer(serializers.Serializer):
    """How many there were, and the seconds that half and 95 of 100 took at most."""

    count = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)


class PhasesSerializer(serializers.Serializer):
    """How long jobs waited and ran."""

    queue = LatencySpreadSerializer()
    run = LatencySpreadSerializer()


class LatencySerializer(PhasesSerializer):
    """The same of all jobs, and of each type."""

    byType = serializers.DictField(child=PhasesSerializer())  # noqa: N815 (as clients spell it)


class PeriodSerializer(serializers.Serializer):
    """The time that was counted."""

    to = serializers.DateTimeField()
    locals()["from"] = serializers.DateTimeField()


class JobsSerializer(serializers.Serializer):
    """The jobs as they are now."""

    byStatus = StatusCountsSerializer()  # noqa: N815
    byExecutor = serializers.DictField(child=StatusCountsSerializer())  # noqa: N815
    recent = CollabJobSerializer(many=True)


class TotalsSerializer(serializers.Serializer):
    """What happened within the time; conflicts: since the coordinator was started."""

    claims = serializers.IntegerField()
    conflicts = serializers.IntegerField()
    leaseRenewals = serializers.IntegerField()  # noqa: N815
    leaseExpired = serializers.IntegerField()  # noqa: N815
    retries = serializers.IntegerField()
    failures = serializers.IntegerField()
    dlq = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    tokensIn = serializers.IntegerField()  # noqa: N815
    tokensOut = serializers.IntegerField()  # noqa: N815
    costUsd = serializers.FloatField()  # noqa: N815


class RatesSerializer(serializers.Serializer):
    """Shares, from 0 to 1; null of nothing."""

    successRate = serializers.FloatField(allow_null=True)  # noqa: N815
    conflictRate = serializers.FloatField(allow_null=True)  # noqa: N815
    dlqRate = serializers.FloatField(allow_null=True)  # noqa: N815


class WorkersSerializer(serializers.Serializer):
    """Workers heard of in the last 20 seconds, what they can run, and what runs."""

    active = serializers.IntegerField()
    capacity = serializers.IntegerField()
    running = serializers.IntegerField()


class BacklogSerializer(serializers.Serializer):
    """What waits now."""

    ready = serializers.IntegerField()
    delayed = serializers.IntegerField()
    oldestReadyAgeSec = serializers.FloatField(allow_null=True)  # noqa: N815


class SummarySerializer(serializers.Serializer):
    """Jobs, workers and backlog as they are, and what happened within a time."""

    ok = serializers.BooleanField()
    ts = serializers.DateTimeField()
    window = PeriodSerializer()
    jobs = JobsSerializer()
    totals = TotalsSerializer()
    latency = LatencySerializer()
    rates = RatesSerializer()
    workers = WorkersSerializer()
    backlog = BacklogSerializer()


class QueueHealthSerializer(serializers.Serializer):
    """Who works, what waits, and how far the tallies are behind."""

    agentsOnline = serializers.IntegerField()  # noqa: N815
    ready = serializers.IntegerField()
    oldestReadyAgeSec = serializers.FloatField(allow_null=True)  # noqa: N815
    talliesBehindEvents = serializers.IntegerField()  # noqa: N815


class ProviderHealthSerializer(serializers.Serializer):
    """A provider of language models, in a region: moving averages of its calls."""

    provider = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    latency_ms = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField()
    success_rate = serializers.FloatField()
    parked_until = serializers.DateTimeField(allow_null=True)
    parked_because = serializers.CharField(allow_blank=True)
    last_error = serializers.CharField(allow_blank=True)
    updated_at = serializers.DateTimeField(allow_null=True)


class MetricsHealthSerializer(serializers.Serializer):
    """The providers of models since then, and the queue as it is."""

    ok = serializers.BooleanField()
    ts = serializers.DateTimeField()
    since = serializers.DateTimeField()
    providers = ProviderHealthSerializer(many=True)
    coordinator = QueueHealthSerializer()
