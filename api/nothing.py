"""All paths at which there is nothing."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from problems.views import NothingThere


class NothingView(APIView):
    """Says so to those who have a credential; to others an unknown path looks like a known one."""

    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise NothingThere(f"There is nothing at {request.path}.")

    def get(self, request: Request) -> Response:
        raise NotImplementedError
