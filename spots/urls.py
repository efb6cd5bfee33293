"""The paths of SPOTs; each may end with a slash."""

from django.urls import include, path, re_path

from api.nothing import NothingView
from api.routers import LenientRouter
from spots import health
from spots.views import OF_SPOTS, SpotListViewSet, SpotTaskViewSet, SpotViewSet

internal = LenientRouter()
internal.register("tasks", SpotTaskViewSet, basename="spot-task")
internal.register("", SpotViewSet, basename="spot")

lists = LenientRouter()
lists.register("spots", SpotListViewSet, basename="listed-spot")

urlpatterns = [
    path("internal/v1/", include(internal.urls)),
    re_path("^internal/", NothingView.as_view(authentication_classes=OF_SPOTS)),
    re_path("^api/v1/health/?$", health.HealthView.as_view()),
    re_path("^api/health/?$", health.JobHealthView.as_view()),
    path("api/v1/", include(lists.urls)),
]
