"""`POST /v1/tasks/claim?wait_seconds=`: a claim that waits until there is something for it."""

import re
from functools import partial

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import caller_of
from accounts.permissions import AsAgent
from accounts.watching import watching
from api.async_views import AsyncAPIView
from api.viewsets import refuse_no_body
from problems import Invalid
from tasks import schema, scope, views, waiting
from tasks.serializers import ClaimRequestSerializer

LONGEST_WAIT = 30
WHOLE_NUMBER = re.compile("[0-9]{1,2}")


@schema.waiting_claim
class WaitingClaimView(AsyncAPIView):
    throttle_scope = "claim"
    agents_may = {"post": AsAgent(beyond=scope.beyond_claim)}

    async def post(self, request: Request) -> Response:
        """Claim as without `wait_seconds`, once there are tasks or the time is up."""
        refuse_no_body(request)
        seconds = _seconds_of(request)
        values, caller = ClaimRequestSerializer.read(request.data), caller_of(request)
        async with watching(caller) as watch:
            tasks = await waiting.claim(
                partial(views.claim_noted, values, caller),
                agent_id=values["agent_id"],
                ids=values["ids"],
                names=values["names"],
                seconds=seconds,
                watch=watch,
            )
        if not tasks:
            watch.check()
        return views.claimed(values, tasks)


def _seconds_of(request: Request) -> int:
    given = request.query_params.getlist("wait_seconds")
    if len(given) != 1 or not WHOLE_NUMBER.fullmatch(given[0]) or int(given[0]) > LONGEST_WAIT:
        raise Invalid(f"wait_seconds must be a whole number from 0 to {LONGEST_WAIT}")
    return int(given[0])
