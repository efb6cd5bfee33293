"""Requests about chains and new tasks (contract 000-002, 1.3)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from api import fields
from api.serializers import RequestSerializer, Values, absent
from chains.models import ChainStatus, OnFailure
from problems import Invalid
from tasks.models import TRACE_LENGTH, ExecutionMode
from tasks.serializers import LONGEST_TEXT, agent_id, key
from tasks.states import Status

MOST_TASKS = 1000
MOST_ATTEMPTS = 1000
LONGEST_RETRY_DELAY = 60
HIGHEST_SEQUENCE = 10**9  # the next ones must fit in the column too


class RetireRequestSerializer(RequestSerializer):
    """Why an agent is retired, and whether it is removed too."""

    reason = fields.Text(default="", max_length=LONGEST_TEXT)
    remove = fields.Flag(default=False)


class ChainRequestSerializer(RequestSerializer):
    """A new chain; only the status of an empty chain is accepted."""

    channel_id = fields.Identifier()
    name = fields.Name()
    description = fields.Text(default="", max_length=LONGEST_TEXT)
    status = fields.Text(default=ChainStatus.QUEUED, choices=frozenset({ChainStatus.QUEUED}))
    on_failure = fields.Text(default=OnFailure.CONTINUE, choices=frozenset(OnFailure.values))


class ChainEditRequestSerializer(RequestSerializer):
    """Changes of a chain; empty fields stay as they are."""

    name = fields.Name(default="")
    description = fields.Text(default="", max_length=LONGEST_TEXT)
    status = fields.Text(default="", choices=frozenset(ChainStatus.values))
    on_failure = fields.Text(default="", choices=frozenset(OnFailure.values))


class OwnerRequestSerializer(RequestSerializer):
    agent_id = agent_id()


class TaskRequestSerializer(RequestSerializer):
    """A new task. Its channel is named by id or by name; a sequence of 0 means the next."""

    one_of: ClassVar[Mapping[str, Sequence[str]]] = {
        "channel_id_required": ("channel_id", "channel")
    }
    channel_id = fields.Text(default="")
    channel = fields.Name(default="")
    title = fields.Text(max_length=2000)
    chain_id = fields.Text(default="")
    sequence = fields.WholeNumber(default=0, most=HIGHEST_SEQUENCE)
    description = fields.Text(default="", max_length=LONGEST_TEXT)
    payload = fields.JsonObject(default=dict)
    priority = fields.WholeNumber(default=0)
    status = fields.Text(default=Status.QUEUED, choices=frozenset({Status.QUEUED}))
    execution_mode = fields.Text(default="", choices=frozenset(ExecutionMode.values))
    max_attempts = fields.WholeNumber(default=None, least=1, most=MOST_ATTEMPTS)
    retry_delay_seconds = fields.WholeNumber(default=0, least=0, most=LONGEST_RETRY_DELAY)
    wants = fields.TextMap(default=dict)
    requires = fields.TextMap(default=dict)
    idempotency_key = key()
    trace = fields.Text(default="", max_length=TRACE_LENGTH)

    def rules(self) -> fields.Schema:
        in_chain = {"anyOf": [absent("chain_id"), absent("wants", "requires")]}
        return {"allOf": [super().rules(), in_chain]}

    def validate(self, attrs: Values) -> Values:
        for name in ("wants", "requires") if attrs["chain_id"] else ():
            if attrs[name]:
                raise Invalid(
                    f"{name} must be empty in a chain, since its owner gets all its tasks"
                )
        return attrs


class SessionRequestSerializer(RequestSerializer):
    one_of: ClassVar[Mapping[str, Sequence[str]]] = {
        "channel_id_or_channel_name_required": ("channel_id", "channel_name")
    }
    channel_id = fields.Text(default="")
    channel_name = fields.Name(default="")
