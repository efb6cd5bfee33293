"""Requests about events."""

from api import fields
from api.serializers import RequestSerializer
from events.models import ID_LENGTH


class EventRequestSerializer(RequestSerializer):
    agent_id = fields.Name(max_length=ID_LENGTH)
    type = fields.Name(max_length=ID_LENGTH)
    task_id = fields.Name(default="", max_length=ID_LENGTH)
    payload = fields.JsonObject(default=dict)
    idempotency_key = fields.Name(default="", max_length=ID_LENGTH)
