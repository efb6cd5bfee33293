"""`/v1/events`: the journal; agents add their own events."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import caller_of
from accounts.permissions import AsAgent
from api.schema import answer, refused
from api.viewsets import ListViewSet
from events import journal
from events.answers import EventSerializer
from events.filters import EventFilters
from events.models import Event
from events.serializers import EventRequestSerializer


@extend_schema_view(
    create=extend_schema(
        request=EventRequestSerializer,
        responses={
            200: answer("KnownEvent", deduped=serializers.BooleanField()),
            201: answer("EventAnswer", event=EventSerializer()),
            **refused(
                s404="No session request has the token that the event names.",
                s409="The session request of the token cannot be completed now.",
            ),
        },
    )
)
class EventViewSet(ListViewSet[Event]):
    """The journal, the newest event first."""

    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilters
    list_key = "events"
    ordering = ("-id",)
    agents_may = {"create": AsAgent()}

    def create(self, request: Request) -> Response:
        """Add an event of an agent; a key that it has used before adds none."""
        values = EventRequestSerializer.read(request.data)
        event = journal.post(type_=values.pop("type"), **values, caller=caller_of(request))
        if event is None:
            return Response({"deduped": True})
        return Response({"event": EventSerializer(event).data}, 201)
