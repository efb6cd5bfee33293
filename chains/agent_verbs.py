"""All that people may do to agents; reset and retire change chains too."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from accounts.rights import ADMINISTER
from agents import transitions as agent_transitions
from agents import verbs
from agents.models import Agent
from chains import resets
from chains.models import Chain
from console.conditions import Values
from console.verbs import By, Preview, Verb, by_key, one_by_one, some_of
from tasks.fields import channel_field
from tasks.models import Channel, Task


@one_by_one
def _subscribe(agent: Agent, by: By, values: Values) -> None:
    """The row is locked, so no channel is lost that somebody else adds."""
    channel = values["channel"]
    if not isinstance(channel, Channel):
        raise TypeError(f"{channel!r} is no channel")
    if channel.name not in agent.subscriptions:
        names = [*agent.subscriptions, channel.name]
        agent_transitions.subscribe(agent.pk, names, by=by.actor, reason=by.reason)


def _subscription(agents: QuerySet[Agent], values: Values) -> list[str]:
    channel = values.get("channel")
    names = {"channel": channel.name if isinstance(channel, Channel) else "…"}
    if isinstance(channel, Channel):
        agents = agents.exclude(subscriptions__contains=[channel.name])
    count = agents.count()
    if not count:
        return []
    sentence = ngettext(
        "%(count)d agent is subscribed to channel %(channel)s too.",
        "%(count)d agents are subscribed to channel %(channel)s too.",
        count,
    )
    return [sentence % {**names, "count": count}]


def _held(agents: QuerySet[Agent]) -> int:
    held = Task.objects.in_progress().filter(agent__in=agents.order_by().values("pk"))
    return some_of(held)


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
        "subscribe",
        _("Add a channel"),
        [_subscription],
        _subscribe,
        verbs.snapshot,
        fields={"channel": channel_field()},
        help=_("It works in this channel too; its heartbeats do not undo it."),
        icon="add",
    ),
    Verb(
        "reset",
        _("Reset"),
        GIVES_BACK,
        by_key(resets.reset_agent),
        verbs.snapshot,
        beside=_held,
        icon="restart_alt",
        help=_("Takes back what it has; it may claim again at once."),
        danger=True,
    ),
    Verb(
        "retire",
        _("Retire"),
        [CLAIMS_NO_MORE, *GIVES_BACK],
        by_key(resets.retire_agent),
        verbs.snapshot,
        beside=_held,
        permission=ADMINISTER,
        icon="logout",
        help=_("Drains it and takes back what it has."),
        danger=True,
    ),
    Verb(
        "remove",
        _("Remove"),
        [IS_FORGOTTEN, *GIVES_BACK],
        by_key(resets.remove_agent),
        verbs.snapshot,
        beside=_held,
        permission=ADMINISTER,
        icon="delete",
        help=_("Retires it and forgets it."),
        danger=True,
    ),
]
