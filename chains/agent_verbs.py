"""All that people may do to agents; reset and retire change chains too."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.rights import ADMINISTER
from agents import verbs
from agents.models import Agent
from chains import resets
from chains.models import Chain
from console.verbs import Preview, Verb, by_key
from tasks.models import Task

GIVES_BACK: list[Preview[Agent]] = [
    Preview(
        lambda agents, _: Task.objects.in_progress().filter(
            agent__in=agents.order_by().values("pk")
        ),
        ngettext_lazy(
            "Takes %(count)d task in progress from its agent and puts it back in the queue.",
            "Takes %(count)d tasks in progress from their agents and puts them back in the queue.",
            "count",
        ),
    ),
    Preview(
        lambda agents, _: Chain.objects.filter(owner__in=agents.order_by().values("pk")),
        ngettext_lazy(
            "Ownership of %(count)d chain ends.", "Ownership of %(count)d chains ends.", "count"
        ),
    ),
]
CLAIMS_NO_MORE: Preview[Agent] = Preview(
    verbs.WORKING,
    ngettext_lazy("%(count)d agent claims no more.", "%(count)d agents claim no more.", "count"),
)
IS_FORGOTTEN: Preview[Agent] = Preview(
    lambda agents, _: agents,
    ngettext_lazy(
        "%(count)d agent is removed. If it appears again, it is made anew.",
        "%(count)d agents are removed. If they appear again, they are made anew.",
        "count",
    ),
)
AGENT_VERBS: list[Verb[Agent]] = [
    *verbs.AGENT_VERBS,
    Verb(
        "reset",
        _("Reset"),
        GIVES_BACK,
        by_key(resets.reset_agent),
        verbs.snapshot,
        icon="restart_alt",
    ),
    Verb(
        "retire",
        _("Retire"),
        [CLAIMS_NO_MORE, *GIVES_BACK],
        by_key(resets.retire_agent),
        verbs.snapshot,
        permission=ADMINISTER,
        icon="logout",
    ),
    Verb(
        "remove",
        _("Remove"),
        [IS_FORGOTTEN, *GIVES_BACK],
        by_key(resets.remove_agent),
        verbs.snapshot,
        permission=ADMINISTER,
        icon="delete",
    ),
]
