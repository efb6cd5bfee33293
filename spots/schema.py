"""What the operations of SPOTs take and answer."""

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers

from api.schema import answer, refused
from spots.answers import SpotTaskSerializer
from spots.serializers import (
    FailureReason,
    SpotClaimRequestSerializer,
    SpotCompleteRequestSerializer,
    SpotFailRequestSerializer,
    SpotHeartbeatRequestSerializer,
    SpotHelloRequestSerializer,
    SpotReleaseRequestSerializer,
)
from tasks.schema import ids

NOT_ASSIGNED = "The task is not assigned to this SPOT, or it was cancelled."

spots = extend_schema_view(
    hello=extend_schema(
        request=SpotHelloRequestSerializer,
        responses=answer(
            "Hello",
            spotId=serializers.CharField(),
            coordinatorVersion=serializers.CharField(),
        ),
    ),
    heartbeat=extend_schema(
        request=SpotHeartbeatRequestSerializer,
        responses=answer(
            "SpotHeartbeatAnswer",
            success=serializers.BooleanField(),
            ok=serializers.BooleanField(),
            lost=serializers.ListField(child=serializers.CharField(), required=False),
            unlisted=ids(required=False),
            cancelled=ids(required=False),
            drain=serializers.BooleanField(required=False),
            ignored=serializers.DictField(child=serializers.CharField(), required=False),
        ),
    ),
)

tasks = extend_schema_view(
    claim=extend_schema(
        request=SpotClaimRequestSerializer,
        responses=answer("SpotTasks", tasks=SpotTaskSerializer(many=True)),
    ),
    complete=extend_schema(
        request=SpotCompleteRequestSerializer,
        responses={
            200: answer(
                "SpotCompleted",
                success=serializers.BooleanField(),
                message=serializers.CharField(required=False),
            ),
            **refused(s409=NOT_ASSIGNED),
        },
    ),
    fail=extend_schema(
        request=SpotFailRequestSerializer,
        responses={
            200: answer(
                "SpotFailed",
                success=serializers.BooleanField(),
                message=serializers.CharField(required=False),
                willRetry=serializers.BooleanField(required=False),
                failureReason=serializers.ChoiceField(FailureReason.choices, required=False),
            ),
            **refused(s409=NOT_ASSIGNED),
        },
    ),
    release=extend_schema(
        request=SpotReleaseRequestSerializer,
        responses={
            200: answer("SpotReleased", success=serializers.BooleanField()),
            **refused(s409=NOT_ASSIGNED),
        },
    ),
)

VERIFICATION = answer(
    "Verification",
    verified=serializers.BooleanField(),
    user_authenticated=serializers.BooleanField(),
)
OF_HEALTH = {
    200: answer(
        "SpotHealth",
        status=serializers.ChoiceField(["healthy"]),
        database=serializers.ChoiceField(["connected"]),
        activeSpots=serializers.IntegerField(),
        pendingTasks=serializers.IntegerField(),
        runningTasks=serializers.IntegerField(),
        version=serializers.CharField(),
        uptime=serializers.CharField(),
        verification=VERIFICATION,
    ),
    503: OpenApiResponse(
        answer(
            "SpotUnhealthy",
            status=serializers.ChoiceField(["unhealthy"]),
            database=serializers.CharField(),
        ),
        description="The database cannot be reached, or does not answer.",
    ),
}
health = extend_schema_view(get=extend_schema(operation_id="spot_health", responses=OF_HEALTH))
job_health = extend_schema_view(get=extend_schema(operation_id="job_health", responses=OF_HEALTH))
