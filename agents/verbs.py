"""What people may do to agents; each verb tells beforehand what it will change."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.permissions import OPERATE
from agents import transitions
from agents.models import Agent
from console.sentences import told
from console.verbs import By, Values, Verb, one_by_one


def snapshot(agent: Agent) -> dict[str, object]:
    return {
        "draining": agent.draining,
        "announced": agent.announced,
        "subscriptions": agent.subscriptions,
    }


def _drain_will(agents: QuerySet[Agent], values: Values) -> list[str]:
    return told(
        (
            agents.filter(draining=False).count(),
            ngettext_lazy(
                "%(count)d agent finishes what it has and claims no more.",
                "%(count)d agents finish what they have and claim no more.",
                "count",
            ),
        ),
        (
            agents.filter(draining=True).count(),
            ngettext_lazy("%(count)d drains already.", "%(count)d drain already.", "count"),
        ),
    )


def _resume_will(agents: QuerySet[Agent], values: Values) -> list[str]:
    return told(
        (
            agents.filter(draining=True).count(),
            ngettext_lazy(
                "%(count)d agent claims again.", "%(count)d agents claim again.", "count"
            ),
        )
    )


def _drain(agent: Agent, by: By, values: Values) -> None:
    transitions.drain(agent.pk, by=by.actor, reason=by.reason)


def _resume(agent: Agent, by: By, values: Values) -> None:
    transitions.resume(agent.pk, by=by.actor, reason=by.reason)


DRAIN = Verb(
    name="drain",
    label=_("Drain"),
    permission=OPERATE,
    preview=_drain_will,
    apply=one_by_one(_drain),
    snapshot=snapshot,
    icon="hourglass_bottom",
)
RESUME = Verb(
    name="resume",
    label=_("Resume"),
    permission=OPERATE,
    preview=_resume_will,
    apply=one_by_one(_resume),
    snapshot=snapshot,
    icon="play_arrow",
)
AGENT_VERBS: list[Verb[Agent]] = [DRAIN, RESUME]
"""Those that this room can do; to reset and retire is to know of chains."""
