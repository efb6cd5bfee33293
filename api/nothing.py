"""All paths at which there is nothing."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from problems import Unauthorized
from problems.views import NothingThere, for_people, not_found


class NothingView(APIView):
    """Says so to those who have a credential; to others an unknown path looks like a known one.

    People in a browser see a page, or are sent to sign in.
    """

    schema = None
    users_may = frozenset(APIView.http_method_names)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise NothingThere(f"There is nothing at {request.path}.")

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]  # as that of pages
        request = self.request._request
        if for_people(request):
            if isinstance(exc, NothingThere):
                return not_found(request, exc)
            if isinstance(exc, Unauthorized) and request.method == "GET":
                return redirect_to_login(request.get_full_path())
        return super().handle_exception(exc)
