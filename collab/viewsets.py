"""The bases of the viewsets of Collab jobs."""

from rest_framework.request import Request
from rest_framework.response import Response

from api.viewsets import ApiViewSet, RowViewSet
from collab import tracing
from collab.authentication import OF_COLLAB
from collab.exceptions import CollabJobUnknown
from collab.models import CollabJob


class CollabViewSet(ApiViewSet):
    """A resource of seed 003. An answer echoes the `trace_id` that its request supplied."""

    authentication_classes = OF_COLLAB

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        good = isinstance(final, Response)  # errors are answers of Django
        trace = tracing.supplied(request) if good else tracing.in_head(request)
        if trace:
            final.headers[tracing.HEADER] = trace
        if trace and good and isinstance(final.data, dict):
            final.data.setdefault("trace_id", trace)
        return final


class OfJobViewSet(CollabViewSet, RowViewSet[CollabJob]):
    """What there is of one job."""

    queryset = CollabJob.objects.shown()
    owner = "user"
    unknown = CollabJobUnknown
    lookup_url_kwarg = "job_id"
    lookup_value_converter = "uuid"
