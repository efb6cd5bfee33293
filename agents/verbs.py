"""What people may do to agents, as far as that needs no knowledge of chains."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from agents import transitions
from agents.models import Agent
from console.verbs import Preview, Verb, When, by_key


def snapshot(agent: Agent) -> dict[str, object]:
    return {
        "draining": agent.draining,
        "announced": agent.announced,
        "subscriptions": agent.subscriptions,
    }


WORKING, DRAINING = When(draining=False), When(draining=True)
AGENT_VERBS: list[Verb[Agent]] = [
    Verb(
        "drain",
        _("Drain"),
        [
            Preview(
                WORKING,
                ngettext_lazy(
                    "%(count)d agent finishes what it has and claims no more.",
                    "%(count)d agents finish what they have and claim no more.",
                    "count",
                ),
            ),
            Preview(
                DRAINING,
                ngettext_lazy(
                    "%(count)d is already draining.", "%(count)d are already draining.", "count"
                ),
            ),
        ],
        by_key(transitions.drain),
        snapshot,
        WORKING,
        icon="hourglass_bottom",
    ),
    Verb(
        "resume",
        _("Resume"),
        [
            Preview(
                DRAINING,
                ngettext_lazy(
                    "%(count)d agent claims again.", "%(count)d agents claim again.", "count"
                ),
            )
        ],
        by_key(transitions.resume),
        snapshot,
        DRAINING,
        icon="play_arrow",
    ),
]
