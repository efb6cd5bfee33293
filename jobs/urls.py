"""The paths of sweeps; each may end with a slash."""

from django.urls import include, path, re_path

from api.routers import LenientRouter
from jobs.views import JobViewSet, ParameterSchemaView

router = LenientRouter()
router.register("jobs", JobViewSet)

job_paths = [re_path("^parameter-schema/?$", ParameterSchemaView.as_view()), *router.urls]
urlpatterns = [path("api/v1/", include(job_paths))]
