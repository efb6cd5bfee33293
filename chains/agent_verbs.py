"""All that people may do to agents, with what needs to know of chains: reset and retire."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.permissions import ADMINISTER, OPERATE
from agents import verbs
from agents.models import Agent
from chains import resets
from chains.models import Chain
from console.sentences import told
from console.verbs import By, Values, Verb, one_by_one
from tasks.models import Task


def _give_back_will(agents: QuerySet[Agent], values: Values) -> list[str]:
    ids = agents.order_by().values("pk")
    return told(
        (
            Task.objects.in_progress().filter(agent__in=ids).count(),
            ngettext_lazy(
                "Takes %(count)d task in progress from its agent and puts it back in line.",
                "Takes %(count)d tasks in progress from their agents and puts them back in line.",
                "count",
            ),
        ),
        (
            Chain.objects.filter(owner__in=ids).count(),
            ngettext_lazy(
                "Ownership of %(count)d chain ends.", "Ownership of %(count)d chains ends.", "count"
            ),
        ),
    )


def _retire_will(agents: QuerySet[Agent], values: Values) -> list[str]:
    claims_no_more = told(
        (
            agents.count(),
            ngettext_lazy(
                "%(count)d agent claims no more.", "%(count)d agents claim no more.", "count"
            ),
        )
    )
    return claims_no_more + _give_back_will(agents, values)


@one_by_one
def _reset(agent: Agent, by: By, values: Values) -> None:
    resets.reset_agent(agent.pk, by=by.actor, reason=by.reason)


@one_by_one
def _retire(agent: Agent, by: By, values: Values) -> None:
    resets.retire_agent(agent.pk, by=by.actor, reason=by.reason)


AGENT_VERBS: list[Verb[Agent]] = [
    *verbs.AGENT_VERBS,
    Verb(
        "reset",
        _("Reset"),
        OPERATE,
        _give_back_will,
        _reset,
        verbs.snapshot,
        icon="restart_alt",
    ),
    Verb(
        "retire",
        _("Retire"),
        ADMINISTER,
        _retire_will,
        _retire,
        verbs.snapshot,
        icon="logout",
    ),
]
