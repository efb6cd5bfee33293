"""Requests for Collab jobs (contract 003, 1.1 and 1.2)."""
# ruff: noqa: N815 (fields are named as clients spell them)

import re
from typing import ClassVar

from django.db.models import TextChoices

from agents.models import ID_LENGTH
from api import fields
from api.serializers import Nested, NestedList, RequestSerializer, Values
from collab.fields import Time
from collab.states import ReasonCode, Stage
from collab.tracing import LONGEST as LONGEST_TRACE
from problems import Invalid
from tasks.models import KEY_LENGTH

LONGEST_TYPE = 64
LONGEST_TEXT = 100_000
LONGEST_PATH = 1_000
LONGEST_URL = 4_000
MOST_ARTIFACTS = 100
MOST_ATTEMPTS = 1_000
MOST_DETAIL = 16 * 1024  # bytes
SHORTEST_LEASE, USUAL_LEASE, LONGEST_LEASE = 15, 60, 600
SHA256 = re.compile("[0-9a-fA-F]{64}", re.ASCII)


class CancelMode(TextChoices):
    """Ask the worker to stop, or take the job from it."""

    SOFT = "soft"
    HARD = "hard"


class WorkerStatus(TextChoices):
    """What a worker says of itself."""

    IDLE = "idle"
    BUSY = "busy"
    ERROR = "error"


def worker() -> fields.Name:
    return fields.Name(max_length=ID_LENGTH)


def token() -> fields.WholeNumber:
    return fields.WholeNumber(default=None, least=1, most=2**63 - 1)


def trace() -> fields.Text:
    return fields.Text(default="", max_length=LONGEST_TRACE)


class CollabRequestSerializer(RequestSerializer):
    """A request may name its trace, which the answer echoes."""

    missing: ClassVar[str] = "{} is required"
    traceId = trace()
    trace_id = trace()

    def validate(self, attrs: Values) -> Values:
        return {**attrs, "trace": attrs["traceId"] or attrs["trace_id"]}


class AssignJobRequestSerializer(CollabRequestSerializer):
    """A new job. `runAt`: not before. `maxAttempts`: how often it is tried."""

    type = fields.Name(max_length=LONGEST_TYPE)
    executorId = fields.Name()
    payload = fields.JsonObject(default=dict)
    idempotencyKey = fields.Name(default="", max_length=KEY_LENGTH)
    priority = fields.WholeNumber(default=0)
    maxAttempts = fields.WholeNumber(default=None, least=1, most=MOST_ATTEMPTS)
    runAt = Time(default=None)


class ClaimJobRequestSerializer(CollabRequestSerializer):
    """A worker asks for a job. `requestId`: the same again gets the same job, if still held."""

    executorId = fields.Name()
    workerId = worker()
    leaseSeconds = fields.WholeNumber(default=USUAL_LEASE, least=SHORTEST_LEASE, most=LONGEST_LEASE)
    typePrefix = fields.Name(default="", max_length=LONGEST_TYPE)
    requestId = fields.Name(default="", max_length=KEY_LENGTH)


class Digest(fields.Text):
    expected = "64 hexadecimal digits"

    def check(self, data: object) -> object:
        text = super().check(data)
        if isinstance(text, str) and text and not SHA256.fullmatch(text):
            raise self.refused(f"must be {self.expected}")
        return text.lower() if isinstance(text, str) else text

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return {"type": "string", "pattern": f"^\\s*({SHA256.pattern})?\\s*$"}


class ArtifactRequestSerializer(RequestSerializer):
    """A reference to something that a job has produced; its bytes are elsewhere."""

    missing: ClassVar[str] = "{} is required"
    name = fields.Text(max_length=LONGEST_PATH)
    url = fields.Text(default="", max_length=LONGEST_URL)
    size = fields.WholeNumber(default=None, least=0, most=2**53 - 1)
    mime = fields.Text(default="", max_length=100)
    sha256 = Digest(default="")


class JobRequestSerializer(CollabRequestSerializer):
    jobId = fields.Identifier()


class ResultRequestSerializer(JobRequestSerializer):
    """What became of a job. With `ok` false it is tried again, unless `retryable` is false."""

    passed: ClassVar[frozenset[str]] = frozenset({"error"})
    type = fields.Name(max_length=LONGEST_TYPE)
    ok = fields.Flag()
    error = fields.PassedText(LONGEST_TEXT)
    artifact = Nested(ArtifactRequestSerializer, default=None)
    artifacts = NestedList(ArtifactRequestSerializer, most=MOST_ARTIFACTS, default=list)
    result = fields.Json(default=None)
    workerId = fields.Name(default="", max_length=ID_LENGTH)
    leaseToken = token()
    retryable = fields.Flag(default=True)
    reason = fields.Text(default="", choices=frozenset(ReasonCode.values))
    stage = fields.Text(default="", choices=frozenset(Stage.values))

    def validate(self, attrs: Values) -> Values:
        named = ([attrs["artifact"]] if attrs["artifact"] else []) + attrs["artifacts"]
        names = [one["name"] for one in named]
        if len(set(names)) < len(names):
            raise refused("artifacts", "must not have a name twice")
        return super().validate({**attrs, "artifacts": list(map(_given, named))})


def _given(artifact: Values) -> Values:
    return {name: value for name, value in artifact.items() if value not in ("", None)}


class RetryRequestSerializer(CollabRequestSerializer):
    """A dead letter that is to be tried again."""

    dlqId = fields.WholeNumber(least=1, most=2**63 - 1)


def refused(field: str, why: str) -> Invalid:
    problem = Invalid(f"{field} {why}")
    problem.details = {field: [problem.message]}
    return problem


class HeldJobRequestSerializer(JobRequestSerializer):
    """A job that a worker holds, by which lease."""

    workerId = worker()
    leaseToken = token()


class RenewJobRequestSerializer(HeldJobRequestSerializer):
    leaseSeconds = fields.WholeNumber(default=None, least=SHORTEST_LEASE, most=LONGEST_LEASE)


class ProgressRequestSerializer(HeldJobRequestSerializer):
    pct = fields.Number(default=None, least=0, most=100)
    detail = fields.Json(default=None, max_bytes=MOST_DETAIL)


class ReleaseJobRequestSerializer(HeldJobRequestSerializer):
    passed: ClassVar[frozenset[str]] = frozenset({"reason"})
    reason = fields.PassedText(LONGEST_TEXT)


class CancelJobRequestSerializer(JobRequestSerializer):
    mode = fields.Text(default=CancelMode.SOFT, choices=frozenset(CancelMode.values))
    reason = fields.Text(default="", max_length=LONGEST_TEXT)


class WorkerRequestSerializer(CollabRequestSerializer):
    """A worker says that it lives, and what it does. A `capacity` of 0 is no limit."""

    agentId = fields.Name(max_length=ID_LENGTH)
    executorId = fields.Name()
    status = fields.Text(choices=frozenset(WorkerStatus.values))
    running = fields.WholeNumber(default=None, least=0)
    capacity = fields.WholeNumber(default=None, least=0, most=1_000)
    version = fields.Text(default="", max_length=200)
