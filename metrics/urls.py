"""The paths of the metrics."""

from django.urls import path

from api.routers import Router
from metrics.views import MetricsViewSet, ScrapeView

router = Router()
router.register("api/metrics", MetricsViewSet, basename="metrics")

urlpatterns = [
    path("metrics", ScrapeView.as_view()),
    *router.urls,
]
