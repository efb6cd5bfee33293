"""Requests about channels, tasks and agents (contract 000-002, 1.3)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, TypedDict
from uuid import UUID

from agents.models import ID_LENGTH, INCARNATION_LENGTH, Activity, NotificationType
from api import fields, marks
from api.body import JsonValue
from api.serializers import Nested, NestedList, Refused, RequestSerializer, Values
from problems import Invalid
from tasks.models import KEY_LENGTH, InputKind
from tasks.states import Status

LONGEST_LEASE = 7 * 24 * 3600
LONGEST_TEXT = 100_000
MOST_TASKS = 50
MOST_OUTCOMES = 100
MOST_CHANNELS = 50
MOST_HELD = 1000


def agent_id() -> fields.Name:
    return fields.Name(max_length=ID_LENGTH)


def incarnation() -> fields.Text:
    return fields.Text(default="", max_length=INCARNATION_LENGTH)


def key() -> fields.Name:
    return fields.Name(default="", max_length=KEY_LENGTH)


def epoch() -> fields.WholeNumber:
    return fields.WholeNumber(default=None, least=1, most=2**63 - 1)


class ChannelRequestSerializer(RequestSerializer):
    name = fields.Name()
    description = fields.Text(default="", max_length=LONGEST_TEXT)


class ClaimFieldsSerializer(RequestSerializer):
    """Channels, number of tasks and lease of a claim."""

    one_of: ClassVar[Mapping[str, Sequence[str]]] = {
        "channel_id_or_channel_required": ("channel_id", "channel_ids", "channel", "channels")
    }
    channel_id = fields.Text(default="")
    channel_ids = fields.TextList(default=list, max_items=MOST_CHANNELS)
    channel = fields.Name(default="")
    channels = fields.TextList(default=list, max_items=MOST_CHANNELS)
    max_tasks = fields.WholeNumber(default=None, least=1, most=MOST_TASKS)
    lease_seconds = fields.WholeNumber(default=None, least=1, most=LONGEST_LEASE)
    idempotency_key = key()

    def validate(self, attrs: Values) -> Values:
        """Ids win over names, as in seed 000."""
        ids = attrs["channel_ids"] or ([attrs["channel_id"]] if attrs["channel_id"] else [])
        names = attrs["channels"] or ([attrs["channel"]] if attrs["channel"] else [])
        attrs["ids"] = [fields.identifier(text) for text in ids]
        attrs["names"] = [] if ids else names
        return attrs


class ClaimRequestSerializer(ClaimFieldsSerializer):
    agent_id = agent_id()
    incarnation = incarnation()


class CompleteRequestSerializer(RequestSerializer):
    task_id = fields.Identifier()
    agent_id = fields.Name(default="", max_length=ID_LENGTH)
    lease_epoch = epoch()
    result = fields.Json(default=None)


class FailRequestSerializer(RequestSerializer):
    passed = frozenset({"reason"})
    task_id = fields.Identifier()
    agent_id = fields.Name(default="", max_length=ID_LENGTH)
    lease_epoch = epoch()
    reason = fields.PassedText(LONGEST_TEXT)
    retriable = fields.Flag(default=False)
    unsupported = fields.Flag(default=False)

    def validate(self, attrs: Values) -> Values:
        if attrs["unsupported"] and not attrs["agent_id"]:
            raise Invalid("agent_id_required")
        return attrs


class OutcomeRequestSerializer(RequestSerializer):
    """The outcome of one task: done with a result, or failed with a reason."""

    passed = frozenset({"reason"})
    task_id = fields.SentIdentifier()
    status = fields.Text(choices=frozenset({Status.DONE, Status.FAILED}))
    lease_epoch = epoch()
    result = fields.Json(default=None)
    reason = fields.PassedText(LONGEST_TEXT)
    retriable = fields.Flag(default=False)


class ReportRequestSerializer(RequestSerializer):
    """Outcomes stand alone: what is wrong with one is said of it, and the others are taken."""

    apart = frozenset({"outcomes"})
    one_of: ClassVar[Mapping[str, Sequence[str]]] = {
        "outcomes_or_claim_required": ("outcomes", "claim")
    }
    agent_id = agent_id()
    outcomes = NestedList(OutcomeRequestSerializer, most=MOST_OUTCOMES, default=list, alone=True)
    claim = Nested(ClaimFieldsSerializer, default=None)


class AssignRequestSerializer(RequestSerializer):
    task_id = fields.Identifier()
    agent_id = agent_id()


class HolderRequestSerializer(RequestSerializer):
    """Who holds the task, by which lease."""

    agent_id = agent_id()
    lease_epoch = epoch()


class RenewRequestSerializer(HolderRequestSerializer):
    lease_seconds = fields.WholeNumber(default=None, least=1, most=LONGEST_LEASE)


class ReleaseRequestSerializer(HolderRequestSerializer):
    passed = frozenset({"reason"})
    reason = fields.PassedText(LONGEST_TEXT)


class StatusRequestSerializer(RequestSerializer):
    status = fields.Text(choices=frozenset(Status.values))


class ReasonRequestSerializer(RequestSerializer):
    reason = fields.Text(default="", max_length=LONGEST_TEXT)


class CancelRequestSerializer(ReasonRequestSerializer):
    force = fields.Flag(default=False)


class InputRequestSerializer(RequestSerializer):
    one_of: ClassVar[Mapping[str, Sequence[str]]] = {
        "text_or_send_enter_required": ("text", "send_enter")
    }
    task_id = fields.Identifier()
    agent_id = agent_id()
    kind = fields.Text(default=InputKind.TEXT, choices=frozenset(InputKind.values))
    text = fields.Text(default="", trim=False, max_length=LONGEST_TEXT)
    send_enter = fields.Flag(default=False)
    idempotency_key = key()


class InputClaimRequestSerializer(RequestSerializer):
    task_id = fields.Identifier()
    agent_id = agent_id()


class HeldRequestSerializer(RequestSerializer):
    """A task that an agent reports as held, with its lease epoch."""

    id = fields.SentIdentifier()
    lease_epoch = epoch()


class HeldTasks(fields.Strict):
    """Tasks that an agent reports as held: ids, or objects of id and lease epoch.

    A serializer names the field in `apart` too: what cannot be stored is refused item by item.
    """

    expected = "a list of task ids, or of objects with id and lease_epoch"
    kind: ClassVar[type[RequestSerializer]] = HeldRequestSerializer
    alone: ClassVar[fields.SentIdentifier] = fields.SentIdentifier()
    """An id without its epoch."""

    def check(self, data: object) -> object:
        if not isinstance(data, list):
            raise self.wrong_type()
        read = self.kind.read_each(str(self.field_name), list(map(_as_object, data[:MOST_HELD])))
        held = {one["id"]: one["lease_epoch"] for one in read if not isinstance(one, Refused)}
        wrong = [one.problem.message for one in read if isinstance(one, Refused)]
        if len(data) > MOST_HELD:
            wrong.append(self.refused(f"must not have more than {MOST_HELD} items").message)
        if wrong:
            raise fields.PartlyWrong(wrong[0], held)
        return held

    def schema(self, refer: fields.Refer) -> fields.Schema:
        items = {"anyOf": [self.alone.schema(refer), refer(self.kind)]}
        return {"type": "array", "items": items, "maxItems": MOST_HELD}


def _as_object(item: JsonValue) -> JsonValue:
    """An item of held tasks with its id by name."""
    if not isinstance(item, str):
        return item
    return marks.Marked(id=item) if marks.MARK.search(item) else {"id": item}


class Listed(TypedDict):
    """All tasks that a heartbeat lists, those in `waiting` whether they are in `tasks` or not.

    `unknown`: what is listed and is no id.
    """

    listed: dict[UUID, int | None]
    unknown: list[str]


def listed(beat: Values) -> Listed:
    named = {**beat["waiting"], **(beat["tasks"] or {})}
    return {
        "listed": {pk: epoch for pk, epoch in named.items() if isinstance(pk, UUID)},
        "unknown": [text for text in named if isinstance(text, str)],
    }


def refusal(beat: Values, names: Iterable[str]) -> str | None:
    """Why a heartbeat is refused: the first of these fields that is wrong."""
    return next((beat["ignored"][name] for name in names if name in beat["ignored"]), None)


class HeartbeatRequestSerializer(RequestSerializer):
    """`status` is the older name of `claude_status`, which wins.

    Presence and leases do not depend on what else an agent says of itself; with a wrong field among
    those in `refusing` the heartbeat is refused all the same.
    """

    passed = frozenset({"name", "meta", "status", "claude_status", "capabilities"})
    apart = frozenset({"tasks", "waiting"})
    refusing = ("claude_status", "status", "incarnation", "tasks", "waiting")
    incidental = passed | {"capacity", *refusing}
    agent_id = fields.Name(default="", max_length=ID_LENGTH)
    name = fields.PassedText(200)
    status = fields.Text(default="", choices=frozenset(Activity.values))
    claude_status = fields.Text(default="", choices=frozenset(Activity.values))
    meta = fields.JsonObject(default=None, max_bytes=64 * 1024)
    capabilities = fields.TextListMap(default=None)
    capacity = fields.WholeNumber(default=None, least=0, most=MOST_HELD)
    incarnation = incarnation()
    tasks = HeldTasks(default=None)
    waiting = HeldTasks(default=dict)

    def validate(self, attrs: Values) -> Values:
        return attrs | listed(attrs)


class SubscriptionsRequestSerializer(RequestSerializer):
    subscriptions = fields.TextList(default=list)


class DismissRequestSerializer(RequestSerializer):
    agent_id = agent_id()
    type = fields.Text(choices=frozenset(NotificationType.values))
