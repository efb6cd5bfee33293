"""All paths at which there is nothing."""

from rest_framework.request import Request
from rest_framework.views import APIView

from problems.views import NothingThere


class NothingView(APIView):
    """Says so to those who have a credential; to others an unknown path looks like a known one."""

    schema = None
    users_may = frozenset(APIView.http_method_names)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise NothingThere(f"There is nothing at {request.path}.")
