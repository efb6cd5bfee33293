"""What the operations on logs and files take and answer."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api.schema import answer, refused
from artifacts.answers import ArtifactSerializer, LogLineSerializer
from artifacts.serializers import LARGEST, LogBatchRequestSerializer

Answers = dict[Any, Any]

ANY = "*/*"
CURSOR = "^([0-9]{1,18}([.][0-9]{1,18}){4})?$"
NOT_HELD = "The task is not held by this agent, or by a later lease"
AWAY = "The object store, or the database, does not answer; try again."

ARTIFACT = answer("ArtifactAnswer", artifact=ArtifactSerializer())


def header(name: str, description: str, schema: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description, **more)


log_parameters = [
    OpenApiParameter("stream", str, enum=["stdout", "stderr", "combined"]),
    OpenApiParameter("format", str, enum=["json", "text"]),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 5000},
        description="The most lines of a page. Without it, the whole log.",
    ),
    OpenApiParameter(
        "cursor", {"type": "string", "pattern": CURSOR}, description="`X-Next-Cursor` before."
    ),
    OpenApiParameter(
        "follow", bool, description="As server-sent events, until the task has ended."
    ),
    header("Last-Event-ID", "Where to follow on.", {"type": "string", "pattern": CURSOR}),
    header(
        "X-Next-Cursor",
        "Where the next page begins, while there may be one.",
        response=[200],
    ),
]
log_answers: Answers = {
    (200, "application/json"): LogLineSerializer(many=True),
    (200, "text/plain"): OpenApiTypes.STR,
    (200, "text/event-stream"): OpenApiTypes.STR,
    **refused(s404="There is no such task, or it has no log.", s503=AWAY),
}

task_logs = extend_schema_view(
    get=extend_schema(
        operation_id="task_logs", parameters=log_parameters, responses=log_answers, filters=False
    ),
    post=extend_schema(
        operation_id="task_logs_add",
        request=LogBatchRequestSerializer,
        responses={
            200: answer("LogAccepted", accepted_sequence=serializers.IntegerField()),
            **refused(
                s409=f"{NOT_HELD}; or another batch has this number, or it is not the next one.",
                s503=AWAY,
            ),
        },
    ),
)

ARTIFACTS = answer("ArtifactsAnswer", artifacts=ArtifactSerializer(many=True))
task_artifacts = extend_schema_view(
    get=extend_schema(operation_id="task_artifacts", responses=ARTIFACTS)
)

archive_answers: Answers = {
    (200, "application/zip"): OpenApiTypes.BINARY,
    **refused(s404="There is no such task, or it has no artifacts.", s503=AWAY),
}
task_archive = extend_schema_view(
    get=extend_schema(operation_id="task_artifacts_zip", responses=archive_answers)
)

artifact_parameters = [
    OpenApiParameter("attempt", {"type": "integer", "minimum": 0}, description="Else the last."),
    header("Range", "One range of bytes; several are answered with the whole."),
    header("If-Range", "The `ETag` of the part that is there already."),
    header("If-None-Match", "The `ETag` of a copy."),
    header("ETag", "The SHA-256, in quotes.", response=[200, 206, 304]),
    header("Content-Range", "Which part it is.", response=[206, 416]),
]
artifact_answers: Answers = {
    (200, ANY): OpenApiTypes.BINARY,
    (206, ANY): OpenApiTypes.BINARY,
    304: OpenApiResponse(description="The copy is good."),
    416: OpenApiResponse(description="The file has nothing in this range."),
    **refused(s404="There is no such task, or no such artifact.", s503=AWAY),
}
task_artifact = extend_schema_view(
    get=extend_schema(
        operation_id="task_artifact", parameters=artifact_parameters, responses=artifact_answers
    ),
    put=extend_schema(
        operation_id="task_artifact_put",
        parameters=[
            OpenApiParameter("agent_id", str, required=True),
            OpenApiParameter(
                "lease_epoch",
                {"type": "integer", "minimum": 1, "maximum": LARGEST},
                required=True,
            ),
            header("X-Content-SHA256", "The SHA-256 of the body in hex.", required=True),
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={
            200: ARTIFACT,
            201: ARTIFACT,
            **refused(
                s400="The path, a parameter or a header is invalid, or the digest of the body.",
                s409=f"{NOT_HELD}.",
                s413="The file, or all of the task, would be too large, or too many.",
                s503=AWAY,
            ),
        },
    ),
)
