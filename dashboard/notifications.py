"""`/v1/notifications`: agents that wait for a person, and what else needs one."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import caller_of
from api.answers import filled
from dashboard import attention, schema
from tasks import agent_views


@schema.notifications
class NotificationViewSet(agent_views.NotificationViewSet):
    """Notifications, with what needs a person beside them."""

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        """List agents that wait for a person, and on the first page all else that needs one."""
        answer = super().list(request, *args, **kwargs)
        if not request.query_params.get("cursor") and caller_of(request).sees_all:
            answer.data |= filled(attention=attention.kept.read())
        return answer
