"""How often an address may try names, passwords and codes over the API."""

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts import sign_in
from api import throttling


class SignInThrottle(BaseThrottle):
    """Counts with those of the sign-in page, whoever the caller is."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        throttling.limits.take(sign_in.SCOPE, throttling.address_of(request._request))
        return True
