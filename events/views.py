"""`/v1/events`: the journal; agents add their own events."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.views import ListView, reply
from events import bodies, journal
from events.filters import EventFilters
from events.models import Event
from events.serializers import EventRequestSerializer


class EventsView(ListView[Event]):
    key = "events"
    queryset = Event.objects.all()
    ordering = ("-id",)
    filterset_class = EventFilters

    def body(self, row: Event) -> dict[str, object]:
        return bodies.event(row)

    def post(self, request: Request) -> HttpResponse:
        values = self.read(EventRequestSerializer)
        event = journal.post(type_=values.pop("type"), **values)
        if event is None:
            return reply({"deduped": True})
        return reply({"event": bodies.event(event)}, 201)
