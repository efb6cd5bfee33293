"""What the functions take and answer."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.fields import Field

from api.schema import refused
from artifacts.schema import ANY, AWAY, Answers, artifact_parameters, header
from collab.answers import (
    CollabArtifactSerializer,
    CollabDeadLetterSerializer,
    CollabJobSerializer,
    WorkerSerializer,
)
from collab.pagination import MOST, USUAL
from collab.schema import NO_JOB, OVERVIEW, STATUS, answer_of, ok
from collab.serializers import CollabRequestSerializer, RetryRequestSerializer
from collab.signing import LONGEST, SHORTEST
from collab.states import JobStatus

SAME = {304: OpenApiResponse(description="The copy is good.")}
COPY = [
    header("If-None-Match", "The `ETag` of a copy."),
    header("ETag", "Of what it says and may say to this caller.", response=[200, 304]),
]
LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
A_TIME = serializers.DateTimeField


def asked(name: str, schema: object, description: str = "") -> OpenApiParameter:
    return OpenApiParameter(name, schema, required=True, description=description)  # type: ignore[arg-type]  # a schema as it stands


def items_of(name: str, kind: type[serializers.Serializer], **more: Field) -> Answers:
    """A list of seed 003, which may be one that the caller has already."""
    rows = {"items": kind(many=True), "count": serializers.IntegerField()}
    return {200: answer_of(name, **rows, **more), **SAME}


ID = {"type": "string", "format": "uuid"}
NAME = {"type": "string", "minLength": 1}
JOB_ID = asked("jobId", ID)

overview = extend_schema_view(
    list=extend_schema(parameters=COPY, responses={200: OVERVIEW, **SAME})
)
recent = extend_schema_view(
    list=extend_schema(
        summary="List jobs",
        parameters=[STATUS, *COPY],
        responses={200: CollabJobSerializer(many=True), **SAME},
    )
)
artifacts = extend_schema(
    parameters=[JOB_ID, *COPY],
    responses=items_of("ArtifactsList", CollabArtifactSerializer) | refused(**NO_JOB),
)
status = extend_schema(
    parameters=[asked("id", ID, "Of the job."), *COPY],
    responses={
        200: ok(
            "JobStatusAnswer",
            job=answer_of(
                "JobInShort",
                id=serializers.UUIDField(),
                status=serializers.ChoiceField(JobStatus.choices),
                result=serializers.JSONField(),
            ),
        ),
        **SAME,
        **refused(**NO_JOB),
    },
)
workers = extend_schema(
    parameters=COPY, responses=items_of("WorkersActive", WorkerSerializer, ts=A_TIME())
)
dead_letters = extend_schema(
    parameters=[OpenApiParameter("limit", LIMIT, description="Rows."), *COPY],
    responses=items_of("DeadLettersOfJobs", CollabDeadLetterSerializer, ts=A_TIME()),
)
retry = extend_schema(
    request=RetryRequestSerializer,
    responses={
        200: answer_of("RetriedDeadLetter", jobId=serializers.UUIDField()),
        **refused(
            s404="There is no such dead letter.",
            s409="It has been replayed already (`already_retried`), as `details.jobId`.",
        ),
    },
)
release = extend_schema(
    request=CollabRequestSerializer,
    responses=answer_of(
        "ReleasedLeases",
        released=serializers.IntegerField(),
        deadLettered=serializers.IntegerField(),
        ts=A_TIME(),
    ),
)
sign = extend_schema(
    parameters=[
        asked("bucket", {"type": "string", "enum": ["artifacts"]}),
        asked(
            "path",
            {"type": "string", "minLength": 1},
            "`<jobId>/<name>`, also behind `YYYY/MM/DD/`.",
        ),
        OpenApiParameter(
            "expires",
            {"type": "integer", "minimum": SHORTEST, "maximum": LONGEST},
            description="Seconds for which the URL is good.",
        ),
    ],
    responses={
        200: answer_of(
            "SignedUrl",
            url=serializers.URLField(),
            bucket=serializers.CharField(),
            path=serializers.CharField(),
            expires=serializers.IntegerField(),
        ),
        **refused(s404="There is no such object."),
    },
)

signed_file_answers: Answers = {
    (200, ANY): OpenApiTypes.BINARY,
    (206, ANY): OpenApiTypes.BINARY,
    304: OpenApiResponse(description="The copy is good."),
    416: OpenApiResponse(description="The file has nothing in this range."),
    **refused(
        s403="`signature_expired`, or `signature_invalid`.",
        s404="There is no such object any more.",
        s503=AWAY,
    ),
}
signed_file = extend_schema_view(
    get=extend_schema(
        operation_id="signed_file",
        parameters=[
            asked("exp", {"type": "string"}, "When it expires, as Unix time."),
            asked("kid", {"type": "string"}, "Which key has signed it."),
            asked("sig", {"type": "string"}, "The signature."),
            *(one for one in artifact_parameters if one.name != "attempt"),
        ],
        responses=signed_file_answers,
    )
)
