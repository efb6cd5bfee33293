"""What the operations of Collab jobs take and answer."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.fields import Field

from accounts.schema import TokenScheme
from api.schema import answer, refused
from collab.answers import (
    CollabArtifactSerializer,
    CollabJobSerializer,
    JobEventSerializer,
    WorkerSerializer,
)
from collab.serializers import (
    AssignJobRequestSerializer,
    CancelJobRequestSerializer,
    ClaimJobRequestSerializer,
    HeldJobRequestSerializer,
    ProgressRequestSerializer,
    ReleaseJobRequestSerializer,
    RenewJobRequestSerializer,
    ResultRequestSerializer,
    WorkerRequestSerializer,
)
from collab.states import JobStatus


class ApikeyScheme(TokenScheme):
    """The same, or as clients of seed 003 send it."""

    target_class = "collab.authentication.ApikeyAuthentication"
    name = ["apikeyHeader"]
    definitions = [{"type": "apiKey", "in": "header", "name": "apikey"}]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in [*TokenScheme.name, *self.name]]


def answer_of(name: str, /, **members: Field) -> serializers.Serializer:
    """An answer with these members, and the `trace_id` that the request supplied."""
    return answer(name, **members, trace_id=serializers.CharField(required=False))


def ok(name: str, /, **members: Field) -> serializers.Serializer:
    return answer_of(name, ok=serializers.BooleanField(), **members)


NOT_HELD = "The job is not leased to this worker, or by a later lease (`lease_conflict`)."
NO_JOB = {"s404": "There is no job of this id."}
STATUS = OpenApiParameter("status", {"type": "string", "enum": list(JobStatus.values)})
JOB = serializers.ChoiceField(JobStatus.choices)
ITEMS_OF_ARTIFACTS = answer_of(
    "CollabArtifacts",
    items=CollabArtifactSerializer(many=True),
    count=serializers.IntegerField(),
)
ITEMS_OF_EVENTS = answer_of(
    "JobEvents", items=JobEventSerializer(many=True), count=serializers.IntegerField()
)

health = extend_schema_view(
    get=extend_schema(
        operation_id="collab_health",
        responses=ok("CollabHealth", timestamp=serializers.DateTimeField()),
    )
)
jobs = extend_schema_view(
    retrieve=extend_schema(responses=CollabJobSerializer),
    summary=extend_schema(
        responses=answer_of(
            "JobSummary",
            job=CollabJobSerializer(),
            artifacts=CollabArtifactSerializer(many=True),
            events=JobEventSerializer(many=True),
        )
    ),
)
recent = extend_schema_view(list=extend_schema(summary="List jobs", parameters=[STATUS]))
artifacts = extend_schema_view(retrieve=extend_schema(responses=ITEMS_OF_ARTIFACTS))
events = extend_schema_view(retrieve=extend_schema(responses=ITEMS_OF_EVENTS))
tasks = extend_schema_view(
    assign=extend_schema(
        request=AssignJobRequestSerializer,
        responses={
            200: answer_of(
                "AssignedJob", jobId=serializers.UUIDField(), queued=serializers.BooleanField()
            ),
            **refused(s409="Another request has used this key (`idempotency_conflict`)."),
        },
    ),
    claim=extend_schema(
        request=ClaimJobRequestSerializer,
        responses=answer_of("ClaimedJob", job=CollabJobSerializer(allow_null=True)),
    ),
    start=extend_schema(
        request=HeldJobRequestSerializer,
        responses={
            200: ok("StartedJob", job=CollabJobSerializer()),
            **refused(**NO_JOB, s409=NOT_HELD),
        },
    ),
    renew=extend_schema(
        request=RenewJobRequestSerializer,
        responses={
            200: ok(
                "RenewedJob",
                leaseUntil=serializers.DateTimeField(allow_null=True),
                cancelRequested=serializers.BooleanField(),
            ),
            **refused(**NO_JOB, s409=NOT_HELD),
        },
    ),
    progress=extend_schema(
        request=ProgressRequestSerializer,
        responses={200: ok("JobProgress"), **refused(**NO_JOB, s409=NOT_HELD)},
    ),
    result=extend_schema(
        request=ResultRequestSerializer,
        responses={
            200: ok("JobResult"),
            **refused(
                **NO_JOB,
                s409=f"{NOT_HELD} Or the job has ended otherwise (`invalid_transition`).",
            ),
        },
    ),
    release=extend_schema(
        request=ReleaseJobRequestSerializer,
        responses={200: ok("ReleasedJob", status=JOB), **refused(**NO_JOB, s409=NOT_HELD)},
    ),
    cancel=extend_schema(
        request=CancelJobRequestSerializer,
        responses={
            200: ok("CancelledJob", status=JOB),
            **refused(**NO_JOB, s409="The job has ended (`invalid_transition`)."),
        },
    ),
)
OVERVIEW = ok(
    "CollabOverview",
    counts=answer("JobCounts", **{name: serializers.IntegerField() for name in JobStatus.values}),
    estimated=serializers.ListField(child=JOB, required=False),
    latest=CollabJobSerializer(many=True),
    ts=serializers.DateTimeField(),
)
overview = extend_schema_view(list=extend_schema(responses=OVERVIEW))
workers = extend_schema_view(
    heartbeat=extend_schema(
        request=WorkerRequestSerializer,
        responses=ok(
            "WorkerBeat",
            cancelRequested=serializers.ListField(child=serializers.UUIDField()),
            drain=serializers.BooleanField(),
        ),
    ),
    active=extend_schema(
        responses=answer_of(
            "ActiveWorkers", items=WorkerSerializer(many=True), count=serializers.IntegerField()
        )
    ),
)
