"""The table of agents: what each holds, and how the tasks ended that it had last."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models.fields.json import KeyTransform
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import Agent
from api.answers import filled
from api.fields import identifier
from api.names import spelled
from api.pagination import requested_size
from api.viewsets import ApiViewSet
from dashboard import rows
from dashboard.tables import errors, schema
from tasks.models import AttemptOutcome, Task

USUAL = 200
EVENTS_EACH = 60
"""The latest events of an agent that are looked at; a task makes two of them, usually."""
LONGEST_VERSION = 64
BAD = [
    AttemptOutcome.FAILED,
    AttemptOutcome.EXPIRED,
    AttemptOutcome.LOST,
    AttemptOutcome.TIMED_OUT,
]
"""What counts as a failure of an agent, of the attempts after which a task is tried again."""

# Of each agent the latest events, by the index that has them in this order; those of which it says
# itself that they happened count for nothing.
RECORD = """
SELECT a.id, count(*) FILTER (WHERE e.good), count(*) FILTER (WHERE e.bad),
  max(e.created_at) FILTER (WHERE e.bad),
  (array_agg(e.task_id ORDER BY e.id DESC) FILTER (WHERE e.bad))[1]
FROM unnest(%(agents)s::text[]) a (id)
CROSS JOIN LATERAL (
  SELECT id, created_at, task_id, source = 'coordinator' AND type = 'task.completed' AS good,
    source = 'coordinator' AND (type = 'task.failed'
      OR (type = 'task.retried' AND payload ->> 'outcome' = ANY (%(bad)s))) AS bad
  FROM events_event WHERE agent_id = a.id ORDER BY id DESC LIMIT %(most)s) e
GROUP BY a.id"""


def records(ids: Sequence[str]) -> dict[str, rows.Row]:
    """How the latest tasks of each agent ended, of those of which the journal still knows."""
    bad = [str(one) for one in BAD]
    asked: dict[str, Any] = {"agents": list(ids), "bad": bad, "most": EVENTS_EACH}
    with connection.cursor() as cursor:
        cursor.execute(RECORD, asked)
        found = cursor.fetchall()
    failed = {identifier(task) for *_, task in found if task}
    said = Task.objects.filter(pk__in=failed).exclude(fail_reason="")
    reasons = {
        pk: errors.line_of(error, ends_in_it)
        for pk, error, ends_in_it in said.values_list("pk", errors.ERROR, errors.ENDS_IN_IT)
    }
    return {
        pk: {
            "succeeded": succeeded,
            "failed": bad,
            **(
                {
                    "last_failure": {
                        "at": at,
                        **filled(task_id=task, error=reasons.get(identifier(task or ""))),
                    }
                }
                if at
                else {}
            ),
        }
        for pk, succeeded, bad, at, task in found
    }


def _versions(ids: Sequence[str]) -> dict[str, str]:
    """The versions that agents name in their meta, which may be large and is not read."""
    said = Agent.objects.filter(pk__in=ids, meta__has_key="version").order_by()
    versions = said.values_list("pk", KeyTransform("version", "meta"))
    return {pk: text[:LONGEST_VERSION] for pk, text in versions if isinstance(text, str)}


@schema.agents
class AgentTableViewSet(ApiViewSet):
    """Agents as a table shows them."""

    def list(self, request: Request) -> Response:
        """List agents by their ids, with how their latest tasks ended."""
        after, size = request.query_params.get("after", ""), requested_size(request, USUAL)
        behind = Agent.objects.order_by("pk").values_list("pk", flat=True)
        ids = list(behind.filter(pk__gt=spelled(after.replace("\0", "")))[: size + 1])
        page = ids[:size]
        shown = rows.agents(Agent.objects.with_online().filter(pk__in=page).order_by("pk"))
        known, versions = records(page), _versions(page)
        for row in shown:
            pk = str(row["id"])
            row |= {"succeeded": 0, "failed": 0, **known.get(pk, {})}
            row |= filled(version=versions.get(pk))
        more = {"next": page[-1]} if len(ids) > size else {}
        return Response({"agents": shown, **more})
