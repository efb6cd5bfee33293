"""What a lost agent or an expired lease is blamed for: the tasks that the agent had begun.

An agent may fetch several tasks and run them one after another. It names those that it runs, in
heartbeats or by renewing them. Where it has named none, the first that it claimed counts as begun,
so that a task which ends its agent at once does not come back for ever.
"""

from collections.abc import Collection
from uuid import UUID

from django.contrib.postgres.aggregates import BoolOr
from django.db.models import BooleanField, Case, ExpressionWrapper, F, Func, Q, Value, When, Window
from django.db.models.expressions import Combinable
from django.db.models.functions import RowNumber

from tasks.models import Task
from tasks.queue import ORDER

NAMED = ExpressionWrapper(Q(named_epoch=F("lease_epoch")), BooleanField())
"""The agent has said that it runs the task, in this lease."""

IN_CLAIM_ORDER = (F("claimed_at").asc(), *ORDER)
LAST_CLAIMED_FIRST = (
    F("claimed_at").desc(),
    F("priority").asc(),
    F("queue_at").desc(),
    F("sequence").desc(),
    F("id").desc(),
)
"""A batch that ends in the middle of what an agent holds leaves the first, which may be blamed."""

BY_AGENT = ("agent_id",)
BY_CLAIM = ("agent_id", "claimed_at")


def begun(ids: Collection[UUID], *, together: tuple[str, ...]) -> set[UUID]:
    """Those of these locked tasks in progress that their agents had begun.

    `together`: the tasks of which one stands for all that were not named: all that a lost agent
    holds, or what one claim fetched.
    """
    agents = Task.objects.filter(pk__in=ids).order_by().values("agent")
    alike = [F(name) for name in together]
    judged = (
        Task.objects.in_progress()
        .filter(agent__in=agents)
        .annotate(
            named=NAMED,
            any_named=Window(BoolOr(NAMED), partition_by=alike),
            place=Window(RowNumber(), partition_by=alike, order_by=IN_CLAIM_ORDER),
        )
        .filter(Q(named=True) | Q(any_named=False, place=1))
    )
    return set(judged.order_by().values_list("pk", flat=True)) & set(ids)


def losses() -> tuple[Combinable, Combinable]:
    """The number of losses with one more, and the agents that were lost: each counts once."""
    again = Q(losses__gt=0, lost_with__contains=[F("last_holder")])
    field = Task._meta.get_field("lost_with")
    before = Case(When(losses=0, then=Value([], field)), default=F("lost_with"))
    longer = Func(before, F("last_holder"), function="array_append", output_field=field)
    return (
        Case(When(again, then=F("losses")), default=F("losses") + 1),
        Case(When(again, then=F("lost_with")), default=longer),
    )
