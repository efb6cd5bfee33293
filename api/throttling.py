"""How often a caller may come: REST framework's throttle, on token buckets of all processes.

A view or an `@action` names its scope as `throttle_scope`; others are counted by their method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from api.buckets import Buckets, Rate
from problems import TooMany, Unauthorized, drf

if TYPE_CHECKING:
    # REST framework's views import this module, by its settings.
    from rest_framework.views import APIView

READ, CHANGE, ANONYMOUS = "read", "change", "anonymous"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NETWORK = 64  # bits of an IPv6 address that tell one site from another


class Limits:
    """The buckets of all scopes that have a rate."""

    def __init__(self) -> None:
        self.buckets: Mapping[str, Buckets] = {}
        self.share(1)

    def share(self, processes: int) -> None:
        """Begin anew, in memory that this process shares with so many that it will fork."""
        rates = api_settings.DEFAULT_THROTTLE_RATES
        self.buckets = {
            scope: Buckets(Rate.parse(str(rate)), processes)
            for scope, rate in rates.items()
            if rate
        }

    def join(self, column: int) -> None:
        """Count in this column of the shared memory, in which no other running process counts."""
        for buckets in self.buckets.values():
            buckets.column = column

    def take(self, scope: str, caller: str) -> None:
        """Count a request. Raises TooMany when this caller has sent too many."""
        buckets = self.buckets.get(scope)
        refusal = buckets.take(caller) if buckets else None
        if buckets and refusal:
            limit, seconds = buckets.rate.limit, buckets.rate.seconds
            raise TooMany(
                f"Too many requests ({scope}): at most {limit} in {seconds:.0f} seconds are taken.",
                retry_after=math.ceil(refusal.wait),
                limit=limit,
                reset=math.ceil(refusal.reset),
            )


limits = Limits()


class BucketThrottle(BaseThrottle):
    """Counts a request for its caller, else for its address; in protected mode for nobody."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        if caller is None:
            limits.take(ANONYMOUS, address_of(request._request))
        elif counted_as := caller.counted_as:
            by_method = READ if request.method in SAFE_METHODS else CHANGE
            limits.take(getattr(view, "throttle_scope", "") or by_method, counted_as)
        return True


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """The answer to an exception; who sends no credential again and again has to wait.

    REST framework looks at permissions first, and at throttles only for those whom they let in.
    """
    if isinstance(exc, Unauthorized):
        try:
            limits.take(ANONYMOUS, address_of(context["request"]._request))
        except TooMany as too_many:
            exc = too_many
    return drf.exception_handler(exc, context)


def address_of(request: HttpRequest) -> str:
    """Where a request comes from; of an IPv6 address the network, "" where it is none.

    Behind proxies it is what the farthest that is trusted has seen (`NUM_PROXIES`).
    """
    # Either kind of request has the headers that it looks at.
    return _network_of(BaseThrottle().get_ident(request) or "")  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def _network_of(given: str) -> str:
    try:
        address = ip_address(given.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address) >> NETWORK << NETWORK)
    return str(address)
