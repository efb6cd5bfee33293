"""What is shown of rankings, snapshots and health (contract 003, 4.4 and 5.4)."""

from rest_framework import serializers

from routing.candidates import Scoring, Service

PARTS = ("policy", "cost", "latency", "health", "region")


class PartsSerializer(serializers.Serializer):
    """The parts of a score by v2, each from 0 to 1; of v1 none."""

    locals().update({part: serializers.FloatField(required=False) for part in PARTS})


class RankedModelSerializer(serializers.Serializer):
    """A model that may serve, with its score; what was never measured is null."""

    rank = serializers.IntegerField()
    provider = serializers.CharField()
    model = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    score = serializers.FloatField()
    est_cost_usd = serializers.FloatField()
    p95_ms = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField(allow_null=True)
    health_updated_at = serializers.DateTimeField(allow_null=True)
    parts = PartsSerializer()
    penalties = serializers.ListField(child=serializers.CharField())


class CallableModelSerializer(RankedModelSerializer):
    """The same with where to call it; headers refer to the key vault and have no secret."""

    base_url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())


class ExcludedModelSerializer(serializers.Serializer):
    """A model that may not serve, and why."""

    provider = serializers.CharField()
    model = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()


class FlagsSerializer(serializers.Serializer):
    """What more is to be said of a ranking."""

    degraded = serializers.BooleanField()


class MetadataSerializer(serializers.Serializer):
    """How the models were ranked. `reason`: `degraded_from_intended`, `no_candidate` or nothing."""

    policy_version = serializers.CharField()
    policies = serializers.ListField(child=serializers.CharField())
    scoring = serializers.ChoiceField(Scoring.choices)
    reason = serializers.CharField(allow_blank=True)
    flags = FlagsSerializer()


class RouterSelectSerializer(serializers.Serializer):
    """The models that may serve a call, the best first, and those that may not."""

    request_id = serializers.CharField()
    ranked = CallableModelSerializer(many=True)
    excluded = ExcludedModelSerializer(many=True)
    metadata = MetadataSerializer()
    trace_id = serializers.CharField(required=False)


class SelectedModelSerializer(serializers.Serializer):
    """The model that was selected."""

    provider = serializers.CharField()
    model = serializers.CharField()
    region = serializers.CharField(allow_blank=True)


class RecentCallSerializer(serializers.Serializer):
    """A call that was routed, or whose order was asked for."""

    ts = serializers.DateTimeField()
    request_id = serializers.CharField()
    intent = serializers.CharField()
    selected = SelectedModelSerializer(allow_null=True)
    degraded = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    est_cost_usd = serializers.FloatField(allow_null=True)
    outcome = serializers.CharField()
    cost_usd = serializers.FloatField()
    failovers = serializers.IntegerField()


class SnapshotReferenceSerializer(serializers.Serializer):
    """The latest snapshot."""

    id = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class RoutingMetricsSerializer(serializers.Serializer):
    """The latest ranking of a service, or where there is none one of now, and the latest calls."""

    ok = serializers.BooleanField()
    service = serializers.ChoiceField(Service.choices)
    ts = serializers.DateTimeField()
    scoring = serializers.ChoiceField(Scoring.choices)
    policyVersion = serializers.CharField()  # noqa: N815 (as clients spell it)
    ranked = RankedModelSerializer(many=True)
    excluded = ExcludedModelSerializer(many=True)
    snapshot = SnapshotReferenceSerializer(allow_null=True)
    recent = RecentCallSerializer(many=True)
