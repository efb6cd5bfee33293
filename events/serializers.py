"""What agents tell of themselves."""

from api import fields
from api.serializers import RequestSerializer
from events.models import ID_LENGTH


class PostedEvent(RequestSerializer):
    agent_id = fields.Text(max_length=ID_LENGTH)
    type = fields.Text(max_length=ID_LENGTH)
    task_id = fields.Text(default="", max_length=ID_LENGTH)
    payload = fields.JsonObject(default=dict)
    idempotency_key = fields.Text(default="", max_length=ID_LENGTH)
