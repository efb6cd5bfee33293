"""The paths of the journal."""

from django.urls import path

from events.views import EventsView

urlpatterns = [path("v1/events", EventsView.as_view())]
