"""Requests of SPOTs (seed 004, 2.2; contract 004, 1.7 to 1.11)."""
# ruff: noqa: N815 (fields are named as SPOTs spell them)

from typing import ClassVar

from django.db.models import TextChoices

from agents.models import ID_LENGTH
from api import fields
from api.serializers import Nested, NestedList, RequestSerializer, Values
from spots.fields import Count, MaxTasks, Measure
from tasks.serializers import HeldTasks, listed

MOST_TASKS = 10
MOST_OPTIMIZERS = 1000
LONGEST_ADDRESS = 200
LONGEST_ERROR = 10_000
LONGEST_OUTPUT = 512
LONGEST_RESULT = 512 * 1024
NEGATIVE = "must be non-negative"
TELEMETRY = (
    "cpuLoad",
    "runningTasks",
    "totalCores",
    "ramUsedMb",
    "ramTotalMb",
    "loadAvg1m",
    "swapUsedMb",
    "diskFreeGb",
    "jvmHeapUsedMb",
    "jvmHeapMaxMb",
    "cachedArtifacts",
)
"""The data of a heartbeat that are stored as they were sent."""
REQUIRED = TELEMETRY[:3]
"""Those that seed 004 asks for: a heartbeat without them is refused, but the SPOT was heard."""


class FailureReason(TextChoices):
    """Why a SPOT could not do a task. With the first two it never can, but another SPOT may."""

    UNSUPPORTED = "UNSUPPORTED"
    MISSING_ARTIFACT = "MISSING_ARTIFACT"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    TIMEOUT = "TIMEOUT"


def spot_id() -> fields.Name:
    return fields.Name(max_length=ID_LENGTH)


def address() -> fields.Text:
    return fields.Text(default="", max_length=LONGEST_ADDRESS)


def epoch() -> fields.WholeNumber:
    return fields.WholeNumber(default=None, least=1, most=2**63 - 1)


class SpotRequestSerializer(RequestSerializer):
    missing: ClassVar[str] = "{} is required"


class SpotInfoRequestSerializer(SpotRequestSerializer):
    host = fields.Name(default="", max_length=LONGEST_ADDRESS)
    cpuCores = Count(default=None, message=NEGATIVE)
    ramMb = Count(default=None, message=NEGATIVE)
    maxConcurrent = Count(default=None, most=2**31 - 1, message=NEGATIVE)
    labels = fields.TextList(default=list)


class OptimizerRequestSerializer(SpotRequestSerializer):
    optimizerId = fields.Name(default="")
    version = fields.Text(default="", max_length=200)
    algorithms = fields.TextList(default=list)
    functions = fields.TextList(default=list)


class CapabilitiesRequestSerializer(SpotRequestSerializer):
    optimizers = NestedList(OptimizerRequestSerializer, most=MOST_OPTIMIZERS, default=list)


class SpotHelloRequestSerializer(SpotRequestSerializer):
    spotId = fields.Name(default="", max_length=ID_LENGTH)
    ipAddress = address()
    spotInfo = Nested(SpotInfoRequestSerializer, default=None)
    capabilities = Nested(CapabilitiesRequestSerializer, default=None)


class SpotHeldRequestSerializer(SpotRequestSerializer):
    """A task that a SPOT reports as held, with its lease epoch; the id has two names."""

    id = fields.SentIdentifier(default=None)
    taskId = fields.SentIdentifier(default=None)
    leaseEpoch = epoch()

    def validate(self, attrs: Values) -> Values:
        return {
            "id": attrs["id"] or attrs["taskId"] or fields.NOBODY,
            "lease_epoch": attrs["leaseEpoch"],
        }


class SpotHeldTasks(HeldTasks):
    expected = "a list of task ids, or of objects with id and leaseEpoch"
    kind: ClassVar[type[RequestSerializer]] = SpotHeldRequestSerializer
    alone = fields.SentIdentifier(default=None)


class SpotHeartbeatRequestSerializer(SpotRequestSerializer):
    """What is wrong with the data of a SPOT is in `ignored`; its presence does not depend on it.

    With a wrong field among those in `refusing` the heartbeat is refused all the same.
    """

    passed = frozenset(name.lower() for name in ("ipAddress", *TELEMETRY))
    apart = frozenset({"tasks", "waiting"})
    refusing = (*REQUIRED, "tasks", "waiting")
    incidental = frozenset({"ipAddress", *TELEMETRY, *refusing})
    spotId = spot_id()
    ipAddress = address()
    cpuLoad = Measure(least=0, most=100, message="must be between 0 and 100")
    runningTasks = Count(message=NEGATIVE)
    totalCores = Count(least=1, message="must be positive")
    ramUsedMb = fields.Number(default=None)
    ramTotalMb = fields.Number(default=None)
    loadAvg1m = fields.Number(default=None)
    swapUsedMb = fields.Number(default=None)
    diskFreeGb = fields.Number(default=None)
    jvmHeapUsedMb = fields.Number(default=None)
    jvmHeapMaxMb = fields.Number(default=None)
    cachedArtifacts = fields.Json(default=None, max_bytes=16 * 1024)
    tasks = SpotHeldTasks(default=None)
    waiting = SpotHeldTasks(default=dict)

    def validate(self, attrs: Values) -> Values:
        return attrs | listed(attrs)


class SpotClaimRequestSerializer(SpotRequestSerializer):
    spotId = spot_id()
    maxTasks = MaxTasks(most=MOST_TASKS)


class SpotCompleteRequestSerializer(SpotRequestSerializer):
    spotId = spot_id()
    leaseEpoch = epoch()
    runtimeMs = Count(default=0, message=NEGATIVE)
    iter = fields.WholeNumber(default=None, least=-(2**63), most=2**63 - 1)
    fopt = fields.Number(default=None)
    resultJson = fields.Text(default=None, trim=False, max_length=LONGEST_RESULT)
    bestPos = fields.Json(default=None)
    charts = fields.Json(default=None, max_bytes=LONGEST_RESULT)
    peakRamMb = fields.Number(default=None)


class SpotFailRequestSerializer(SpotRequestSerializer):
    passed = frozenset({"error", "errormessage", "failurereason", "outputsnippet"})
    incidental = frozenset({"exitCode"})
    spotId = spot_id()
    leaseEpoch = epoch()
    error = fields.PassedText(LONGEST_ERROR)
    errorMessage = fields.PassedText(LONGEST_ERROR)
    retriable = fields.Flag(default=True)
    failureReason = fields.PassedText(ID_LENGTH)
    exitCode = fields.WholeNumber(default=None, least=-(2**63), most=2**63 - 1)
    outputSnippet = fields.PassedText(LONGEST_ERROR)


class SpotReleaseRequestSerializer(SpotRequestSerializer):
    passed = frozenset({"reason"})
    spotId = spot_id()
    leaseEpoch = epoch()
    reason = fields.PassedText(LONGEST_ERROR)
