"""What people may do to agents, as far as that needs no knowledge of chains."""

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from agents import transitions
from agents.models import Agent, Notification, NotificationType
from console.conditions import Values, When
from console.verbs import By, Preview, Verb, by_key, one_by_one


def snapshot(agent: Agent) -> dict[str, object]:
    return {
        "draining": agent.draining,
        "announced": agent.announced,
        "subscriptions": agent.subscriptions,
    }


WORKING, DRAINING = When(draining=False), When(draining=True)
WAITS = When(
    {"waits": lambda: Q(Exists(Notification.objects.shown().filter(agent=OuterRef("pk"))))},
    waits=True,
)


@one_by_one
def _dismiss(agent: Agent, by: By, values: Values) -> None:
    transitions.dismiss(agent.pk, NotificationType.SETUP_WAITING)


AGENT_VERBS: list[Verb[Agent]] = [
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
        help=_("It may claim again."),
    ),
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
        help=_("It finishes what it has."),
    ),
    Verb(
        "dismiss",
        _("Dismiss the notification"),
        [
            Preview(
                WAITS,
                ngettext_lazy(
                    "Hides the notification of %(count)d agent until it waits anew.",
                    "Hides the notifications of %(count)d agents until they wait anew.",
                    "count",
                ),
            )
        ],
        _dismiss,
        snapshot,
        WAITS,
        asks_reason=False,
        help=_("The agent goes on waiting."),
        icon="notifications_off",
    ),
]
