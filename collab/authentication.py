"""The header `apikey`, which clients of the older project send beside, or in place of, a token."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.authentication import (
    LoopbackAuthentication,
    SessionAuthentication,
    TokenAuthentication,
    recognize,
)
from accounts.recognition import Recognized

IN_QUERY = ("token", "apikey")


class ApikeyAuthentication(TokenAuthentication):
    """A token as `Authorization: Bearer …`, `X-Api-Key` or `apikey`: the first that is one."""

    key_headers = ("X-Api-Key", "apikey")

    def authenticate(self, request: Request) -> Recognized | None:
        given = request.META.get("HTTP_APIKEY", "").encode("latin-1", "replace")
        return super().authenticate(request) or recognize(given)


OF_COLLAB: list[type[BaseAuthentication]] = [
    ApikeyAuthentication,
    SessionAuthentication,
    LoopbackAuthentication,
]


class StreamApikeyAuthentication(ApikeyAuthentication):
    """The same, or in the query of a GET as `token` or `apikey`, where no header can be sent."""

    def authenticate(self, request: Request) -> Recognized | None:
        if request.method == "GET":
            query = request.query_params
            given = (query.get(name, "").encode(errors="replace") for name in IN_QUERY)
            if found := recognize(*given):
                return found
        return super().authenticate(request)


OF_STREAMS: list[type[BaseAuthentication]] = [
    StreamApikeyAuthentication,
    SessionAuthentication,
    LoopbackAuthentication,
]
