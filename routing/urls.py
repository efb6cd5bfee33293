"""The paths of routing."""

from django.urls import path

from collab.functions import function
from routing.views import RouterSelectViewSet, RoutingMetricsViewSet

urlpatterns = [
    function("router-select", RouterSelectViewSet, post="select"),
    path(
        "api/metrics/routing",
        RoutingMetricsViewSet.as_view({"get": "show"}, basename="routing-metrics"),
    ),
]
