"""How many functions a token may call on a day (UTC): counted in the database, by all processes."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from problems import TooMany

DAY = timedelta(days=1)
COUNT = """INSERT INTO collab_functionuse AS used (token_id, day, calls)
  VALUES (%s, (now() AT TIME ZONE 'UTC')::date, 1)
  ON CONFLICT (token_id) DO UPDATE SET day = excluded.day,
    calls = CASE WHEN used.day = excluded.day THEN used.calls + 1 ELSE 1 END
  WHERE used.day <> excluded.day OR used.calls < %s
  RETURNING calls"""


class DailyQuota(BaseThrottle):
    """Counts a call for its token, where a quota is set; other callers have none."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller: Any = request.auth
        quota: int = settings.FUNCTION_DAILY_QUOTA
        if quota and caller is not None and caller.token_id and not count(caller.token_id, quota):
            left = until_midnight()
            raise TooMany(
                f"This token may call {quota} functions a day, and has; the next begins 0:00 UTC.",
                retry_after=left,
                limit=quota,
                reset=left,
            )
        return True


def count(token_id: UUID, quota: int) -> bool:
    """Count a call of the token; false where it has made all that it may today."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [token_id, quota])
        return cursor.fetchone() is not None


def until_midnight() -> int:
    """Seconds until the next day begins."""
    now = timezone.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    return max(1, round((midnight - now).total_seconds()))
