"""What the operations on jobs take and answer."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from api.pagination import OFFSETS
from api.schema import answer, either, refused
from artifacts import schema as of_files
from jobs.answers import (
    JobDetailsSerializer,
    JobSerializer,
    ResultSerializer,
    ShortResultSerializer,
)
from jobs.command_answers import CommandSerializer, QueueSerializer
from jobs.command_forms import CommandRequestSerializer, ExitRequestSerializer
from jobs.forms import ParametersRequestSerializer, RangesRequestSerializer
from jobs.models import JobStatus
from tasks.serializers import ReasonRequestSerializer


class NumbersSerializer(serializers.Serializer):
    """The distribution of `fopt` over some tasks; null where none has one."""

    count = serializers.IntegerField()
    failed = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    std = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    median = serializers.FloatField(allow_null=True)


class SpreadSerializer(NumbersSerializer):
    """The same for one value of a parameter; the smallest mean has rank 1."""

    value = serializers.JSONField()
    rank = serializers.IntegerField(allow_null=True)


class BestOfValueSerializer(ShortResultSerializer):
    """The best result for one value of a parameter."""

    value = serializers.JSONField()


def by_place(group: type[serializers.Serializer]) -> dict[str, serializers.Field]:
    return {
        "byAlgorithm": group(many=True),
        "byFunction": group(many=True),
        "byParameter": serializers.DictField(child=group(many=True)),
        "tooManyValues": serializers.ListField(child=serializers.CharField()),
    }


class OfferedParameterSerializer(serializers.Serializer):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as fields have
    type = serializers.CharField()
    options = serializers.ListField(child=serializers.CharField(), required=False)


class ParameterGroupSerializer(serializers.Serializer):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as fields have
    parameters = OfferedParameterSerializer(many=True)


CREATED = answer(
    "SweepCreated",
    success=serializers.BooleanField(),
    jobId=serializers.CharField(),
    totalTasks=serializers.IntegerField(),
)
PREVIEWED = answer(
    "SweepPreview",
    success=serializers.BooleanField(),
    dryRun=serializers.BooleanField(),
    totalTasks=serializers.IntegerField(),
    payloads=serializers.ListField(child=serializers.JSONField()),
)
RESULTS = answer(
    "Results",
    jobId=serializers.CharField(),
    totalCompleted=serializers.IntegerField(),
    results=ResultSerializer(many=True),
    next_cursor=serializers.CharField(required=False),
)


def steered(name: str, **counts: serializers.Field) -> serializers.Serializer:
    return answer(
        name,
        success=serializers.BooleanField(),
        jobId=serializers.CharField(),
        status=serializers.ChoiceField(JobStatus.choices),
        **counts,
    )


OFFSET = OpenApiParameter("offset", OFFSETS, description="Rows to skip, instead of a cursor.")
PAGED = [
    OpenApiParameter("limit", int, description="Rows of a page, at most 500."),
    OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
    OFFSET,
]
FILTERS = [
    OpenApiParameter("format", str, enum=["json", "csv", "ndjson"], description="Else by Accept."),
    OpenApiParameter("sort", str, description="A measure, time, `spot` or parameter; `-` falls."),
    OpenApiParameter("failed", bool, description="Failed tasks too."),
    OpenApiParameter("spot", str, description="Of this SPOT."),
    *(
        OpenApiParameter(f"{measure}_{end}", float, description=f"The {end}imum of `{measure}`.")
        for measure in ("fopt", "runtimeMs", "iter")
        for end in ("min", "max")
    ),
    *(
        OpenApiParameter(name, str, description=f"Of this {name}.")
        for name in ("algorithm", "function")
    ),
    *(
        OpenApiParameter(name, str, description=f"With so many {name}.")
        for name in ("iterations", "agents", "dimension")
    ),
]

ANY_JOB = either("AnyJob", CommandSerializer(), JobSerializer())

jobs = extend_schema_view(
    list=extend_schema(
        parameters=[OFFSET],
        responses=answer(
            "JobList",
            jobs=serializers.ListField(child=ANY_JOB),
            next_cursor=serializers.CharField(required=False),
            total=serializers.IntegerField(required=False),
            limit=serializers.IntegerField(required=False),
            offset=serializers.IntegerField(required=False),
        ),
    ),
    create=extend_schema(
        request=PolymorphicProxySerializer(
            "NewJob",
            [CommandRequestSerializer, RangesRequestSerializer, ParametersRequestSerializer],
            None,
            many=False,
        ),
        parameters=[
            OpenApiParameter("dry_run", bool, description="Create nothing; of sweeps."),
            OpenApiParameter(
                "Idempotency-Key", str, "header", description="Of a command, once for each user."
            ),
        ],
        responses={
            200: either("KnownJob", CommandSerializer(), CREATED, PREVIEWED),
            201: either("NewJobAnswer", CommandSerializer(), CREATED),
            **refused(s409="Another job has this key."),
        },
    ),
    retrieve=extend_schema(
        responses=either("JobAnswer", CommandSerializer(), JobDetailsSerializer())
    ),
    destroy=extend_schema(responses={204: None, **refused(s409="The job has not ended.")}),
    kill=extend_schema(
        request=ReasonRequestSerializer,
        responses={200: CommandSerializer, **refused(s409="The command has ended.")},
    ),
    cancel=extend_schema(
        request=ReasonRequestSerializer,
        responses={
            200: either(
                "JobCancelled",
                CommandSerializer(),
                steered(
                    "SweepCancelled",
                    cancelled=serializers.IntegerField(),
                    asked=serializers.IntegerField(),
                ),
            ),
            **refused(s409="The job has ended."),
        },
    ),
    retry=extend_schema(
        request=ReasonRequestSerializer,
        responses={
            200: steered("SweepRetried", retried=serializers.IntegerField()),
            201: CommandSerializer,
            **refused(s409="The job cannot be retried now."),
        },
    ),
    results=extend_schema(
        parameters=[*PAGED, *FILTERS],
        responses={
            (200, "application/json"): RESULTS,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    ),
    best=extend_schema(
        responses=answer(
            "BestResults",
            jobId=serializers.CharField(),
            best=ShortResultSerializer(allow_null=True),
            **by_place(BestOfValueSerializer),
        )
    ),
    statistics=extend_schema(
        responses=answer(
            "Statistics",
            jobId=serializers.CharField(),
            overall=NumbersSerializer(),
            **by_place(SpreadSerializer),
        )
    ),
)

command_tasks = extend_schema_view(
    exit=extend_schema(
        request=ExitRequestSerializer,
        responses={
            200: answer("ExitAnswer", job=CommandSerializer()),
            **refused(s409="The report does not count: the lease is another's."),
        },
    ),
)
job_logs = extend_schema_view(
    get=extend_schema(
        operation_id="job_logs",
        parameters=of_files.log_parameters,
        responses=of_files.log_answers,
        filters=False,
    ),
)
job_artifacts = extend_schema_view(
    get=extend_schema(operation_id="job_artifacts", responses=of_files.ARTIFACTS)
)
job_archive = extend_schema_view(
    get=extend_schema(operation_id="job_artifacts_zip", responses=of_files.archive_answers)
)
job_artifact = extend_schema_view(
    get=extend_schema(
        operation_id="job_artifact",
        parameters=of_files.artifact_parameters,
        responses=of_files.artifact_answers,
    )
)
queues = extend_schema_view(
    list=extend_schema(responses=answer("QueuesAnswer", queues=QueueSerializer(many=True))),
)
parameter_schema = extend_schema_view(
    get=extend_schema(
        operation_id="job_parameter_schema",
        responses=answer("ParameterSchema", groups=ParameterGroupSerializer(many=True)),
    )
)
