"""Requests about events."""

from api import fields
from api.serializers import RequestSerializer
from events.models import ID_LENGTH


class EventRequestSerializer(RequestSerializer):
    agent_id = fields.Text(max_length=ID_LENGTH)
    type = fields.Text(max_length=ID_LENGTH)
    task_id = fields.Text(default="", max_length=ID_LENGTH)
    payload = fields.JsonObject(default=dict)
    idempotency_key = fields.Text(default="", max_length=ID_LENGTH)
