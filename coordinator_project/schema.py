"""What the operations of health answer."""

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers

from api.schema import Refusal, answer, either

HEALTH = answer("Health", ok=serializers.BooleanField(), time=serializers.DateTimeField())


class DatabaseHealthSerializer(serializers.Serializer):
    """The database, or what is wrong with it."""

    ok = serializers.BooleanField()
    version = serializers.CharField(required=False)
    milliseconds = serializers.FloatField(required=False)
    problem = serializers.CharField(required=False)
    cause = serializers.CharField(required=False)


class PassHealthSerializer(serializers.Serializer):
    """How a pass of the maintenance loop last went; `failures` in a row since."""

    name = serializers.CharField()
    every_seconds = serializers.FloatField()
    late = serializers.BooleanField()
    milliseconds = serializers.FloatField()
    done = serializers.IntegerField()
    failures = serializers.IntegerField()
    last_success_at = serializers.DateTimeField(required=False)
    problem = serializers.CharField(required=False)


class LoopHealthSerializer(serializers.Serializer):
    """The maintenance loop, and who leads it."""

    ok = serializers.BooleanField()
    led = serializers.BooleanField()
    led_since = serializers.DateTimeField(required=False)
    passes = PassHealthSerializer(many=True)


class ProcessHealthSerializer(serializers.Serializer):
    """A process: how long it has been silent, and how far its stream is behind."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    silent_seconds = serializers.FloatField()
    stream_behind_seconds = serializers.FloatField(required=False)


class ObjectStoreHealthSerializer(serializers.Serializer):
    """The object store; `removals`: objects that are to be removed and are still there."""

    ok = serializers.BooleanField()
    kind = serializers.ChoiceField(["filesystem", "s3", "gcs", "memory"])
    writable = serializers.BooleanField()
    problem = serializers.CharField(required=False)
    removals = serializers.IntegerField(required=False)
    oldest_removal_at = serializers.DateTimeField(required=False)


class HealthDetailsSerializer(serializers.Serializer):
    """All parts; `ok` if all of them are."""

    ok = serializers.BooleanField()
    time = serializers.DateTimeField()
    database = DatabaseHealthSerializer()
    object_store = ObjectStoreHealthSerializer()
    loop = LoopHealthSerializer(required=False)
    processes = ProcessHealthSerializer(many=True)


class ReadinessSerializer(serializers.Serializer):
    """Whether each part that was looked at is well, and what is wrong with those that are not."""

    ok = serializers.BooleanField()
    time = serializers.DateTimeField()
    checks = serializers.DictField(child=serializers.BooleanField())
    problems = serializers.ListField(child=serializers.CharField())


health = extend_schema_view(get=extend_schema(operation_id="health", responses=HEALTH))
live = extend_schema_view(get=extend_schema(operation_id="livez", responses=HEALTH))
ready = extend_schema_view(
    get=extend_schema(
        operation_id="readyz",
        responses={
            200: ReadinessSerializer,
            503: OpenApiResponse(
                either("Unready", ReadinessSerializer(), Refusal()),
                description="It cannot do its work now, or no answer came in time.",
            ),
        },
    )
)
details = extend_schema_view(
    get=extend_schema(
        operation_id="health_details",
        responses={
            200: HealthDetailsSerializer,
            503: OpenApiResponse(
                either("HealthTrouble", HealthDetailsSerializer(), Refusal()),
                description="Not all is well, or no answer came in time.",
            ),
        },
    )
)
