"""Views that wait: REST framework's, with handlers that are coroutines."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.response import Response
from rest_framework.views import APIView


class AsyncAPIView(APIView):
    """Authentication, permissions and throttles in a thread, the handler on the event loop."""

    http_method_names = ["get", "post"]  # no HEAD: an answer without a body would not end either

    async def dispatch(  # type: ignore[override]  # Django awaits it, since the handlers are async
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        try:
            await sync_to_async(self.initial)(asked, *args, **kwargs)
            method = str(asked.method).lower()
            handler: Any = getattr(self, method, None) if method in self.http_method_names else None
            if handler is None:
                self.http_method_not_allowed(asked)
            response = await handler(asked, *args, **kwargs)
        except Exception as failure:
            response = self.handle_exception(failure)
        finally:
            _let_go(asked)
        final = self.finalize_response(asked, response, *args, **kwargs)
        if isinstance(final, Response):
            final.render()
        return final


def _let_go(asked: Any) -> None:
    """Drop the body of a request that has been answered.

    Request, view and the storage of messages refer to one another, so all of it would stay until
    the collector of cycles comes by: hundreds of megabytes, where bodies are large and come fast.
    """
    asked._data = asked._full_data = None
    asked._request._body = b""
