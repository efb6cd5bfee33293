"""`/v1/events`: the journal; agents add their own events."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import AsAgent
from api.viewsets import ListViewSet
from events import journal
from events.answers import EventSerializer
from events.filters import EventFilters
from events.models import Event
from events.serializers import EventRequestSerializer


class EventViewSet(ListViewSet[Event]):
    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilters
    list_key = "events"
    ordering = ("-id",)
    agents_may = {"create": AsAgent()}

    def create(self, request: Request) -> Response:
        values = EventRequestSerializer.read(request.data)
        event = journal.post(type_=values.pop("type"), **values)
        if event is None:
            return Response({"deduped": True})
        return Response({"event": EventSerializer(event).data}, 201)
