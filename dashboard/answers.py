"""What pages read, as `rows`, `board`, `counters`, `plot` and `acts` make it.

Functions make these rows; the serializers describe them.
"""

from rest_framework import serializers

from agents.answers import NotificationSerializer
from agents.models import Activity, Presence, Protocol
from api.answers import ErrorSerializer
from api.schema import answer, either
from chains.models import ChainStatus, OnFailure
from dashboard.number_answers import CountersSerializer, FindingSerializer, integers, texts
from events.models import Source
from jobs.commands import CommandStatus
from jobs.models import JobKind, JobStatus
from routing.usage import GROUPS
from tasks.answers import TaskSerializer


class ChannelRowSerializer(serializers.Serializer):
    """A channel with its counts; `more` names those that are higher than was counted."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    counts = integers()
    more = texts(required=False)
    ready = serializers.BooleanField(required=False)
    description = serializers.CharField(required=False)
    paused_at = serializers.DateTimeField(required=False)
    pause_reason = serializers.CharField(required=False)


class ChainRowSerializer(serializers.Serializer):
    """A chain, and what has become of its tasks."""

    id = serializers.UUIDField()
    channel_id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(ChainStatus.choices)
    on_failure = serializers.ChoiceField(OnFailure.choices)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    total = serializers.IntegerField()
    counts = integers()
    owner = serializers.CharField(required=False)
    locked = serializers.ListField(child=serializers.UUIDField(), required=False)
    current = serializers.UUIDField(required=False)


class TaskRowSerializer(TaskSerializer):
    """A task, and whether it is cancelled and an operator may put it back."""

    restorable = serializers.BooleanField(required=False)


class HeldTaskSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    channel_id = serializers.UUIDField()
    job_id = serializers.UUIDField(required=False)
    chain_id = serializers.UUIDField(required=False)


class OwnedChainSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    channel_id = serializers.UUIDField()


class AgentRowSerializer(serializers.Serializer):
    """An agent with what it holds, of which the latest tasks are named."""

    id = serializers.CharField()
    name = serializers.CharField()
    presence = serializers.ChoiceField(Presence.choices)
    activity = serializers.ChoiceField(Activity.choices)
    last_seen_at = serializers.DateTimeField()
    held = serializers.IntegerField()
    subscriptions = texts()
    draining = serializers.BooleanField(required=False)
    protocol = serializers.ChoiceField(Protocol.choices, required=False)
    capacity = serializers.IntegerField(required=False)
    tasks = HeldTaskSerializer(many=True, required=False)
    chain = OwnedChainSerializer(required=False)
    state = serializers.CharField(required=False)
    waits = serializers.BooleanField(required=False)


class JobRowSerializer(serializers.Serializer):
    """A job with its present counts."""

    id = serializers.CharField()
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(JobKind.choices)
    status = serializers.ChoiceField(JobStatus.choices)
    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    running = serializers.IntegerField()
    waiting = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    name = serializers.CharField(required=False)
    seconds_left = serializers.FloatField(required=False)
    started_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(required=False)
    cancel_asked_at = serializers.DateTimeField(required=False)
    task_id = serializers.UUIDField(required=False)
    command_status = serializers.ChoiceField(CommandStatus.choices, required=False)


class EventRowSerializer(serializers.Serializer):
    """A row of the journal, for the timeline."""

    id = serializers.CharField()
    type = serializers.CharField()
    created_at = serializers.DateTimeField()
    source = serializers.ChoiceField(Source.choices, required=False)  # type: ignore[assignment]
    task_id = serializers.CharField(required=False)
    agent_id = serializers.CharField(required=False)
    chain_id = serializers.UUIDField(required=False)
    channel_id = serializers.UUIDField(required=False)
    job_id = serializers.CharField(required=False)
    actor = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)


class MeSerializer(serializers.Serializer):
    """The caller, and what they may."""

    name = serializers.CharField()
    kind = serializers.CharField()
    signed_in = serializers.BooleanField()
    operate = serializers.BooleanField()
    administer = serializers.BooleanField()


class OverviewSerializer(serializers.Serializer):
    """What a page starts with, and the cursor from which to go on."""

    cursor = serializers.CharField()
    counters = CountersSerializer()
    channels = ChannelRowSerializer(many=True)
    agents = AgentRowSerializer(many=True)
    jobs = JobRowSerializer(many=True)
    events = EventRowSerializer(many=True)
    notifications = NotificationSerializer(many=True)
    attention = FindingSerializer(many=True)
    me = MeSerializer()


class GoneSerializer(serializers.Serializer):
    """What is not there any more."""

    id = serializers.CharField()
    uuid = serializers.UUIDField(required=False)
    deleted = serializers.BooleanField()


def or_gone(
    name: str, row: type[serializers.Serializer], *, required: bool = True
) -> serializers.ListField:
    return serializers.ListField(child=either(name, row(), GoneSerializer()), required=required)


class ChangesSerializer(serializers.Serializer):
    """What has changed since a cursor; `stale` names what is to be read again."""

    cursor = serializers.CharField()
    tasks = or_gone("ChangedTask", TaskRowSerializer, required=False)
    chains = or_gone("ChangedChain", ChainRowSerializer, required=False)
    agents = or_gone("ChangedAgent", AgentRowSerializer, required=False)
    jobs = or_gone("ChangedJob", JobRowSerializer, required=False)
    channels = or_gone("ChangedChannel", ChannelRowSerializer, required=False)
    events = EventRowSerializer(many=True, required=False)
    counters = CountersSerializer(required=False)
    notifications = serializers.BooleanField(required=False)
    attention = FindingSerializer(many=True, required=False)
    stale = texts(required=False)


class ColumnSerializer(serializers.Serializer):
    """The first tasks of a column."""

    tasks = TaskRowSerializer(many=True)
    next = serializers.CharField(required=False)
    count = serializers.IntegerField()
    more = serializers.BooleanField()


class BoardSerializer(serializers.Serializer):
    """A channel with its chains; on the first page also its tasks without a chain, in columns."""

    channel = ChannelRowSerializer()
    chains = ChainRowSerializer(many=True)
    next = serializers.CharField(required=False)
    columns = serializers.DictField(child=ColumnSerializer(), required=False)


class PointSerializer(serializers.Serializer):
    """A result, and the best one up to it."""

    at = serializers.DateTimeField()
    value = serializers.FloatField()
    best = serializers.FloatField()
    task_id = serializers.UUIDField()


class AxisValueSerializer(serializers.Serializer):
    """The best result at one value of an axis."""

    value = serializers.CharField()
    best = serializers.FloatField()
    tasks = serializers.IntegerField()


class PlotSerializer(serializers.Serializer):
    """The results of a job, in time and along the axes of its grid."""

    job = JobRowSerializer()
    points = PointSerializer(many=True)
    axes = serializers.DictField(child=AxisValueSerializer(many=True))


class AmountsSerializer(serializers.Serializer):
    """What calls of language models used."""

    calls = serializers.IntegerField()
    tokens_in = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    cost_usd = serializers.FloatField()


class UsageDaySerializer(AmountsSerializer):
    """What was used on a day (UTC)."""

    day = serializers.DateField()


class UsageRowSerializer(AmountsSerializer):
    """What one provider, model, agent or channel used in these days; a blank one is none."""

    name = serializers.CharField(allow_blank=True)


class UsageSerializer(serializers.Serializer):
    """What was used on each day, and by whom or of what, the dearest first."""

    by = serializers.ChoiceField([*GROUPS])
    days = UsageDaySerializer(many=True)
    rows = UsageRowSerializer(many=True)
    more = serializers.BooleanField()


class VerbFieldSerializer(serializers.Serializer):
    """What a verb asks besides a reason."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as fields have
    type = serializers.ChoiceField(
        ["text", "area", "agent", "channel", "choice", "number", "boolean"]
    )
    required = serializers.BooleanField()  # type: ignore[assignment]  # as fields have
    help = serializers.CharField(required=False)
    initial = serializers.JSONField(required=False)
    choices = serializers.ListField(child=texts(), required=False)


class VerbSerializer(serializers.Serializer):
    """A verb, whether the caller may use it, and on which rows it is offered.

    Of those that are offered on a row the first fits best. One with `danger` destroys, or takes
    away what somebody works on. One that stands `alone` is used on no row, and makes one.
    """

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as fields have
    help = serializers.CharField(allow_blank=True)
    danger = serializers.BooleanField()
    alone = serializers.BooleanField()
    asks_reason = serializers.BooleanField()
    permission = serializers.CharField()
    allowed = serializers.BooleanField()
    offered_when = serializers.DictField()
    fields = VerbFieldSerializer(many=True)  # type: ignore[assignment]  # the page's name for it


class RefusedSerializer(ErrorSerializer):
    """An object that a verb refused, and why."""

    id = serializers.CharField()


class RefusalReasonSerializer(ErrorSerializer):
    """Why some objects will refuse, and how many."""

    count = serializers.IntegerField()


PREVIEWED = answer(
    "VerbPreview",
    target=serializers.CharField(),
    will=texts(),
    done=serializers.IntegerField(),
    refused=RefusalReasonSerializer(many=True),
    seen=serializers.CharField(required=False),
)
CARRIED_OUT = answer(
    "VerbResult",
    done=serializers.IntegerField(),
    refused=RefusedSerializer(many=True),
    made=texts(required=False),
    notes=texts(required=False),
)
