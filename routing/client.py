"""The way that every call of a language model takes: `RouterSelectClient.rank`."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from uuid_utils import uuid7

from routing import catalogue
from routing.candidates import RouteRequest, Scoring
from routing.rank import Ranking, rank

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH = 26


@dataclass(frozen=True, slots=True)
class Selection:
    """A ranking with the id of its request, and how long it took."""

    request: RouteRequest
    request_id: str
    ranking: Ranking
    took_ms: float


class RouterSelectClient:
    """Ranks the models that could serve a call, by what is known of them at that moment."""

    def rank(self, request: RouteRequest) -> Selection:
        """Put them in order; nothing is recorded. Raises PolicyWrong."""
        begun, now = time.perf_counter(), timezone.now()
        known = catalogue.read(request, now)
        ranking = rank(
            request,
            known.candidates,
            known.policy,
            now,
            scoring=Scoring.V2 if settings.ROUTER_SCORE_V2 else Scoring.V1,
            health_ttl=settings.HEALTH_TTL,
        )
        took = round((time.perf_counter() - begun) * 1000, 3)
        return Selection(request, ulid(), ranking, took)


def ulid() -> str:
    """A new id that sorts by its time; its bits are those of a UUIDv7."""
    number = uuid7().int
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(ULID_LENGTH)))
